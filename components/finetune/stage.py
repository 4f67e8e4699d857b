"""The shell of finetune: from a data set to a trained model bundle."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.variant import DENSE
from components.common.process.events import Events
from components.common.run_context import RunContext
from components.common.shell.stage import Stage, Task, execute
from components.common.tasks.tuning import tuning_of
from components.finetune.config import TrainConfig


def run(*, dataset: Path, config: str, context: str, models: Path) -> None:
    """Trains the root of the run's models; its bundle stays in the store."""
    from components.common.models.handing_on import hand_on

    execute(
        STAGE,
        config=TrainConfig.from_json(config),
        context=context,
        inputs={"dataset": dataset},
        output=models,
        deliver=hand_on(DENSE),
    )


def _compute(task: Task[TrainConfig]) -> Mapping[str, float]:
    from components.common.models.bundles import frozen_layers, save_weights
    from components.common.models.predictions import save_predictions
    from components.common.tasks.graphs import input_spec
    from components.common.training.examples import open_training_splits
    from components.common.training.findings import find_training_faults
    from components.common.training.loop import make_deterministic
    from components.common.training.precision import native_precision
    from components.common.training.session import open_session
    from components.common.training.strategy import open_strategy
    from components.finetune.alike_classes import check_classes
    from components.finetune.fine_tuning import (
        build_model,
        fine_tune,
        in_float32,
    )
    from components.finetune.zero_shot import assess_zero_shot

    config = task.config
    manifest = DatasetManifest.read(task.inputs["dataset"])
    own = tuning_of(config.task)
    strategy = open_strategy(task.devices, task.worker)
    make_deterministic(config.seed)
    with tempfile.TemporaryDirectory() as folder:
        storage, scratch = task.context.data(), Path(folder)
        weights = own.fetch_weights(config, scratch)
        architecture = own.describe_architecture(config, weights)
        spec = input_spec(architecture, manifest.spec)
        precision = native_precision() if config.mixed_precision == "auto" else "float32"
        with strategy.scope():
            splits = open_training_splits(manifest, storage, scratch=scratch, worker=task.worker)
            model = build_model(
                config, spec, len(manifest.class_names), weights=weights, precision=precision
            )
            session = open_session(task, manifest, spec, splits)
            # Of several workers, each has a part of the validation split.
            zero_shot = assess_zero_shot(model, config, session) if task.worker.count == 1 else None
            is_compared = config.is_pretrained and task.worker.count == 1
            severity = config.alike_classes if is_compared else "ignore"
            alike = check_classes(model, severity, session)
            history, best_epoch, clock = fine_tune(model, config, session)
        if not task.worker.is_chief:
            return clock.measurements()
        frozen = frozen_layers(model)
        if precision != "float32" or strategy.num_replicas_in_sync > 1:
            model = in_float32(model, architecture, spec)
        save_predictions(
            model,
            task.output,
            manifest,
            storage,
            spec=spec,
            scratch=scratch,
            events=task.events,
        )
    save_weights(model, task.output)
    faults = find_training_faults(history, best_epoch, manifest)
    for fault in faults:
        task.events.warn(f"training: {fault}")
    ModelBundle(
        class_names=manifest.class_names,
        architecture=architecture,
        input=spec,
        parameters=model.count_params(),
        frozen_layers=frozen,
        history=history,
        best_epoch=best_epoch,
        faults=faults,
        zero_shot=zero_shot,
        alike_classes=alike,
        lineage=task.lineage,
    ).write(task.output)
    return clock.measurements()


def _identify(config: TrainConfig, context: RunContext, events: Events) -> Mapping[str, str]:
    return {"weights": tuning_of(config.task).identify_weights(config)}


STAGE = Stage(
    name="finetune",
    config=TrainConfig,
    output="bundle",
    compute=_compute,
    identify=_identify,
    resumes=True,
)
