"""Pictures with their classes, as a command is given them: a folder of class folders, or a list."""

import csv
import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from components.common.errors import UserError
from components.common.tasks.image.preparation.formats import named_format
from components.common.tasks.image.preparation.spec import PictureError
from components.common.words.figures import shown

_LARGEST_LIST = 64 << 20
_LARGEST_PICTURE = 400_000_000


@dataclasses.dataclass(frozen=True)
class LabelledPicture:
    """A picture's file, how it is called in what is printed, and the name of its class."""

    path: Path
    name: str
    label: str


def list_pictures(data: Path | None, list_: Path | None) -> tuple[LabelledPicture, ...]:
    """Lists the pictures of a folder of class folders, or those that a `.csv` names.

    Args:
      data: its sub-folders are named as the classes, and hold their pictures at any depth.
      list_: a `.csv` with the columns path (relative to its own folder) and label.

    Returns:
      The pictures, in the order of their names.

    Raises:
      UserError: not exactly one of the two is given, or it holds no pictures.
    """
    if data is not None and list_ is None:
        found = _walk(data)
    elif list_ is not None and data is None:
        found = _read_list(list_)
    else:
        raise UserError("give either --data DIR or --list FILE")
    if not found:
        raise UserError(f"{data or list_}: holds no pictures")
    return tuple(sorted(found, key=lambda picture: picture.name))


def read_picture(path: Path) -> bytes:
    """Returns a picture's bytes.

    Raises:
      PictureError: there are too many.
      UserError: there is no such file.
    """
    try:
        if path.stat().st_size > _LARGEST_PICTURE:
            raise PictureError("oversized", f"over {_LARGEST_PICTURE:,} bytes")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such picture") from error


def _walk(folder: Path) -> list[LabelledPicture]:
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; expected one sub-folder per class")
    classes = sorted(entry.name for entry in os.scandir(folder) if _is_class(entry))
    if len(classes) < 2:
        raise UserError(f"{folder}: expected a sub-folder for each of at least two classes")
    return [
        LabelledPicture(path, path.relative_to(folder).as_posix(), label)
        for label in classes
        for path in _files(folder / label)
        if named_format(path.name) is not None
    ]


def _is_class(entry: "os.DirEntry[str]") -> bool:
    return entry.is_dir() and not entry.name.startswith(".")


def _files(folder: Path) -> Iterable[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            if not name.startswith("."):
                yield Path(place, name)


def _read_list(path: Path) -> list[LabelledPicture]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected a .csv with path and label")
    if path.stat().st_size > _LARGEST_LIST:
        raise UserError(f"{path}: lists of up to {_LARGEST_LIST:,} bytes are read")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a .csv file in UTF-8: {error}") from error
    bad = [str(number) for number, row in enumerate(rows, 2) if not _stated(row)]
    if bad:
        raise UserError(
            f"{path}: expected the columns path and label, each with a value; line {shown(bad)} "
            "has none"
        )
    return [LabelledPicture(path.parent / row["path"], row["path"], row["label"]) for row in rows]


def _stated(row: dict[str, str]) -> bool:
    return bool(row.get("path")) and bool(row.get("label"))
