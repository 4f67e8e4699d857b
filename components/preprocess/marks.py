"""Classes that are marked: a column for each, and a 1 in that of a row's class (one-hot)."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from components.common.words.figures import shown

_ROBOFLOW = "_classes.csv"
_MARKS: Mapping[str, bool] = {
    "0": False,
    "0.0": False,
    "false": False,
    "1": True,
    "1.0": True,
    "true": True,
}


def describe_marks(
    rows: Sequence[tuple[int, Mapping[str, Any]]], path: str, *, further: int
) -> str:
    """Says which columns seem to mark classes, and what to do; nothing where none do.

    Args:
      rows: the first of a table, with their lines, and the columns that mean nothing else.
      path: of the table.
      further: how many columns there may be beside the classes; one more may be the label.
    """
    columns = list(rows[0][1]) if rows else []
    classes = [name for name in columns if all(_mark(row[name]) is not None for _, row in rows)]
    marked = [(line, [name for name in classes if _mark(row[name])]) for line, row in rows]
    others = [name for name in columns if name not in classes]
    if len(classes) < 2 or len(others) > further or not all(names for _, names in marked):
        return ""
    seem = f"{shown(list(map(repr, classes)))} seem to be classes"
    for line, names in marked:
        if len(names) > 1:
            return (
                f"{seem}, and line {line} is marked as {names[0]!r} and {names[1]!r}; a classifier "
                "gives each example one class: leave one, and write its name into a column label"
            )
    return (
        f"{seem}, each row marked by a 1 in that of its own; write the name of that into a column "
        f"label, with pandas by frame[CLASSES].idxmax(axis=1){_as_roboflow(columns, classes, path)}"
    )


def _as_roboflow(columns: Sequence[str], classes: Sequence[str], path: str) -> str:
    """Says how a table may be read as it is."""
    name = PurePosixPath(path).name.lower()
    if not name.endswith(".csv") or [columns[0].casefold(), *columns[1:]] != ["filename", *classes]:
        return ""
    named = "" if name == _ROBOFLOW else f"name the file {_ROBOFLOW} and "
    return f"; or {named}give its folder, which is read as an export of Roboflow's"


def _mark(value: Any) -> bool | None:
    return _MARKS.get(str(value).strip().casefold())
