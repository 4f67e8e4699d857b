"""rung and propose, one after the other, on a tiny net: what a search makes, ranks and hands on."""

import dataclasses
import json
from pathlib import Path

import pytest

from components.common.documents.bundle import ModelBundle
from components.common.documents.decision import Budgets
from components.common.documents.ladder import NOTHING, Ladder, Proposal, Trial, Trials
from components.common.documents.models import Models
from components.common.documents.record import TaskResult
from components.common.documents.variant import DENSE, StepSpec, Variant
from components.common.run_context import RunContext
from components.compress.steps.prune import Settings
from components.finetune import stage as finetune
from components.finetune.config import FinetuneConfig
from components.propose import stage as propose
from components.propose.config import ProposeConfig, SearchSettings
from components.quantize.config import QuantizeConfig
from tests.builders.synthetic import run_context, write_dataset
from tests.components.rung.trials import read_trial, try_variant

pytestmark = pytest.mark.xdist_group("rung")

EXAMPLES = {"train": 48, "validation": 24, "test": 6}
QUANTIZE = QuantizeConfig.model_validate_json(
    """{
    "schemes": ["float32", "int8", {"int8": {"file_steps": ["share"]}}],
    "compressed_schemes": ["int8"],
    "calibration_examples": 10
    }"""
).with_candidates((DENSE,))


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's tasks of a search, in a data root and a folder of artifacts."""

    context: RunContext
    folder: Path

    def fine_tune(self) -> Path:
        write_dataset(self.context, self.folder / "dataset", examples=EXAMPLES)
        finetune.run(
            dataset=self.folder / "dataset",
            config=FinetuneConfig(backbone="small_cnn", width=0.25, epochs=1).to_json(),
            context=self.context.to_json(),
            models=self.folder / "models",
        )
        return self.folder / "models"

    def try_variant(self, id_: str, models: Path) -> Path:
        return try_variant(id_, models, QUANTIZE, context=self.context, folder=self.folder)

    def propose(self, models: Path, *trials: Path, number: int) -> tuple[Path, list[str]]:
        # A margin that everything holds, so that the net's own accuracy does not matter.
        output = self.folder / f"ladder-{number}"
        config = ProposeConfig(
            search=SearchSettings(time_limit_s=100, rounds=1, epochs=1, finalists=2),
            budgets=Budgets(accuracy_drop=0.99),
            steps={"prune": {"global_batch_size": 24}},
            dense=QUANTIZE.candidates,
            compressed=QUANTIZE.candidates[1:2],
        )
        ids = propose.run(
            models=models,
            trials=trials,
            config=config.to_json(),
            context=self.context.to_json(),
            ladder=output,
        )
        return output, ids

    def result(self, task: str) -> TaskResult:
        name = f"{self.context.run_folder()}/tasks/{task}.json"
        return TaskResult.parse(self.context.data().read(name))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("search")
    return Run(run_context(folder), folder)


@pytest.fixture(scope="module")
def ladders(run: Run) -> tuple[Path, Path]:
    """What propose left after the dense model's trial, and after that of what it asked for."""
    models = run.fine_tune()
    first, asked = run.propose(models, run.try_variant(DENSE, models), number=1)
    assert asked == ["prune80"]
    second, proven = run.propose(first, run.try_variant("prune80", first), number=2)
    assert proven == ["float32", *Ladder.read(second).finalists]
    return first, second


@pytest.mark.slow
def test_a_trial_is_what_the_stages_made_and_measured(run: Run, ladders: tuple[Path, Path]) -> None:
    made = read_trial(run.folder / "trial-prune80")
    (candidate,) = made.candidates
    quantized = run.result("quantize[prune80-int8]").record
    evaluated = run.result("evaluate[prune80-int8 on validation]").record
    compressed = run.result("compress[prune80]").record
    assert quantized and evaluated and compressed
    store = Path(run.context.data_root, "store")
    folder = store / "evaluate" / evaluated.key / evaluated.output_digest
    evaluation = json.loads((folder / "evaluation.json").read_bytes())
    right = int(candidate.right, 16).bit_count()
    assert right == round(evaluation["metrics"]["accuracy"]["value"] * EXAMPLES["validation"])
    assert made.examples == EXAMPLES["validation"] == evaluation["examples"]
    file = store / "quantize" / quantized.key / quantized.output_digest / "model.tflite"
    assert candidate.size_bytes == file.stat().st_size > candidate.zipped_bytes > 0
    assert candidate.macs > 1000
    assert made.training_s == compressed.measurements["training_s"] > 0


@pytest.mark.slow
def test_the_dense_model_is_tried_without_training(run: Run, ladders: tuple[Path, Path]) -> None:
    made = read_trial(run.folder / "trial-dense")
    assert [one.candidate_id for one in made.candidates] == ["float32", "int8", "int8-share"]
    assert (made.training_s, made.proposal.epochs) == (0, 0)
    assert len({one.macs for one in made.candidates}) == 1


@pytest.mark.slow
def test_files_that_differ_in_their_steps_alone_are_converted_once(
    run: Run, ladders: tuple[Path, Path]
) -> None:
    records = [run.result(f"quantize[{id_}]").record for id_ in ("float32", "int8", "int8-share")]
    took = [record.measurements["conversion_s"] for record in records if record is not None]
    assert took[0] > 0 and took[1] > 0 and took[2] == 0
    _, plain, shared = read_trial(run.folder / "trial-dense").candidates
    assert plain.right == shared.right and plain.size_bytes > shared.size_bytes


@pytest.mark.slow
def test_a_variants_key_is_that_of_one_which_a_recipe_declares(
    run: Run, ladders: tuple[Path, Path]
) -> None:
    config = run.result("compress[prune80]").record.config  # type: ignore[union-attr]
    told = Settings(
        final_sparsity=0.8, shares="lamp", distillation={}, end=0.6, epochs=1, global_batch_size=24
    )
    assert config == {"steps": [{"kind": "prune", "settings": told.model_dump(mode="json")}]}


@pytest.mark.slow
def test_the_last_round_hands_on_the_models_and_what_is_to_be_proven(
    run: Run, ladders: tuple[Path, Path]
) -> None:
    ladder, models = Ladder.read(ladders[1]), Models.read(ladders[1])
    assert ladder.rounds == (("dense",), ("prune80",)) and ladder.finalists
    assert [(entry.id, entry.parent) for entry in models.entries] == [
        ("dense", None),
        ("prune80", "dense"),
    ]
    assert {one.id for one in models.candidates} == {*ladder.finalists}
    left = Ladder.parse(run.context.data().read(f"{run.context.run_folder()}/ladder.json"))
    assert left == ladder


def test_a_round_with_nothing_to_try_takes_nothing(run: Run, tmp_path: Path) -> None:
    empty = dataclasses.replace(run, folder=tmp_path)
    assert not Trials.read(empty.try_variant(NOTHING, tmp_path)).trials


@pytest.mark.slow
def test_a_step_that_does_not_fit_the_model_is_a_trial_that_says_so(
    run: Run, ladders: tuple[Path, Path], tmp_path: Path
) -> None:
    told = {"keep_dense": ["no-such-layer"], "epochs": 1}
    variant = Variant(id="odd", parent=DENSE, steps=(StepSpec(kind="prune", settings=told),))
    proposal = Proposal(variant=variant, rung="prune", level=0.5, epochs=1, candidates=())
    Ladder(round=1, proposals=(proposal,)).write(tmp_path)
    Models.read(ladders[0]).write(tmp_path)
    made = read_trial(run.try_variant("odd", tmp_path))
    assert made.failure is not None and "no-such-layer matches no layer" in made.failure
    assert not made.candidates


@pytest.mark.slow
def test_a_trial_that_can_no_longer_win_is_given_up_and_leaves_its_state(tmp_path: Path) -> None:
    run = Run(run_context(tmp_path), tmp_path)
    models = run.fine_tune()
    told = {"final_sparsity": 0.5, "end": 0.25, "epochs": 4}
    variant = Variant(id="weak", parent=DENSE, steps=(StepSpec(kind="prune", settings=told),))
    proposal = Proposal(variant=variant, rung="prune", level=0.5, epochs=4, candidates=())

    def try_with(required: float | None) -> Trial:
        asked = proposal.model_copy(update={"required_accuracy": required})
        Ladder(round=1, proposals=(asked,)).write(models)
        return read_trial(run.try_variant("weak", models))

    lost = try_with(2.0)  # What no training comes to.
    assert lost.failure is not None
    assert lost.failure.startswith("It was given up after epoch 3 of 4: validation accuracy was ")
    assert lost.training_s > 0 and not lost.candidates
    result = run.result("compress[weak]")
    assert (result.status, result.message) == ("given_up", lost.failure)
    assert try_with(2.0) == lost, "from its state, with the time that it took when it was trained"
    made = try_with(0.01)
    assert made.failure is None and made.training_s > lost.training_s
    entry = Models.read(run.folder / "trial-weak").entry("weak").stored
    folder = Path(run.context.data_root, "store/compress", entry.key, entry.output_digest)
    assert [one.epoch for one in ModelBundle.read(folder).history] == [1, 2, 3, 4]


@pytest.mark.slow
def test_where_float32_fails_there_is_nothing_but_it_to_prove(
    run: Run, ladders: tuple[Path, Path], tmp_path: Path
) -> None:
    made = read_trial(run.folder / "trial-dense")
    broken = tuple(
        one.model_copy(update={"failure": "It fell over.", "right": ""}) for one in made.candidates
    )
    Models.read(ladders[0]).write(tmp_path)
    Ladder(round=1).write(tmp_path)
    Trials(trials=(made.model_copy(update={"candidates": broken}),)).write(tmp_path)
    own = dataclasses.replace(run, folder=tmp_path)
    _, proven = own.propose(tmp_path, tmp_path, number=2)
    assert proven == ["float32"]
