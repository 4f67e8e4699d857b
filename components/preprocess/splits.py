"""Which split an example belongs to: what its source states, else a hash of what it is.

Examples that must stay together are a unit: a group, or an example of none. A unit's hash is
compared with the shares of the splits, so that a data set that grows keeps it where it was. Only
where that leaves a class out of a split does a unit of the class move there; one is enough, and it
may move back once the hash has brought another.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set

from components.common.documents.dataset import SPLITS, Split
from components.common.errors import UserError
from components.preprocess.config import Splits
from components.preprocess.examples import SourceExample

Bounds = Sequence[tuple[Split, float]]
"""Of each split that a unit may come into, the share of units up to it; ascending to 1."""


@dataclasses.dataclass(frozen=True)
class Assignment:
    """Where the examples of a source belong."""

    numbers: bytes
    """The index into SPLITS of each example, in the order in which they were given."""
    carved: tuple[Split, ...]
    """Splits that the source states for no example, and that are taken out of training."""

    def splits(self) -> Iterator[Split]:
        """Yields the split of each example, in their order."""
        return map(SPLITS.__getitem__, self.numbers)


def unit_key(example: SourceExample) -> str:
    """Returns the key of the unit that an example belongs to."""
    return f"group {example.group}" if example.group else f"id {example.id}"


def assign_splits(examples: Collection[SourceExample], shares: Splits) -> Assignment:
    """Decides about every unit.

    Each class that has three units or more, none of them stated, is in every split. (Where
    groups hold several classes, there may be no such assignment, or none that is found.)

    Raises:
      UserError: a unit is stated to be in two splits.
    """
    groups, stated = _gather(examples)
    carved = _carved(stated | {unit.stated for unit in groups.values()})
    choices = {stated: _choices(stated, carved) for stated in (None, *SPLITS)}
    bounds = {stated: _bounds(allowed, shares) for stated, allowed in choices.items()}
    for unit in groups.values():
        unit.allowed = choices[unit.stated]
    draft = _Draft(examples, groups, choices, bounds)
    draft.fill_gaps()
    return Assignment(draft.decided(), carved)


def assign_split(key: str, bounds: Bounds) -> Split:
    """Returns the split that a unit's hash gives it, by the shares of those allowed.

    Args:
      key: of the unit.
      bounds: of each split, the share of units up to it; ascending to 1.
    """
    if len(bounds) > 1:
        # Each use of the hash has a prefix of its own, so that one draw says nothing about another:
        # which split an example is in, and which shard.
        point = hash_text(f"split {key}") / 2**64
        for split, bound in bounds:
            if point < bound:
                return split
    return bounds[-1][0]


def _carved(stated: Set[Split | None]) -> tuple[Split, ...]:
    """Returns the splits that are taken out of the stated training examples.

    Args:
      stated: what units state, None among them where any states nothing: then the hash has
        examples enough to deal out, and there are no such splits.
    """
    if None in stated or "train" not in stated:
        return ()
    return tuple(split for split in SPLITS if split not in stated)


def hash_text(text: str) -> int:
    """Returns a whole number in [0, 2**64)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


@dataclasses.dataclass(slots=True)
class _Unit:
    """Examples that stay together."""

    path: str
    """Of the first example that states the split, or of the first of all."""
    stated: Split | None
    labels: tuple[int, ...]
    """Distinct; most units have a single one."""
    allowed: tuple[Split, ...] = SPLITS


def _gather(examples: Iterable[SourceExample]) -> tuple[dict[str, _Unit], set[Split | None]]:
    """Returns the groups, and which splits the examples of none state."""
    units: dict[str, _Unit] = {}
    alone: set[Split | None] = set()
    for example in examples:
        if not example.group:
            alone.add(example.split)
            continue
        key = unit_key(example)
        unit = units.get(key)
        if unit is None:
            units[key] = _Unit(example.path, example.split, (example.label,))
            continue
        if example.label not in unit.labels:
            unit.labels += (example.label,)
        if example.split is not None and unit.stated is None:
            unit.path, unit.stated = example.path, example.split
        elif example.split not in (None, unit.stated):
            raise UserError(
                f"the group {example.group!r} is parted: {unit.path} is stated to be in "
                f"{unit.stated}, and {example.path} in {example.split}; a group stays together, "
                "so state one split for all of it"
            )
    return units, alone


def _choices(stated: Split | None, carved: tuple[Split, ...]) -> tuple[Split, ...]:
    """Returns the splits that a unit may come into, given what it states."""
    if stated is None:
        return SPLITS
    return ("train", *carved) if stated == "train" else (stated,)


def _bounds(allowed: Sequence[Split], shares: Splits) -> list[tuple[Split, float]]:
    own = [getattr(shares, split) for split in allowed]
    return [(split, sum(own[: end + 1]) / sum(own)) for end, split in enumerate(allowed)]


class _Draft:
    """An assignment that moves units, so that no class is missing from a split.

    Of the examples of no group, which are most, it holds those alone whose class was missing
    somewhere.
    """

    def __init__(
        self,
        examples: Collection[SourceExample],
        groups: dict[str, _Unit],
        choices: Mapping[Split | None, tuple[Split, ...]],
        bounds: Mapping[Split | None, Bounds],
    ) -> None:
        self._examples, self._choices, self._bounds = examples, choices, bounds
        self._units = groups
        self._splits = {key: self._hashed(key, unit.stated) for key, unit in groups.items()}
        self._held: set[int] = set()
        self._counts = Counter(
            (label, self._splits[key]) for key, unit in groups.items() for label in unit.labels
        )
        self._numbers = bytearray(len(examples))
        for number, example in enumerate(examples):
            if not example.group:
                split = self._hashed(unit_key(example), example.split)
                self._numbers[number] = SPLITS.index(split)
                self._counts[example.label, split] += 1

    def decided(self) -> bytes:
        """Returns the index into SPLITS of each example, in their order."""
        for number, example in enumerate(self._examples if self._splits else ()):
            if (split := self._splits.get(unit_key(example))) is not None:
                self._numbers[number] = SPLITS.index(split)
        return bytes(self._numbers)

    def _hashed(self, key: str, stated: Split | None) -> Split:
        return assign_split(key, self._bounds[stated])

    def _hold(self, labels: set[int]) -> None:
        """Makes units of the examples of some classes."""
        for example in self._examples if labels else ():
            if not example.group and example.label in labels:
                key = unit_key(example)
                allowed = self._choices[example.split]
                self._units[key] = _Unit(example.path, example.split, (example.label,), allowed)
                self._splits[key] = self._hashed(key, example.split)
        self._held |= labels

    def fill_gaps(self) -> None:
        """Moves units one by one, each so that fewer gaps are left, until none can."""
        # With groups of several classes, which moves are the fewest is a set-cover problem; so this
        # is greedy. It ends, because each move leaves fewer gaps than there were.
        moving = True
        while moving and (gaps := list(self._find_gaps())):
            members = self._members({label for label, _ in gaps})
            moving = False
            for label, split in gaps:
                if self._counts[label, split] == 0:  # Else another move has filled it.
                    moving |= self._fill(split, members[label])

    def _find_gaps(self) -> Iterator[tuple[int, Split]]:
        labels = {label for label, _ in self._counts}
        for label in sorted(labels):
            yield from ((label, split) for split in SPLITS if not self._counts[label, split])

    def _members(self, labels: set[int]) -> Mapping[int, Sequence[str]]:
        self._hold(labels - self._held)
        members: dict[int, list[str]] = {label: [] for label in labels}
        for key, unit in self._units.items():
            for label in labels.intersection(unit.labels):
                members[label].append(key)
        return members

    def _fill(self, split: Split, members: Iterable[str]) -> bool:
        """Moves one unit into a split, out of training rather than out of another."""
        gains = {key: gain for key in members if (gain := self._gain(key, split)) > 0}
        if not gains:
            return False

        def rank(key: str) -> tuple[int, int, int]:
            # Most gaps first; then out of training, which comes first in SPLITS and can spare most;
            # then by a hash, not by path or position, which change when other files are added.
            return -gains[key], SPLITS.index(self._splits[key]), hash_text(f"{split} {key}")

        moved = min(gains, key=rank)
        for label in self._units[moved].labels:
            self._counts[label, self._splits[moved]] -= 1
            self._counts[label, split] += 1
        self._splits[moved] = split
        return True

    def _gain(self, key: str, split: Split) -> int:
        """Returns by how many the gaps are fewer once a unit is in a split."""
        unit, own = self._units[key], self._splits[key]
        if split not in unit.allowed:
            return 0
        filled = sum(self._counts[label, split] == 0 for label in unit.labels)
        opened = sum(self._counts[label, own] == 1 for label in unit.labels)
        return filled - opened
