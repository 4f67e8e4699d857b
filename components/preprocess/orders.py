"""What workers are told: where in the data root their work is planned, and the digest of it.

The members of a shard to be made stand in a file of its own, an order. So neither a Beam
graph nor a pool's queue holds any of them, and a worker holds one at a time.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import IO

from components.common.digests import file_digest
from components.common.documents.dataset import Split
from components.common.errors import DamagedError
from components.common.storage import Storage
from components.preprocess.members import Listed, Member
from components.preprocess.places import read_place, tell_place
from components.preprocess.tasks import ShardTask

_BATCH = 256
"""Members of a line: a line for each would take longer to write and to read than they do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """Where a shard is planned."""

    name: str
    """Of the order's file, relative to the data root."""
    sha256: str
    """Of its bytes."""
    members: int


@dataclasses.dataclass(frozen=True)
class OpenedOrder:
    """A shard to be made, whose members are read as they are asked for."""

    path: str
    split: Split
    former: tuple[str, ...]
    members: Iterator[Member]
    """By id; can be gone through once."""


@contextlib.contextmanager
def placed_orders(
    storage: Storage, folder: str, tasks: Sequence[ShardTask]
) -> Iterator[list[Order]]:
    """Writes orders, which go with the context.

    Args:
      storage: the data root.
      folder: where they are written, by nobody else.
      tasks: what to make.
    """
    try:
        yield [
            _place(storage, f"{folder}/{number:05d}.jsonl", task)
            for number, task in enumerate(tasks)
        ]
    finally:
        storage.delete(folder)


def _place(storage: Storage, name: str, task: ShardTask) -> Order:
    digest = hashlib.sha256()
    with storage.writing(name) as path, path.open("wb") as file:
        for values in _lines(task):
            line = json.dumps(values, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            file.write(line)
    return Order(name, digest.hexdigest(), len(task.members))


def _lines(task: ShardTask) -> Iterator[Sequence[object]]:
    yield [task.path, task.split, task.former]
    members = iter(task.members)
    while batch := [_tell(member) for member in itertools.islice(members, _BATCH)]:
        yield batch


def _tell(member: Listed) -> list[object]:
    place = tell_place(member.place)
    return [member.id, member.path, member.label, member.slice, member.text, place]


@contextlib.contextmanager
def open_order(storage: Storage, order: Order) -> Iterator[OpenedOrder]:
    """Opens an order.

    Raises:
      DamagedError: it is not the one that was written.
    """
    with storage.reading(order.name) as path:
        if file_digest(path) != order.sha256:
            raise DamagedError(f"{storage.uri(order.name)}: was changed; run again")
        with path.open("rb") as file:
            shard, split, former = json.loads(file.readline())
            yield OpenedOrder(shard, split, tuple(former), _read_members(file))


def _read_members(file: IO[bytes]) -> Iterator[Member]:
    for line in file:
        for id_, path, label, slice_, text, place in json.loads(line.decode()):
            yield Member(id_, path, label, slice_, text, read_place(place))
