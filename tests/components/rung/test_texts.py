"""rung and propose on a small encoder: what a search makes of texts."""

import dataclasses
import json
import random
from pathlib import Path

import pytest

from components.common.documents.decision import Budgets, Objective
from components.common.documents.ladder import Ladder, Trial
from components.common.documents.models import Models
from components.common.documents.variant import DENSE
from components.common.run_context import RunContext
from components.finetune import stage as finetune
from components.finetune.config import TextFinetuneConfig
from components.preprocess import stage as preprocess
from components.preprocess.config import PreprocessConfig
from components.propose import stage as propose
from components.propose.config import ProposeConfig, SearchSettings
from components.quantize.config import QuantizeConfig
from tests.builders.encoders import VOCABULARY, make_encoder
from tests.builders.synthetic import run_context
from tests.components.rung.trials import read_trial, try_variant

# What they share is made once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rung-texts")]

LENGTH = 12
EXAMPLES = {"train": 60, "validation": 30, "test": 10}
QUANTIZE = QuantizeConfig.model_validate(
    {"schemes": ("float32", "dynamic_range"), "compressed_schemes": ("dynamic_range",)}
).with_candidates((DENSE,))


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's tasks up to the dense model's trial."""

    context: RunContext
    folder: Path

    def begin(self) -> None:
        encoder = str(make_encoder("minilm").write(self.folder / "encoder"))
        told = self.context.to_json()
        data = PreprocessConfig.model_validate(
            {"text": {"length": LENGTH}, "encoder": encoder, "list": str(self._write_texts())}
        )
        preprocess.declare_stage().run(
            config=data.to_json(), context=told, dataset=self.folder / "dataset"
        )
        finetune.run(
            dataset=self.folder / "dataset",
            config=TextFinetuneConfig(encoder=encoder).to_json(),
            context=told,
            models=self.folder / "models",
        )
        self.try_variant(DENSE, self.folder / "models")

    def _write_texts(self) -> Path:
        chance, path = random.Random(0), self.folder / "texts.jsonl"
        with path.open("w") as file:
            for split, count in EXAMPLES.items():
                for number in range(count):
                    label = ("bad", "good")[number % 2]
                    words = [label, *chance.choices(("film", "fair", "the"), k=4), str(number)]
                    row = {"text": " ".join(words), "label": label, "split": split}
                    file.write(json.dumps(row) + "\n")
        return path

    def try_variant(self, id_: str, models: Path) -> Trial:
        return read_trial(
            try_variant(id_, models, QUANTIZE, context=self.context, folder=self.folder)
        )

    def propose(self, objective: Objective, models: Path, id_: str) -> tuple[Path, list[str]]:
        # A margin that everything holds, so that the model's own accuracy does not matter.
        output = self.folder / f"{objective}-after-{id_}"
        config = ProposeConfig(
            search=SearchSettings(time_limit_s=100, rounds=1, epochs=1, finalists=1),
            task="text",
            budgets=Budgets(accuracy_drop=0.99, objective=objective),
            steps={"vocabulary": {}, "length": {}},
            dense=QUANTIZE.candidates,
            compressed=QUANTIZE.candidates[1:],
        )
        ids = propose.run(
            models=models,
            trials=[self.folder / f"trial-{id_}"],
            config=config.to_json(),
            context=self.context.to_json(),
            ladder=output,
        )
        return output, ids


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("search")
    run = Run(run_context(folder), folder)
    run.begin()
    return run


def test_for_bytes_tokens_go_without_a_training(run: Run) -> None:
    ladder, asked = run.propose("size_bytes", run.folder / "models", DENSE)
    assert asked == ["vocabulary4"]
    trial = run.try_variant("vocabulary4", ladder)
    assert (trial.proposal.epochs, trial.training_s, trial.failure) == (0, 0.0, None)
    after, proven = run.propose("size_bytes", ladder, "vocabulary4")
    assert proven == ["float32", "vocabulary4-dynamic_range"]
    own = Models.read(after).entry("vocabulary4").bundle
    assert own.input.task == "text" and own.input.kept is not None
    assert len(own.input.kept.tokens) < len(VOCABULARY)
    (dense,) = (one for one in Ladder.read(after).trials if one.proposal.variant.id == DENSE)
    sizes = {one.scheme: one.size_bytes for one in dense.candidates}
    assert trial.candidates[0].size_bytes < sizes["dynamic_range"]


def test_for_time_the_model_tells_how_many_tokens_there_are_to_cut(run: Run) -> None:
    ladder, asked = run.propose("latency_ms", run.folder / "models", DENSE)
    assert asked == ["length50"]
    trial = run.try_variant("length50", ladder)
    assert trial.failure is None and trial.training_s > 0
    own = Models.read(run.folder / "trial-length50").entry("length50").bundle
    assert own.architecture.task == "text" and own.architecture.length == LENGTH // 2
    (dense,) = (one for one in Ladder.read(ladder).trials if one.proposal.variant.id == DENSE)
    work = {one.scheme: one.macs for one in dense.candidates}
    assert trial.candidates[0].macs < 0.6 * work["dynamic_range"]
