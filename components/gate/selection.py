"""Budgets that need no comparison, and the choice among the candidates that are left."""

from collections.abc import Iterator, Mapping, Sequence

from components.common.documents.decision import SIZES
from components.common.words.figures import milliseconds, percent, size
from components.gate.config import GateConfig
from components.gate.entrants import Entrant
from components.gate.gains import FASTER


def check_size_and_speed(entrant: Entrant, budgets: GateConfig) -> Iterator[str]:
    """Yields why a candidate is out whatever its predictions are."""
    if not entrant.finalist:
        yield "It is no finalist: it was not evaluated on the test split."
        return
    if entrant.failure is not None:
        yield f"There is nothing to judge: {entrant.failure}"
        return
    for name, actual, budget in budgets.budgets().exceeded_sizes(entrant.measured_model):
        yield (
            f"The file has {size(actual)} {SIZES[name]} ({actual:,} bytes), over the {budget:,} of "
            f"budgets.{name}."
        )
    if entrant.latency_ms is None:
        if budgets.latency_ms is not None or budgets.objective == "latency_ms":
            yield "Its latency was not measured, so no statement about it can be made."
    elif budgets.latency_ms is not None and entrant.latency_ms > budgets.latency_ms:
        yield (
            f"An inference takes {milliseconds(entrant.latency_ms)} (p50, one thread), over the "
            f"{milliseconds(budgets.latency_ms)} of budgets.latency_ms."
        )


def check_withdrawn(entrant: Entrant, withdrawn: Mapping[str, str]) -> Iterator[str]:
    """Yields why a candidate is out that a person has rolled back."""
    if entrant.model is not None and entrant.model.sha256 in withdrawn:
        version = withdrawn[entrant.model.sha256]
        yield (
            f"It was blessed before, as version {version}, and rolled back; `litesmith models "
            f"rollback {version}` blesses it again."
        )


def check_accuracy(entrant: Entrant, budgets: GateConfig) -> Iterator[str]:
    """Yields why a candidate's own accuracy is not enough."""
    accuracy = entrant.measured_accuracy
    if budgets.min_accuracy is not None and accuracy.low < budgets.min_accuracy:
        yield (
            f"Its accuracy of {percent(accuracy.value)} may be as low as {percent(accuracy.low)} "
            f"(95 % interval), under the {percent(budgets.min_accuracy)} of budgets.min_accuracy."
        )


def rank(entrant: Entrant, budgets: GateConfig) -> tuple[float | str, ...]:
    """Returns a sort key: the objective, then the other measures, then the id."""
    measures = _measures(entrant)
    return (measures[budgets.objective], *measures.values(), entrant.candidate_id)


def find_dominator(
    entrant: Entrant, accepted: Sequence[Entrant], budgets: GateConfig
) -> Entrant | None:
    """Returns an accepted candidate that makes this one pointless, the best there is.

    That is one with the same or a better accuracy than which this one is neither smaller,
    raw or zipped, nor faster.
    """
    dominators = [
        other
        for other in accepted
        if other is not entrant
        and _covers(other, entrant)
        # Of two that cover each other, the one that ranks first stays.
        and (not _covers(entrant, other) or rank(other, budgets) < rank(entrant, budgets))
    ]
    return min(dominators, key=lambda other: rank(other, budgets), default=None)


def _covers(one: Entrant, other: Entrant) -> bool:
    """Returns whether one is as accurate and as small as another, and in earnest as fast."""
    mine, theirs = _measures(one), _measures(other)
    return (
        one.measured_accuracy.value >= other.measured_accuracy.value
        and mine["size_bytes"] <= theirs["size_bytes"]
        and mine["zipped_bytes"] <= theirs["zipped_bytes"]
        and mine["latency_ms"] * FASTER < theirs["latency_ms"]
    )


def _measures(entrant: Entrant) -> dict[str, float]:
    """Returns what the objective may be; an unknown latency is taken for no gain."""
    return {
        "zipped_bytes": entrant.measured_model.zipped_bytes,
        "size_bytes": entrant.measured_model.size_bytes,
        "latency_ms": float("inf") if entrant.latency_ms is None else entrant.latency_ms,
    }
