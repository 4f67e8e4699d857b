"""Classes are told apart by their descriptions before anything is trained."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.common.errors import UserError
from components.common.tasks.text.tokenizer import TextTokenizer
from components.common.tasks.text.vocabulary import VOCABULARY_FILE, Vocabulary
from components.common.training.examples import KeptExamples
from components.common.training.session import Session
from components.finetune.config import TextFinetuneConfig
from components.finetune.fine_tuning import build_model
from components.finetune.zero_shot import assess_zero_shot
from tests.builders.encoders import VOCABULARY, make_encoder, text_spec
from tests.builders.text_models import open_parity_session

pytestmark = pytest.mark.xdist_group("text_fine_tuning")

LENGTH = 12
EVEN, ODD = "the film was fair", "very bad bad bad"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    vocabulary = Vocabulary(VOCABULARY)
    (tmp_path / VOCABULARY_FILE).write_bytes(vocabulary.to_bytes())
    tokenizer = TextTokenizer(vocabulary, LENGTH)
    texts = [f"{EVEN} film", f"{ODD} bad", f"{EVEN} was", f"{ODD} very"]
    validation = KeptExamples(
        inputs=tf.constant(np.stack([tokenizer.feed(text) for text in texts])),
        labels=tf.constant([0, 1, 0, 1], tf.int64),
    )
    session = open_parity_session(train=2, validation=2, length=LENGTH)
    return dataclasses.replace(session, validation=validation, dataset=tmp_path)


def assess(session: Session, folder: Path, **described: str) -> float:
    encoder = make_encoder("bert").write(folder / "encoder")
    config = TextFinetuneConfig(encoder=str(encoder), class_descriptions=described)
    model = build_model(config, text_spec(length=LENGTH), 2, weights=str(encoder))
    found = assess_zero_shot(model, config, session)
    assert found is not None
    return found.value


@pytest.mark.slow
def test_a_text_is_of_the_class_whose_description_is_the_most_alike(
    session: Session, tmp_path: Path
) -> None:
    assert assess(session, tmp_path, even=EVEN, odd=ODD) == 1
    assert assess(session, tmp_path, even=ODD, odd=EVEN) == 0


def test_a_class_that_there_is_not_is_not_described(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"class_descriptions: there is no class 'odder'.*even"):
        assess(session, tmp_path, odder=ODD)
