"""Texts through the whole DAG, with a small random encoder: the second task asks for no other."""

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
from tests.pipeline.dag.workplaces import Workplace

pytestmark = [
    pytest.mark.dag,
    pytest.mark.slow,
    pytest.mark.parametrize("finished", ["texts"], indirect=True),
]


@pytest.fixture
def run(finished: Workplace) -> Path:
    """The folder of the finished run."""
    (folder,) = (path.parent for path in (finished.data_root / "runs").glob("*/run.json"))
    return folder


@pytest.fixture
def registry(finished: Workplace) -> Registry:
    return Registry(open_storage(str(finished.data_root / "registry")), "films")


def released(run: Path) -> str:
    version = Published.read(run).version
    assert version is not None
    return version


def stored(place: Workplace, stage: str, document: str) -> Sequence[Path]:
    return [path.parent for path in (place.data_root / "store" / stage).glob(f"*/*/{document}")]


def test_documents_are_those_of_the_task(finished: Workplace) -> None:
    (dataset,) = stored(finished, "preprocess", DatasetManifest.file_name)
    (dense,) = stored(finished, "finetune", ModelBundle.file_name)
    manifest, bundle = DatasetManifest.read(dataset), ModelBundle.read(dense)
    assert manifest.task == "text" and bundle.input == manifest.spec
    assert isinstance(bundle.architecture, TextArchitecture)
    assert [epoch.phase for epoch in bundle.history][-1] == "fine_tune", "adapters learn last"


def test_a_smaller_model_is_proven_and_blessed(run: Path) -> None:
    decision = Decision.read(run)
    assert (decision.verdict, decision.winner) == ("blessed", "short-dynamic_range")


def test_the_report_shows_texts(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<blockquote>The film was VERY" in page
    assert "test texts" in page and "picture" not in page


def test_the_model_card_is_a_text_classifier_s(run: Path, registry: Registry) -> None:
    card = registry.read(released(run), "README.md").decode()
    assert "A text classifier for TensorFlow Lite" in card and "picture" not in card


def test_the_released_files_classify_a_text(run: Path, registry: Registry, tmp_path: Path) -> None:
    version = released(run)
    tokenizer = Tokenizer.from_str(registry.read(version, TOKENIZER_FILE).decode())
    model = tmp_path / MODEL_FILE
    model.write_bytes(registry.read_model(version))
    classifier = Classifier(model)
    for label, word in enumerate(("bad", "good")):
        tokens = tokenizer.encode(f"the film was very {word} {word} {word}")
        example = np.array([tokens.ids, tokens.attention_mask, tokens.type_ids], np.int32)
        assert classifier.classify(example).argmax() == label
