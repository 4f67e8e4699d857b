"""A search against the full grid, in simulated worlds: what both find, and what of it is proven.

The grid has every level of every rung and every chain; the search may train a third as many
variants. Of both, the finalists are those that a search chooses, and are proven as the gate does.
Where nothing is proven, float32's weight counts.

    python -m tests.benchmarks.search_in_worlds
"""

import argparse
import dataclasses
from collections.abc import Sequence
from statistics import fmean, geometric_mean

from components.common.documents.candidate import BASELINE_ID
from components.common.documents.decision import Objective
from components.common.documents.ladder import Trial
from components.common.statistics.noninferiority import holm, inferiority_p_value
from components.common.words.markdown import markdown_table
from components.propose.config import ProposeConfig
from components.propose.finalists import choose_finalists
from components.propose.known import know
from tests.components.propose.worlds import Search, World, make_config, try_grid

OBJECTIVES: Sequence[Objective] = ("zipped_bytes", "size_bytes", "latency_ms")
HEADINGS = ["objective", "pictures", "trained, mean (most)", "training time, of the grid's"]
HEADINGS += ["as light on validation", "within 5 %", "blessed weighs", "the grid's"]


@dataclasses.dataclass(frozen=True)
class Found:
    """What trials of one world came to.

    Attributes:
      trained: how many variants were.
      training_s: of all of them.
      lightest: the weight of the lightest that holds on validation.
      blessed: the weight of the lightest that is proven on test, float32's being 1.
    """

    trained: int
    training_s: float
    lightest: float
    blessed: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", type=int, default=60)
    arguments = parser.parse_args()
    rows = [
        describe(objective, examples, range(arguments.worlds))
        for objective in OBJECTIVES
        for examples in (500, 1000, 3000)
    ]
    print(markdown_table(HEADINGS, rows))


def describe(objective: Objective, examples: int, seeds: Sequence[int]) -> list[str]:
    """Returns a row, of as many pictures to validate as to test."""
    pairs = [compare(World(seed, examples), objective) for seed in seeds]
    searches, grids = zip(*pairs, strict=True)
    light = [search.lightest / grid.lightest for search, grid in pairs]
    return [
        objective,
        f"{examples:,}",
        f"{fmean(one.trained for one in searches):.1f} ({max(one.trained for one in searches)})",
        f"{sum(one.training_s for one in searches) / sum(one.training_s for one in grids):.2f}",
        *(f"{sum(ratio <= most for ratio in light)} of {len(light)}" for most in (1, 1.05)),
        *(f"{geometric_mean(one.blessed for one in found):.3f}" for found in (searches, grids)),
    ]


def compare(world: World, objective: Objective) -> tuple[Found, Found]:
    """Returns what the search comes to, and the grid."""
    config = make_config(objective=objective)
    whole = try_grid(world, config)
    told = make_config(objective=objective, trials=(len(whole) - 1) // 3)
    search = Search(world, told)
    search.run()
    return prove(world, told, list(search.trials.values())), prove(world, config, whole)


def prove(world: World, config: ProposeConfig, trials: Sequence[Trial]) -> Found:
    """Takes the finalists of some trials to the proof."""
    known = know(config, trials)
    right = answers_on_test(world, trials)
    own = {one.candidate_id: one for each in known.judged.values() for one in each}
    p_values = {
        one.candidate_id: inferiority_p_value(
            (right[BASELINE_ID] & ~right[one.candidate_id]).bit_count(),
            (right[one.candidate_id] & ~right[BASELINE_ID]).bit_count(),
            examples=world.examples,
            margin=one.margin,
        )
        for one in choose_finalists(known)
    }
    steps = holm(p_values, alpha=1 - config.budgets.confidence)
    whole = own[BASELINE_ID].weight
    proven = [own[id_].weight for id_ in p_values if steps[id_].rejected]
    return Found(
        trained=known.trained,
        training_s=known.training_s,
        lightest=known.best.weight if known.best is not None else whole,
        blessed=min(proven, default=whole) / whole,
    )


def answers_on_test(world: World, trials: Sequence[Trial]) -> dict[str, int]:
    """Returns candidate -> bits, which test pictures it gets right."""
    proposals = {trial.proposal.variant.id: trial.proposal for trial in trials}
    test = dataclasses.replace(world, split=" test")
    right = {}
    for trial in trials:
        chain, own = [], trial.proposal
        while own.variant.parent is not None:
            chain.insert(0, own)
            own = proposals[own.variant.parent]
        found = test.try_variant(trial.proposal, chain)
        right |= {one.candidate_id: int(one.right, 16) for one in found.candidates}
    return right


if __name__ == "__main__":
    main()
