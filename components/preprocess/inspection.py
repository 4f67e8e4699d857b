"""A look at a source before anything is written: what was understood, and what it holds.

The source is listed and every file digested by the code that a run does it by, so that what a run
would refuse is refused here, in the same words. Beside that, some examples of each class are
opened, to be measured and shown.
"""

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from components.common.documents.dataset import SPLITS
from components.common.documents.inspection import ClassCounts, SourceInspection, Spread
from components.common.tasks.glimpses import glimpses_of
from components.common.tasks.made import Unusable
from components.common.tasks.told import Glimpse, Shown
from components.common.words.figures import listing
from components.preprocess.config import PreprocessConfig
from components.preprocess.examples import SourceExample
from components.preprocess.inventory import Inventory, take_inventory
from components.preprocess.labels import rename_classes
from components.preprocess.layouts import list_stated
from components.preprocess.manifest import count_notes, count_rejects, explain_rejects
from components.preprocess.places import is_remote
from components.preprocess.sources import Listing, SourceReader
from components.preprocess.splits import Assignment, assign_splits

SHEET_CLASSES = 40
"""More classes are not shown."""
SHEET_EXAMPLES = 240
"""Of all classes together."""
_PER_CLASS = 8
_LINES = 10  # Rejects named.


@dataclasses.dataclass(frozen=True)
class Look:
    """What was found, and what of it is shown."""

    inspection: SourceInspection
    sheet: Mapping[str, Sequence[Shown]]
    """Class -> some of its examples."""


def look_at(
    config: PreprocessConfig, *, report: Callable[[int, int], None] = lambda done, total: None
) -> Look:
    """Looks at a source.

    Args:
      config: says where it is.
      report: called with the number of files read, and of all.

    Raises:
      UserError: a run would refuse it.
    """
    inventory = list_examples(config, report=report)
    listing = inventory.listing
    assignment = assign_splits(inventory.examples, config.splits)
    seen, unreadable = _open_some(config, inventory)
    sheet: dict[str, list[Shown]] = defaultdict(list)
    for example, glimpse in seen:
        sheet[listing.class_names[example.label]].append(glimpse.shown)
    sizes = [example.size_bytes for example in inventory.examples]
    stated = Counter(example.split for example in inventory.examples)
    groups = {example.group for example in inventory.examples} - {""}
    inspection = SourceInspection(
        source=_name(config, listing),
        task=config.task,
        understood=tuple(_understood(config, listing, assignment)),
        stated={split: stated[split] for split in SPLITS if stated[split]},
        classes=_count(listing, inventory, assignment),
        records=len(listing.records),
        rejects=count_rejects(inventory.rejects),
        rejected=tuple(f"{r.path}: {r.reason} ({r.detail})" for r in inventory.rejects[:_LINES]),
        notes=count_notes(inventory.notes),
        passed_over=listing.passed_over,
        groups=len(groups),
        size_bytes=sum(sizes),
        bytes=_spread(sizes),
        looked_at=len(seen) + len(unreadable),
        formats=dict(sorted(Counter(glimpse.kind for _, glimpse in seen).items())),
        sides=_spread([glimpse.side for _, glimpse in seen]),
        unreadable=tuple(unreadable),
        refusal=explain_rejects(
            inventory.rejects,
            records=len(listing.records),
            max_reject_share=config.max_reject_share,
        ),
    )
    return Look(inspection, sheet)


def list_examples(config: PreprocessConfig, *, report: Callable[[int, int], None]) -> Inventory:
    """Lists a source, and digests its files; see `look_at`."""
    return take_inventory(
        rename_classes(list_stated(config), config.labels),
        task=config.task,
        max_file_bytes=config.examples.max_file_bytes,
        max_examples=config.max_examples,
        report=report,
    )


def write_sheet(look: Look, path: Path) -> None:
    """Writes what was found, with some examples of each class, as one page of HTML."""
    from components.preprocess.contact_sheet import render  # Jinja, which an image may lack.

    path.write_text(render(look), encoding="utf-8")


def _name(config: PreprocessConfig, listed: Listing) -> str:
    """Returns where the source is: of a list or an export the file, not the folder around it."""
    stated = config.list or (config.source.path if config.source else "")
    place = stated if is_remote(stated) else os.path.abspath(stated)
    return place if os.path.dirname(place) == listed.root else listed.root


def _understood(config: PreprocessConfig, listed: Listing, assignment: Assignment) -> Iterator[str]:
    if listed.remarks:
        yield from (remark.removeprefix(f"{listed.root}: ") for remark in listed.remarks)
    elif config.folder is not None:
        yield "the sub-folders name the classes"
    if assignment.carved:
        carved = listing(assignment.carved)
        yield f"no record states {carved}: taken out of the training records"


def _count(
    listed: Listing, inventory: Inventory, assignment: Assignment
) -> tuple[ClassCounts, ...]:
    labels = (example.label for example in inventory.examples)
    counts = Counter(zip(labels, assignment.splits(), strict=True))
    return tuple(
        ClassCounts(name=name, examples={split: counts[label, split] for split in SPLITS})
        for label, name in enumerate(listed.class_names)
    )


def _open_some(
    config: PreprocessConfig, inventory: Inventory
) -> tuple[list[tuple[SourceExample, Glimpse]], list[str]]:
    """Opens some examples of each class; returns them, and a line on each that can't be opened."""
    read = SourceReader(inventory.listing.root, at_most=config.examples.max_file_bytes)
    glimpses = glimpses_of(config.task)
    seen, unreadable = [], []
    picked = _pick(inventory.examples)
    with read.prepared(picked):
        for example in picked:
            try:
                seen.append((example, glimpses.glimpse(read(example), config.examples)))
            except Unusable as error:
                unreadable.append(f"{example.path}: {error.reason} ({error})")
    return seen, unreadable


def _pick(examples: Sequence[SourceExample]) -> list[SourceExample]:
    """Returns a few examples of each class, chosen by their ids: a folder's first are alike."""
    labels = sorted({example.label for example in examples})[:SHEET_CLASSES]
    most = min(_PER_CLASS, SHEET_EXAMPLES // max(1, len(labels)))
    picked: dict[int, list[SourceExample]] = {label: [] for label in labels}
    for example in sorted(examples, key=lambda example: example.id):
        own = picked.get(example.label)
        if own is not None and len(own) < most:
            own.append(example)
    return [example for own in picked.values() for example in own]


def _spread(values: Sequence[int]) -> Spread | None:
    ordered = sorted(values)
    if not ordered:
        return None
    return Spread(smallest=ordered[0], median=ordered[len(ordered) // 2], largest=ordered[-1])
