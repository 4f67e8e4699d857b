"""What reads channels makes up for those that are gone: on activations of a trained model."""

import dataclasses

import numpy as np
import pytest

from components.common.keras import keras
from components.compress.channels.groups import find_groups
from components.compress.channels.refitting import refit, refit_consumer, survey
from components.compress.channels.selection import channel_scores, highest, kept_count
from components.compress.channels.surgery import cut_channels
from tests.builders.bundles import normalize, train_model
from tests.builders.synthetic import draw_picture

pytestmark = pytest.mark.xdist_group("refitting")  # The model is trained once.


def draw(count, seed):
    labels = np.arange(count) % 3
    pictures = np.stack([draw_picture(label, seed + n) for n, label in enumerate(labels)])
    return pictures, labels


@dataclasses.dataclass(frozen=True)
class Trained:
    model: keras.Model
    pictures: np.ndarray
    unseen: np.ndarray


@pytest.fixture(scope="module")
def trained():
    pictures, labels = draw(192, 0)
    model = train_model(pictures, labels, epochs=6, learning_rate=5e-3)
    return Trained(model, normalize(pictures[:96]), normalize(draw(96, 1000)[0]))


def cut(trained, share, *, refits=True):
    groups = find_groups(trained.model)
    seen = survey(trained.model, groups, trained.pictures)
    kept = {
        group.producer: highest(np.arange(group.channels), round(group.channels * (1 - share)))
        for group in groups
    }
    narrow = cut_channels(trained.model, groups, kept)
    for group, target in zip(groups if refits else (), seen.targets, strict=refits):
        refit_consumer(narrow, group, target, trained.pictures, kept)
    return narrow


def logits(model, pictures):
    return keras.Model(model.input, model.get_layer("head").output)(pictures).numpy()


@pytest.mark.slow
def test_a_cut_of_nothing_changes_nothing(trained):
    same = cut(trained, 0.0)
    np.testing.assert_allclose(
        same(trained.unseen), trained.model(trained.unseen), rtol=0, atol=1e-5
    )


@pytest.mark.slow
def test_refitted_readers_are_closer_to_what_they_said_before(trained):
    before = logits(trained.model, trained.unseen)
    plain, refitted = (
        np.square(logits(cut(trained, 0.5, refits=refits), trained.unseen) - before).mean()
        for refits in (False, True)
    )
    assert refitted < 0.3 * plain


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["block2_norm", "head"])
def test_constants_of_lost_channels_go_into_norms_and_biases(trained, layer):
    narrow = cut(trained, 0.5)
    before, after = (
        keras.Model(model.input, model.get_layer(layer).output)(trained.pictures).numpy()
        for model in (trained.model, narrow)
    )
    left = after.shape[-1]  # Of the channels, the last ones were kept.
    before, after = (each.reshape(len(each), -1, each.shape[-1]) for each in (before, after))
    means = after.mean(axis=(0, 1)), before[..., -left:].mean(axis=(0, 1))
    np.testing.assert_allclose(*means, atol=1e-3 * np.ptp(before))


RANDOM = np.random.default_rng(5)
COLUMNS = RANDOM.normal(size=(40, 3, 6)).astype(np.float32)


def test_a_refit_finds_the_kernel_and_the_offset_that_made_the_outputs():
    kernel, offset = RANDOM.normal(size=(6, 4)), RANDOM.normal(size=4)
    targets = (COLUMNS @ kernel + offset).astype(np.float32)
    found, constant = refit(COLUMNS, targets, np.zeros((6, 4), np.float32), has_offset=True)
    np.testing.assert_allclose(found, kernel, atol=1e-3)
    np.testing.assert_allclose(constant, offset, atol=1e-3)


def test_without_a_place_for_it_no_offset_is_found():
    targets = np.ones((40, 3, 2), np.float32)
    _, constant = refit(COLUMNS + 1, targets, np.zeros((6, 2), np.float32), has_offset=False)
    np.testing.assert_array_equal(constant, 0)


def test_where_columns_say_nothing_the_kernel_stays():
    kernel = RANDOM.normal(size=(6, 2)).astype(np.float32)
    silent = COLUMNS.copy()
    silent[..., 4] = 0.5
    found, _ = refit(silent, silent @ (2 * kernel), kernel, has_offset=True)
    np.testing.assert_allclose(found[4], kernel[4], atol=1e-6)
    np.testing.assert_allclose(np.delete(found, 4, 0), np.delete(2 * kernel, 4, 0), atol=1e-2)


def test_few_pictures_of_noise_move_a_kernel_little():
    few = RANDOM.normal(size=(30, 1, 200)).astype(np.float32)
    kernel = np.zeros((200, 2), np.float32)
    found, _ = refit(
        few, RANDOM.normal(size=(30, 1, 2)).astype(np.float32), kernel, has_offset=True
    )
    fresh = RANDOM.normal(size=(500, 200))
    assert np.square(fresh @ found).mean() < 0.2, "it says next to nothing where there is nothing"


@pytest.mark.parametrize(
    ("channels", "share", "left"),
    [
        (1152, 0.5, 576),
        (144, 0.5, 72),
        (20, 0.5, 16),
        (20, 0.1, 20),
        (12, 0.5, 8),
        (8, 0.9, 8),
        (100, 0.01, 100),
    ],
)
def test_widths_that_are_left_are_multiples_of_8_and_never_less_than_asked_for(
    channels, share, left
):
    assert kept_count(channels, share) == left


def test_a_channel_counts_by_its_energy_and_by_the_weights_that_read_it():
    kernel = np.array([[1, 1], [0, 3], [2, 0], [1, 0]], np.float32)  # Two taps of two channels.
    scores = channel_scores(np.array([1.0, 2.0, 0.5, 0.0]), kernel, channels=2)
    np.testing.assert_allclose(scores, [1 * 2 + 0.5 * 4, 2 * 9 + 0])
    assert highest(np.array([3.0, 1.0, 3.0, 2.0]), 2).tolist() == [0, 2]
    assert highest(np.zeros(4), 2).tolist() == [0, 1]
