"""Which shard of its split an example belongs to: a hash of what it is, not of where it stands.

So a data set that grows keeps every example where it was, and only the shards that gain
or lose a member change. The number of shards depends on nothing but the bytes there are
now, a power of two, so that it changes seldom, and a manifest made step by step equals one
made afresh.

Few bytes make small shards, so that every core of a machine has some to make; many make large
ones, which are few to list, to open and to keep records of. So both grow, each as the root of
the bytes, until a shard is as large as is good to read.
"""

import dataclasses
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

from components.common.documents.dataset import SPLITS, Split
from components.preprocess.examples import Chosen, Examples
from components.preprocess.splits import Assignment, hash_text

LEAST_SHARE_BYTES = 4 << 20
"""What the only shard of a split takes of the source at most."""
MOST_SHARE_BYTES = 256 << 20
"""What a shard takes at most where there are many: half to all of it, 128 to 256 MB."""
MIN_TRAINING_SHARDS = 4
"""So that several workers, and training's interleaved readers, have something to share."""


@dataclasses.dataclass(frozen=True, slots=True)
class ShardPlan:
    """A shard to be: its name and members, sorted by id."""

    split: Split
    name: str
    """`train-00003-of-00016`"""
    members: Chosen


def plan_shards(
    examples: Examples, assignment: Assignment, *, training_shards: int | None
) -> tuple[ShardPlan, ...]:
    """Deals examples out to splits and shards.

    Args:
      examples: with distinct ids.
      assignment: of all of them.
      training_shards: None chooses by the bytes of the examples.

    Returns:
      Every shard of every split, empty ones included, by split and number.
    """
    numbers: dict[Split, array[int]] = {split: array("q") for split in SPLITS}
    draws: dict[Split, array[int]] = {split: array("Q") for split in SPLITS}
    source_bytes = Counter[Split]()
    for number, (example, split) in enumerate(zip(examples, assignment.splits(), strict=True)):
        numbers[split].append(number)
        draws[split].append(hash_text(f"shard {example.id}"))
        source_bytes[split] += example.size_bytes
    plans: list[ShardPlan] = []
    for split in SPLITS:
        count = count_shards(source_bytes[split])
        if split == "train":
            count = training_shards or max(count, MIN_TRAINING_SHARDS)
        dealt = [array("q") for _ in range(count)]
        for number, draw in zip(numbers[split], draws[split], strict=True):
            dealt[draw % count].append(number)
        plans.extend(_name_shards(split, examples, dealt))
    return tuple(plans)


def count_shards(source_bytes: int) -> int:
    """Returns the least power of two with which no shard takes more than its share of bytes."""
    count = 1
    while source_bytes > count * share_bytes(count):
        count *= 2
    return count


def share_bytes(count: int) -> int:
    """Returns how many bytes of the source each of so many shards may take."""
    return min(MOST_SHARE_BYTES, LEAST_SHARE_BYTES * count)


def _name_shards(
    split: Split, examples: Examples, dealt: Sequence["array[int]"]
) -> Iterator[ShardPlan]:
    for index, own in enumerate(dealt):
        # By id: the order in which a source lists its files must not reach the bytes.
        members = array("q", sorted(own, key=examples.id_of))
        name = f"{split}-{index:05d}-of-{len(dealt):05d}"
        yield ShardPlan(split=split, name=name, members=Chosen(examples, members))
