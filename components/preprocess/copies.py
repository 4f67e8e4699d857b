"""Examples that are the same to a model, though their sources are not.

A picture saved anew, without its metadata or in another format, has another digest, and so has a
text in capitals or with further spaces; the split it belongs to is chosen without regard to its
twin. Left alone, training would see what the test asks for. Which examples are the same is known
when the shards are written: then the twins outside one split are left out, and the shards that held
them are written again without them. So a shard stays a function of its members, whoever writes it
and when.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from components.common.documents.dataset import SPLITS, Split
from components.common.documents.rejects import Note, NoteKind, Reject
from components.preprocess.assignment import ShardPlan
from components.preprocess.ledger import ShardRecord
from components.preprocess.members import Listed
from components.preprocess.shard_index import find_repeated, part_digests
from components.preprocess.tasks import ShardTask

_Placed = tuple[Split, Listed]


@dataclasses.dataclass(frozen=True)
class Copies:
    """What a comparison of all pictures found."""

    left_out: frozenset[str]
    """Ids of the examples that another split has, too."""
    rejects: tuple[Reject, ...]
    """The same, by path."""
    notes: tuple[Note, ...]
    """Examples that are the same as another that has another label."""


def find_copies(
    tasks: Sequence[ShardTask],
    records: Mapping[str, ShardRecord],
    class_names: Sequence[str],
    *,
    same_as: tuple[NoteKind, str],
) -> Copies:
    """Compares the examples of all shards.

    Of the splits that hold the same example the last one, of train, validation and test,
    keeps it: what models are compared on does not change with what is found for training.

    Args:
      tasks: all shards.
      records: by the shard's path.
      class_names: by label.
      same_as: what is noted of those that are the same, and what they have in common.
    """
    left_out: set[str] = set()
    rejects: list[Reject] = []
    notes: list[Note] = []
    for same in _groups_of_equals(tasks, records):
        last = max((split for split, _ in same), key=SPLITS.index)
        first, *_ = kept = [member for split, member in same if split == last]
        others = [member for split, member in same if split != last]
        left_out.update(member.id for member in others)
        rejects += [
            Reject(member.path, "duplicate", f"{same_as[1]} as {first.path}, in the {last} split")
            for member in others
        ]
        notes += _contradictions([*kept, *others], class_names, same_as)
    return Copies(frozenset(left_out), tuple(rejects), tuple(notes))


def leave_out(plans: Sequence[ShardPlan], ids: Collection[str]) -> tuple[ShardPlan, ...]:
    """Returns the plans without some of their members; the shards keep their names."""
    return tuple(dataclasses.replace(plan, members=plan.members.without(ids)) for plan in plans)


def _groups_of_equals(
    tasks: Sequence[ShardTask], records: Mapping[str, ShardRecord]
) -> Iterator[list[_Placed]]:
    """Yields the examples that are the same, sorted by path, wherever several do."""
    repeated = find_repeated(records[task.path].content.digests for task in tasks)
    groups: dict[str, list[_Placed]] = defaultdict(list)
    for task in tasks if repeated else ():
        content = records[task.path].content
        digests = part_digests(content.digests)
        if repeated.isdisjoint(digests):
            continue
        unusable = {reject.id for reject in content.rejects}
        members = (member for member in task.members if member.id not in unusable)
        # A record's digests are of the members that were not rejected, in their order.
        for member, digest in zip(members, digests, strict=True):
            if digest in repeated:
                groups[digest].append((task.split, member))
    for same in groups.values():
        yield sorted(same, key=lambda placed: placed[1].path)


def _contradictions(
    same: Sequence[Listed], class_names: Sequence[str], same_as: tuple[NoteKind, str]
) -> Iterator[Note]:
    """Yields a note for each of the same examples, where they have several labels."""
    kind, words = same_as
    for member in same:
        other = next((other for other in same if other.label != member.label), None)
        if other is not None:
            detail = f"{words} as {other.path}, which is labelled {class_names[other.label]}"
            yield Note(member.path, kind, detail)
