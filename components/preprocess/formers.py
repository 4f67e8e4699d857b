"""Which shards may be former selves of those to be made: by split, number and spec.

What was written last under each name stands in one small file for every plan, `former/` in the
data root. It is a hint and no more: what it names is believed as far as its ledger's record, the
checksums and the ids of its members go, and where it is lost every member is decoded.
"""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from components.common.documents.base import Document

_KEPT = 4
"""Shards of one name: recipes of several data sets may share a plan, as the folds of one do."""

_NAME = re.compile(r"(train|validation|test)-(\d{5})-of-(\d{5})")
_PATH = re.compile(rf"shards/[0-9a-f]{{32}}/{_NAME.pattern}\.tfrecord(\.gz)?")


class Formers(Document):
    """The shards that were written last by one plan."""

    file_name: ClassVar[str] = "former.json"

    paths: Mapping[str, tuple[str, ...]] = {}
    """Name of a shard, `train-00003-of-00016` -> paths, the last one first."""

    def of(self, name: str) -> tuple[str, ...]:
        """Returns the paths of shards that may hold members of the shard of a name.

        Where the number of shards was another, they are those that its members were dealt out
        to: a half or a multiple of it divides the same hashes.
        """
        found = []
        for other in [name, *(other for other in self.paths if other != name)]:
            if _share_members(name, other):
                found += [path for path in self.paths.get(other, ()) if _PATH.fullmatch(path)]
        return tuple(found[:_KEPT])

    def with_latest(self, shards: Sequence[str]) -> "Formers":
        """Returns these and the shards of some paths, of which those given last come first."""
        paths = dict(self.paths)
        for latest in shards:
            name = latest.rpartition("/")[2].partition(".")[0]
            others = (path for path in paths.get(name, ()) if path != latest)
            paths[name] = (latest, *others)[:_KEPT]
        return Formers(paths=paths)


def _share_members(name: str, other: str) -> bool:
    (split, *own), (other_split, *others) = _parse(name), _parse(other)
    if split != other_split:
        return False
    (number, count), (other_number, other_count) = map(int, own), map(int, others)
    few, many = sorted((count, other_count))
    return many % few == 0 and number % few == other_number % few


def _parse(name: str) -> tuple[str, ...]:
    match = _NAME.fullmatch(name)
    return match.groups() if match else ("", "1", "1")
