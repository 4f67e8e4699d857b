"""The manifest: what the shards' records and the rejects come to."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from components.common.documents.base import Lineage
from components.common.documents.dataset import SPLITS, DatasetManifest, Shard, Split, SplitExamples
from components.common.documents.rejects import COPIES, Note, Reject
from components.common.errors import UserError
from components.common.tasks.describing import describe, describing_of
from components.common.tasks.making import Plan
from components.common.words.figures import percent
from components.preprocess.config import PreprocessConfig
from components.preprocess.inventory import Inventory
from components.preprocess.ledger import ShardRecord
from components.preprocess.tasks import ShardTask

_EXAMPLES_SHOWN = 5


def collect_rejects(
    inventory: Inventory, tasks: Sequence[ShardTask], records: Mapping[str, ShardRecord]
) -> tuple[Reject, ...]:
    """Returns all rejects, the source's and the shards', sorted by path."""
    decoded = {
        (path := paths[reject.id]): Reject(path, reject.reason, reject.detail)
        for task in tasks
        if (found := records[task.path].content.rejects)
        for paths in [paths_of(task, {reject.id for reject in found})]
        for reject in found
    }
    listed = (
        dataclasses.replace(decoded[original], path=reject.path)  # It is as broken.
        if (original := inventory.copy_of.get(reject.path)) in decoded
        else reject
        for reject in inventory.rejects
    )
    return tuple(sorted([*listed, *decoded.values()]))


def paths_of(task: ShardTask, ids: Collection[str]) -> Mapping[str, str]:
    """Returns the paths of some of a shard's members, by id."""
    return {member.id: member.path for member in task.members if member.id in ids}


def explain_rejects(
    rejects: Sequence[Reject], *, records: int, max_reject_share: float
) -> str | None:
    """Returns what to tell where too much of the source is unusable, None where it is not.

    Copies and near copies of examples that are used do no harm, and count neither as usable nor as
    unusable.

    Args:
      rejects: sorted by path.
      records: how many records there are, the rejected ones included.
      max_reject_share: how many may be, in [0, 1].
    """
    broken = [reject for reject in rejects if reject.reason not in COPIES]
    distinct = records - (len(rejects) - len(broken))
    share = len(broken) / distinct
    if share <= max_reject_share:
        return None
    counts = ", ".join(f"{count} {reason}" for reason, count in count_rejects(broken).items())
    examples = "".join(
        f"\n  {reject.path}: {reject.reason} ({reject.detail})" for reject in _one_of_each(broken)
    )
    return (
        f"{len(broken)} of {distinct} records are rejected ({counts}), which is {percent(share)}; "
        f"data.max_reject_share allows {percent(max_reject_share)}. Mend or remove these files, or "
        f"allow a greater share. For example:{examples}"
    )


def count_rejects(rejects: Iterable[Reject]) -> dict[str, int]:
    """Returns how often each reason occurs, sorted by reason."""
    return dict(sorted(Counter(reject.reason for reject in rejects).items()))


def count_notes(notes: Iterable[Note]) -> dict[str, int]:
    """Returns how often each kind occurs, sorted by kind."""
    return dict(sorted(Counter(note.kind for note in notes).items()))


def build_manifest(
    config: PreprocessConfig,
    plan: Plan,
    inventory: Inventory,
    tasks: Sequence[ShardTask],
    records: Mapping[str, ShardRecord],
    *,
    lineage: Lineage,
) -> DatasetManifest:
    """Puts the manifest together.

    Args:
      config: the stage's configuration.
      plan: what every example became.
      inventory: of the source.
      tasks: all shards, by split and number.
      records: by the shard's path.
      lineage: of this computation.

    Raises:
      UserError: no training example is left.
    """
    splits = {split: _describe_split(split, tasks, records) for split in SPLITS}
    if splits["train"].examples == 0:
        raise UserError(
            f"{inventory.listing.root}: no example is left for the training split; give more "
            "of them, or a greater data.splits.train"
        )
    rejects = collect_rejects(inventory, tasks, records)
    return DatasetManifest(
        class_names=inventory.listing.class_names,
        spec=describing_of(plan).spec_of(plan),
        compression=config.compression,
        splits=splits,
        source_fingerprint=inventory.fingerprint,
        statistics=describe(
            plan,
            [records[task.path].content.counts for task in tasks if task.split == "train"],
            [records[task.path].content.counts for task in tasks],
        ),
        rejects=count_rejects(rejects),
        notes=count_notes(inventory.notes),
        passed_over=inventory.listing.passed_over,
        records=len(inventory.listing.records),
        slices=tuple(sorted(inventory.examples.slices())),
        lineage=lineage,
    )


def _describe_split(
    split: Split, tasks: Sequence[ShardTask], records: Mapping[str, ShardRecord]
) -> SplitExamples:
    own = [(task, records[task.path]) for task in tasks if task.split == split]
    per_class = [
        sum(counts)
        for counts in zip(*(record.content.examples_per_class for _, record in own), strict=True)
    ]
    shards = tuple(describe_shard(task, record) for task, record in own)
    return SplitExamples(
        examples=sum(per_class), shards=shards, examples_per_class=tuple(per_class)
    )


def describe_shard(task: ShardTask, record: ShardRecord) -> Shard:
    """Returns a shard as documents name it."""
    return Shard(
        path=task.path,
        examples=sum(record.content.examples_per_class),
        size_bytes=record.size_bytes,
        crc32c=record.crc32c,
    )


def _one_of_each(rejects: Sequence[Reject]) -> list[Reject]:
    """Returns the first reject of each reason, and further ones while there is room."""
    by_reason = {reject.reason: reject for reject in reversed(rejects)}
    firsts = sorted(by_reason.values())
    further = (reject for reject in rejects if reject not in firsts)
    return [*firsts, *itertools.islice(further, max(0, _EXAMPLES_SHOWN - len(firsts)))]
