"""When a training can be given up."""

from collections.abc import Sequence

import pytest

from components.common.documents.bundle import Epoch
from components.common.training.prospects import find_hopeless


def epochs(*accuracies: float, first: int = 1) -> list[Epoch]:
    return [
        Epoch(
            phase="prune",
            epoch=number,
            learning_rate=1e-3,
            loss=1.0,
            accuracy=accuracy,
            validation_loss=1.0,
            validation_accuracy=accuracy,
        )
        for number, accuracy in enumerate(accuracies, start=first)
    ]


def given_up_after(history: Sequence[Epoch], *, last: int, examples: int = 10_000) -> int | None:
    found = find_hopeless(history, last=last, required=0.8, examples=examples)
    return None if found is None else found.epoch


def test_a_training_that_lies_far_under_what_is_asked_ends_after_half_of_its_epochs() -> None:
    flat = epochs(*[0.5] * 10)
    assert given_up_after(flat, last=10) == 6
    assert given_up_after(flat[:5], last=10) is None, "it may begin slowly"


def test_one_that_comes_to_it_with_as_much_gain_again_goes_on() -> None:
    rising = epochs(0.5, 0.54, 0.58, 0.62, 0.66, 0.68, 0.7, 0.72, 0.74)
    assert given_up_after(rising, last=10) is None
    assert given_up_after(epochs(0.5, 0.54, 0.58, 0.59, 0.6, 0.6), last=10) == 6


def test_half_is_of_the_epochs_that_may_be_kept() -> None:
    sparse = epochs(0.5, 0.5, 0.5, 0.5, 0.5, first=6)  # Of ten, the last five.
    assert given_up_after(sparse, last=10) == 8
    assert given_up_after(sparse[:2], last=10) is None


def test_a_training_that_is_over_is_never_given_up() -> None:
    assert given_up_after(epochs(0.5, first=10), last=10) is None


@pytest.mark.parametrize(("examples", "ends"), [(50, None), (10_000, 6)])
def test_few_validation_examples_leave_room_for_luck(examples: int, ends: int | None) -> None:
    assert given_up_after(epochs(*[0.7] * 9), last=10, examples=examples) == ends


def test_what_comes_after_changes_nothing() -> None:
    """So a training whose state is from later is given up at the same place."""
    history = epochs(*[0.5] * 6, 0.9, 0.95)
    assert given_up_after(history, last=10) == given_up_after(history[:6], last=10) == 6
