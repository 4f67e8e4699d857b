from pathlib import Path

import numpy as np

from components.common.documents.encoder import TextArchitecture
from components.common.tasks.text.checkpoints import read_checkpoint
from components.common.tasks.text.inputs import prepare_inputs
from components.common.tasks.text.models.resizing import resize_classifier
from components.common.tasks.text.trimming import (
    count_tokens,
    shorten,
    trim_vocabulary,
)
from components.common.tasks.text.vocabulary import Vocabulary
from tests.builders.encoders import VOCABULARY, build_small_classifier, draw_tokens, text_spec


def test_a_smaller_model_answers_alike_where_it_knows_the_tokens(tmp_path: Path) -> None:
    model = build_small_classifier("electra", tmp_path, classes=3, length=12)
    architecture = TextArchitecture(encoder=read_checkpoint(tmp_path).spec)
    tokens = draw_tokens(16, length=12)
    tokens[:, :, 8:] = 0
    before = Vocabulary(VOCABULARY)
    trimmed = trim_vocabulary(before, count_tokens(tokens, before), at_least=1)
    assert len(trimmed.kept) < len(VOCABULARY)
    spec = text_spec(length=8, tokens=trimmed.vocabulary.tokens)
    small = resize_classifier(model, architecture, spec, kept=trimmed.kept)
    found = small(shorten(respell_all(tokens, before, trimmed.vocabulary), 8)).numpy()
    np.testing.assert_allclose(found, model(tokens).numpy(), rtol=0, atol=1e-6)
    assert small.count_params() < model.count_params()


def respell_all(tokens: np.ndarray, before: Vocabulary, after: Vocabulary) -> np.ndarray:
    """Returns random tokens, which are no texts, under the ids of another vocabulary."""
    ids = np.array([after.ids.get(token, 0) for token in before.tokens], np.int32)
    found = tokens.copy()
    found[:, 0] = ids[tokens[:, 0]]
    return found


def test_texts_are_cut_in_training_as_they_are_beside_it() -> None:
    tokens = draw_tokens(32, length=12)
    prepare = prepare_inputs(text_spec(length=7))
    np.testing.assert_array_equal(prepare(tokens, None).numpy(), shorten(tokens, 7))
    assert prepare_inputs(text_spec(length=12))(tokens, None) is tokens
