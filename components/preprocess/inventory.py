"""What a source's files contain: digests, duplicates, and the fingerprint of it all.

Every file is read once here, to be digested, and a second time only by the worker that
decodes it. What can be told from a file's digest, name, size and first bytes is rejected
here; what only decoding shows, by the shard's writer.
"""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from components.common.digests import canonical_json, canonical_texts
from components.common.documents.dataset import SPLITS, TaskName
from components.common.documents.rejects import Note, Reject
from components.common.tasks.sources import Sources, sources_of
from components.common.words.figures import shown
from components.preprocess.examples import Examples, SourceExample
from components.preprocess.known import Look
from components.preprocess.looking import MISNAMED, Memory, Problem, look_at_files
from components.preprocess.sources import Listing, SourceRecord

_POINTER = b"version https://gi"
"""What a file begins with that Git LFS left in the place of another, as far as is known of it."""


@dataclasses.dataclass(frozen=True)
class Inventory:
    """What was found."""

    listing: Listing
    fingerprint: str
    """Of all paths, contents, labels, splits, groups and slices, and of what is passed over;
    not of the location."""
    examples: Examples
    """Sorted by path; of more than are wanted, those that are taken."""
    rejects: tuple[Reject, ...]
    copy_of: Mapping[str, str]
    """Path of each reject that is a duplicate -> path of the example it is left out for."""
    notes: tuple[Note, ...]


def take_inventory(
    listing: Listing,
    *,
    task: TaskName = "image",
    max_file_bytes: int,
    max_examples: int | None = None,
    memory: Memory | None = None,
    report: Callable[[int, int], None],
) -> Inventory:
    """Digests every file of a listing and sorts out what can't become an example.

    Args:
      listing: what to read.
      task: whose examples these should be.
      max_file_bytes: a local file that has more is rejected unread, and so is a text of more.
      max_examples: so many are taken; None takes all.
      memory: of earlier looks at the files; None reads all of them.
      report: called with the number of files read, and of all.
    """
    sources = sources_of(task)
    usable, rejects, notes = Examples(), [], []
    labels = {name: label for label, name in enumerate(listing.class_names)}
    fingerprint = hashlib.sha256(
        canonical_json([listing.class_names, listing.passed_over]).encode()
    )
    for record, look in look_at_files(
        listing,
        max_file_bytes=max_file_bytes,
        sources=sources,
        memory=memory,
        report=report,
    ):
        content = look.reason if isinstance(look, Problem) else look.digest
        fingerprint.update(canonical_texts([*record.values(), content]).encode())
        if (reject := _examine(record, look, sources)) is not None:
            rejects.append(reject)
            if reject.reason == "unsupported_format":  # What is installed decides, too.
                fingerprint.update(reject.detail.encode())
            continue
        assert isinstance(look, Look)  # _examine rejects what has problems.
        assert record.label is not None
        usable.add(record, id=look.digest, label=labels[record.label], size_bytes=look.size_bytes)
        if (remark := sources.remark(record.path, look.head)) is not None:
            notes.append(Note(record.path, *remark))
    distinct, repeated, copy_of = _drop_repeated(usable, listing.class_names)
    examples = distinct if max_examples is None else _take(distinct, max_examples)
    noted = {note.path for note in notes}
    kept = noted.intersection(examples.paths())
    return Inventory(
        listing=listing,
        fingerprint=fingerprint.hexdigest(),
        examples=examples,
        rejects=tuple(sorted([*rejects, *repeated])),
        copy_of=copy_of,
        notes=tuple(note for note in notes if note.path in kept),
    )


def _examine(record: SourceRecord, look: Look | Problem, sources: Sources) -> Reject | None:
    """Returns why a file can't become an example, where one look shows it."""
    if record.misnamed:
        return Reject(record.path, "misnamed", MISNAMED)
    if isinstance(look, Problem):
        return Reject(record.path, look.reason, look.detail)
    if record.label is None:
        return Reject(
            record.path,
            "unlabelled",
            "is of no class: its source states none, or it lies outside the classes' folders",
        )
    if look.size_bytes == 0:
        return Reject(record.path, "empty", "has no bytes")
    if look.head.startswith(_POINTER):
        return Reject(record.path, "unreadable", "is a pointer of Git LFS; git lfs pull fetches it")
    found = sources.examine(record.path, look.head)
    return None if found is None else Reject(record.path, *found)


def _drop_repeated(
    examples: Examples, class_names: Sequence[str]
) -> tuple[Examples, list[Reject], Mapping[str, str]]:
    """Keeps the first of the examples with the same content, if they agree on the label.

    Returns:
      Those that are kept, the rejects, and which of these are copies of what.
    """
    kept, rejects = bytearray(b"\1" * len(examples)), []
    copy_of: dict[str, str] = {}
    groups: list[set[str]] = []
    for numbers in examples.find_repeated():
        copies = [examples[number] for number in numbers]
        labels = sorted({copy.label for copy in copies})
        if len(labels) > 1:
            named = shown([class_names[label] for label in labels])
            detail = f"the same content is labelled {named}"
            rejects += [Reject(copy.path, "conflicting_label", detail) for copy in copies]
        else:
            first, *others = copies
            merged = _merge(copies)
            examples.state(numbers[0], split=merged.split, group=merged.group)
            groups.append({copy.group for copy in copies} - {""})
            detail = f"same content as {first.path}"
            rejects += [Reject(other.path, "duplicate", detail) for other in others]
            copy_of |= {other.path: first.path for other in others}
        for number in numbers if len(labels) > 1 else numbers[1:]:
            kept[number] = 0
    _join_groups(examples, groups)
    return (examples.keep(kept) if rejects else examples), rejects, copy_of


def _merge(copies: Sequence[SourceExample]) -> SourceExample:
    """Returns the first of several copies, with what the others say of it, too.

    Of the splits that they state the last in order is kept, so that training never sees
    what the source also holds back for a test.
    """
    stated = [copy.split for copy in copies if copy.split is not None]
    groups = sorted({copy.group for copy in copies} - {""})
    return copies[0]._replace(
        split=max(stated, key=SPLITS.index, default=None),
        group=groups[0] if groups else "",
    )


def _join_groups(examples: Examples, same: Sequence[set[str]]) -> None:
    """Makes one group of those that hold copies of the same content, named like the first.

    Args:
      examples: whose groups are stated anew.
      same: of each content that occurs several times, the groups that hold it.
    """
    first_of: dict[str, str] = {}

    def find(group: str) -> str:
        while group in first_of:
            group = first_of[group]
        return group

    for groups in same:
        for group in groups:
            one, other = sorted((find(min(groups)), find(group)))
            if one != other:
                first_of[other] = one
    for number in range(len(examples)) if first_of else ():
        if (group := examples.group_of(number)) in first_of:
            examples.state(number, split=examples[number].split, group=find(group))


def _take(examples: Examples, most: int) -> Examples:
    """Returns so many of the examples, with the rest of their groups, in their order.

    Which they are, hashes say: a data set that grows changes few of them.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        # No other draw begins so: which examples are taken says nothing of their splits.
        unit = example.group or example.id
        groups[hashlib.sha256(f"take {unit}".encode()).hexdigest()].append(number)
    kept, taken = bytearray(len(examples)), 0
    for point in sorted(groups):
        if taken >= most:
            break
        taken += len(groups[point])
        for number in groups[point]:
            kept[number] = 1
    return examples.keep(kept)
