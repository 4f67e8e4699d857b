from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from components.common.documents.encoder import TextArchitecture
from components.common.errors import UserError
from components.common.tasks.text.checkpoints import read_checkpoint
from components.common.tasks.text.models.classifier import build_classifier
from components.common.tasks.text.models.resizing import (
    seen_length,
    shorten_classifier,
    trim_classifier,
)
from components.common.tasks.text.trimming import count_tokens, shorten, trim_vocabulary
from components.common.tasks.text.vocabulary import Vocabulary
from tests.builders.encoders import VOCABULARY, draw_tokens, text_spec
from tests.builders.text_models import build_small_classifier

LENGTH = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the model's encoder lies."""
    return tmp_path_factory.mktemp("encoder")


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return build_small_classifier("electra", folder, classes=3, length=LENGTH)


def rebuilt(model: Any, folder: Path, *, seen: int, length: int) -> Any:
    """Returns what the weights of a model make in a graph that is built anew."""
    encoder = read_checkpoint(folder).spec
    architecture = TextArchitecture(encoder=encoder, length=seen if seen != length else None)
    made = build_classifier(architecture, text_spec(length=length), 3)
    for layer in made.layers:
        if layer.weights:
            layer.set_weights(model.get_layer(layer.name).get_weights())
    return made


def test_a_shortened_model_cuts_texts_as_a_tokenizer_does(model: Any, folder: Path) -> None:
    tokens = draw_tokens(32, length=LENGTH)
    short = shorten_classifier(model, 7)
    expected = rebuilt(short, folder, seen=7, length=7)(shorten(tokens, 7)).numpy()
    np.testing.assert_allclose(short(tokens).numpy(), expected, rtol=0, atol=1e-6)
    assert seen_length(short) == 7
    assert np.abs(model(tokens).numpy() - expected).max() > 1e-3


@pytest.mark.slow
def test_the_graph_of_a_shortened_model_can_be_built_anew(model: Any, folder: Path) -> None:
    tokens = draw_tokens(8, length=LENGTH)
    short = shorten_classifier(model, 5)
    again = rebuilt(short, folder, seen=5, length=LENGTH)
    np.testing.assert_allclose(again(tokens).numpy(), short(tokens).numpy(), rtol=0, atol=1e-6)


def test_texts_that_fit_are_answered_as_before(model: Any) -> None:
    tokens = draw_tokens(16, length=LENGTH)
    tokens[:, :, 7:] = 0
    expected = model(tokens).numpy()
    np.testing.assert_allclose(shorten_classifier(model, 7)(tokens).numpy(), expected, atol=1e-6)


def test_what_is_no_shorter_is_refused(model: Any) -> None:
    with pytest.raises(UserError, match="sees 12 tokens"):
        shorten_classifier(model, LENGTH)


def test_a_trimmed_model_answers_alike_where_it_knows_the_tokens(model: Any) -> None:
    tokens = draw_tokens(16, length=LENGTH)
    before = Vocabulary(VOCABULARY)
    trimmed = trim_vocabulary(before, count_tokens(tokens, before), at_least=1)
    assert len(trimmed.kept) < len(VOCABULARY)
    expected, size = model(tokens).numpy(), model.count_params()
    small = trim_classifier(model, trimmed.kept)
    found = small(renumbered(tokens, before, trimmed.vocabulary)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert size - small.count_params() == 16 * (len(VOCABULARY) - len(trimmed.kept))


def renumbered(
    tokens: npt.NDArray[np.int32], before: Vocabulary, after: Vocabulary
) -> npt.NDArray[np.int32]:
    """Returns random tokens, which are no texts, under the ids of another vocabulary."""
    ids = np.array([after.ids.get(token, 0) for token in before.tokens], np.int32)
    found = tokens.copy()
    found[:, 0] = ids[tokens[:, 0]]
    return found
