"""The shell of compress: from a model bundle to that of a smaller variant."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.common.digests import canonical_json
from components.common.documents.bundle import Epoch, ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.models import Models
from components.common.shell.stage import Stage, Task, execute
from components.compress.config import CompressConfig, VariantConfig
from components.compress.steps import STEPS

if TYPE_CHECKING:
    from components.compress.steps.step import Compressed


def run(
    *, dataset: Path, models: Path, variant_id: str, config: str, context: str, compressed: Path
) -> None:
    """Makes one variant of its parent; its bundle stays in the store.

    Its key covers its own steps and the parent's bundle, and no other variant.
    """
    from components.common.models.handing_on import hand_on

    variant = CompressConfig.from_json(config).variant(variant_id)
    before = Models.read(models)
    assert variant.parent is not None, f"{variant_id} has no parent"
    execute(
        STAGE,
        config=VariantConfig(steps=variant.steps),
        context=context,
        inputs={"dataset": dataset, "parent": before.entry(variant.parent).stored},
        output=compressed,
        instance=variant_id,
        deliver=hand_on(variant_id, parent=variant.parent, before=before),
    )


def _compute(task: Task[VariantConfig]) -> Mapping[str, float]:
    from components.common.models.bundles import load_bundle_model, save_weights
    from components.common.models.predictions import save_predictions
    from components.common.training.examples import open_training_splits
    from components.common.training.findings import find_training_faults
    from components.common.training.loop import make_deterministic
    from components.common.training.session import open_session
    from components.common.training.strategy import open_strategy, read_variables, write_variables

    manifest = DatasetManifest.read(task.inputs["dataset"])
    parent = ModelBundle.read(task.inputs["parent"])
    strategy = open_strategy(task.devices, task.worker)
    settings = [_settings(step.kind, step.settings) for step in task.config.steps]
    make_deterministic(settings[0].seed)
    done: list[Compressed] = []
    with tempfile.TemporaryDirectory() as folder:
        storage, scratch = task.context.data(), Path(folder)
        with strategy.scope():
            splits = open_training_splits(manifest, storage, scratch=scratch, worker=task.worker)
            model = load_bundle_model(task.inputs["parent"])
            for number, (step, own) in enumerate(zip(task.config.steps, settings, strict=True)):
                part = f"{number + 1}-{step.kind}"
                session = open_session(task, manifest, parent.input, splits, part=part)
                done.append(STEPS[step.kind].apply(model, own, session))
                model = done[-1].model
        measurements = {**done[-1].measurements, "training_s": _training_s(done)}
        if not task.worker.is_chief:
            return measurements
        if strategy.num_replicas_in_sync > 1:
            weights = read_variables(model.weights)
            model = load_bundle_model(task.inputs["parent"])
            write_variables(model.weights, weights)
        save_predictions(model, task.output, manifest, storage, spec=parent.input, scratch=scratch)
    save_weights(model, task.output)
    faults = [find_training_faults(each.history, each.best_epoch, manifest) for each in done]
    for fault in (fault for found in faults for fault in found):
        task.events.warn(f"training: {fault}")
    history = tuple(_number_epochs([each.history for each in done]))
    parent.model_copy(
        update={
            "history": history,
            "best_epoch": len(history) - len(done[-1].history) + done[-1].best_epoch,
            "faults": tuple(fault for found in faults for fault in found),
            "steps": tuple(each.facts for each in done),
            "lineage": task.lineage,
        }
    ).write(task.output)
    return measurements


def _settings(kind: str, settings: Mapping[str, Any]) -> Any:
    return STEPS[kind].Settings.model_validate_json(canonical_json(settings))


def _training_s(done: Sequence["Compressed"]) -> float:
    return sum(each.measurements["training_s"] for each in done)


def _number_epochs(histories: Sequence[Sequence[Epoch]]) -> Iterator[Epoch]:
    """Yields the epochs of all steps, counted from 1 through all of them."""
    epochs = (epoch for history in histories for epoch in history)
    for number, epoch in enumerate(epochs, start=1):
        yield epoch.model_copy(update={"epoch": number})


STAGE = Stage(
    name="compress", config=VariantConfig, output="bundle", compute=_compute, resumes=True
)
