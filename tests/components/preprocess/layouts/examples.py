"""The same 24 pictures in any layout: what is to be seen in each, and what is seen."""

import functools
from pathlib import Path
from typing import NamedTuple

from components.common.documents.dataset import Split
from components.preprocess.inventory import take_inventory
from components.preprocess.sources import Listing
from tests.components.preprocess.folders import CLASSES, shape_png

SPLITS: tuple[Split, ...] = (*("train",) * 5, "validation", "test", "test")


class Example(NamedTuple):
    """A picture, and what is said of it."""

    name: str
    label: str
    split: Split
    data: bytes


@functools.cache
def examples() -> tuple[Example, ...]:
    return tuple(
        Example(f"{name}-{index}.png", name, split, shape_png(label, index))
        for label, name in enumerate(CLASSES)
        for index, split in enumerate(SPLITS)
    )


def write(folder: Path, files: dict[str, bytes]) -> str:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return str(folder)


def write_plain(folder: Path) -> str:
    """Writes split folders, each with a folder for each class."""
    return write(folder, {f"{e.split}/{e.label}/{e.name}": e.data for e in examples()})


class Seen(NamedTuple):
    """What a listing comes to."""

    class_names: tuple[str, ...]
    examples: frozenset[tuple[str, str, Split | None]]
    """Digest of the bytes, class and split."""
    rejects: int


def seen(listing: Listing) -> Seen:
    inventory = take_inventory(listing, max_file_bytes=1 << 20, report=lambda done, total: None)
    return Seen(
        listing.class_names,
        frozenset(
            (found.id, listing.class_names[found.label], found.split)
            for found in inventory.examples
        ),
        len(inventory.rejects),
    )
