"""What preprocess tells of single records: the lines of two files beside the manifest.

`rejects.jsonl` names every record that did not become an example, `notes.jsonl` every one with
something odd about it that did. The manifest holds how many there are of each sort.
"""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from components.common.digests import canonical_json

REJECTS_FILE = "rejects.jsonl"
NOTES_FILE = "notes.jsonl"

Reason = Literal[
    "missing",
    "misnamed",
    "empty",
    "unlabelled",
    "not_an_image",
    "unsupported_format",
    "duplicate",
    "near_copy",
    "conflicting_label",
    "oversized",
    "truncated",
    "unreadable",
]

COPIES: frozenset[Reason] = frozenset({"duplicate", "near_copy"})
"""Why records are left out that nothing is wrong with: another example is the same, or nearly."""

NoteKind = Literal[
    "wrong_extension",
    "missing_end",
    "profile_ignored",
    "one_colour",
    "same_pixels",
    "same_tokens",
]


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Reject:
    """A record that does not become an example."""

    path: str
    reason: Reason
    detail: str


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Note:
    """What is odd about a record that becomes an example all the same."""

    path: str
    kind: NoteKind
    detail: str


def rejects_to_jsonl(rejects: Iterable[Reject]) -> str:
    """Returns the text of `rejects.jsonl`."""
    return _to_jsonl(map(dataclasses.asdict, rejects))


def notes_to_jsonl(notes: Iterable[Note]) -> str:
    """Returns the text of `notes.jsonl`."""
    return _to_jsonl(
        {"path": note.path, "note": note.kind, "detail": note.detail} for note in notes
    )


def read_rejects(dataset: Path) -> tuple[Reject, ...]:
    """Reads the rejects that lie beside a manifest."""
    with (dataset / REJECTS_FILE).open(encoding="utf-8") as lines:
        return tuple(Reject(**json.loads(line)) for line in lines)


def read_notes(dataset: Path) -> tuple[Note, ...]:
    """Reads the notes that lie beside a manifest."""
    with (dataset / NOTES_FILE).open(encoding="utf-8") as lines:
        read = map(json.loads, lines)
        return tuple(Note(note["path"], note["note"], note["detail"]) for note in read)


def _to_jsonl(values: Iterable[object]) -> str:
    return "".join(f"{canonical_json(value)}\n" for value in values)
