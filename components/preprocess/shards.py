"""A shard's content: its members decoded, resized, encoded and counted.

This is what a worker does with one shard, whatever engine hands it out. A shard's path
holds the digest of all that its bytes depend on, so that a shard is there or not, and
never out of date.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import IO

import numpy as np

from components.common.digests import canonical_json, code_digest, text_digest
from components.common.documents import Split
from components.common.examples import Example, encode_example, write_record
from components.preprocess.assignment import ShardPlan
from components.preprocess.ledger import INTENSITIES, ShardContent, ShardReject
from components.preprocess.pictures import (
    PictureError,
    PictureSpec,
    encode_picture,
    prepare_picture,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """An example to be."""

    id: str
    path: str
    """Relative to the source's root."""
    label: int
    slice: str


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
        "code": code_digest(__name__),
    }
    suffix = ".tfrecord.gz" if compression == "gzip" else ".tfrecord"
    return ShardTask(
        path=f"shards/{text_digest(canonical_json(material))[:32]}/{plan.name}{suffix}",
        split=plan.split,
        members=members,
        source_bytes=plan.source_bytes,
    )


def write_examples(
    file: IO[bytes],
    members: Sequence[Member],
    *,
    read: Callable[[str], bytes],
    classes: int,
    spec: PictureSpec,
) -> ShardContent:
    """Writes a shard's examples as TFRecords.

    Args:
      file: where to write.
      members: sorted by id.
      read: returns the bytes of a source file.
      classes: how many classes there are.
      spec: what to make of each picture.

    Raises:
      RuntimeError: a file's content is not the one that its id names.
    """
    counts = [0] * classes
    histogram = np.zeros((spec.channels, INTENSITIES), np.int64)
    rejects = []
    for member in members:
        data = read(member.path)
        if hashlib.sha256(data).hexdigest() != member.id:
            raise RuntimeError(f"{member.path}: changed while the run was reading it; run again")
        try:
            picture = prepare_picture(data, spec)
        except PictureError as error:
            rejects.append(ShardReject(id=member.id, reason=error.reason, detail=str(error)))
            continue
        histogram += np.reshape(picture.histogram(), histogram.shape)
        image = encode_picture(picture, spec)
        example = Example(id=member.id, image=image, label=member.label, slice=member.slice)
        write_record(file, encode_example(example))
        counts[member.label] += 1
    return ShardContent(
        examples_per_class=tuple(counts),
        rejects=tuple(rejects),
        histogram=tuple(tuple(channel) for channel in histogram.tolist()),
    )
