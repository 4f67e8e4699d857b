"""What is trained above a frozen part learns the same from what was kept as from pictures."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow_model_optimization as tfmot

from components.common.documents.bundle import HEAD
from components.common.keras import keras, tf
from components.common.process.events import Events
from components.common.process.termination import Terminated
from components.common.storage import LocalStorage
from components.common.training import frozen_part
from components.common.training.checkpoints import Checkpoints
from components.common.training.clock import Clock
from components.common.training.config import Distillation, Optimizer
from components.common.training.examples import KeptExamples, KeptVersions, StreamedExamples
from components.common.training.frozen_part import Rest, frozen_border, keep_frozen_part
from components.common.training.loop import make_deterministic, run_phase
from components.common.training.resumption import Attempt
from components.common.training.strategy import read_variables
from tests.builders.training import keep_examples, make_data, make_phase
from tests.fakes.termination import Deadline

PHASE = make_phase(
    name="prune",
    epochs=3,
    learning_rate=0.02,
    optimizer=Optimizer(name="sgd", learning_rate=0.02, weight_decay=1e-3),
    class_weights=(1.0, 2.0, 1.0),
)


@pytest.fixture(autouse=True)
def _deterministic() -> None:
    make_deterministic(0)


def make_model(*, frozen: tuple[str, ...] = ("stem", "one")) -> keras.Model:
    """A stem, two residual blocks and a head: the border can't lie inside of a block."""
    layers = keras.layers
    pixels = layers.Input((6, 6, 2), name="pixels")
    features = layers.Conv2D(4, 3, name="stem")(pixels)
    for name in ("one", "two"):
        inside = layers.Conv2D(8, 1, activation="relu", name=f"{name}_expand")(features)
        inside = layers.BatchNormalization(name=f"{name}_norm")(inside)
        inside = layers.Conv2D(4, 1, name=f"{name}_project")(inside)
        features = layers.Add(name=f"{name}_add")([features, inside])
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    features = layers.Dropout(0.2, name="dropout")(features)
    logits = layers.Dense(3, name=HEAD)(features)
    model = keras.Model(pixels, layers.Softmax(name="probabilities")(logits))
    for layer in model.layers:
        is_norm = isinstance(layer, layers.BatchNormalization)
        layer.trainable = not is_norm and not layer.name.startswith(frozen)
    return model


def make_examples(count: int, seed: int) -> KeptExamples:
    random = np.random.default_rng(seed)
    return keep_examples(random.normal(size=(count, 6, 6, 2)), random.integers(0, 3, count))


def shift_by_noise(inputs, seed, places=None, size=None):
    """An augmentation: each example's own noise, drawn for the whole batch."""
    noise = tf.random.stateless_normal([size, 1, 1, 1], seed)
    return inputs + tf.gather(noise, places)


def make_rest(model: keras.Model, **changes) -> Rest:
    data = make_data(make_examples(70, 1), make_examples(30, 2))
    return Rest(model, dataclasses.replace(PHASE, **changes), data)


def train(rest: Rest, attempt: Attempt | None = None):
    clock = Clock(Events("test"), total_steps=15)
    return run_phase(rest.model, rest.phase, rest.data, clock, attempt=attempt)


def test_a_teacher_is_asked_for_the_features_where_its_own_are_the_same():
    model = make_model()
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    border = frozen_border(model)
    assert frozen_part._same_in(twin, border) is twin.get_layer("one_add").output
    twin.get_layer("two_expand").kernel.assign_add([[[[1.0] * 8] * 4]])
    assert frozen_part._same_in(twin, border) is not None
    twin.get_layer("one_project").bias.assign([0.0, 0.0, 0.0, 1e-6])
    assert frozen_part._same_in(twin, border) is None
    assert frozen_part._same_in(keras.Model(model.input, model.layers[1].output), border) is None


@pytest.mark.parametrize(
    ("frozen", "border"),
    [
        (("stem", "one"), "one_add"),
        (("stem",), "stem"),
        (("stem", "one_expand"), "stem"),
        (("stem", "one", "two_expand"), "one_add"),
        (("one",), None),
        ((), None),
    ],
)
def test_the_border_is_where_all_paths_meet_and_nothing_below_is_trained(frozen, border):
    found = frozen_border(make_model(frozen=(*frozen, "nothing")))
    assert (found.node.layer.name if found is not None else None) == border


def test_a_layer_whose_mask_may_change_counts_as_trained():
    model = make_model(frozen=("stem", "one", "two"))

    def wrap(layer):
        if layer.name != "one_expand":
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer)

    wrapped = keras.models.clone_model(model, clone_function=wrap)
    assert frozen_border(model).node.layer.name == "pool"
    assert frozen_border(wrapped).node.layer.name == "stem"


@pytest.mark.slow
@pytest.mark.parametrize("teacher_seed", [None, 1, 2])
def test_what_is_kept_trains_as_the_pictures_do(teacher_seed):
    """But for the rounding to float16. The teacher of seed 1 has the model's own frozen part."""
    teacher = distillation = None
    if teacher_seed is not None:
        distillation = Distillation(temperature=2.0)
        keras.utils.set_random_seed(teacher_seed)
        teacher = make_model()
        teacher.get_layer(HEAD).bias.assign([1.0, 0.0, -1.0])
    results = []
    for keeps in (False, True):
        keras.utils.set_random_seed(1)
        model = make_model()
        rest = make_rest(model, distillation=distillation, teacher=teacher)
        if keeps:
            rest = keep_frozen_part(rest, augments=False)
            assert rest.model.input_shape == (None, 4 * 4 * 4 + (3 if teacher else 0))
        results.append((train(rest), model.get_weights()))
    (history, weights), (kept_history, kept_weights) = results
    for one, other in zip(history, kept_history, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=2e-3)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=2e-3)
    for mine, theirs in zip(weights, kept_weights, strict=True):
        np.testing.assert_allclose(theirs, mine, atol=2e-3)


def keep(train: KeptExamples, model: keras.Model, **changes) -> KeptVersions:
    data = make_data(train, make_examples(10, 2))
    data = dataclasses.replace(data, prepare_train=shift_by_noise)
    phase = dataclasses.replace(PHASE, **changes)
    kept = keep_frozen_part(Rest(model, phase, data), augments=True).data.train
    assert isinstance(kept, KeptVersions)
    return kept


def test_versions_differ_as_augmentation_makes_them_and_epochs_draw_among_them():
    kept = keep(make_examples(70, 1), make_model(), epochs=30)
    versions = kept.examples.inputs.numpy()
    assert versions.shape == (70, 8, 64)
    assert len(np.unique(versions[0, :, 0])) == 8
    drawn = set()
    for epoch in (1, 2):
        members = kept.epoch(tf.constant(epoch, tf.int64)).batch(100).get_single_element()
        inputs, labels, _ = kept.fetch(members)
        numbers, chosen = members.numpy() // 8, members.numpy() % 8
        assert sorted(numbers) == list(range(70))
        np.testing.assert_array_equal(inputs, versions[numbers, chosen])
        np.testing.assert_array_equal(labels, kept.examples.labels.numpy()[numbers])
        assert set(chosen) == set(range(8))
        drawn.add(tuple(chosen[np.argsort(numbers)]))
    assert len(drawn) == 2


def test_a_short_phase_keeps_a_version_for_each_epoch():
    assert keep(make_examples(20, 1), make_model(), epochs=2).versions == 2


@pytest.mark.slow
def test_two_workers_keep_what_one_does():
    model, whole = make_model(), make_examples(70, 1)
    one = keep(whole, model).examples.inputs.numpy()
    for own in (np.arange(0, 70, 2), np.arange(1, 70, 2)):
        part = KeptExamples(
            inputs=tf.gather(whole.inputs, own),
            labels=tf.gather(whole.labels, own),
            own=own,
            total=70,
        )
        kept = keep(part, model)
        assert len(kept) == 70
        np.testing.assert_allclose(kept.examples.inputs, one[own], atol=2e-3)


def test_nothing_is_kept_where_it_does_not_fit(monkeypatch):
    model = make_model()
    rest = make_rest(model)
    needed = (70 * 3 + 30) * 64 * 2
    monkeypatch.setattr(frozen_part, "MEMORY_BYTES", needed - 1)
    assert keep_frozen_part(rest, augments=True) is rest
    monkeypatch.setattr(frozen_part, "MEMORY_BYTES", needed)
    assert keep_frozen_part(rest, augments=True) is not rest


def test_nothing_is_kept_of_pictures_that_are_read_anew_or_without_a_frozen_part():
    rest = make_rest(make_model())
    streamed = StreamedExamples(shards=None, spec=None, count=70)
    elsewhere = dataclasses.replace(rest, data=dataclasses.replace(rest.data, train=streamed))
    assert keep_frozen_part(elsewhere, augments=True) is elsewhere
    trained = make_rest(make_model(frozen=("nothing",)))
    assert keep_frozen_part(trained, augments=True) is trained


@pytest.mark.slow
def test_an_interrupted_training_of_the_rest_ends_as_an_undisturbed_one(tmp_path):
    """What was kept is computed anew, and comes out the same."""

    def train_kept(attempt: Attempt | None = None):
        keras.utils.set_random_seed(1)
        model = make_model()
        rest = make_rest(model, distillation=Distillation(), teacher=make_model())
        data = dataclasses.replace(rest.data, prepare_train=shift_by_noise)
        rest = keep_frozen_part(dataclasses.replace(rest, data=data), augments=True)
        return train(rest, attempt), model.get_weights()

    history, weights = train_kept()
    checkpoints = Checkpoints(LocalStorage(str(tmp_path)), "checkpoints")
    with pytest.raises(Terminated):
        train_kept(Attempt(checkpoints, termination=Deadline(4)))
    resumed, resumed_weights = train_kept(Attempt(checkpoints))
    assert resumed == history
    for mine, theirs in zip(resumed_weights, weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def train_mirrored() -> list[Any]:
    """Trains on the devices of the scope; returns the losses of the epochs and the weights."""
    keras.utils.set_random_seed(0)
    model = make_model()
    rest = make_rest(model, epochs=2, distillation=Distillation(), teacher=make_model())
    data = dataclasses.replace(rest.data, prepare_train=shift_by_noise)
    rest = keep_frozen_part(dataclasses.replace(rest, data=data), augments=True)
    assert isinstance(rest.data.train, KeptVersions)
    history = train(rest)
    return [[epoch.loss for epoch in history], [v.tolist() for v in read_variables(model.weights)]]


@pytest.mark.slow
@pytest.mark.xdist_group("two_devices")
def test_two_devices_keep_and_train_as_one_does(on_two_devices):
    losses, weights = on_two_devices["test_frozen_part"]
    own_losses, own_weights = train_mirrored()
    assert losses == pytest.approx(own_losses, rel=1e-3)
    for mine, theirs in zip(weights, own_weights, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)
