"""The ladder: every model of a run below the one that it was made of, with its candidates.

A step is read off a candidate and the nearest model above that has the same conversion: what it
bought of size and speed, and what it cost of accuracy. The gate has compared them.
"""

import dataclasses
from collections.abc import Iterator

from components.common.documents.decision import StepGain
from components.common.documents.models import ModelEntry
from components.report.candidates import CandidateRow
from components.report.sources import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class RungCandidate:
    """One file that was made of a model."""

    row: CandidateRow
    gain: StepGain | None
    """Against the model above, or for the fine-tuned one against its float32."""
    summary: str
    """In one sentence, what it lost by or won by."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rung:
    """A model."""

    id: str
    depth: int
    """How many models it stands below."""
    title: str
    """What was done to the model above."""
    parameters: int
    candidates: tuple[RungCandidate, ...]

    @property
    def wins(self) -> bool:
        return any(each.row.standing == "winner" for each in self.candidates)


def ladder(run: Run, rows: tuple[CandidateRow, ...]) -> tuple[Rung, ...]:
    """Returns the models in depth, each above those that were made of it; none of a single one.

    Args:
      run: the run's documents.
      rows: of all candidates, in the order of the page.
    """
    if len(run.models.entries) < 2:
        return ()
    return tuple(_rungs(run, rows, parent=None, depth=0))


def _rungs(
    run: Run, rows: tuple[CandidateRow, ...], *, parent: str | None, depth: int
) -> Iterator[Rung]:
    for entry in run.models.entries:
        if entry.parent == parent:
            yield _rung(run, entry, rows, depth)
            yield from _rungs(run, rows, parent=entry.id, depth=depth + 1)


def _rung(run: Run, entry: ModelEntry, rows: tuple[CandidateRow, ...], depth: int) -> Rung:
    own = [row for row in rows if _variant(run, row.id) == entry.id]
    return Rung(
        id=entry.id,
        depth=depth,
        title=entry.title or "as fine-tuned",
        parameters=entry.bundle.parameters,
        candidates=tuple(
            RungCandidate(row=row, gain=_gain(run, row.id), summary=_summary(run, row.id))
            for row in own
        ),
    )


def _gain(run: Run, id_: str) -> StepGain | None:
    """Returns how a candidate compares with the model above, else with a lesser conversion."""
    gains = [gain for gain in run.decision.steps if gain.after == id_]
    above = [gain for gain in gains if _variant(run, gain.before) != _variant(run, id_)]
    return next(iter([*above, *gains]), None)


def _variant(run: Run, id_: str) -> str:
    return run.candidates[id_].candidate.variant


def _summary(run: Run, id_: str) -> str:
    verdict = run.verdict(id_)
    return verdict.summary if verdict is not None else ""
