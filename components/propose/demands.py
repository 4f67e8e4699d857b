"""What a trial must come to on validation to be of use: its training is given up where it can't."""

from collections.abc import Iterable, Iterator

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.ladder import Proposal
from components.propose.climbing import HOPELESS
from components.propose.known import Known


def demand_accuracy(proposals: Iterable[Proposal], known: Known) -> Iterator[Proposal]:
    """Yields the proposals with what is required of each.

    A whole training must come within the margin of float32; a brief one, after which a whole one
    may decide, must not be hopeless.
    """
    baseline, margin = _baseline(known), known.config.budgets.accuracy_drop
    for proposal in proposals:
        if baseline is not None and margin is not None:
            allowed = HOPELESS * margin if proposal.brief else margin
            required = max(0.0, baseline - allowed)
            proposal = proposal.model_copy(update={"required_accuracy": required})
        yield proposal


def _baseline(known: Known) -> float | None:
    """Returns float32's accuracy on validation."""
    for trial in known.trials.values():
        for one in trial.candidates:
            if one.candidate_id == BASELINE_ID and one.failure is None:
                return int(one.right, 16).bit_count() / trial.examples
    return None
