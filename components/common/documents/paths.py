"""Where examples lie in the source, by their ids: the lines of a file beside the manifest.

A shard knows its examples by what they are, and a report names them for people. The file has room
for the first examples of a split, which are as good as drawn at random: in a shard they are sorted
by ids, which are hashes.
"""

import itertools
import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from components.common.digests import canonical_texts

PATHS_FILE = "paths.jsonl"
_MOST = 50_000


def write_paths(dataset: Path, splits: Iterable[Iterable[tuple[str, str]]]) -> None:
    """Writes id and path of the first examples of each split, beside their manifest."""
    with (dataset / PATHS_FILE).open("w", encoding="utf-8") as file:
        for examples in splits:
            for example in itertools.islice(examples, _MOST):
                file.write(f"{canonical_texts(example)}\n")


def read_paths(dataset: Path, ids: Collection[str]) -> Mapping[str, str]:
    """Returns the paths of examples, by id, as far as they were written."""
    if not ids:
        return {}
    with (dataset / PATHS_FILE).open(encoding="utf-8") as lines:
        return {id_: path for id_, path in map(json.loads, lines) if id_ in ids}
