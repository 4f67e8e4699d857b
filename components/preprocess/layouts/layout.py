"""What every layout is given, and what it gives back.

A layout is a function from a source that was walked, and from what the recipe says of it, to
records. What all of them share is here: which split a file's name states, which class a number
means, and which file an annotation names.
"""

import dataclasses
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import BinaryIO

from components.common.data.layout import stated_split
from components.common.documents.dataset import Split, TaskName
from components.common.errors import UserError
from components.common.words.figures import shown
from components.preprocess.containers import open_container
from components.preprocess.files import NotAFileError, TooLargeError
from components.preprocess.lists import check_name, read_value
from components.preprocess.sources import Sieve, SourceRecord, open_files
from components.preprocess.trees import Tree

MOST_INDEX_BYTES = 512 << 20
"""Of a file that says what others are: it is read whole."""
_MOST_DIGITS = 10  # Of a class's number.


@dataclasses.dataclass(frozen=True)
class Source:
    """A folder that was walked, or a bucket below a prefix."""

    root: str
    tree: Tree
    sieve: Sieve
    task: TaskName

    def named(self, path: str) -> str:
        """Returns a file's name for messages."""
        return f"{self.root}/{path}"

    def files(self, suffix: str) -> list[str]:
        """Returns the files whose names end so, in any case, sorted."""
        return sorted(path for path in self.tree.files if path.lower().endswith(suffix))

    def holds(self, path: str) -> bool:
        """Tells whether there is a file, however often it is asked."""
        return path in self._files

    def read(self, path: str) -> bytes:
        """Returns the bytes of a file that says what others are.

        Raises:
          UserError: it is missing or too large.
        """
        try:
            return open_files(self.root, at_most=MOST_INDEX_BYTES)(path)
        except TooLargeError as error:
            raise UserError(f"{self.named(path)}: {error.strerror}; part the data set") from error
        except (FileNotFoundError, NotAFileError) as error:
            raise UserError(f"{self.named(path)}: there is no such file") from error

    def open(self, path: str) -> BinaryIO:
        """Opens a container."""
        try:
            return open_container(self.root, path)
        except OSError as error:
            raise UserError(f"{self.named(path)}: can't be read: {error.strerror}") from error

    def find(self, named: str) -> str:
        """Returns which file is meant by a path that was written down elsewhere.

        It is the only one that ends like the path, or like as much of its end as any does; where
        none does, the path as it is, of which reading will say that it is missing.

        Raises:
          UserError: several end so.
        """
        if "\\" in named and named.rpartition("/")[2] not in self._by_name:  # It is from Windows.
            named = named.replace("\\", "/")
        parts = [part for part in named.split("/") if part not in ("", ".")]
        candidates = self._by_name.get(parts[-1], []) if parts else []
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            if self.holds(end):
                return end
            found = [path for path in candidates if path.endswith(f"/{end}")]
            if len(found) == 1:
                return found[0]
            if found:
                raise UserError(
                    f"{self.root}: {named} may be {found[0]} or {found[1]}; keep one of them, or "
                    "name the other in data.exclude"
                )
        return named

    @cached_property
    def _files(self) -> Set[str]:
        return frozenset(self.tree.files)

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        by_name = defaultdict(list)
        for path in self.tree.files:
            by_name[path.rpartition("/")[2]].append(path)
        return by_name


@dataclasses.dataclass(frozen=True)
class Found:
    """What a layout says of a source."""

    records: Sequence[SourceRecord]
    class_names: Sequence[str] = ()
    """Those that the source names, beside those of the records."""
    remarks: Sequence[str] = ()


def split_of_file(path: str) -> Split | None:
    """Returns the split that a container's path states: `data/train-00000-of-00002.parquet`.

    Raises:
      UserError: it states two.
    """
    folder, _, name = path.rpartition("/")
    for part in (name, folder):  # Its folder counts where its own name says nothing.
        words = re.split(r"[^A-Za-z]+", part)
        stated = {split for word in words if (split := stated_split(word)) is not None}
        if len(stated) > 1:
            raise UserError(
                f"{path}: may be of the {either(sorted(stated))} split by its name; rename it"
            )
        if stated:
            return stated.pop()
    return None


@dataclasses.dataclass(frozen=True)
class Labels:
    """What a source's labels mean: names as they are, and numbers by what names them."""

    class_names: Sequence[str] | None = None

    def name_of(self, value: object, where: str) -> str | None:
        """Returns the class that a value names, None for no label.

        That is nothing; and of classes that have names, -1, as Hugging Face's library has it.

        Raises:
          UserError: it is no name and no number, of no class that there is, or may be of two.
        """
        if isinstance(value, bytes):  # What is no UTF-8 is refused: no name holds half a character.
            value = value.decode("utf-8", "surrogateescape")
        text = read_value(value, "label", where)
        if not text:
            return None
        if self.class_names is None:
            return check_name(text, "label", where)
        if value == -1:
            return None
        # A class may be called as another one is numbered: the 1 of digits from 1 on is 2.
        named = text if isinstance(value, str) and text in self.class_names else None
        numbered = self._numbered(text)
        if None not in (named, numbered) and named != numbered:
            raise UserError(
                f"{where}: the label {text!r} may be the class {named!r}, or the class of number "
                f"{text}, which is {numbered!r}; leave class_names out where labels are names, "
                "or name none of them by a number"
            )
        name = named if numbered is None else numbered
        if name is None:
            raise UserError(
                f"{where}: the label {text!r} is of none of the {len(self.class_names)} classes, "
                f"which are {shown(list(map(repr, self.class_names)))}"
            )
        return check_name(name, "label", where)

    def _numbered(self, text: str) -> str | None:
        """Returns the class that a text is the number of."""
        names = self.class_names or ()
        number = int(text) if text.isdecimal() and len(text) < _MOST_DIGITS else len(names)
        return names[number] if number < len(names) else None


def choose_one(candidates: Sequence[str], *, what: str, where: str, say: str) -> str:
    """Returns the only candidate.

    Args:
      candidates: what may be meant.
      what: one of these is: `the pictures`.
      where: for messages.
      say: how a user says which.

    Raises:
      UserError: there is none, or several.
    """
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise UserError(f"{where}: nothing in it seems to hold {what}; say what does: {say}")
    raise UserError(
        f"{where}: {either([repr(each) for each in candidates])} may hold {what}; say which: {say}"
    )


def read_text(file: BinaryIO, most_bytes: int, where: str) -> str:
    """Returns the text of a small file within a container."""
    data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise UserError(f"{where}: has more than {most_bytes:,} bytes; is it what its name says?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: is not UTF-8 text: {error}") from error


def either(names: Sequence[str]) -> str:
    """Returns `a, b or c`."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
