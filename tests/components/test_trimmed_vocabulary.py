"""A text classifier that lost tokens, through the stages that ask it about texts."""

import dataclasses
import json
import random
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tokenizers import Tokenizer

from components.benchmark import stage as benchmark_stage
from components.benchmark.config import BenchmarkConfig
from components.common.data.predictions import read_bundle_predictions
from components.common.documents.benchmark import Benchmark
from components.common.documents.bundle import ModelBundle
from components.common.documents.candidate import Candidate
from components.common.documents.dataset import DatasetManifest
from components.common.documents.evaluation import Evaluation
from components.common.documents.models import Models
from components.common.documents.text import TextSpec
from components.common.documents.variant import DENSE, StepSpec, Variant
from components.common.errors import UserError
from components.common.lite.litert import Classifier
from components.common.lite.model_files import read_associated_files
from components.common.process.events import Events
from components.common.run_context import RunContext
from components.common.tasks.reading import read_examples, read_for
from components.common.tasks.text.features import Example
from components.common.tasks.text.model_card import release_files
from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.vocabulary import Vocabulary, parse_vocabulary
from components.common.training.session import Session
from components.compress import stage as compress_stage
from components.compress.config import CompressConfig
from components.compress.steps import STEPS, vocabulary
from components.evaluate import stage as evaluate_stage
from components.evaluate.config import EvaluateConfig
from components.finetune import stage as finetune_stage
from components.finetune.config import TextFinetuneConfig
from components.preprocess import stage as preprocess_stage
from components.preprocess.config import PreprocessConfig
from components.quantize import stage as quantize_stage
from components.quantize.config import QuantizeConfig
from tests.builders.encoders import VOCABULARY, make_encoder
from tests.builders.synthetic import run_context
from tests.builders.texts import odd_texts
from tests.mediapipe import classify_texts, needs_mediapipe

# What they share is made once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trimmed")]

LENGTH = 12
COMMON = ("the", "film", "was", "very", "7")
RARE = ("fair", "unfairly", "fairly", "unfairs", "0123456789", "films", "fairing!", "é", "")


def step(kind: str, **settings: object) -> StepSpec:
    told = STEPS[kind].Settings(**settings)
    return StepSpec(kind=kind, settings=told.model_dump(mode="json"))


TRIMMED = Variant(id="trimmed", parent=DENSE, steps=(step("vocabulary", at_least=20),))
TWICE = Variant(
    id="twice",
    parent="trimmed",
    steps=(step("vocabulary", at_least=150), step("length", tokens=8, epochs=1)),
)
CONFIG = CompressConfig(variants=(TRIMMED, TWICE))
QUANTIZATION = QuantizeConfig.model_validate(
    {"schemes": ("float32",), "compressed_schemes": ("float32", "dynamic_range")}
).with_candidates((DENSE, "trimmed", "twice"))
CANDIDATES = ("trimmed-float32", "trimmed-dynamic_range", "twice-float32")


def draw_text(chance: random.Random, label: str = "") -> str:
    words = [label, *chance.choices(COMMON, k=chance.randint(0, 12))]
    if chance.random() < 0.2:
        words.insert(chance.randrange(len(words)), chance.choice(RARE))
    return " ".join(words)


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's tasks, in a data root and a folder of artifacts."""

    context: RunContext
    folder: Path

    @property
    def dataset(self) -> Path:
        return self.folder / "dataset"

    @property
    def models(self) -> Path:
        return self.folder / "models-twice"

    @cached_property
    def manifest(self) -> DatasetManifest:
        return DatasetManifest.read(self.dataset)

    def make_models(self) -> None:
        told = {"context": self.context.to_json()}
        encoder = str(make_encoder("minilm").write(self.folder / "encoder"))
        data = PreprocessConfig.model_validate(
            {"text": {"length": LENGTH}, "encoder": encoder, "list": str(self._write_texts())}
        )
        preprocess_stage.declare_stage().run(config=data.to_json(), dataset=self.dataset, **told)
        models = self.folder / "models"
        finetune_stage.run(
            dataset=self.dataset,
            config=TextFinetuneConfig(encoder=encoder, epochs=1).to_json(),
            context=self.context.to_json(),
            models=models,
        )
        for variant in CONFIG.variants:
            output = self.folder / f"models-{variant.id}"
            compress_stage.run(
                dataset=self.dataset,
                models=models,
                variant_id=variant.id,
                config=CONFIG.to_json(),
                context=self.context.to_json(),
                compressed=output,
            )
            models = output

    def _write_texts(self) -> Path:
        chance, path = random.Random(0), self.folder / "texts.jsonl"
        with path.open("w") as file:
            for number in range(400):
                label = ("bad", "good")[number % 2]
                text = f"{draw_text(chance, label)} {chr(97 + number % 26)} {number}"
                file.write(json.dumps({"text": text, "label": label}) + "\n")
        return path

    def make_candidate(self, id_: str) -> None:
        told = {"context": self.context.to_json(), "candidate_id": id_}
        shared = {"dataset": self.dataset, "models": self.models, "candidate": self.folder / id_}
        quantize_stage.run(config=QUANTIZATION.to_json(), **told, **shared)
        assert Candidate.read(self.folder / id_).failure is None
        config = EvaluateConfig(bootstrap_resamples=100).to_json()
        output = self.folder / f"evaluation-{id_}"
        evaluate_stage.run(config=config, evaluation=output, **told, **shared)

    def bundle(self, variant: str) -> ModelBundle:
        return Models.read(self.models).entry(variant).bundle

    def file(self, id_: str) -> Path:
        return self.folder / id_ / "model.tflite"

    def vocabulary(self, id_: str) -> Vocabulary:
        """Returns what a device reads out of a candidate's file."""
        content = read_associated_files(self.file(id_).read_bytes())["vocab.txt"]
        return parse_vocabulary(content, source=id_)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("trimmed")
    run = Run(run_context(folder), folder)
    run.make_models()
    for id_ in CANDIDATES:
        run.make_candidate(id_)
    return run


def spec_of(run: Run, variant: str) -> TextSpec:
    spec = run.bundle(variant).input
    assert isinstance(spec, TextSpec)
    return spec


def test_a_variant_has_a_vocabulary_and_a_table_of_its_own(run: Run) -> None:
    dense, trimmed, twice = (spec_of(run, id_) for id_ in (DENSE, "trimmed", "twice"))
    assert dense.kept is None and trimmed.kept is not None and twice.kept is not None
    assert set(VOCABULARY) > set(trimmed.kept.tokens) > set(twice.kept.tokens)
    assert {"fair", "##fair", "un"}.isdisjoint(trimmed.kept.tokens)
    assert {"good", "film", "f", "##f"} <= set(trimmed.kept.tokens)
    lost = len(VOCABULARY) - len(trimmed.kept.tokens)
    saved = run.bundle(DENSE).parameters - run.bundle("trimmed").parameters
    assert saved == lost * run.bundle(DENSE).architecture.encoder.embedding
    (facts,) = run.bundle("trimmed").steps
    assert facts.title == f"keep {len(trimmed.kept.tokens)} of {len(VOCABULARY)} tokens"


@pytest.mark.parametrize("id_", CANDIDATES)
def test_the_file_holds_the_vocabulary_of_its_variant(run: Run, id_: str) -> None:
    kept = spec_of(run, id_.partition("-")[0]).kept
    assert kept is not None
    assert run.vocabulary(id_).tokens == kept.tokens
    released = release_files(
        run.file(id_).read_bytes(),
        Candidate.read(run.folder / id_).model,
    )
    tokenizer = Tokenizer.from_str(released["tokenizer.json"].decode())
    expected = TextTokenizer(run.vocabulary(id_), LENGTH).encode("The film was unfairly bad").ids
    assert tokenizer.encode("The film was unfairly bad").ids == expected


@needs_mediapipe
@pytest.mark.parametrize("id_", CANDIDATES)
def test_mediapipe_gives_the_same_scores(run: Run, id_: str, tmp_path: Path) -> None:
    texts = odd_texts(1_000, seed=2)
    found = classify_texts(run.file(id_), texts, tmp_path)
    assert found["labels"] == ["bad", "good"]
    tokenizer, classifier = TextTokenizer(run.vocabulary(id_), LENGTH), Classifier(run.file(id_))
    expected = np.array([classifier.classify(rows_of(text, tokenizer)) for text in texts])
    assert np.ptp(expected, axis=0).min() > 0.05, "scores that tell texts apart"
    np.testing.assert_allclose(found["scores"], expected, atol=1e-3)


@pytest.mark.parametrize("id_", CANDIDATES)
def test_evaluate_asks_what_the_variant_was_asked(run: Run, id_: str) -> None:
    evaluation = Evaluation.read(run.folder / f"evaluation-{id_}")
    assert evaluation.keras is not None
    assert evaluation.keras.largest_difference < (0.1 if "dynamic" in id_ else 1e-4)


def test_spelling_changes_some_answers_and_only_those(run: Run) -> None:
    dense, trimmed = (
        read_bundle_predictions(stored(run, id_), "test") for id_ in (DENSE, "trimmed")
    )
    np.testing.assert_array_equal(dense.ids, trimmed.ids)
    kept = set(spec_of(run, "trimmed").kept.tokens)
    examples = read_examples(run.manifest, "test", run.context.data())
    whole = {
        example.id: all(VOCABULARY[id_] in kept for id_ in example.input_ids)
        for example in examples
        if isinstance(example, Example)
    }
    same = np.array([whole[str(id_)] for id_ in map(decode, dense.ids)])
    difference = np.abs(dense.probabilities - trimmed.probabilities).max(axis=1)
    assert 0 < same.sum() < len(same)
    assert difference[same].max() < 1e-5
    assert (difference[~same] > 1e-5).all()


def test_benchmark_feeds_each_candidate_by_its_own_file(run: Run, tmp_path: Path) -> None:
    benchmark_stage.STAGE.run(
        dataset=run.dataset,
        candidates=tuple(run.folder / id_ for id_ in CANDIDATES),
        config=BenchmarkConfig(runs=20, warmup_runs=1, max_seconds=1).to_json(),
        context=run.context.to_json(),
        benchmark=tmp_path / "benchmark",
    )
    measured = Benchmark.read(tmp_path / "benchmark").candidates
    assert sorted(each.candidate_id for each in measured) == sorted(CANDIDATES)


def test_a_vocabulary_that_loses_nothing_is_refused(run: Run) -> None:
    spec = spec_of(run, "trimmed")
    session = Session(
        manifest=read_for(run.manifest, spec),
        spec=spec,
        train=None,
        validation=None,
        events=Events("test"),
        storage=run.context.data(),
        dataset=run.dataset,
    )
    with pytest.raises(UserError, match=rf"each of the {spec.vocabulary_size} tokens stands 20"):
        vocabulary.apply(None, vocabulary.Settings(at_least=20), session)


def rows_of(text: str, tokenizer: TextTokenizer) -> npt.NDArray[np.int32]:
    tokens = tokenizer.encode(text)
    mask = [1] * tokens.count + [0] * (LENGTH - tokens.count)
    return np.array([tokens.ids, mask, [0] * LENGTH], np.int32)


def stored(run: Run, variant: str) -> Path:
    at = Models.read(run.models).entry(variant).stored
    return Path(run.context.data_root, "store", at.stage, at.key, at.output_digest)


def decode(id_: npt.NDArray[np.bytes_] | bytes | str) -> str:
    return id_.decode() if isinstance(id_, bytes) else str(id_)
