"""Which pictures int8 is calibrated on."""

from collections import Counter

import numpy as np

from components.common.examples import Example
from components.quantize.calibration import choose_examples, representative_dataset, span_range


def example(label: int, number: int) -> Example:
    return Example(id=f"{label}-{number}", image=b"", label=label)


EXAMPLES = [example(0, n) for n in range(50)] + [example(1, n) for n in range(3)]
EXAMPLES += [example(2, n) for n in range(50)]


def test_classes_take_turns_in_the_order_of_the_shards() -> None:
    chosen = choose_examples(EXAMPLES, 7)
    assert [e.id for e in chosen] == ["0-0", "1-0", "2-0", "0-1", "1-1", "2-1", "0-2"]


def test_a_small_class_gives_all_it_has_and_the_others_fill_up() -> None:
    counts = Counter(e.label for e in choose_examples(EXAMPLES, 31))
    assert counts == {0: 14, 1: 3, 2: 14}


def test_fewer_examples_than_asked_for_are_all_chosen() -> None:
    assert len(choose_examples(EXAMPLES, 1000)) == len(EXAMPLES)


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
