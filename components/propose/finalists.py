"""Which candidates go to the proof.

Each that takes part costs the others certainty there (Holm), and the test split must see few. Of
candidates that lose no more on validation than another, only the lightest is worth a proof; of
these, in order of weight, the first is the search's winner and each next one is heavier and loses
less: what to fall back on where the proof finds that validation flattered the winner.
"""

from collections.abc import Iterable, Iterator

from components.common.documents.candidate import BASELINE_ID
from components.propose.judging import Judged
from components.propose.known import Known


def choose_finalists(known: Known) -> tuple[Judged, ...]:
    """Returns the finalists, the lightest first; float32 is none, for all are proven against it.

    Where no candidate holds, the one that loses least is the only one.
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
            entrants, key=lambda one: (one.drop, one.weight, one.candidate_id), default=None
        )
        return (safest,) if safest is not None else ()
    if len(front) > most > 1:
        front[most - 1 :] = front[-1:]  # The one that loses least of all stays.
    return tuple(front[:most])


def _front(candidates: Iterable[Judged]) -> Iterator[Judged]:
    """Yields those that lose less than all that are lighter."""
    least = float("inf")
    for one in sorted(candidates, key=lambda one: (one.weight, one.drop, one.candidate_id)):
        if one.drop < least:
            least = one.drop
            yield one
