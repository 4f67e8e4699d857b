"""How many validation pictures a search takes to rank on: simulated, with the real rules.

Each ladder has 16 candidates, the lighter the more they lose, at a pace of its own. They are judged
on a validation split; the finalists that a search chooses are proven on a test split, as the gate
does. What is blessed *keeps its budget* where it truly loses no more than the margin. Where nothing
is blessed, the dense model's weight counts.

    python -m tests.benchmarks.ranking
"""

import argparse
import dataclasses
from collections.abc import Sequence

import numpy as np

from components.common.statistics.noninferiority import holm, inferiority_p_value, room_for_proof
from components.common.words.markdown import markdown_table
from components.propose.finalists import choose_finalists
from components.propose.judging import Judged
from components.propose.known import Known
from tests.components.propose.worlds import make_config

CANDIDATES, MARGIN, ALPHA = 16, 0.02, 0.05


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of many ladders: shares of them, and the blessed's weight (the dense model's: 1).

    `first_held` is of the lightest finalist, whether proven or not.
    """

    blessed: float
    kept: float
    weight: float
    first_held: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ladders", type=int, default=300)
    arguments = parser.parse_args()
    rows = []
    for test in (500, 1000, 3000):
        for validation in (100, 300, 1000, 3000):
            found = rank(validation=validation, test=test, ladders=arguments.ladders)
            shares = (found.first_held, found.blessed, found.kept)
            rows.append(
                [str(test), str(validation), *(f"{share:.2f}" for share in shares)]
                + [f"{found.weight:.2f}"]
            )
    headings = ["test pictures", "validation pictures", "the lightest finalist truly holds"]
    print(markdown_table([*headings, "blessed", "of these keep their budget", "weight"], rows))


def rank(*, validation: int, test: int, ladders: int) -> Outcome:
    """Draws ladders, and counts what becomes of them."""
    random = np.random.default_rng(7)
    blessed, kept, held, weights = 0, 0, 0, []
    for _ in range(ladders):
        places = np.linspace(0, 1, CANDIDATES)
        drops = random.uniform(0.02, 0.12) * places ** random.uniform(1.5, 6)
        own, churn = np.exp(-1.8 * places), random.uniform(0.003, 0.02)
        judged = [
            _judge(number, float(weight), counts, validation, test)
            for number, (weight, counts) in enumerate(
                zip(own, _draw(random, drops, churn, validation), strict=True)
            )
        ]
        chosen = _choose(judged)
        winner = _prove(chosen, _draw(random, drops, churn, test), test)
        held += bool(drops[chosen[0]] <= MARGIN)
        weights.append(1.0 if winner is None else float(own[winner]))
        if winner is not None:
            blessed, kept = blessed + 1, kept + bool(drops[winner] <= MARGIN)
    return Outcome(
        blessed=blessed / ladders,
        kept=kept / max(blessed, 1),
        weight=sum(weights) / ladders,
        first_held=held / ladders,
    )


def _draw(
    random: np.random.Generator, drops: np.ndarray, churn: float, examples: int
) -> Sequence[tuple[int, int]]:
    shares = np.stack([drops + churn, np.full_like(drops, churn), 1 - drops - 2 * churn], axis=1)
    return [(int(lost), int(won)) for lost, won, _ in random.multinomial(examples, shares)]


def _judge(number: int, weight: float, counts: tuple[int, int], examples: int, test: int) -> Judged:
    return Judged(
        candidate_id=str(number),
        variant_id=str(number),
        scheme="int8",
        weight=weight,
        lost=counts[0],
        won=counts[1],
        examples=examples,
        margin=MARGIN,
        room=room_for_proof(
            discordance=sum(counts) / examples,
            margin=MARGIN,
            examples=test,
            alpha=ALPHA / make_config().searching.finalists,
        ),
        within_budgets=True,
    )


def _choose(judged: Sequence[Judged]) -> Sequence[int]:
    known = Known(
        config=make_config(),
        trials={},
        judged={one.variant_id: (one,) for one in judged},
        climbs=(),
    )
    return [int(one.candidate_id) for one in choose_finalists(known)]


def _prove(chosen: Sequence[int], counts: Sequence[tuple[int, int]], examples: int) -> int | None:
    """Returns the lightest that is proven."""
    p_values = {
        str(number): inferiority_p_value(*counts[number], examples=examples, margin=MARGIN)
        for number in chosen
    }
    steps = holm(p_values, alpha=ALPHA)
    return next((number for number in chosen if steps[str(number)].rejected), None)


if __name__ == "__main__":
    main()
