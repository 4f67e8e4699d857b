"""How an encoder learns: its head, its adapters, its blocks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.documents.bundle import Epoch
from components.common.errors import UserError
from components.common.keras import keras
from components.common.tasks.text.tuning import rates
from components.common.training.loop import make_deterministic
from components.common.training.session import Session
from components.finetune.config import Adapters, TextFinetuneConfig, Unfreeze
from components.finetune.fine_tuning import build_model, fine_tune
from tests.builders.encoders import make_encoder, text_spec
from tests.builders.text_models import open_parity_session

pytestmark = pytest.mark.xdist_group("text_fine_tuning")

SPEC = text_spec(length=12)


@pytest.fixture(scope="module")
def session() -> Session:
    return open_parity_session(train=96, validation=64)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder("bert").write(tmp_path_factory.mktemp("encoder"))


def train(
    encoder: Path, session: Session, **told: Any
) -> tuple[keras.Model, dict[str, np.ndarray], tuple[Epoch, ...]]:
    """Returns the model, its weights before it learned, and its epochs."""
    config = TextFinetuneConfig(encoder=str(encoder), dropout=0.0, **told)
    make_deterministic(config.seed)
    model = build_model(config, SPEC, 2, weights=str(encoder))
    before = weights_of(model)
    history, _, _ = fine_tune(model, config, session)
    return model, before, history


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    return {weight.name: weight.numpy() for weight in model.weights}


def changed(model: keras.Model, before: dict[str, np.ndarray]) -> set[str]:
    after = weights_of(model)
    return {
        name.partition(":")[0] for name in before if not np.array_equal(before[name], after[name])
    }


def test_a_head_on_few_examples_is_fitted(encoder: Path, session: Session) -> None:
    model, before, history = train(encoder, session, epochs=8)
    assert [epoch.phase for epoch in history] == ["head"]
    assert changed(model, before) == {"head/kernel", "head/bias"}
    answers = model(session.validation.inputs).numpy().argmax(1)
    right = float((answers == session.validation.labels.numpy()).mean())
    assert history[0].validation_accuracy == pytest.approx(right)


@pytest.mark.slow
def test_a_head_on_many_examples_is_trained(encoder: Path, session: Session) -> None:
    model, before, history = train(encoder, session, epochs=2, fit_head_up_to=95)
    assert [epoch.phase for epoch in history] == ["head", "head"]
    assert changed(model, before) == {"head/kernel", "head/bias"}


@pytest.mark.slow
def test_adapters_are_merged_and_better_than_a_head_alone(encoder: Path, session: Session) -> None:
    lora = Adapters(epochs=12, learning_rate=2e-2)
    model, before, history = train(encoder, session, lora=lora)
    kernels = {f"layer{block}_{part}/kernel" for block in (0, 1) for part in ("query", "value")}
    assert changed(model, before) == {"head/kernel", "head/bias", *kernels}
    best = max(epoch.validation_accuracy for epoch in history[1:])
    assert best > history[0].validation_accuracy
    answers = model(session.validation.inputs).numpy().argmax(1)
    right = float((answers == session.validation.labels.numpy()).mean())
    assert any(right == pytest.approx(epoch.validation_accuracy) for epoch in history[1:])


def test_rates_name_every_layer_below_the_head(encoder: Path) -> None:
    config = TextFinetuneConfig(encoder=str(encoder), unfreeze=Unfreeze(epochs=1), layer_decay=0.5)
    model = build_model(config, SPEC, 2, weights=str(encoder))
    found = rates(model, config)
    assert set(found) == {layer.name for layer in model.layers if layer.weights} - {"head"}
    assert (found["layer1_norm"], found["layer0_widen"], found["positions"]) == (0.5, 0.25, 0.125)


def test_a_length_over_the_positions_is_refused_before_anything_learns(encoder: Path) -> None:
    config = TextFinetuneConfig(encoder=str(encoder))
    with pytest.raises(UserError, match="32 positions"):
        build_model(config, text_spec(length=40), 2, weights=str(encoder))
