"""Figures against other libraries, other formulas, and naive loops."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from components.common.statistics.metrics import (
    PROBABILITY_FLOOR,
    bootstrap_estimates,
    calibration_gaps,
    confusion_matrix,
    in_top,
    log_losses,
    predicted_classes,
    share_estimate,
)


def draw(examples: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities (float32 [examples, classes]) and labels that often fit them."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(classes, 0.3), examples).astype(np.float32)
    labels = np.array([random.choice(classes, p=row / row.sum()) for row in probabilities * 1.0])
    return probabilities, labels


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (475, 477)])
def test_a_share_has_wilsons_interval(successes: int, trials: int) -> None:
    estimate = share_estimate(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert estimate.value == successes / trials
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))


def test_a_share_of_nothing_may_be_anything() -> None:
    estimate = share_estimate(0, 0)
    assert (estimate.low, estimate.high) == (0.0, 1.0)


def test_figures_equal_scikit_learns() -> None:
    probabilities, labels = draw(400, 6)
    predicted = predicted_classes(probabilities)
    estimates = bootstrap_estimates(probabilities, labels, calibration_bins=10, resamples=100)
    confusion = confusion_matrix(labels, predicted, 6)
    np.testing.assert_array_equal(confusion, reference.confusion_matrix(labels, predicted))
    assert estimates["macro_f1"].value == pytest.approx(
        reference.f1_score(labels, predicted, average="macro")
    )
    floored = np.clip(probabilities, PROBABILITY_FLOOR, 1)[np.arange(400), labels]
    assert estimates["log_loss"].value == pytest.approx(-np.log(floored).mean())
    for k in (1, 2, 5):
        assert in_top(probabilities, labels, k).mean() == pytest.approx(
            reference.top_k_accuracy_score(labels, probabilities, k=k)
        )


def test_macro_f1_passes_over_classes_that_never_occur() -> None:
    probabilities = np.eye(4, dtype=np.float32)[[0, 1, 1, 0]]
    labels = np.array([0, 1, 0, 0])
    value = bootstrap_estimates(probabilities, labels, calibration_bins=5, resamples=100)
    expected = reference.f1_score(labels, [0, 1, 1, 0], average="macro")
    assert value["macro_f1"].value == pytest.approx(expected)


def test_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    confidences = np.array([0.62, 0.68, 0.93, 0.97, 0.95], np.float32)
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    labels = np.array([0, 1, 0, 0, 0])
    estimate = bootstrap_estimates(probabilities, labels, calibration_bins=10, resamples=100)
    gap_at_065, gap_at_095 = abs(0.5 - 0.65), abs(1.0 - 0.95)
    expected = (2 * gap_at_065 + 3 * gap_at_095) / 5
    assert estimate["calibration_error"].value == pytest.approx(expected, abs=1e-6)


def test_a_probability_of_one_falls_into_the_last_bin() -> None:
    bins, gaps = calibration_gaps(np.array([[1.0, 0.0]], np.float32), np.array([0]), 15)
    assert (bins[0], gaps[0]) == (14, 0.0)


def test_ranks_break_ties_as_an_argmax_does() -> None:
    probabilities = np.array([[0.25, 0.25, 0.25, 0.25]] * 4, np.float32)
    labels = np.arange(4)
    np.testing.assert_array_equal(in_top(probabilities, labels, 1), [True, False, False, False])
    np.testing.assert_array_equal(in_top(probabilities, labels, 2), [True, True, False, False])


def test_log_loss_is_finite_where_a_model_is_sure_and_wrong() -> None:
    losses = log_losses(np.array([[1.0, 0.0]], np.float32), np.array([1]))
    assert losses[0] == pytest.approx(np.log(512))


def test_resamples_equal_a_naive_loop_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, labels = draw(50, 4)
    drawn = np.random.default_rng(0).integers(50, size=(200, 50))
    naive = [
        reference.f1_score(
            labels[row], predicted_classes(probabilities)[row], average="macro", zero_division=0
        )
        for row in drawn
    ]
    value = reference.f1_score(labels, predicted_classes(probabilities), average="macro")
    expected = np.percentile(naive - np.mean(naive) + value, [2.5, 97.5])
    whole = bootstrap_estimates(probabilities, labels, calibration_bins=5, resamples=200)
    assert (whole["macro_f1"].low, whole["macro_f1"].high) == pytest.approx(tuple(expected))
    monkeypatch.setattr("components.common.statistics.metrics._CELLS", 50 * 7)
    chunked = bootstrap_estimates(probabilities, labels, calibration_bins=5, resamples=200)
    assert chunked == whole


def test_the_interval_of_log_loss_is_that_of_a_mean() -> None:
    probabilities, labels = draw(600, 5)
    losses = log_losses(probabilities, labels)
    estimate = bootstrap_estimates(probabilities, labels, calibration_bins=5, resamples=2000)
    half_width = 1.96 * losses.std(ddof=1) / np.sqrt(600)
    width = estimate["log_loss"].high - estimate["log_loss"].low
    assert width == pytest.approx(2 * half_width, rel=0.1)


def test_every_interval_holds_its_value_and_stays_in_bounds() -> None:
    for seed in range(5):
        probabilities, labels = draw(30, 3, seed)
        estimates = bootstrap_estimates(probabilities, labels, calibration_bins=15, resamples=100)
        for name, estimate in estimates.items():
            assert 0 <= estimate.low <= estimate.value <= estimate.high, name
        assert estimates["macro_f1"].high <= 1
        assert estimates["calibration_error"].high <= 1
