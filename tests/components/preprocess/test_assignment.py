"""Splits and shards are stable under growth."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from components.preprocess.assignment import (
    LEAST_SHARE_BYTES,
    MIN_TRAINING_SHARDS,
    MOST_SHARE_BYTES,
    count_shards,
    plan_shards,
)
from components.preprocess.config import Splits
from components.preprocess.examples import Examples, SourceExample
from components.preprocess.sources import SourceRecord
from components.preprocess.splits import assign_splits


def example(index: int, *, split=None, group="", size_bytes=1000) -> SourceExample:
    id_ = hashlib.sha256(f"{index}".encode()).hexdigest()
    return SourceExample(id_, f"{index}.png", 0, "", size_bytes, split, group)


def plan(found, shards=None):
    examples = Examples()
    for one in found:
        record = SourceRecord(one.path, "class", one.split, one.group)
        examples.add(record, id=one.id, label=one.label, size_bytes=one.size_bytes)
    return plan_shards(examples, assign_splits(examples, Splits()), training_shards=shards)


def places(plans) -> dict[str, str]:
    return {member.id: shard.name for shard in plans for member in shard.members}


def test_every_example_stands_in_one_shard_sorted_by_id():
    plans = plan([example(index) for index in range(500)])
    assert len(places(plans)) == sum(len(shard.members) for shard in plans) == 500
    for shard in plans:
        ids = [member.id for member in shard.members]
        assert ids == sorted(ids)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 10_000), max_size=60), st.sets(st.integers(0, 10_000), max_size=60))
def test_growth_moves_no_example(first, second):
    enough = [example(-index) for index in range(1, 31)]  # No split lacks the class.
    before = places(plan([*enough, *(example(index) for index in sorted(first))]))
    after = places(plan([*enough, *(example(index) for index in sorted(first | second))]))
    assert before.items() <= after.items()


def test_a_group_stays_together_and_a_stated_split_wins():
    examples = [example(index, group=f"g{index % 7}") for index in range(200)]
    splits: dict[str, set[str]] = {}
    for shard in plan(examples):
        for member in shard.members:
            splits.setdefault(member.group, set()).add(shard.split)
    assert all(len(found) == 1 for found in splits.values())
    assert len(set.union(*splits.values())) > 1
    stated = plan([example(index, group="g", split="test") for index in range(9)])
    assert {shard.split for shard in stated if shard.members} == {"test"}


def test_the_count_is_a_power_of_two_that_follows_the_bytes():
    assert [count_shards(size) for size in (0, 1, LEAST_SHARE_BYTES, LEAST_SHARE_BYTES + 1)] == [
        1, 1, 1, 2,
    ]  # fmt: skip
    assert count_shards(5 * LEAST_SHARE_BYTES) == 4
    names = {shard.name for shard in plan([example(0)])}
    assert f"train-00003-of-{MIN_TRAINING_SHARDS:05d}" in names
    assert "test-00000-of-00001" in names
    others = [example(1000, split="validation"), example(1001, split="test")]
    big = others + [
        example(index, split="train", size_bytes=2 * LEAST_SHARE_BYTES) for index in range(90)
    ]
    assert sum(shard.split == "train" for shard in plan(big)) == 16
    assert sum(shard.split == "train" for shard in plan(big, shards=3)) == 3


@given(st.integers(0, 60).map(lambda power: 2**power), st.integers(0, 1000))
def test_shards_are_small_where_they_are_few_and_large_where_they_are_many(size, more):
    source_bytes, count = size + more, count_shards(size + more)
    assert source_bytes <= count * min(MOST_SHARE_BYTES, LEAST_SHARE_BYTES * count)
    if count > 1:  # Half as many would be too few.
        half = count // 2
        assert source_bytes > half * min(MOST_SHARE_BYTES, LEAST_SHARE_BYTES * half)
