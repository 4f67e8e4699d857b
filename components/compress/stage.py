"""The shell of compress: from a model bundle to that of a smaller variant."""

import dataclasses
import functools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.common.digests import canonical_json
from components.common.documents.bundle import Architecture, Epoch, ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.models import Models
from components.common.process.events import Events
from components.common.run_context import RunContext
from components.common.shell.stage import Stage, Task, execute
from components.compress.config import CompressConfig, VariantConfig
from components.compress.steps import STEPS

if TYPE_CHECKING:
    from components.compress.steps.step import Compressed


def run(
    *,
    dataset: Path,
    models: Path,
    variant_id: str,
    config: str,
    context: str,
    compressed: Path,
    required_accuracy: float | None = None,
) -> None:
    """Makes one variant of its parent; its bundle stays in the store.

    Its key covers its own steps and the parent's bundle, and no other variant. Nor does it know
    of `required_accuracy`: a training that can't come to it leaves nothing in the store, and its
    state to whoever asks for less.

    Raises:
      GivenUp: the last step's training can't come to `required_accuracy`.
    """
    from components.common.models.handing_on import hand_on

    variant = CompressConfig.from_json(config).variant(variant_id)
    before = Models.read(models)
    assert variant.parent is not None, f"{variant_id} has no parent"
    compute = functools.partial(_compute, required_accuracy=required_accuracy)
    execute(
        dataclasses.replace(STAGE, compute=compute),
        config=VariantConfig(steps=variant.steps),
        context=context,
        inputs={"dataset": dataset, "parent": before.entry(variant.parent).stored},
        output=compressed,
        instance=variant_id,
        deliver=hand_on(variant_id, parent=variant.parent, before=before),
    )


def _compute(
    task: Task[VariantConfig], *, required_accuracy: float | None = None
) -> Mapping[str, float]:
    from components.common.models.bundles import load_bundle_model, save_weights
    from components.common.models.predictions import save_predictions
    from components.common.tasks.graphs import build_classifier
    from components.common.tasks.reading import read_for
    from components.common.training.examples import open_training_splits
    from components.common.training.loop import make_deterministic
    from components.common.training.session import open_session
    from components.common.training.strategy import open_strategy, read_variables, write_variables

    parent = ModelBundle.read(task.inputs["parent"])
    manifest = read_for(DatasetManifest.read(task.inputs["dataset"]), parent.input)
    strategy = open_strategy(task.devices, task.worker)
    settings = [_settings(step.kind, step.settings) for step in task.config.steps]
    make_deterministic(next((own.seed for own in settings if hasattr(own, "seed")), 0))
    done: list[Compressed] = []
    with tempfile.TemporaryDirectory() as folder:
        storage, scratch = task.context.data(), Path(folder)
        open_splits = functools.partial(
            open_training_splits, storage=storage, scratch=scratch, worker=task.worker
        )
        with strategy.scope():
            splits = open_splits(manifest)
            model, bundle = load_bundle_model(task.inputs["parent"]), parent
            for number, (step, own) in enumerate(zip(task.config.steps, settings, strict=True)):
                part, is_last = f"{number + 1}-{step.kind}", number == len(settings) - 1
                session = open_session(
                    task,
                    manifest,
                    bundle.input,
                    splits,
                    part=part,
                    load_parent=functools.partial(_load_teacher, task, parent, bundle),
                    required_accuracy=required_accuracy if is_last else None,
                )
                done.append(STEPS[step.kind].apply(model, own, session))
                model, bundle = done[-1].model, _describe_graph(bundle, done[-1])
                if done[-1].input is not None:
                    manifest = read_for(manifest, bundle.input)
                    if not is_last:
                        splits = open_splits(manifest)
        measurements = {**done[-1].measurements, "training_s": _training_s(done)}
        if not task.worker.is_chief:
            return measurements
        if strategy.num_replicas_in_sync > 1:
            weights = read_variables(model.weights)
            model = build_classifier(bundle.architecture, bundle.input, len(bundle.class_names))
            write_variables(model.weights, weights)
        save_predictions(
            model,
            task.output,
            manifest,
            storage,
            spec=bundle.input,
            scratch=scratch,
            events=task.events,
        )
    save_weights(model, task.output)
    faults = tuple(_training_faults(done, settings, manifest))
    for fault in faults:
        task.events.warn(f"training: {fault}")
    bundle.model_copy(
        update={
            "parameters": model.count_params(),
            "history": tuple(_number_epochs([each.history for each in done])),
            "best_epoch": _best_epoch(done),
            "faults": faults,
            "steps": tuple(each.facts for each in done),
            "lineage": task.lineage,
        }
    ).write(task.output)
    return measurements


def _load_teacher(task: Task[VariantConfig], parent: ModelBundle, student: ModelBundle) -> Any:
    """Returns the parent for pictures as they are prepared for another model."""
    from components.common.models.bundles import load_bundle_model
    from components.common.tasks.graphs import adapt_input

    return adapt_input(load_bundle_model(task.inputs["parent"]), parent.input, student.input)


def _describe_graph(before: ModelBundle, after: "Compressed") -> ModelBundle:
    """Returns a bundle's document with the graph that a step left."""
    update = {}
    if (student := after.student) is not None:
        update = {field.name: getattr(student, field.name) for field in dataclasses.fields(student)}
    elif after.filters:
        assert isinstance(before.architecture, Architecture), "of pictures alone"
        filters = {**before.architecture.filters, **after.filters}
        update = {"architecture": before.architecture.model_copy(update={"filters": filters})}
    elif after.length is not None:
        update = {"architecture": before.architecture.model_copy(update={"length": after.length})}
    elif after.input is not None:
        update = {"input": after.input}
    return before.model_copy(update=update)


def _training_faults(
    done: Sequence["Compressed"], settings: Sequence[Any], manifest: DatasetManifest
) -> Iterator[str]:
    from components.common.training.findings import find_training_faults

    for each, own in zip(done, settings, strict=True):
        if each.history:
            yield from find_training_faults(
                each.history,
                each.best_epoch,
                manifest,
                is_taught=getattr(own, "distillation", None) is not None,
            )


def _settings(kind: str, settings: Mapping[str, Any]) -> Any:
    return STEPS[kind].Settings.model_validate_json(canonical_json(settings))


def _training_s(done: Sequence["Compressed"]) -> float:
    return sum(each.measurements.get("training_s", 0.0) for each in done)


def _best_epoch(done: Sequence["Compressed"]) -> int:
    """Returns the number, counted through all steps, of the last epoch that was kept."""
    before = best = 0
    for each in done:
        best = before + each.best_epoch if each.history else best
        before += len(each.history)
    return best


def _number_epochs(histories: Sequence[Sequence[Epoch]]) -> Iterator[Epoch]:
    """Yields the epochs of all steps, counted from 1 through all of them."""
    epochs = (epoch for history in histories for epoch in history)
    for number, epoch in enumerate(epochs, start=1):
        yield epoch.model_copy(update={"epoch": number})


def _identify(config: VariantConfig, context: RunContext, events: Events) -> Mapping[str, str]:
    """Returns the content of what steps take from elsewhere."""
    found = {}
    for number, step in enumerate(config.steps, start=1):
        if (identify := getattr(STEPS[step.kind], "identify", None)) is not None:
            for name, content in identify(_settings(step.kind, step.settings)).items():
                found[f"{number}-{step.kind}-{name}"] = content
    return found


STAGE = Stage(
    name="compress",
    config=VariantConfig,
    output="bundle",
    compute=_compute,
    identify=_identify,
    resumes=True,
)
