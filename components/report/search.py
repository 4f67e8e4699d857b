"""The search's log: what each round tried, what came of it, and what was left out.

All its figures are of the validation split; the test split has seen the finalists alone.
"""

import dataclasses
from collections.abc import Iterator

from components.common.documents.ladder import (
    Ladder,
    RankedCandidate,
    RungState,
    RungVerdict,
    Trial,
)
from components.report.sources import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrialRow:
    """A model that was tried, and the best of its files."""

    round: int
    variant_id: str
    epochs: int
    training_s: float
    state: RungState
    best: RankedCandidate | None
    drop: float | None
    """Of accuracy against float32, on validation."""
    sentence: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSection:
    """What a search did."""

    rows: tuple[TrialRow, ...]
    untried: tuple[str, ...]
    """A sentence on each step that could not win."""
    notes: tuple[str, ...]
    finalists: tuple[str, ...]
    examples: int
    """Of the validation split."""
    training_s: float


def search_section(run: Run) -> SearchSection | None:
    """Returns the search's log, nothing where the recipe declares its variants."""
    search = run.search
    if search is None:
        return None
    return SearchSection(
        rows=tuple(_rows(search)),
        untried=tuple(each.sentence for each in search.verdicts if each.state == "not_tried"),
        notes=search.notes,
        finalists=search.finalists,
        examples=max((trial.examples for trial in search.trials), default=0),
        training_s=search.training_s,
    )


def _rows(search: Ladder) -> Iterator[TrialRow]:
    verdicts = {each.variant_id: each for each in search.verdicts}
    trials = {each.proposal.variant.id: each for each in search.trials}
    for number, ids in enumerate(search.rounds, start=1):
        for id_ in ids:
            if id_ in trials and id_ in verdicts:
                yield _row(number, trials[id_], verdicts[id_])


def _row(number: int, trial: Trial, verdict: RungVerdict) -> TrialRow:
    best = (each for each in trial.candidates if each.candidate_id == verdict.candidate_id)
    return TrialRow(
        round=number,
        variant_id=verdict.variant_id,
        epochs=trial.proposal.epochs,
        training_s=trial.training_s,
        state=verdict.state,
        best=next(best, None),
        drop=verdict.drop,
        sentence=verdict.sentence,
    )
