"""Shortening what a text classifier sees."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from components.common.documents.image import InputSpec
from components.common.errors import UserError
from components.common.tasks.text.models.resizing import seen_length
from components.common.training.config import Optimizer
from components.common.training.loop import make_deterministic
from components.compress.steps import length
from tests.builders.text_models import build_small_classifier, open_parity_session


@pytest.mark.slow
def test_a_shortened_model_learns_from_its_parent(tmp_path: Path) -> None:
    make_deterministic(0)
    session = open_parity_session(train=64, validation=64)
    model, parent = (
        build_small_classifier("bert", tmp_path, classes=2, length=12) for _ in range(2)
    )
    parent.set_weights(model.get_weights())
    session = dataclasses.replace(session, load_parent=lambda: parent)
    told = length.Settings(tokens=6, epochs=2, optimizer=Optimizer(learning_rate=1e-3))
    done = length.apply(model, told, session)
    assert (done.length, done.facts.title) == (6, "see 6 tokens")
    assert [epoch.phase for epoch in done.history] == ["length"] * 2
    assert seen_length(done.model) == 6
    kernels = [each.get_layer("layer0_query").kernel.numpy() for each in (done.model, parent)]
    assert not np.array_equal(*kernels)


def test_pictures_are_not_cut_to_tokens() -> None:
    session = dataclasses.replace(
        open_parity_session(train=4, validation=4),
        spec=InputSpec(height=8, width=8, channels=1, offset=(0.0,), scale=(1.0,)),
    )
    with pytest.raises(UserError, match="only texts"):
        length.apply(None, length.Settings(), session)
