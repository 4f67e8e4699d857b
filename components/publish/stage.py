"""publish: puts the winner into the registry and moves the blessed pointer to it.

The pointer moves on condition that it is still the one that the gate decided against, so
that two runs at once can't undo each other. The run that comes second publishes nothing
and says so.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from components.common.documents.decision import Decision
from components.common.documents.release import Published
from components.common.errors import UserError
from components.common.shell.stage import Stage, Task
from components.common.words.terminal import say
from components.publish.config import PublishConfig

if TYPE_CHECKING:
    from components.common.documents.release import Release
    from components.common.registry import Registry


def _compute(task: Task[PublishConfig]) -> Mapping[str, float]:
    decision = Decision.read(task.inputs["decision"])
    _check_decided_on(task, decision)
    if decision.verdict == "blessed":
        published = _publish(task, decision)
    else:
        published = _abstain(task, decision)
    published.write(task.output)
    task.context.data().write(
        f"{task.context.run_folder()}/{Published.file_name}", published.to_json().encode() + b"\n"
    )
    say(published.message)
    return {}


def _check_decided_on(task: Task[PublishConfig], decision: Decision) -> None:
    """Checks that what would be published is what the gate decided on.

    Raises:
      UserError: it was changed since.
    """
    for name, digest in decision.lineage.inputs.items():
        if task.lineage.inputs.get(name) != digest:
            raise UserError(
                f"{name}: was changed since the gate decided on it, so nothing is published; run "
                "again"
            )


def _abstain(task: Task[PublishConfig], decision: Decision) -> Published:
    """Says what stays blessed, and that nothing was published."""
    from components.common.registry import Registry

    before = decision.blessed_before
    registry = Registry(task.context.models(), task.config.model_name)
    message = decision.summary
    if decision.verdict == "not_blessed":
        stays = f"Version {before.version} stays blessed." if before else "No version is blessed."
        message = " ".join((message, stays, *decision.notes))
    return Published(
        verdict=decision.verdict,
        version=before.version if before else None,
        uri=registry.uri(before.version) if before else None,
        message=message,
    )


def _publish(task: Task[PublishConfig], decision: Decision) -> Published:
    from components.common.registry import LostRaceError, Registry
    from components.common.storage import ABSENT
    from components.publish.releases import gather_release

    registry = Registry(task.context.models(), task.config.model_name)
    generation = decision.blessed_before.generation if decision.blessed_before else ABSENT
    release, model, documents = gather_release(task, decision)
    try:
        # Looked at before the files are written, too: a race lost early leaves nothing.
        if registry.blessed()[1] != generation:
            raise LostRaceError(task.config.model_name)
        release = registry.publish(release, model, documents)
        registry.bless(release, run_id=task.context.run_id, generation=generation)
    except LostRaceError:
        return _concede(task, decision, registry, release)
    return Published(
        verdict="blessed",
        version=release.version,
        uri=registry.uri(release.version),
        message=f"{decision.summary} It is published as version {release.version}.",
    )


def _concede(
    task: Task[PublishConfig], decision: Decision, registry: "Registry", release: "Release"
) -> Published:
    """Says what another run did, or this one in an attempt that was cut short."""
    pointer, _ = registry.blessed()
    same = pointer is not None and pointer.model_sha256 == release.model.sha256
    if pointer is not None and same and pointer.run_id == task.context.run_id:
        verdict, message = decision.verdict, f"{decision.summary} It is published already."
    elif pointer is not None and same:
        verdict = "already_blessed"
        message = f"Another run blessed this very model meanwhile, as version {pointer.version}."
    else:
        verdict = "not_blessed"
        before = decision.blessed_before
        against = f"version {before.version}" if before else "an empty registry"
        now = f"version {pointer.version}" if pointer else "none"
        message = (
            f"{decision.winner} won against {against}, but meanwhile the blessed version became "
            f"{now}, by another run or a rollback. That one stays: run again, and the gate will "
            "compare with it; all work before the gate is kept."
        )
    return Published(
        verdict=verdict,
        version=pointer.version if pointer else None,
        uri=registry.uri(pointer.version) if pointer else None,
        message=message,
    )


STAGE = Stage(
    name="publish", config=PublishConfig, output="published", compute=_compute, reuse=False
)
