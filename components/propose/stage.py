"""The shell of propose: trials in, what to try next out.

It is computed in every run: that takes no time, and a search's way is then told by every run.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from components.common.documents.bundle import ModelBundle
from components.common.documents.candidate import BASELINE_ID, CandidateSpec
from components.common.documents.ladder import NOTHING, Ladder, Trial, Trials
from components.common.documents.models import Models
from components.common.documents.record import Record
from components.common.documents.variant import DENSE
from components.common.shell.stage import Stage, Task, execute
from components.propose.config import ProposeConfig
from components.propose.known import usable_rungs
from components.propose.proposer import propose


def run(
    *,
    models: Path,
    trials: Sequence[Path],
    config: str,
    context: str,
    ladder: Path,
) -> list[str]:
    """Goes one round on.

    Returns:
      The ids that the next loop of the DAG goes through: those of variants to make, or of
      candidates to prove where the search is over.
    """
    told = ProposeConfig.from_json(config)

    def deliver(work: Path, record: Record, output: Path) -> None:
        output.mkdir(parents=True, exist_ok=True)
        Ladder.read(work).write(output)
        Models.read(work).write(output)

    execute(
        STAGE,
        config=told,
        context=context,
        inputs={"models": models, "trials": tuple(trials)},
        output=ladder,
        instance=str(_round(models)),
        deliver=deliver,
    )
    found = Ladder.read(ladder)
    if told.search is not None and found.round > told.search.rounds:
        return [BASELINE_ID, *found.finalists]
    return [one.variant.id for one in found.proposals] or [NOTHING]


def _before(models: Path) -> Ladder | None:
    return Ladder.read(models) if (models / Ladder.file_name).is_file() else None


def _round(models: Path) -> int:
    before = _before(models)
    return 1 if before is None else before.round + 1


def _compute(task: Task[ProposeConfig]) -> None:
    before = _before(task.inputs["models"])
    folders: Sequence[Path] = task.inputs["trials"]
    known = [*(before.trials if before else ()), *_read_trials(folders)]
    models = Models.read(task.inputs["models"])
    ladder = propose(_with_model(task.config, models.entry(DENSE).bundle), known, before=before)
    ladder.write(task.output)
    models = _join_models(models, folders)
    models.model_copy(update={"candidates": tuple(_finalists(ladder))}).write(task.output)
    task.context.data().write(
        f"{task.context.run_folder()}/{Ladder.file_name}", ladder.to_json().encode() + b"\n"
    )


def _with_model(config: ProposeConfig, dense: ModelBundle) -> ProposeConfig:
    """Returns what a search is told, with what only the model can tell."""
    own = {rung.kind: rung.of_model(dense) for rung in usable_rungs(config)}
    steps = {kind: {**told, **own.get(kind, {})} for kind, told in config.steps.items()}
    return config.model_copy(update={"steps": steps})


def _finalists(ladder: Ladder) -> Iterator[CandidateSpec]:
    for trial in ladder.trials:
        yield from (one for one in trial.proposal.candidates if one.id in ladder.finalists)


def _read_trials(folders: Iterable[Path]) -> Iterator[Trial]:
    for folder in folders:
        yield from Trials.read(folder).trials


def _join_models(models: Models, folders: Iterable[Path]) -> Models:
    """Returns the models with those of a round, in an order that does not depend on KFP's."""
    made = {
        entry.id: entry
        for folder in folders
        if (folder / Models.file_name).is_file()
        for entry in Models.read(folder).entries
    }
    known = {entry.id for entry in models.entries}
    for id_ in sorted(made.keys() - known):
        models = models.with_entry(made[id_])
    return models


STAGE = Stage(name="propose", config=ProposeConfig, output="ladder", compute=_compute, reuse=False)
