"""The shell of validate: reads the manifest and the blessed model's, stops or lets pass."""

from collections.abc import Iterator

from components.common.data.membership import Membership
from components.common.documents.dataset import DatasetManifest, Split
from components.common.documents.near_copies import NearCopies
from components.common.documents.oddities import Oddities
from components.common.documents.profile import DataProfile
from components.common.documents.rejects import COPIES, read_notes
from components.common.documents.validation import Validation
from components.common.errors import UserError
from components.common.process.events import Events
from components.common.registry import Registry
from components.common.run_context import RunContext
from components.common.shell.stage import Stage, Task
from components.common.words.terminal import say
from components.validate.checks import check_dataset, explain_stop
from components.validate.config import ValidateConfig


def _compute(task: Task[ValidateConfig]) -> None:
    def read_ids(split: Split) -> Iterator[str]:
        from components.common.tasks.reading import read_examples  # Seldom needed.

        return (example.id for example in read_examples(manifest, split, storage))

    manifest = DatasetManifest.read(task.inputs["dataset"])
    storage = task.context.data()
    notes = read_notes(task.inputs["dataset"])
    tell_left_out(manifest, task.events)
    findings = check_dataset(
        manifest,
        task.config,
        membership=Membership.read(task.inputs["dataset"]),
        blessed=_blessed_manifest(task.context, task.config.model_name),
        read_ids=read_ids,
        notes=notes,
        near_copies=NearCopies.read(task.inputs["dataset"]),
        oddities=Oddities.read(task.inputs["dataset"]),
        profile=DataProfile.read(task.inputs["dataset"]),
    )
    for finding in findings:
        if finding.severity == "stop":
            say(f"stop: {finding.check}: {finding.message}")
        else:
            task.events.warn(f"{finding.check}: {finding.message}")
    if message := explain_stop(findings):
        raise UserError(message)
    Validation(findings=findings).write(task.output)


def tell_left_out(manifest: DatasetManifest, events: Events) -> None:
    """Counts the records that are no examples, and warns of them unless they are mere copies."""
    if not manifest.rejects:
        return
    reasons = ", ".join(f"{count} {reason}" for reason, count in manifest.rejects.items())
    message = (
        f"left_out: {sum(manifest.rejects.values())} of {manifest.records} records are no examples "
        f"({reasons}); the report shows some, and rejects.jsonl beside the manifest names all"
    )
    if COPIES.issuperset(manifest.rejects):
        say(message)
    else:
        events.warn(message)


def _blessed_manifest(context: RunContext, model_name: str) -> DatasetManifest | None:
    """Returns the manifest that the blessed model was made from, if there is one to be had."""
    registry = Registry(context.models(), model_name)
    pointer, _ = registry.blessed()
    if pointer is None:
        return None
    try:
        data = registry.read(pointer.version, DatasetManifest.file_name)
        return DatasetManifest.parse(data)
    except (FileNotFoundError, UserError) as error:
        say(
            f"{registry.uri(pointer.version, DatasetManifest.file_name)}: can't be read, so the "
            f"data set is not compared with the blessed model's ({type(error).__name__})",
        )
        return None


STAGE = Stage(
    name="validate", config=ValidateConfig, output="validation", compute=_compute, reuse=False
)
