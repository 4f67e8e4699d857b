"""Texts through the whole DAG, with a small random encoder: the second task asks for no other."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from components.common.documents.bundle import ModelBundle
from components.common.documents.dataset import DatasetManifest
from components.common.documents.decision import Decision
from components.common.documents.encoder import TextArchitecture
from components.common.documents.release import Published
from components.common.lite.litert import Classifier
from components.common.registry import MODEL_FILE, Registry
from components.common.storage import open_storage
from components.common.tasks.text.model_card import TOKENIZER_FILE
from pipeline.terminal.exit_codes import ExitCode
from tests.builders.encoders import make_encoder
from tests.pipeline.local_runs import LocalRun

# The run is made once.
pytestmark = [pytest.mark.dag, pytest.mark.slow, pytest.mark.xdist_group("texts")]

RECIPE = """
name: films
task: text
data: {list: texts.jsonl, splits: {train: 0.3, validation: 0.2, test: 0.5}}
train: {encoder: encoder, epochs: 30, optimizer: {learning_rate: 0.05}, lora: {epochs: 1, rank: 2}}
quantize: {schemes: [float32, dynamic_range]}
budgets: {accuracy_drop: 0.05}
benchmark: {runs: 20, warmup_runs: 2, max_seconds: 5}
"""
WORDS = ("film", "fair", "fairly", "the", "was")


def write_texts(path: Path) -> None:
    """Writes 900 texts, told apart by a word that stands there three times."""
    chance = random.Random(0)
    with path.open("w") as file:
        for number in range(900):
            label = ("bad", "good")[number % 2]
            rest = [chance.choice(WORDS) for _ in range(chance.randint(0, 6))]
            text = " ".join(["The film was VERY", label, label, label, *rest, str(number)])
            file.write(json.dumps({"text": text, "label": label}) + "\n")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    folder = tmp_path_factory.mktemp("texts")
    make_encoder("minilm").write(folder / "encoder")
    write_texts(folder / "texts.jsonl")
    (folder / "recipe.yaml").write_text(RECIPE)
    arguments = ["recipe.yaml", "--registry", str(folder / "registry")]
    run = LocalRun(arguments, data_root=folder / "data", folder=folder)
    assert run.wait(timeout=900) == ExitCode.OK, run.output()
    return run


def stored(run: LocalRun, stage: str) -> Sequence[Path]:
    return [path.parent for path in (run.data_root / "store" / stage).glob("*/*/*.json")]


def test_documents_are_those_of_the_task(run: LocalRun) -> None:
    (dataset,) = stored(run, "preprocess")
    (dense,) = stored(run, "finetune")
    manifest, bundle = DatasetManifest.read(dataset), ModelBundle.read(dense)
    assert manifest.task == "text" and bundle.input == manifest.spec
    assert isinstance(bundle.architecture, TextArchitecture)
    assert [epoch.phase for epoch in bundle.history][-1] == "fine_tune", "adapters learn last"


def test_a_smaller_model_is_proven_and_blessed(run: LocalRun) -> None:
    decision = Decision.read(run.folder())
    assert (decision.verdict, decision.winner) == ("blessed", "dynamic_range")


def test_the_report_shows_texts(run: LocalRun) -> None:
    page = (run.folder() / "report.html").read_text(encoding="utf-8")
    assert "<blockquote>The film was VERY" in page
    assert "test texts" in page and "picture" not in page


def test_the_model_card_is_a_text_classifier_s(run: LocalRun) -> None:
    version = Published.read(run.folder()).version
    registry = Registry(open_storage(str(run.data_root.parent / "registry")), "films")
    assert version is not None
    card = registry.read(version, "README.md").decode()
    assert "A text classifier for TensorFlow Lite" in card and "picture" not in card


def test_the_released_files_classify_a_text(run: LocalRun) -> None:
    registry = Registry(open_storage(str(run.data_root.parent / "registry")), "films")
    version = Published.read(run.folder()).version
    assert version is not None
    tokenizer = Tokenizer.from_str(registry.read(version, TOKENIZER_FILE).decode())
    model = run.data_root / MODEL_FILE
    model.write_bytes(registry.read_model(version))
    classifier = Classifier(model)
    for label, word in enumerate(("bad", "good")):
        tokens = tokenizer.encode(f"the film was very {word} {word} {word}")
        example = np.array([tokens.ids, tokens.attention_mask, tokens.type_ids], np.int32)
        assert classifier.classify(example).argmax() == label
