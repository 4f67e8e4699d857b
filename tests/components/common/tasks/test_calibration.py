"""Which examples int8 is calibrated on."""

from collections import Counter

import numpy as np
import pytest

from components.common.tasks.calibration import choose_examples, share_out
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
