"""What is left out of a data set because another of its examples is the same, or nearly.

First what is the same (`copies.py`), and then, of what is left, what is nearly so
(`near_copies.py`). Both are known once all shards are made.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from components.common.documents.dataset import SPLITS, Shard, Split, TaskName
from components.common.documents.near_copies import NearCopies, Treatment
from components.common.documents.rejects import Note, Reject
from components.common.tasks.likeness import likeness_of
from components.common.tasks.sources import sources_of
from components.preprocess.copies import find_copies
from components.preprocess.ledger import ShardRecord
from components.preprocess.manifest import describe_shard
from components.preprocess.near_copies import NearlySame, find_near_copies
from components.preprocess.sketched import ReadIndex, SketchedExamples, read_sketched
from components.preprocess.tasks import ShardTask


@dataclasses.dataclass(frozen=True)
class Alike:
    """What a comparison of all examples found."""

    left_out: frozenset[str]
    """Ids of the examples."""
    rejects: tuple[Reject, ...]
    """The same, by path."""
    notes: tuple[Note, ...]
    """Examples that are the same as another that has another label."""
    near: NearCopies
    examples: SketchedExamples | None
    """All of them; None where some are left out, or there are none."""


def find_alike(
    task: TaskName,
    shards: Sequence[ShardTask],
    records: Mapping[str, ShardRecord],
    read_index: ReadIndex,
    *,
    class_names: Sequence[str],
    near_copies: Treatment | None,
) -> Alike:
    """Compares the examples of all shards.

    Args:
      task: whose examples these are.
      shards: all of them.
      records: by the shard's path.
      read_index: reads the index of one.
      class_names: by label.
      near_copies: what becomes of them; None leaves it to the task.
    """
    copies = find_copies(shards, records, class_names, same_as=sources_of(task).SAME)
    near, examples = NearlySame(), None
    if any(sum(record.content.examples_per_class) for record in records.values()):
        examples = read_sketched(task, shards, read_index, without=copies.left_out)
        treatment = near_copies or likeness_of(task).TREATMENT
        near = find_near_copies(task, examples, leave_out=treatment == "leave_out")
    left_out = copies.left_out | near.left_out
    return Alike(
        left_out,
        (*copies.rejects, *near.rejects),
        copies.notes,
        near.document,
        None if left_out else examples,
    )


def name_shards(
    found: NearCopies,
    compared: Sequence[ShardTask],
    kept: Sequence[ShardTask],
    records: Mapping[str, ShardRecord],
) -> NearCopies:
    """Returns a document that also tells of the shards of its examples that no manifest has.

    Args:
      found: in the shards that were compared.
      compared: all of these.
      kept: the shards of the manifest.
      records: of all, by the shard's path.
    """
    named = {placed.shard for pair in found.pairs for placed in (pair.one, pair.other)}
    further = [task for task in compared if task.path in named.difference(own.path for own in kept)]
    shards: dict[Split, tuple[Shard, ...]] = {
        split: tuple(
            describe_shard(task, records[task.path]) for task in further if task.split == split
        )
        for split in SPLITS
    }
    return found.model_copy(update={"shards": shards})
