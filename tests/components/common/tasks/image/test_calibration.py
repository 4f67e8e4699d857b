"""Which pictures int8 is calibrated on."""

from collections import Counter

import numpy as np
import pytest

from components.common.tasks.image.calibration import (
    choose_examples,
    representative_dataset,
    share_out,
    span_range,
)
from components.common.tasks.image.features import Example


def example(label: int, number: int) -> Example:
    return Example(id=f"{label}-{number}", image=b"", label=label)


EXAMPLES = [example(0, n) for n in range(50)] + [example(1, n) for n in range(3)]
EXAMPLES += [example(2, n) for n in range(50)]
PER_CLASS = (50, 3, 50)


def test_classes_take_turns_in_the_order_of_the_shards() -> None:
    chosen = choose_examples(EXAMPLES, PER_CLASS, 7)
    assert [e.id for e in chosen] == ["0-0", "1-0", "2-0", "0-1", "1-1", "2-1", "0-2"]


def test_a_small_class_gives_all_it_has_and_the_others_fill_up() -> None:
    counts = Counter(e.label for e in choose_examples(EXAMPLES, PER_CLASS, 31))
    assert counts == {0: 14, 1: 3, 2: 14}


def test_fewer_examples_than_asked_for_are_all_chosen() -> None:
    assert len(choose_examples(EXAMPLES, PER_CLASS, 1000)) == len(EXAMPLES)


def test_nothing_is_read_once_all_are_found() -> None:
    read = []
    shuffled = (example(n % 3, n) for n in range(1000))
    chosen = choose_examples((read.append(e.id) or e for e in shuffled), (10**6, 2, 10**6), 20)
    assert len(chosen) == 20 and read[-1] in [e.id for e in chosen]


@pytest.mark.parametrize("count", [1, 10, 31, 200])
def test_the_counts_change_nothing_of_what_is_chosen(count: int) -> None:
    random = np.random.default_rng(count)
    labels = random.choice(12, 400, p=random.dirichlet(np.full(12, 0.4))).tolist()
    examples = [example(label, n) for n, label in enumerate(labels)]
    per_class = [labels.count(label) for label in range(12)]
    turns = [labels[:n].count(label) for n, label in enumerate(labels)]
    order = sorted(range(400), key=lambda n: (turns[n], labels[n]))
    expected = [examples[n] for n in order[:count]]
    assert choose_examples(examples, per_class, count) == expected
    given = Counter(e.label for e in expected)
    assert share_out(count, per_class) == [given[label] for label in range(12)]


def test_pictures_are_made_to_span_what_a_device_may_feed() -> None:
    pictures = np.random.default_rng(0).integers(60, 188, (5, 8, 8, 3)).astype(np.uint8)
    spanning = span_range(pictures)
    assert (spanning.min(), spanning.max()) == (0, 255)
    assert (pictures.min(), pictures.max()) == (60, 187), "the argument is left as it was"
    changed = np.argwhere((spanning != pictures).any(axis=-1))
    np.testing.assert_array_equal(changed, [[0, 0, 0], [0, 7, 7]])


def test_pictures_that_span_the_range_are_left_alone() -> None:
    pictures = np.array([0, 255, 7, 9], np.uint8).reshape(1, 2, 2, 1)
    np.testing.assert_array_equal(span_range(pictures), pictures)


def test_the_converter_gets_raw_pixels_one_picture_at_a_time() -> None:
    pictures = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    fed = [item["image"] for item in representative_dataset(pictures)]
    assert [item.shape for item in fed] == [(1, 2, 2, 3)] * 2
    assert fed[0].dtype == np.float32
    np.testing.assert_array_equal(np.concatenate(fed), pictures)
