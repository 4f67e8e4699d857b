"""All examples of a source, in some fifty bytes each beside the records that were listed.

What they are is held in columns; an example is made of them when somebody asks for it.
"""

import struct
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from components.common.documents.dataset import Split
from components.preprocess.places import Place
from components.preprocess.sources import SourceRecord

_ID_BYTES = 32
_BEGINNING = struct.Struct("8s24x")
"""Of an id: enough to tell nearly all apart."""


class SourceExample(NamedTuple):
    """A record whose file is there, of a known format, and the first with its content."""

    id: str
    path: str
    label: int
    slice: str
    """These are as a Member's."""
    size_bytes: int
    split: Split | None
    """What the source states."""
    group: str
    text: str | None = None
    place: Place | None = None


class Examples(Sequence[SourceExample]):
    """Examples in the order in which they were added."""

    def __init__(self) -> None:
        self._records: list[SourceRecord] = []
        self._ids = bytearray()
        self._labels = array("l")
        self._sizes = array("q")
        self._stated: dict[int, tuple[Split | None, str]] = {}

    def add(self, record: SourceRecord, *, id: str, label: int, size_bytes: int) -> None:
        """Appends the example that a record becomes."""
        self._records.append(record)
        self._ids += bytes.fromhex(id)
        self._labels.append(label)
        self._sizes.append(size_bytes)

    def state(self, number: int, *, split: Split | None, group: str) -> None:
        """Puts a split and a group in the place of what an example's record states."""
        self._stated[number] = split, group

    def keep(self, kept: Sequence[int]) -> "Examples":
        """Returns those with a one at their place."""
        chosen = Examples()
        for number, wanted in enumerate(kept):
            if wanted:
                if (stated := self._stated.get(number)) is not None:
                    chosen._stated[len(chosen)] = stated
                chosen._records.append(self._records[number])
                chosen._ids += self._ids[number * _ID_BYTES : (number + 1) * _ID_BYTES]
                chosen._labels.append(self._labels[number])
                chosen._sizes.append(self._sizes[number])
        return chosen

    def find_repeated(self) -> list[list[int]]:
        """Returns the numbers of those with the same content, wherever there are several."""
        beginnings = [beginning for (beginning,) in _BEGINNING.iter_unpack(self._ids)]
        ascending = sorted(beginnings)
        twice = {one for one, other in zip(ascending, ascending[1:]) if one == other}  # noqa: B905
        found: dict[str, list[int]] = {}
        for number, beginning in enumerate(beginnings) if twice else ():
            if beginning in twice:
                found.setdefault(self.id_of(number), []).append(number)
        return [numbers for numbers in found.values() if len(numbers) > 1]

    def paths(self) -> Iterator[str]:
        return (record.path for record in self._records)

    def slices(self) -> set[str]:
        """Returns the names of the slices that there are."""
        return {record.slice for record in self._records} - {""}

    def id_of(self, number: int) -> str:
        return self._ids[number * _ID_BYTES : (number + 1) * _ID_BYTES].hex()

    def group_of(self, number: int) -> str:
        stated = self._stated.get(number)
        return self._records[number].group if stated is None else stated[1]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[SourceExample]:
        return self.pick(range(len(self)))

    def __getitem__(self, number: Any) -> Any:
        return next(self.pick([range(len(self))[number]]))

    def pick(self, numbers: Iterable[int]) -> Iterator[SourceExample]:
        """Yields some of them. All are gone through several times, so this is not one by one."""
        records, ids, labels, sizes = self._records, self._ids, self._labels, self._sizes
        stated, make = self._stated, SourceExample._make  # A third sooner than by its fields.
        for number in numbers:
            record = records[number]
            split, group = record.split, record.group
            if number in stated:
                split, group = stated[number]
            yield make(
                (
                    ids[number * _ID_BYTES : (number + 1) * _ID_BYTES].hex(),
                    record.path,
                    labels[number],
                    record.slice,
                    sizes[number],
                    split,
                    group,
                    record.text,
                    record.place,
                )
            )


class Chosen(Sequence[SourceExample]):
    """Some of the examples of a source, in an order of their own."""

    def __init__(self, examples: Examples, numbers: "array[int]") -> None:
        self._examples, self._numbers = examples, numbers

    def without(self, ids: Collection[str]) -> "Chosen":
        """Returns those that have none of some ids; itself where none has."""
        kept = [number for number in self._numbers if self._examples.id_of(number) not in ids]
        if len(kept) == len(self):
            return self
        return Chosen(self._examples, array("q", kept))

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[SourceExample]:
        return self._examples.pick(self._numbers)

    def __getitem__(self, number: Any) -> Any:
        return self._examples[self._numbers[number]]
