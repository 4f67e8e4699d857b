"""A text classifier as it ships: its metadata, the card's lines of code, and MediaPipe."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from components.common.lite.litert import Classifier
from components.common.lite.metadata import ModelCard, attach_metadata
from components.common.lite.tflite import inspect_model
from components.common.tasks.text.metadata import describe_input
from components.common.tasks.text.model_card import example_code, explain_use, release_files
from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.vocabulary import Vocabulary
from components.quantize.conversion import convert_model
from tests.builders.encoders import VOCABULARY, text_spec
from tests.builders.text_models import build_small_classifier
from tests.builders.texts import odd_texts
from tests.mediapipe import classify_texts, needs_mediapipe, run_code

pytestmark = pytest.mark.xdist_group("shipped")  # What they share is made once.

LENGTH = 16
CLASS_NAMES = ("bad", "good", "neither")
TOKENIZER = TextTokenizer(Vocabulary(VOCABULARY), LENGTH)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped")
    model = build_small_classifier("bert", folder / "encoder", classes=3, length=LENGTH)
    spread = np.random.default_rng(0)
    model.set_weights([*model.get_weights()[:-2], *(
        spread.normal(0, 0.5, weight.shape) for weight in model.get_weights()[-2:]
    )])  # fmt: skip
    spec = text_spec(length=LENGTH)
    card = ModelCard(
        name="tweets", description="Three classes.", class_names=CLASS_NAMES,
        inputs=describe_input(spec, folder / "encoder"), lineage={},
    )  # fmt: skip
    (folder / "model.tflite").write_bytes(
        attach_metadata(convert_model(model, spec, "float32"), card)
    )
    return folder / "model.tflite"


def classify(model: Path, text: str) -> list[float]:
    """Classifies as `evaluate` would."""
    (scores,) = classify_all(model, [text])
    return scores


def classify_all(model: Path, texts: list[str]) -> list[list[float]]:
    classifier = Classifier(model)
    return [[float(score) for score in classifier.classify(rows_of(text))] for text in texts]


def rows_of(text: str) -> npt.NDArray[np.int32]:
    tokens = TOKENIZER.encode(text)
    mask = [1] * tokens.count + [0] * (LENGTH - tokens.count)
    return np.array([tokens.ids, mask, [0] * LENGTH], np.int32)


@pytest.mark.slow
def test_vocabulary_and_labels_are_files_within_the_model(shipped: Path) -> None:
    with zipfile.ZipFile(shipped) as archive:
        assert archive.read("vocab.txt").decode().splitlines() == list(VOCABULARY)
        assert archive.read("labels.txt") == b"bad\ngood\nneither\n"
    assert b"1.1.0" in shipped.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["A text.", 'The film was "very" unfair,\n\\ 3 cafés!'])
def test_the_lines_of_the_card_classify_a_text(shipped: Path, tmp_path: Path, text: str) -> None:
    data = shipped.read_bytes()
    model = inspect_model(data)
    for name, content in {"model.tflite": data, **release_files(data, model)}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in CLASS_NAMES))
    code = example_code(model, text_spec(length=LENGTH))
    assert code.count('"A text."') == 1
    done = subprocess.run(
        [sys.executable, "-c", code.replace('"A text."', repr(text))],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    label, probability = done.stdout.split()
    expected = classify(shipped, text)
    assert label == CLASS_NAMES[int(np.argmax(expected))]
    assert float(probability) == pytest.approx(max(expected), abs=1e-5)


@pytest.mark.slow
@needs_mediapipe
def test_mediapipe_gives_the_same_scores(shipped: Path, tmp_path: Path) -> None:
    texts = odd_texts(1_000, seed=1)
    found = classify_texts(shipped, texts, tmp_path)
    assert found["labels"] == list(CLASS_NAMES)
    expected = np.array(classify_all(shipped, texts))
    assert np.ptp(expected, axis=0).min() > 0.05, "scores that tell texts apart"
    np.testing.assert_allclose(found["scores"], expected, atol=1e-3)


@pytest.mark.slow
@needs_mediapipe
def test_mediapipe_classifies_as_the_card_says(shipped: Path, tmp_path: Path) -> None:
    said = explain_use(inspect_model(shipped.read_bytes()), text_spec(length=LENGTH))
    call, module = re.findall(r"`([^`]+)`", said.replace("\n", " "))
    package, _, name = module.rpartition(".")
    (tmp_path / "model.tflite").write_bytes(shipped.read_bytes())
    code = f"from {package} import {name}\nfrom {module} import *\nfound = {call}\n"
    code += "print({c.category_name: c.score for c in found.classifications[0].categories})"
    scores = eval(run_code(code, tmp_path))
    assert [scores[name] for name in CLASS_NAMES] == pytest.approx(
        classify(shipped, "A text."), abs=1e-3
    )
