"""Which shard of its split an example belongs to: a hash of what it is, not of where it stands.

So a data set that grows keeps every example where it was, and only the shards that gain
or lose a member change. The number of shards depends on nothing but the bytes there are
now, a power of two, so that it changes only when the data doubles, and a manifest made
step by step equals one made afresh.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence

from components.common.documents.dataset import SPLITS, Split
from components.preprocess.inventory import SourceExample
from components.preprocess.splits import Assignment, hash_text

SHARD_SOURCE_BYTES = 32 << 20
"""A shard's share of the source: some 500 photographs, a second's work for a core."""
MIN_TRAINING_SHARDS = 4
"""So that several workers, and training's interleaved readers, have something to share."""


@dataclasses.dataclass(frozen=True, slots=True)
class ShardPlan:
    """A shard to be: its name and members, sorted by id."""

    split: Split
    name: str
    """`train-00003-of-00016`"""
    members: tuple[SourceExample, ...]

    @property
    def source_bytes(self) -> int:
        return sum(member.size_bytes for member in self.members)


def plan_shards(
    examples: Sequence[SourceExample], assignment: Assignment, *, training_shards: int | None
) -> tuple[ShardPlan, ...]:
    """Deals examples out to splits and shards.

    Args:
      examples: with distinct ids.
      assignment: of all of them.
      training_shards: None chooses by the bytes of the examples.

    Returns:
      Every shard of every split, empty ones included, by split and number.
    """
    by_split: dict[Split, list[SourceExample]] = {split: [] for split in SPLITS}
    for example in examples:
        by_split[assignment.split_of(example)].append(example)
    plans: list[ShardPlan] = []
    for split, members in by_split.items():
        count = count_shards(sum(member.size_bytes for member in members))
        if split == "train":
            count = training_shards or max(count, MIN_TRAINING_SHARDS)
        plans.extend(_deal(split, members, count))
    return tuple(plans)


def count_shards(source_bytes: int) -> int:
    """Returns the least power of two with which no shard takes more than its share of bytes."""
    needed = max(1, -(-source_bytes // SHARD_SOURCE_BYTES))
    return 1 << (needed - 1).bit_length()


def _deal(split: Split, members: Sequence[SourceExample], count: int) -> list[ShardPlan]:
    dealt: Mapping[int, list[SourceExample]] = defaultdict(list)
    for member in members:
        dealt[hash_text(f"shard {member.id}") % count].append(member)
    return [
        ShardPlan(
            split=split,
            name=f"{split}-{number:05d}-of-{count:05d}",
            # By id: the order in which a source lists its files must not reach the bytes.
            members=tuple(sorted(dealt[number], key=lambda member: member.id)),
        )
        for number in range(count)
    ]
