"""share: writes what is equal in a file only once.

A flatbuffer is written from its leaves to its root, and refers to what is already written by the
distance to it, so that several tables may refer to one vector. Converters write each anew: the
zero points of a quantized network alone, eight bytes for each channel of each kernel and all 0,
are a twelfth of EfficientNet-Lite0.

So whatever a builder is asked to write (vector, string, table) is looked up among what it has
written. Equal means: the same bytes under the same demand for alignment, where what refers to
another part refers to the same one. A reader of the file finds the same values as before.
"""

import hashlib
from typing import Any

from components.common.config import Section
from components.common.lite.file_steps.file_step import FileStep

_OFFSET_BYTES = 4
_LARGEST_SCALAR = 8


class Settings(Section):
    """Equal vectors are written once; there is nothing to set."""


def share_equal_parts(data: bytes) -> bytes:
    """Returns the file with all that is equal written once, or as it is if that is no smaller.

    Args:
      data: a `.tflite` file, with or without associated files.

    Raises:
      ModelFileError: the file can't be written anew.
    """
    from components.common.lite.model_files import read_model_file, write_model_file

    shared = write_model_file(read_model_file(data), size_hint=len(data), wrap=_SharingBuilder)
    return shared if len(shared) < len(data) else data


class _SharingBuilder:
    """Around a flatbuffer's builder: takes back what is equal to something written before.

    Positions are counted from the file's end, as the builder does.
    """

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._written: dict[tuple[Any, ...], int] = {}
        self._before = 0  # Where the builder stood when the part was begun.
        self._demand: tuple[int, int] = (0, 0)  # Bytes and alignment of the vector begun.
        self._references: dict[int, int] = {}  # In the part that was begun: position -> target.

    def __getattr__(self, name: str) -> Any:
        return getattr(self._builder, name)

    def CreateString(self, text: bytes) -> int:  # noqa: N802
        return int(self._builder.CreateSharedString(text))

    def CreateNumpyVector(self, values: Any) -> int:  # noqa: N802
        content = hashlib.sha256(values.tobytes()).digest()
        key = ("values", values.itemsize, len(values), content)
        if key not in self._written:
            self._written[key] = self._builder.CreateNumpyVector(values)
        return self._written[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        self._begin()
        self._demand = (_OFFSET_BYTES + elemSize * numElems, alignment)
        return int(self._builder.StartVector(elemSize, numElems, alignment))

    def EndVector(self) -> int:  # noqa: N802
        length, alignment = self._demand
        position = int(self._builder.EndVector())
        content = self._content(position, length)
        return self._keep(("vector", alignment, bytes(content)), position)

    def StartObject(self, numfields: int) -> None:  # noqa: N802
        self._begin()
        self._builder.StartObject(numfields)

    def EndObject(self) -> int:  # noqa: N802
        position = int(self._builder.EndObject())
        content = self._content(position, position - self._before)
        # A table begins with the distance to its layout; equal layouts the builder shares itself.
        layout = position + int.from_bytes(content[:_OFFSET_BYTES], "little", signed=True)
        content[:_OFFSET_BYTES] = layout.to_bytes(_OFFSET_BYTES, "little")
        # Where it stands decides how it is padded, so none takes the place of one padded otherwise.
        return self._keep(("table", position % _LARGEST_SCALAR, bytes(content)), position)

    def PrependUOffsetTRelative(self, off: int) -> None:  # noqa: N802
        self._builder.PrependUOffsetTRelative(off)
        self._references[self._builder.Offset()] = off

    def PrependUOffsetTRelativeSlot(self, o: int, x: int, d: int) -> None:  # noqa: N802
        self._builder.PrependUOffsetTRelativeSlot(o, x, d)
        if x != d:
            self._references[self._builder.Offset()] = x

    def _begin(self) -> None:
        self._before = self._builder.Offset()
        self._references = {}

    def _content(self, position: int, length: int) -> bytearray:
        """Returns the bytes of the part just ended, with references to where their targets stand.

        What is written are distances, which two equal parts don't share.
        """
        start = len(self._builder.Bytes) - position
        content = bytearray(self._builder.Bytes[start : start + length])
        for at, target in self._references.items():
            place = position - at
            content[place : place + _OFFSET_BYTES] = target.to_bytes(_OFFSET_BYTES, "little")
        return content

    def _keep(self, key: tuple[Any, ...], position: int) -> int:
        known = self._written.setdefault(key, position)
        if known != position:
            # The part stands in the file already. It is the latest, nothing refers to it yet, and
            # files grow towards their front, so moving the head back forgets it:
            #
            #   head ->[the part again][what stood before it ...]
            #                  head -->[what stood before it ...]   `_before` bytes from the end
            self._builder.head = len(self._builder.Bytes) - self._before
        return known


STEP = FileStep(
    kind="share",
    Settings=Settings,
    label=lambda settings: "share",
    words=lambda settings: "equal vectors written once",
    apply=lambda data, settings, material: share_equal_parts(data),
)
