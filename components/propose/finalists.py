"""Which candidates go to the proof.

Each that takes part costs the others certainty there (Holm), and the test split must see few. Of
candidates that hold on validation and are no surer to than another, only the lightest is worth a
proof; of these, in order of weight, the first is the search's winner and each next one is heavier
and surer: what to fall back on where the proof finds that validation flattered the winner. Where
there are too many, those are taken that lie evenly between the lightest and the surest: the
lightest are all about as near to the margin, and fail together.
"""

from collections.abc import Iterable, Iterator

from components.common.documents.candidate import BASELINE_ID
from components.propose.judging import Judged
from components.propose.known import Known


def choose_finalists(known: Known) -> tuple[Judged, ...]:
    """Returns the finalists, the lightest first; float32 is none, for all are proven against it.

    Where no candidate holds, the one that is surest to is the only one.
    """
    most = known.search.finalists
    entrants = [
        one
        for candidates in known.judged.values()
        for one in candidates
        if one.candidate_id != BASELINE_ID and one.within_budgets
    ]
    front = list(_front(one for one in entrants if one.holds))
    if not front:
        safest = min(
            entrants, key=lambda one: (one.risk, one.weight, one.candidate_id), default=None
        )
        return (safest,) if safest is not None else ()
    if len(front) <= most:
        return tuple(front)
    steps = max(most - 1, 1)
    return tuple(front[round(step * (len(front) - 1) / steps)] for step in range(most))


def _front(candidates: Iterable[Judged]) -> Iterator[Judged]:
    """Yields those that are surer to hold than all that are lighter."""
    least = float("inf")
    for one in sorted(candidates, key=lambda one: (one.weight, one.risk, one.candidate_id)):
        if one.risk < least:
            least = one.risk
            yield one
