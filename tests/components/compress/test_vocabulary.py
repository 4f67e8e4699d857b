"""What the step refuses; what it does is shown through the stages."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.documents.image import InputSpec
from components.common.errors import UserError
from components.common.tasks.graphs import adapt_input
from components.common.tasks.text.trimming import describe_trimmed, trim_vocabulary
from components.common.tasks.text.vocabulary import Vocabulary
from components.compress.steps import vocabulary
from tests.builders.encoders import VOCABULARY, draw_tokens, text_spec
from tests.builders.text_models import build_small_classifier, open_parity_session


def test_pictures_have_no_tokens() -> None:
    session = dataclasses.replace(
        open_parity_session(train=4, validation=4),
        spec=InputSpec(height=8, width=8, channels=1, offset=(0.0,), scale=(1.0,)),
    )
    with pytest.raises(UserError, match="only texts"):
        vocabulary.apply(None, vocabulary.Settings(), session)


@pytest.mark.slow
def test_a_teacher_knows_the_tokens_of_its_student_and_no_others(tmp_path: Path) -> None:
    model = build_small_classifier("bert", tmp_path, classes=2, length=12)
    whole = text_spec(length=12)
    counts = np.arange(len(VOCABULARY))
    small = describe_trimmed(
        trim_vocabulary(Vocabulary(VOCABULARY), counts, at_least=len(VOCABULARY) - 5), whole
    )
    assert small.kept is not None
    tokens: Any = draw_tokens(8, length=12)
    expected = tokens % small.vocabulary_size
    expected[:, 1:] = tokens[:, 1:]
    known = expected.copy()
    known[:, 0] = np.array(small.kept.ids)[expected[:, 0]]
    answers = model(known).numpy()
    found = adapt_input(model, whole, small)(expected).numpy()
    np.testing.assert_allclose(found, answers, rtol=0, atol=1e-6)
    with pytest.raises(UserError, match="another vocabulary or length"):
        adapt_input(model, small, whole)
