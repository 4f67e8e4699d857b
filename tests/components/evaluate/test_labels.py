"""Labels that may be wrong, from predictions that can be counted by hand."""

import numpy as np
import pytest

from components.common.data.predictions import make_predictions
from components.evaluate import labels
from components.evaluate.labels import find_doubtful_labels


def find(*rows: tuple[int, list[float]]):
    given = [label for label, _ in rows]
    ids = [f"e{number}" for number in range(len(rows))]
    return find_doubtful_labels(make_predictions(ids, given, np.array([p for _, p in rows])))


def test_what_reaches_the_mean_of_another_class_is_doubtful():
    """Examples of class 0 have 0.6 for it on average, those of class 1 have 0.5."""
    found = find(
        (0, [0.9, 0.1]),
        (0, [0.45, 0.55]),
        (0, [0.45, 0.55]),
        (1, [0.1, 0.9]),
        (1, [0.5, 0.5]),
        (1, [0.9, 0.1]),
    )
    assert found.examples == 3
    assert [(doubt.id, doubt.label, doubt.likely) for doubt in found.shown] == [
        ("e5", 1, 0),
        ("e1", 0, 1),
        ("e2", 0, 1),
    ]
    assert found.shown[0].label_probability == pytest.approx(0.1)
    assert found.shown[0].likely_probability == pytest.approx(0.9)


def test_a_wrong_answer_that_is_not_confident_leaves_a_label_alone():
    found = find((0, [0.9, 0.1]), (0, [0.4, 0.6]), (1, [0.1, 0.9]), (1, [0.1, 0.9]))
    assert (found.examples, found.shown) == (0, ())


def test_a_label_that_is_still_the_likelier_one_is_left_alone():
    """The third example misses the mean of its own class, and reaches the other's."""
    certain = [(0, [0.9, 0.1])] * 2
    unsure = [(1, [0.7, 0.3]), (1, [0.6, 0.4])]
    assert find(*certain, (0, [0.55, 0.45]), *unsure).examples == 0
    assert find(*certain, (0, [0.45, 0.55]), *unsure).examples == 1


def test_of_several_classes_whose_means_are_reached_the_likeliest_counts():
    found = find(
        (0, [0.4, 0.3, 0.3]),
        (1, [0.2, 0.6, 0.2]),
        (2, [0.3, 0.3, 0.4]),
        (2, [0.5, 0.05, 0.45]),
        (2, [0.43, 0.1, 0.47]),
    )
    assert [(doubt.id, doubt.likely) for doubt in found.shown] == [("e3", 0)]


def test_a_class_without_examples_is_nobody_s():
    assert find((0, [0.3, 0.7]), (0, [0.2, 0.8])).examples == 0


def test_without_examples_no_label_is_doubtful():
    nothing = make_predictions([], [], np.zeros((0, 2)))
    assert find_doubtful_labels(nothing).examples == 0


def test_the_most_doubtful_are_shown_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(labels, "_SHOWN", 1)
    rows = [(0, [0.9, 0.1])] * 4 + [(1, [0.1, 0.9])] * 4
    found = find(*rows, (0, [0.05, 0.95]), (1, [0.97, 0.03]))
    assert found.examples == 2
    assert [doubt.id for doubt in found.shown] == ["e9"]


def test_labels_that_were_changed_are_found_among_many():
    chance = np.random.default_rng(1)
    truth = chance.integers(0, 4, 400)
    logits = chance.normal(0, 1, (400, 4))
    logits[np.arange(400), truth] += 7
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = truth.copy()
    changed = chance.choice(400, 20, replace=False)
    given[changed] = (truth[changed] + 1) % 4
    found = find_doubtful_labels(
        make_predictions([str(n) for n in range(400)], given, probabilities)
    )
    told = {int(doubt.id) for doubt in found.shown}
    assert len(told & {*changed.tolist()}) >= 18
    assert found.examples <= 24
