"""Which files have nothing to do with their model, by their answers alone."""

import numpy as np
import numpy.typing as npt
import pytest

from components.common.data.predictions import Predictions, make_predictions
from components.quantize.agreement import concordance, explain_discord

RANDOM = np.random.default_rng(0)


def answers(classes: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.float32]:
    """Returns rather certain answers, float32 [n, count]."""
    logits = 4 * np.eye(count)[classes] + RANDOM.normal(size=(len(classes), count))
    odds = np.exp(logits)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


def predictions(probabilities: npt.NDArray[np.float32]) -> Predictions:
    ids = [f"{number:03}" for number in range(len(probabilities))]
    return make_predictions(ids, [0] * len(ids), probabilities)


def explain(own: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> str | None:
    return explain_discord(predictions(own), predictions(expected))


@pytest.mark.parametrize("count", [2, 9])
def test_answers_at_random_and_one_answer_to_everything_are_refused(count: int) -> None:
    expected = answers(RANDOM.integers(0, count, 200), count)
    garbage = answers(RANDOM.integers(0, count, 200), count)
    constant = np.repeat(expected[:1], 200, axis=0)
    for own in (garbage, constant):
        fault = explain(own, expected)
        assert fault is not None
        assert fault.startswith("the file was made, but its answers have nothing to do with")


def test_a_common_class_does_not_hide_answers_at_random() -> None:
    expected = answers((RANDOM.random(200) < 0.1).astype(np.int64), 2)
    own = answers((RANDOM.random(200) < 0.1).astype(np.int64), 2)
    same = (own.argmax(axis=1) == expected.argmax(axis=1)).mean()
    assert same > 0.7
    assert explain(own, expected)


def test_a_file_that_keeps_half_of_the_answers_is_left_to_the_budgets() -> None:
    classes = RANDOM.integers(0, 9, 200)
    other = np.where(RANDOM.random(200) < 0.5, classes, RANDOM.integers(0, 9, 200))
    assert explain(answers(other, 9), answers(classes, 9)) is None


def test_an_undecided_model_may_be_rounded() -> None:
    expected = np.asarray(0.25 + RANDOM.normal(0, 0.0005, (200, 4)), dtype=np.float32)
    rounded = np.asarray(np.round(expected * 256) / 256, dtype=np.float32)
    assert explain(rounded, expected) is None


def test_numbers_that_are_not_finite_are_refused() -> None:
    expected = answers(RANDOM.integers(0, 3, 50), 3)
    own = expected.copy()
    own[7, 1] = np.nan
    assert "not finite" in str(explain(own, expected))


def test_examples_are_joined_by_id() -> None:
    expected = predictions(answers(RANDOM.integers(0, 9, 200), 9))
    order = RANDOM.permutation(200)[:60]
    own = Predictions(
        ids=expected.ids[order],
        labels=expected.labels[order],
        probabilities=expected.probabilities[order],
        slices=expected.slices[order],
    )
    assert explain_discord(own, expected) is None
    with pytest.raises(ValueError, match="no predictions of some"):
        explain_discord(expected, own)


def test_concordance_is_that_of_lin() -> None:
    left = np.array([[0.1], [0.5], [0.9]], np.float32)
    right = np.array([[0.2], [0.4], [0.6]], np.float32)
    covariance = np.cov(left[:, 0], right[:, 0], bias=True)
    by_hand = 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + 0.1**2)
    assert concordance(left, right) == pytest.approx(by_hand, rel=1e-5)
    assert concordance(left, left) == 1
