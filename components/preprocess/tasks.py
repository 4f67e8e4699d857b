"""The work items: shards to be, under the paths that their content gives them.

A path holds the digest of all that a shard's bytes depend on, so that a shard is there
or not, and never out of date.
"""

import dataclasses
from collections.abc import Sequence

from components.common.digests import canonical_json, code_digest, text_digest
from components.common.documents.dataset import Split
from components.common.tasks.image.preparation.spec import PictureSpec
from components.preprocess import shards
from components.preprocess.assignment import ShardPlan
from components.preprocess.shards import Member


@dataclasses.dataclass(frozen=True, slots=True)
class ShardTask:
    """One work item."""

    path: str
    """Of the shard, relative to the data root."""
    split: Split
    members: tuple[Member, ...]
    source_bytes: int


def make_task(
    plan: ShardPlan, *, class_names: Sequence[str], spec: PictureSpec, compression: str
) -> ShardTask:
    """Turns a plan into a work item, with the path that its content gives it."""
    labels = {name: index for index, name in enumerate(class_names)}
    members = tuple(
        Member(example.id, example.path, labels[example.label], example.slice)
        for example in plan.members
    )
    material = {
        "name": plan.name,
        "members": [[member.id, member.label, member.slice] for member in members],
        "classes": len(labels),
        "spec": dataclasses.asdict(spec),
        "compression": compression,
        "code": code_digest(shards.__name__),
    }
    suffix = ".tfrecord.gz" if compression == "gzip" else ".tfrecord"
    return ShardTask(
        path=f"shards/{text_digest(canonical_json(material))[:32]}/{plan.name}{suffix}",
        split=plan.split,
        members=members,
        source_bytes=plan.source_bytes,
    )
