"""What a `.tflite` file is made of, byte by byte, looked through before anything is believed.

The file is one flatbuffer: tables that refer to each other, and to vectors, by distances. Readers
made from the schema trust these distances and lengths, and count to any number that a file states.
So `walk_model` follows every reference that such readers follow, refuses what leaves the file, and
notes what each stretch of bytes is for. What it has passed is read in a time that its size bounds.
"""

import dataclasses
import struct
from collections.abc import Mapping
from typing import Literal

MOST_PARTS = 1_000_000
"""Tables and vectors, counted as often as they are referred to; a large network has 20,000."""

Use = Literal["weights", "metadata", "zero points", "scales", "ranges", "names", "tables"]


class MalformedModelError(ValueError):
    """A file is no `.tflite`, or refers to what it does not hold; the message says where."""


@dataclasses.dataclass(frozen=True)
class Span:
    """A stretch of the file, from its first byte to the one behind its last, and its use."""

    start: int
    end: int
    use: Use


@dataclasses.dataclass(frozen=True)
class Structure:
    """A file that holds what it refers to.

    Attributes:
      spans: what was found, once for each reference: equal ones where parts are shared.
      buffers: of each of the model's buffers, where its content lies; (0, 0) of an empty one.
    """

    spans: tuple[Span, ...]
    buffers: tuple[tuple[int, int], ...]

    @property
    def shares(self) -> bool:
        """Whether something is referred to more than once, but for tables' layouts."""
        vectors = [span for span in self.spans if span.use != "tables"]
        return len(set(vectors)) < len(vectors)

    def bytes_by_use(self) -> dict[Use, int]:
        """Returns how many bytes each use takes; no byte counts twice."""
        sums: dict[Use, int] = {}
        reached = 0
        for span in sorted(self.spans, key=lambda one: (one.start, -one.end)):
            own = max(0, span.end - max(span.start, reached))
            sums[span.use] = sums.get(span.use, 0) + own
            reached = max(reached, span.end)
        return sums


def walk_model(data: bytes) -> Structure:
    """Looks through a whole model.

    Args:
      data: the file.

    Raises:
      MalformedModelError: a part lies outside the file, or there are too many.
    """
    if data[4:8] != b"TFL3":
        raise MalformedModelError("not a .tflite file: the identifier TFL3 is missing")
    walk = _Walk(data)
    walk.keep(0, 8, "tables")
    walk.table(walk.follow(0), _MODEL)
    described = {walk.buffers[index] for index in walk.metadata if index < len(walk.buffers)}
    contents = [
        Span(*place, "metadata" if place in described else "weights")
        for place in walk.buffers
        if place != _EMPTY
    ]
    return Structure((*walk.spans, *contents), tuple(walk.buffers))


@dataclasses.dataclass(frozen=True)
class _Vector:
    """Of numbers, each of so many bytes."""

    item_bytes: int
    use: Use = "tables"


@dataclasses.dataclass(frozen=True)
class _Table:
    """What a table refers to: number of the field -> what is there; other fields are numbers.

    A name makes the walk look at the table itself, besides what it refers to.
    """

    fields: Mapping[int, "_Vector | _Table | _Tables"]
    name: str = ""


@dataclasses.dataclass(frozen=True)
class _Tables:
    """A vector of tables."""

    of: _Table


# Field numbers of LiteRT's schema.fbs.
_NUMBERS, _NAME = _Vector(4), _Vector(1, "names")
_OPTIONS = _Table({})  # Of an operator: numbers alone are read of them.
_QUANTIZATION = _Table(
    {
        0: _Vector(4, "ranges"),
        1: _Vector(4, "ranges"),
        2: _Vector(4, "scales"),
        3: _Vector(8, "zero points"),
    }
)
_SPARSITY = _Table({0: _NUMBERS, 1: _NUMBERS, 2: _Tables(_Table({}))})
_TENSOR = _Table(
    {0: _NUMBERS, 3: _NAME, 4: _QUANTIZATION, 6: _SPARSITY, 7: _NUMBERS, 9: _Tables(_Table({}))}
)
_OPERATOR = _Table(
    {
        1: _NUMBERS,
        2: _NUMBERS,
        4: _OPTIONS,
        5: _Vector(1),
        7: _Vector(1),
        8: _NUMBERS,
        12: _OPTIONS,
    }
)
_SUBGRAPH = _Table({0: _Tables(_TENSOR), 1: _NUMBERS, 2: _NUMBERS, 3: _Tables(_OPERATOR), 4: _NAME})
_TENSOR_MAP = _Table({0: _NAME})
_SIGNATURE = _Table({0: _Tables(_TENSOR_MAP), 1: _Tables(_TENSOR_MAP), 2: _NAME})
_MODEL = _Table(
    {
        1: _Tables(_Table({1: _NAME})),
        2: _Tables(_SUBGRAPH),
        3: _NAME,
        4: _Tables(_Table({}, name="buffer")),
        5: _NUMBERS,
        6: _Tables(_Table({0: _NAME}, name="metadata")),
        7: _Tables(_SIGNATURE),
    }
)

_EMPTY = (0, 0)


class _Walk:
    """One pass over a file: bounds are checked before anything is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts = 0
        self.spans: list[Span] = []
        self.buffers: list[tuple[int, int]] = []
        self.metadata: list[int] = []

    def keep(self, start: int, end: int, use: Use) -> None:
        if not 0 <= start <= end <= len(self._data):
            raise MalformedModelError(
                f"damaged, cut, or no model: it refers to bytes {start:,} to {end:,}, and has "
                f"{len(self._data):,}"
            )
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise MalformedModelError(f"it refers to more than {MOST_PARTS:,} parts")
        self.spans.append(Span(start, end, use))

    def follow(self, at: int) -> int:
        """Returns where a reference leads; references reach forward alone."""
        distance = self._number("<I", at)
        if distance == 0:
            raise MalformedModelError(f"damaged: the reference at byte {at:,} leads nowhere")
        return at + distance

    def table(self, at: int, kind: _Table) -> None:
        layout = at - self._number("<i", at)
        slots, length = self._number("<H", layout), self._number("<H", layout + 2)
        self.keep(layout, layout + slots, "tables")
        self.keep(at, at + length, "tables")
        offsets = [self._number("<H", layout + slot) for slot in range(4, slots - 1, 2)]
        if any(offset >= length for offset in offsets if offset):
            raise MalformedModelError(f"damaged: a field of the table at byte {at:,} is outside it")
        fields = {number: at + offset for number, offset in enumerate(offsets) if offset}
        if kind.name == "buffer":
            self._buffer(fields)
        elif kind.name == "metadata":
            self.metadata.append(self._number("<I", fields[1]) if 1 in fields else 0)
        for number, part in kind.fields.items():
            if number in fields:
                self._part(self.follow(fields[number]), part)

    def _part(self, at: int, kind: _Vector | _Table | _Tables) -> None:
        if isinstance(kind, _Table):
            self.table(at, kind)
            return
        item_bytes = kind.item_bytes if isinstance(kind, _Vector) else 4
        start, length = at + 4, self._number("<I", at)
        terminator = int(kind == _NAME)
        use = kind.use if isinstance(kind, _Vector) else "tables"
        self.keep(at, start + length * item_bytes + terminator, use)
        if isinstance(kind, _Tables):
            for number in range(length):
                self.table(self.follow(start + number * item_bytes), kind.of)

    def _buffer(self, fields: Mapping[int, int]) -> None:
        """Notes where a buffer's content lies: in the flatbuffer, or behind it."""
        place = _EMPTY
        outside = self._number("<Q", fields[1]) if 1 in fields else 0
        if outside > 1:  # 0 and 1 stand for none.
            place = outside, outside + (self._number("<Q", fields[2]) if 2 in fields else 0)
        elif 0 in fields:
            at = self.follow(fields[0])
            place = at + 4, at + 4 + self._number("<I", at)
            self.keep(at, at + 4, "tables")
        self.keep(*place, "tables")
        self.spans.pop()  # What a buffer is for, all of them together tell.
        self.buffers.append(_EMPTY if place[0] == place[1] else place)

    def _number(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self._data) - struct.calcsize(form):
            raise MalformedModelError(
                f"damaged, cut, or no model: it refers to byte {at:,}, and has {len(self._data):,}"
            )
        (value,) = struct.unpack_from(form, self._data, at)
        return int(value)
