"""The work items: shards to be, under the paths that their content gives them.

A path holds the digest of all that a shard's bytes depend on, so that a shard is there
or not, and never out of date.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from components.common.code_digests import code_digest
from components.common.digests import canonical_json, text_digest
from components.common.documents.dataset import Split
from components.common.tasks.making import Plan
from components.preprocess import shards
from components.preprocess.assignment import ShardPlan
from components.preprocess.members import Listed


@dataclasses.dataclass(frozen=True, slots=True)
class ShardTask:
    """One work item."""

    path: str
    """Of the shard, relative to the data root."""
    split: Split
    members: Sequence[Listed]
    source_bytes: int
    former: tuple[str, ...] = ()
    """Paths of shards that may have some of the members."""


def make_task(
    plan: ShardPlan,
    *,
    classes: int,
    examples: Plan,
    compression: str,
    former: tuple[str, ...] = (),
) -> ShardTask:
    """Turns a plan into a work item, with the path that its content gives it.

    Args:
      plan: its members are taken over.
      classes: how many classes there are.
      examples: what to make of each member.
      compression: of the shard, gzip or none.
      former: paths of shards that may have some of the members.
    """
    members, source_bytes = [], 0
    for member in plan.members:
        members.append([member.id, member.label, member.slice])
        source_bytes += member.size_bytes
    material = {
        "name": plan.name,
        "members": members,
        "classes": classes,
        **_describe(examples, compression),
    }
    suffix = ".tfrecord.gz" if compression == "gzip" else ".tfrecord"
    return ShardTask(
        path=f"shards/{text_digest(canonical_json(material))[:32]}/{plan.name}{suffix}",
        split=plan.split,
        members=plan.members,
        source_bytes=source_bytes,
        former=former,
    )


def digest_plan(examples: Plan, *, compression: str) -> str:
    """Digests what a member's record depends on, beside its file, its label and its slice."""
    return text_digest(canonical_json(_describe(examples, compression)))[:32]


def _describe(examples: Plan, compression: str) -> dict[str, Any]:
    return {
        "spec": dict(examples.named_by()),
        "compression": compression,
        "code": code_digest(shards.__name__),
    }
