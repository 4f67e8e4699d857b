"""Which shards may be former selves of those to be made: by split, number and spec.

What was written last under each name stands in one small file for every plan, `former/` in the
data root. It is a hint and no more: what it names is believed as far as its ledger's record, the
checksums and the ids of its members go, and where it is lost every member is decoded.
"""

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from components.common.documents.base import Document

_KEPT = 4
"""Shards of one name: recipes of several data sets may share a plan, as the folds of one do."""

_NAME = re.compile(r"(train|validation|test)-(\d{5,6})-of-(\d{5,6})")
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
        for other in [name, *self._relatives(name)]:
            found += [path for path in self.paths.get(other, ()) if _PATH.fullmatch(path)]
        return tuple(found[:_KEPT])

    def _relatives(self, name: str) -> Iterator[str]:
        """Yields the names of shards that half, twice or several times as many have in its place.

        They are made up from the numbers: to look at every name for every other one would take
        hours where there are a hundred thousand.
        """
        if (match := _NAME.fullmatch(name)) is None:
            return
        split, own, count = match[1], int(match[2]), int(match[3])
        for other in self._counts.get(split, ()):
            if 0 < other != count and max(count, other) % min(count, other) == 0:
                for number in range(own % other, other, min(count, other)):
                    yield f"{split}-{number:05d}-of-{other:05d}"

    @functools.cached_property
    def _counts(self) -> Mapping[str, list[int]]:
        """Split -> how many shards it had, in the order of the names."""
        matches = filter(None, map(_NAME.fullmatch, self.paths))
        found: dict[str, dict[int, None]] = {}
        for match in matches:
            found.setdefault(match[1], {})[int(match[3])] = None
        return {split: list(counts) for split, counts in found.items()}

    def with_latest(self, shards: Sequence[str]) -> "Formers":
        """Returns these and the shards of some paths, of which those given last come first."""
        paths = dict(self.paths)
        for latest in shards:
            name = latest.rpartition("/")[2].partition(".")[0]
            others = (path for path in paths.get(name, ()) if path != latest)
            paths[name] = (latest, *others)[:_KEPT]
        return Formers(paths=paths)
