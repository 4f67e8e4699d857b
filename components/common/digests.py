"""Content digests: of text, of files, of directory trees.

All digests are SHA-256 in lower-case hexadecimal. Everything litesmith writes is
deterministic byte for byte (archives carry fixed dates), so no digest needs to pass
over volatile bytes.
"""

import hashlib
import json
from collections.abc import Iterable
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> str:
    """Returns the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return _CANONICAL.encode(value)


# One for all: json.dumps makes another for each text, which takes longer than a short one.
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_texts(texts: Iterable[str]) -> str:
    """Returns the canonical JSON of a list of texts, in half the time: there are a great many."""
    return f"[{','.join(map(encode_basestring, texts))}]"


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(directory: Path) -> str:
    """Digests the files below a directory: their relative paths and their bytes.

    Empty directories do not count: a bucket has none.
    """
    files = sorted(
        (path.relative_to(directory).as_posix(), file_digest(path))
        for path in directory.rglob("*")
        if path.is_file()
    )
    return text_digest(canonical_json(files))
