"""Each candidate's outcome in one sentence, for a ladder that has many of them."""

from collections.abc import Iterator, Sequence

from components.common.documents.decision import SIZES, Comparison
from components.common.words.figures import listing, milliseconds, points, size
from components.gate.config import GateConfig
from components.gate.entrants import Entrant


def sum_up(
    entrant: Entrant,
    budgets: GateConfig,
    *,
    comparisons: Sequence[Comparison],
    reasons: Sequence[str],
) -> str:
    """Says what a candidate lost by most plainly, or what its verdict says first.

    Args:
      entrant: the candidate.
      budgets: the recipe's.
      comparisons: of its accuracy, as far as there are any.
      reasons: its verdict's.
    """
    if entrant.model is not None and (missed := listing(list(_missed(entrant, budgets)))):
        return f"It misses the budget by {missed}."
    failed = [comparison for comparison in comparisons if not comparison.passed]
    if failed:
        return _loss(max(failed, key=lambda each: each.drop - each.margin))
    return reasons[0]


def _missed(entrant: Entrant, budgets: GateConfig) -> Iterator[str]:
    """Yields by how much each budget of size and speed is missed."""
    for name, actual, budget in budgets.budgets().exceeded_sizes(entrant.measured_model):
        yield f"{size(actual - budget)} {SIZES[name]}"
    latency_ms = entrant.latency_ms
    if budgets.latency_ms is not None and latency_ms is not None:
        if latency_ms > budgets.latency_ms:
            yield f"{milliseconds(latency_ms - budgets.latency_ms)} an inference"


def _loss(comparison: Comparison) -> str:
    net = round(comparison.drop * comparison.examples)
    seen = f"loses {net:,}" if net > 0 else f"gains {-net:,}"
    bound, may = comparison.upper_bound, "may lose"
    if comparison.lower_bound is not None:
        bound, may = comparison.lower_bound, "is proven to lose more than"
    return (
        f"Against {comparison.reference} it {seen} of {comparison.examples:,} test examples net, "
        f"and {may} {points(bound)} where {points(comparison.margin)} are allowed."
    )
