"""Who decides about a split, and what is done for a class that one lacks."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.documents.dataset import SPLITS
from components.common.errors import UserError
from components.preprocess.config import Splits
from components.preprocess.examples import SourceExample
from components.preprocess.splits import assign_splits

NAMES = sorted(["a", "b", "c", *(f"class {number}" for number in range(50))])


def example(index: int, label="a", *, split=None, group="") -> SourceExample:
    id_ = hashlib.sha256(f"{label} {index}".encode()).hexdigest()
    return SourceExample(id_, f"{label}/{index}.png", NAMES.index(label), "", 1000, split, group)


def assign(examples, shares=None) -> dict[str, str]:
    """Returns the split of each example, by path."""
    assignment = assign_splits(examples, shares or Splits())
    paths = (found.path for found in examples)
    return dict(zip(paths, assignment.splits(), strict=True))


def per_class(examples) -> Counter:
    splits = assign(examples)
    return Counter((NAMES[found.label], splits[found.path]) for found in examples)


def test_shares_are_met():
    splits = list(assign([example(index) for index in range(20_000)]).values())
    for split, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        assert splits.count(split) / len(splits) == pytest.approx(share, abs=0.01)


@settings(max_examples=50, deadline=None)
@given(st.integers(3, 40), st.integers(0, 10**6), st.sampled_from([0.05, 0.15, 0.3]))
def test_no_split_lacks_a_class_of_three_or_more(count, seed, share):
    shares = Splits(train=1 - 2 * share, validation=share, test=share)
    examples = [example(seed + index) for index in range(count)]
    assert set(assign(examples, shares).values()) == set(SPLITS)


def test_sets_of_small_classes_are_whole():
    for seed in range(0, 40_000, 2000):
        examples = [
            example(seed + index, f"class {number}") for number in range(50) for index in range(20)
        ]
        counts = per_class(examples)
        assert all(counts[f"class {n}", split] for n in range(50) for split in SPLITS)


def test_only_what_was_lent_moves_when_a_class_grows():
    moves = 0
    for seed in range(0, 20_000, 1000):
        examples = [example(seed + index) for index in range(100)]
        own = assign(examples)  # No split lacks anything: the hash has its way.
        before = assign(examples[:3])
        for count in range(4, 40):
            after = assign(examples[:count])
            moved = [path for path in before if before[path] != after[path]]
            moves += len(moved)
            for path in moved:  # Back where it belongs, or as the one that others lack.
                assert after[path] == own[path] or before[path] == own[path] or len(moved) == 2
            into_test = [path for path in moved if after[path] == "test"]
            assert all(own[path] == "test" for path in into_test if before[path] == "train")
            before = after
    assert moves < 3 * 20  # Of 20 classes that grew from 3 to 39 examples.


def test_a_group_of_several_classes_fills_what_they_all_lack():
    for seed in range(100):
        examples = [
            example(seed * 1000 + index, label, group=f"sprite {seed} {index % 4}")
            for label in "abc"
            for index in range(12)
        ]
        counts = per_class(examples)
        assert all(counts[label, split] for label in "abc" for split in SPLITS)
        splits = assign(examples)
        for group in {found.group for found in examples}:
            assert len({splits[e.path] for e in examples if e.group == group}) == 1


def test_a_group_takes_the_split_that_any_of_it_states():
    examples = [
        example(index, group=f"g{index % 30}", split="test" if index % 30 == index else None)
        for index in range(90)
    ]
    assert set(assign(examples[30:] + examples[:30]).values()) == {"test"}


def test_a_group_in_two_splits_is_refused_with_both_paths():
    examples = [
        example(0, group="g"),
        example(1, group="g", split="train"),
        example(2, group="g", split="test"),
    ]
    with pytest.raises(UserError) as refused:
        assign_splits(examples, Splits())
    for part in ("'g'", "a/1.png is stated to be in train", "a/2.png in test"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("stated", "carved"),
    [
        (("train", "test"), ("validation",)),
        (("train", "validation"), ("test",)),
        (("train",), ("validation", "test")),
        (("train", "validation", "test"), ()),
        (("train", None), ()),
        (("validation", "test"), ()),
    ],
)
def test_a_split_that_is_stated_nowhere_is_taken_out_of_training(stated, carved):
    examples = [example(index, split=stated[index % len(stated)]) for index in range(3000)]
    assignment = assign_splits(examples, Splits())
    assert assignment.carved == carved
    found = Counter(zip((e.split for e in examples), assignment.splits(), strict=True))
    for split in set(stated) - {None, "train"}:
        assert found[split, split] == 3000 / len(stated)
    training = 3000 / len(stated)
    allowed = ("train", *carved)
    total = sum(getattr(Splits(), split) for split in allowed)
    for split in allowed if "train" in stated else ():
        share = getattr(Splits(), split) / total
        assert found["train", split] / training == pytest.approx(share, abs=0.04)


def test_a_class_that_states_too_little_keeps_what_it_states():
    examples = [example(index, split="test") for index in range(5)]
    examples += [example(index, "b") for index in range(30)]
    counts = per_class(examples)
    assert counts["a", "test"] == 5
    assert all(counts["b", split] for split in SPLITS)
