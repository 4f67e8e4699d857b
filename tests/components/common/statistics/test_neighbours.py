"""Classes that are one are found, and classes that are two are told apart."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from components.common.statistics import neighbours
from components.common.statistics.neighbours import LEAST, AlikeClasses, find_alike_classes


def clouds(*places: float, examples: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draws a cloud of points for each class, some of them at the same place."""
    points = np.random.default_rng(seed).normal(size=(len(places) * examples, 16))
    labels = np.repeat(np.arange(len(places)), examples)
    points[np.arange(len(points)), 0] += 10
    points[:, 1] += np.repeat(places, examples)
    return points.astype(np.float32), labels


def found(features: np.ndarray, labels: np.ndarray) -> dict[tuple[int, int], AlikeClasses]:
    return {(pair.one, pair.other): pair for pair in find_alike_classes(features, labels)}


def digits(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns fifty of each digit, and of one of them two halves as two classes."""
    data = load_digits()
    rows = np.concatenate([np.flatnonzero(data.target == digit)[:50] for digit in range(10)])
    labels = data.target[rows].copy()
    own = np.random.default_rng(seed).permutation(np.flatnonzero(labels == seed % 10))
    labels[own[:25]] = 10
    return data.data[rows].astype(np.float32), labels


def test_a_class_that_was_split_at_random_is_found_and_no_other():
    for seed in range(3):
        assert set(found(*digits(seed))) == {(seed, 10)}


def test_classes_that_lie_apart_are_not_alike():
    assert set(found(*clouds(0, 0, 6))) == {(0, 1)}
    assert not found(*clouds(0, 3, 6))


def test_chance_finds_what_differs_a_little():
    """Neighbours are of the own class in three of five: seldom, were the classes one."""
    told = [bool(found(*clouds(0, 2, seed=seed))) for seed in range(20)]
    assert sum(told) <= 2
    told = [bool(found(*clouds(0, 0, seed=seed))) for seed in range(20)]
    assert sum(told) >= 18


def test_it_is_told_how_many_neighbours_are_strangers_and_who():
    features, labels = clouds(0, 0, examples=30)
    ((_, pair),) = found(features, labels).items()
    directions = features / np.linalg.norm(features, axis=1, keepdims=True)
    likeness = directions @ directions.T
    nearest = {
        (one, other)
        for one in range(60)
        for other in sorted(set(range(60)) - {one}, key=lambda n: -likeness[one, n])[:3]
    }
    strangers = [(one, other) for one, other in nearest if labels[one] != labels[other]]
    assert (pair.strangers, pair.neighbours) == (len(strangers), len(nearest))
    assert pair.expected == pytest.approx(pair.neighbours * 30 / 59)
    pairs = [tuple(own) for own in pair.pairs.tolist()]
    assert set(pairs) == {own for own in strangers if labels[own[0]] == 0}
    assert (np.diff([likeness[own] for own in pairs]) <= 1e-6).all()


def test_a_class_of_few_examples_is_not_compared():
    features, labels = clouds(0, 0)
    kept = np.concatenate([np.arange(50), 50 + np.arange(LEAST - 1)])
    assert not found(features[kept], labels[kept])
    kept = np.append(kept, 99)
    assert set(found(features[kept], labels[kept])) == {(0, 1)}
    assert not found(features[:50], labels[:50])


def test_of_many_classes_only_those_with_like_means_are_compared(monkeypatch):
    compared = []
    monkeypatch.setattr(
        neighbours,
        "_compare",
        lambda _, one, other, labels: compared.append((int(labels[one[0]]), int(labels[other[0]]))),
    )
    assert not found(*clouds(*range(0, 80, 4), examples=LEAST))
    assert len(compared) <= 20 * neighbours._COMPARED_WITH
    assert {(n, n + 1) for n in range(19)} <= set(compared)
