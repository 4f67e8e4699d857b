"""An evaluation's figures from predictions that can be counted by hand."""

import numpy as np
import pytest

from components.common.data.predictions import Predictions, make_predictions
from components.evaluate.assessment import (
    assess_classes,
    assess_confusion,
    assess_metrics,
    assess_sizes,
    assess_slices,
    compare_with_keras,
)

NAMES = ("ant", "bee", "cat")
RIGHT, WRONG = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]


def predictions(*, reverse: bool = False) -> Predictions:
    """Returns four ants, of which one passes for a bee, and a bee; no cat."""
    order = slice(None, None, -1 if reverse else 1)
    return make_predictions(
        ["a", "b", "c", "d", "e"][order],
        [0, 0, 0, 0, 1][order],
        np.array([RIGHT, RIGHT, WRONG, RIGHT, WRONG])[order],
        ["night", "", "night", "day", ""][order],
    )


def test_sizes_stand_in_their_order_and_only_those_that_there_are() -> None:
    names = ("short", "middling", "long", "cut")
    found = [*assess_sizes(predictions(), [3, 0, 0, 2, 2], names)]
    told = [(each.slice_name, each.examples, each.accuracy.value) for each in found]
    assert told == [("short", 2, 0.5), ("long", 2, 1.0), ("cut", 1, 1.0)]


def test_the_confusion_matrix_has_the_truth_in_its_rows() -> None:
    assert assess_confusion(predictions()).tolist() == [[3, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_each_class_has_its_recall_precision_and_f1() -> None:
    ant, bee, cat = assess_classes(assess_confusion(predictions()), NAMES)
    assert (ant.class_name, ant.examples, ant.recall.value, ant.precision) == ("ant", 4, 0.75, 1.0)
    assert ant.f1 == pytest.approx(6 / 7)
    assert (bee.recall.value, bee.precision) == (1.0, 0.5)
    assert (cat.examples, cat.recall.low, cat.recall.high, cat.f1) == (0, 0.0, 1.0, 0.0)


def test_slices_are_counted_apart_and_no_slice_is_none() -> None:
    day, night = assess_slices(predictions())
    assert (day.slice_name, day.examples, day.accuracy.value) == ("day", 1, 1.0)
    assert (night.slice_name, night.examples, night.accuracy.value) == ("night", 2, 0.5)


def test_the_figures_are_the_five_of_the_contract() -> None:
    metrics = assess_metrics(predictions(), calibration_bins=15, resamples=100)
    assert set(metrics) == {
        "accuracy", "top5_accuracy", "macro_f1", "log_loss", "calibration_error",
    }  # fmt: skip
    assert metrics["accuracy"].value == 0.8
    assert metrics["top5_accuracy"].value == 1.0, "with fewer than five classes nothing is missed"


def test_the_trained_model_is_compared_by_example_id() -> None:
    agreement = compare_with_keras(predictions(), predictions(reverse=True))
    assert (agreement.same_prediction, agreement.largest_difference) == (1.0, 0.0)
    other = predictions(reverse=True)
    other.probabilities[0] = RIGHT  # Example e, a bee before.
    agreement = compare_with_keras(predictions(), other)
    assert agreement.same_prediction == 0.8
    assert agreement.largest_difference == pytest.approx(0.7)


def test_predictions_of_other_examples_are_refused() -> None:
    other = make_predictions(["a", "b", "c", "d", "x"], [0] * 5, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="of 5 and 5 examples share 4"):
        compare_with_keras(predictions(), other)
