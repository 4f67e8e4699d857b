"""What a source is: records with paths relative to one root, and what reads them.

A folder (`folders.py`) or a list file (`lists.py`), on this machine or in a bucket, becomes
a Listing. The same data in another place is the same listing. Nothing is read for it but
names and the list itself.
"""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from components.common.data.layout import litter_kind
from components.common.documents.dataset import Split
from components.common.errors import DamagedError, UserError
from components.common.storage import check_name, is_half_written, open_storage
from components.common.words.figures import shown
from components.preprocess.containers import Containers
from components.preprocess.files import read_chunks, too_large
from components.preprocess.places import Place, Placed, is_remote


@dataclasses.dataclass(frozen=True, slots=True)
class SourceRecord:
    """One labelled picture or text, before anything is known of its content."""

    path: str
    """Relative to the listing's root, with forward slashes; of a text that a list holds, its
    place there."""
    label: str | None
    """None for what lies outside every class."""
    split: Split | None = None
    group: str = ""
    """Records of one group never part into different splits."""
    slice: str = ""
    misnamed: bool = False
    """Nothing can be opened by this name: `path` only shows what it looks like."""
    text: str | None = None
    """Its content, where no file but the list holds it."""
    place: Place | None = None
    """Where its bytes lie, where they are no file of their own."""

    def values(self) -> tuple[str, ...]:
        """Returns all there is to know: what records are sorted and told apart by."""
        return (self.path, self.label or "", self.split or "", self.group, self.slice)


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source holds."""

    root: str
    records: tuple[SourceRecord, ...]
    class_names: tuple[str, ...]
    """Sorted; the class of an empty folder is one, too."""
    passed_over: Mapping[str, int]
    """Kind of litter, or `exclude PATTERN` -> how many entries; a folder counts as one."""
    remarks: tuple[str, ...] = ()
    """How the source was understood, where that is not a matter of course."""


class Sieve:
    """Tells what of a source is passed over, and counts it by kind."""

    def __init__(self, exclude: Sequence[str] = ()) -> None:
        self._exclude = exclude
        # Patterns that match nothing are counted, too: they may be misspelt.
        self._counts: Counter[str] = Counter({_kind(pattern): 0 for pattern in exclude})

    @property
    def counts(self) -> Mapping[str, int]:
        return dict(sorted(self._counts.items()))

    def keeps_entry(self, path: str) -> bool:
        """Tells whether a file or folder, whose own folder is kept, is no litter and wanted."""
        name = path[path.rfind("/") + 1 :]
        if is_half_written(name):
            return False  # Another run writes the same sample just now: that is no part of it.
        kind = litter_kind(name)
        if kind is None and self._exclude:
            kind = self._excluded_by(path)
        return self._count(kind)

    def keeps_listed(self, path: str) -> bool:
        """Tells whether a path that a list names is wanted, and each folder above it."""
        if not self._exclude:
            return True
        ends = [index for index, char in enumerate(path) if char == "/"]
        above = (self._excluded_by(path[:end]) for end in (*ends, len(path)) if end)
        return self._count(next((kind for kind in above if kind is not None), None))

    def pass_over(self, kind: str) -> None:
        """Counts what a layout has no use for."""
        self._counts[kind] += 1

    def _excluded_by(self, path: str) -> str | None:
        for pattern in self._exclude:
            if PurePosixPath(path).match(pattern):
                return _kind(pattern)
        return None

    def _count(self, kind: str | None) -> bool:
        if kind is not None:
            self.pass_over(kind)
        return kind is None


def make_listing(
    root: str,
    records: Sequence[SourceRecord],
    class_names: set[str],
    *,
    sieve: Sieve,
    source: str,
    examples: str,
    remarks: Sequence[str] = (),
) -> Listing:
    """Puts a listing together.

    Args:
      root: what the records' paths are relative to.
      records: in any order.
      class_names: those of the records, and of empty folders.
      sieve: what the records went through.
      source: the folder or list, as messages name it.
      examples: what it should hold: `pictures`.
      remarks: how it was understood.

    Raises:
      UserError: there is no record, no label, or a single class.
    """
    if not records:
        raise UserError(f"{source}: holds no {examples}")
    if not class_names:
        raise UserError(f"{source}: none of its {len(records):,} {examples} has a label")
    if len(class_names) < 2:
        raise UserError(
            f"{source}: has a single class, {min(class_names)!r}; a classifier needs two or more"
        )
    return Listing(
        root=root,
        records=tuple(sorted(records, key=SourceRecord.values)),
        class_names=tuple(sorted(class_names)),
        passed_over=sieve.counts,
        remarks=tuple(remarks),
    )


def remark_ignored(source: str, columns: Collection[str]) -> list[str]:
    """Returns a remark on columns of a source that nobody asks for, if there are any."""
    if not columns:
        return []
    return [f"{source}: nothing is made of {shown([repr(name) for name in sorted(columns)])}"]


def describe_listing(listing: Listing) -> Iterator[str]:
    """Yields what to tell of how a source was understood, and what was passed over."""
    yield from listing.remarks
    if listing.passed_over:
        counts = ", ".join(f"{count} {kind}" for kind, count in listing.passed_over.items())
        yield f"{listing.root}: passed over: {counts}"


class SourceReader:
    """Reads the bytes of a listing's records, wherever they lie.

    Args:
      root: of the listing.
      at_most: how many bytes a record may have; of one with more TooLargeError is raised.
    """

    def __init__(self, root: str, *, at_most: int) -> None:
        self._read_file = open_files(root, at_most=at_most)
        self._containers = Containers(root, at_most=at_most)

    def __call__(self, record: Placed) -> bytes:
        """Returns a record's bytes.

        Raises:
          UserError: this user may not read it. Whoever writes what they become believes that any
            such error is of the place that is written to.
          OSError: it is missing or damaged.
        """
        if record.text is not None:
            return record.text.encode()
        try:
            if record.place is not None:
                return self._containers.read(record.place)
            return self._read_file(record.path)
        except PermissionError as error:
            raise UserError(
                f"{error.filename}: {error.strerror}; give this user the right to read the source"
            ) from error

    def prepared(self, records: Iterable[Placed]) -> contextlib.AbstractContextManager[None]:
        """Makes it quick to read records in any order."""
        places = (record.place for record in records)
        return self._containers.laid_out(place for place in places if place is not None)


def open_files(root: str, *, at_most: int) -> Callable[[str], bytes]:
    """Returns what reads whole files by their paths relative to a root; as a SourceReader does."""
    if not is_remote(root):
        return lambda path: b"".join(read_chunks(Path(root, path), at_most=at_most))
    storage = open_storage(root)

    def read(path: str) -> bytes:
        try:
            return storage.read(path, max_bytes=at_most)
        except DamagedError as error:
            raise too_large("more bytes", at_most) from error

    return read


class ObjectStamps:
    """Tells which generation of its object a record is of, in the order of the listing."""

    def __init__(self, root: str) -> None:
        self._blobs = open_storage(root).list("")
        self._next = next(self._blobs, None)

    def find(self, record: Placed) -> str | None:
        """Returns what tells an object from what may take its place; None where that is unknown.

        Args:
          record: with a file not less than the one before.
        """
        name = record.path if record.place is None else record.place.file
        while self._next is not None and self._next.name < name:
            self._next = next(self._blobs, None)
        if self._next is None or self._next.name != name:
            return None
        return f"{self._next.size_bytes}-{self._next.generation}"


def object_names(root: str) -> Iterator[str]:
    """Yields the names of all objects below a bucket's prefix, relative to it."""
    return (blob.name for blob in open_storage(root).list(""))


def is_object_name(name: str) -> bool:
    """Tells whether a name that lies in a bucket can be asked for."""
    with contextlib.suppress(ValueError):
        return bool(check_name(name))
    return False


def _kind(pattern: str) -> str:
    return f"exclude {pattern}"
