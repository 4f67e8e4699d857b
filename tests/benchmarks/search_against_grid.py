"""A search against the full grid of what it could try, by the real stages.

The grid has every level of every rung that the recipe's model can take, and every chain of them,
each with a whole training; the search is that of propose, and may train a third as many. Both are
ranked alike, on validation, and the finalists of both are proven alike, on test.

What a variant comes to is a function of its key, so what both try is made once and taken from the
store by the other; to each it counts as a training of its own, with the time that it took.

    python -m tests.benchmarks.search_against_grid digits results
    python -m tests.benchmarks.search_against_grid emoji results --set data.list=emoji.csv

What `results` holds already is not computed again, so a call that was interrupted goes on.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from components.common.data.predictions import read_evaluation_predictions
from components.common.documents.candidate import BASELINE_ID, CandidateSpec
from components.common.documents.ladder import Ladder, Proposal, Trial, Trials
from components.common.documents.models import Models
from components.common.documents.variant import DENSE
from components.common.run_context import RunContext
from components.common.statistics.metrics import predicted_classes
from components.common.words.figures import percent, seconds, size
from components.common.words.markdown import markdown_table
from components.evaluate import stage as evaluate
from components.finetune import stage as finetune
from components.gate.comparisons import Reference, compare_with
from components.gate.entrants import Correct
from components.preprocess.stage import declare_stage
from components.propose.config import ProposeConfig
from components.propose.finalists import choose_finalists
from components.propose.known import know
from components.quantize import stage as quantize
from components.quantize.config import QuantizeConfig
from components.rung import stage as rung
from pipeline.recipe import Recipe, load_recipe
from tests.components.propose.worlds import Search, try_grid

HEADINGS = [
    "",
    "fine-tunes",
    "epochs",
    "training",
    "lightest that holds on validation",
    "zipped",
    "raw",
] + ["lost / won on validation", "on test", "blessed", "zipped", "accuracy on test"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("recipe", help="a shipped recipe's name, or a file")
    parser.add_argument("results", type=Path, help="a folder for data roots")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--rungs", help="only these, with commas: prune,channels")
    arguments = parser.parse_args()
    search = ["compress.search.time_limit_s=1000000"]
    recipe = load_recipe(arguments.recipe, [*search, *arguments.overrides])
    config = propose_config(recipe, only=arguments.rungs and arguments.rungs.split(","))
    stages = Stages(recipe, arguments.results)
    stages.fine_tune()
    every = try_grid(stages, config)
    most = (len(every) - 1) // 3
    search = config.searching.model_copy(update={"trials": most})
    found = Search(stages, config.model_copy(update={"search": search})).run()
    rows = [
        [name, *tell(stages, recipe, config, trials)]
        for name, trials in {"grid": every, "search": found.trials}.items()
    ]
    print(" -> ".join(", ".join(ids) for ids in found.rounds), end="\n\n")
    print(markdown_table(HEADINGS, rows))


def propose_config(recipe: Recipe, *, only: Sequence[str] | None) -> ProposeConfig:
    config = recipe.stage_configs()["propose"]
    assert isinstance(config, ProposeConfig)
    if not only:
        return config
    steps = {kind: told for kind, told in config.steps.items() if kind in only}
    return config.model_copy(update={"steps": steps})


@dataclasses.dataclass(frozen=True)
class Stages:
    """Tries variants in this process by the stages of the DAG, whose store answers again."""

    recipe: Recipe
    folder: Path

    @property
    def context(self) -> RunContext:
        return RunContext(
            run_id="run",
            recipe_name=self.recipe.name,
            data_root=str(self.folder / "data"),
            registry=str(self.folder / "registry"),
        )

    @property
    def dataset(self) -> Path:
        return self.folder / "dataset"

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def config(self, stage: str) -> str:
        return self.recipe.stage_configs()[stage].to_json()

    def fine_tune(self) -> None:
        """Prepares the data and trains the dense model."""
        context = self.context.to_json()
        declare_stage().run(config=self.config("preprocess"), context=context, dataset=self.dataset)
        finetune.run(
            dataset=self.dataset,
            config=self.config("finetune"),
            context=context,
            models=self.models,
        )

    def try_variant(self, proposal: Proposal, chain: Sequence[Proposal]) -> Trial:
        known = Models.read(self.models)
        own = proposal.variant.id  # It is there where both have tried it.
        others = tuple(one for one in known.entries if one.id == DENSE or one.id != own)
        known.model_copy(update={"entries": others}).write(self.models)
        Ladder(round=1, proposals=(proposal,)).write(self.models)
        output = self.folder / "trials" / proposal.variant.id
        rung.run(
            dataset=self.dataset,
            models=self.models,
            variant_id=proposal.variant.id,
            quantize_config=self.config("quantize"),
            evaluate_config=self.config("evaluate"),
            context=self.context.to_json(),
            trial=output,
        )
        if (output / Models.file_name).is_file():
            Models.read(output).write(self.models)
        (trial,) = Trials.read(output).trials
        print(f"tried {proposal.variant.id}", flush=True)
        return trial

    def answers_on_test(self, specs: Sequence[CandidateSpec]) -> Mapping[str, Correct]:
        """Returns candidate -> bool [n], whether it is right."""
        told = QuantizeConfig.from_json(self.config("quantize"))
        told = told.model_copy(update={"candidates": tuple(specs)})
        found = {}
        for spec in specs:
            output = self.folder / "proof" / spec.id
            quantize.run(
                dataset=self.dataset,
                models=self.models,
                candidate_id=spec.id,
                config=told.to_json(),
                context=self.context.to_json(),
                candidate=output / "candidate",
            )
            evaluate.run(
                dataset=self.dataset,
                models=self.models,
                candidate=output / "candidate",
                candidate_id=spec.id,
                config=self.config("evaluate"),
                context=self.context.to_json(),
                evaluation=output / "evaluation",
            )
            answers = read_evaluation_predictions(output / "evaluation")
            right = predicted_classes(answers.probabilities) == answers.labels
            found[spec.id] = right[answers.ids.argsort(kind="stable")]
        return found


def tell(
    stages: Stages, recipe: Recipe, config: ProposeConfig, trials: Sequence[Trial]
) -> Iterator[str]:
    """Yields a row: what was spent, the winner on validation, and the one that is proven."""
    trained = [trial for trial in trials if trial.proposal.epochs]
    yield str(len(trained))
    yield str(sum(trial.proposal.epochs for trial in trained))
    yield seconds(sum(trial.training_s for trial in trained))
    finalists = choose_finalists(know(config, trials))
    specs = {spec.id: spec for trial in trials for spec in trial.proposal.candidates}
    ranked = {one.candidate_id: one for trial in trials for one in trial.candidates}
    ids = [BASELINE_ID, *(one.candidate_id for one in finalists)]
    answers = dict(stages.answers_on_test([specs[id_] for id_ in ids]))
    reference = Reference(
        name=BASELINE_ID,
        correct=answers.pop(BASELINE_ID),
        margin=config.budgets.accuracy_drop or 0.0,
    )
    compared = compare_with(reference, answers, alpha=1 - recipe.budgets.confidence)
    first = finalists[0]
    yield first.candidate_id
    yield size(ranked[first.candidate_id].zipped_bytes)
    yield size(ranked[first.candidate_id].size_bytes)
    yield f"{first.lost} / {first.won} of {first.examples}"
    pairs = reference.pairs(answers[first.candidate_id])
    yield f"{pairs.lost} / {pairs.gained} of {pairs.examples}"
    blessed = next((id_ for id_ in answers if compared[id_].passed), None)
    yield blessed or "none"
    yield size(ranked[blessed].zipped_bytes) if blessed else "-"
    yield percent(float(answers[blessed].mean())) if blessed else "-"


if __name__ == "__main__":
    main()
