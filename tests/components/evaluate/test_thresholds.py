"""Scores below which a model answers unknown, from predictions that can be counted by hand."""

import numpy as np

from components.common.data.predictions import Predictions, make_predictions
from components.evaluate.thresholds import assess_thresholds


def predictions(*answers: tuple[float, bool]) -> Predictions:
    """Returns predictions of two classes: the score of each, and whether it is right."""
    rows = np.array([[score, 1 - score] for score, _ in answers])
    ids = [str(number) for number in range(len(answers))]
    return make_predictions(ids, [int(not right) for _, right in answers], rows)


# Scores that 32 bits hold exactly.
UNSURE = (0.8125, False), (0.75, True), (0.6875, True), (0.625, False)
VALIDATION = predictions(*[(0.9375, True)] * 6, *UNSURE)
TEST = predictions((0.9, True), (0.76, True), (0.72, False), (0.55, False))


def test_the_lowest_score_whose_answers_are_as_accurate_as_asked_is_chosen() -> None:
    (chosen,) = [each for each in assess_thresholds(TEST, VALIDATION, accuracy=0.85) if each.chosen]
    # Of all ten answers 8 are right, of the nine from 0.6875 on 8 too.
    assert chosen.score == 0.6875
    assert (chosen.validation_coverage, chosen.validation_accuracy) == (0.9, 8 / 9)
    assert (chosen.coverage, chosen.accuracy.value) == (0.75, 2 / 3)


def test_every_answer_is_given_where_that_is_accurate_enough() -> None:
    found = [*assess_thresholds(TEST, VALIDATION, accuracy=0.8)]
    assert [each.score for each in found if each.chosen] == [0.0]
    assert (found[0].coverage, found[0].accuracy.value) == (1.0, 0.5)


def test_no_score_is_chosen_where_none_is_accurate_enough() -> None:
    wrong = predictions((0.9, False), (0.8, True))
    found = [*assess_thresholds(TEST, wrong, accuracy=0.9)]
    assert found and not any(each.chosen for each in found)


def test_a_few_scores_are_told_of_anyway() -> None:
    found = [*assess_thresholds(TEST, VALIDATION, accuracy=None)]
    assert [each.score for each in found] == [0, 0.625, 0.6875, 0.75, 0.8125, 0.9375]
    assert [each.validation_coverage for each in found] == [1, 1, 0.9, 0.8, 0.7, 0.6]
    assert found[-1].coverage == 0 and found[-1].accuracy.high == 1


def test_without_validation_examples_nothing_is_told() -> None:
    nothing = make_predictions([], [], np.zeros((0, 2)))
    assert [*assess_thresholds(TEST, nothing, accuracy=0.9)] == []
