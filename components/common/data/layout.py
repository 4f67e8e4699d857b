"""What the names in a source mean before any file is read: splits, layouts, and litter.

Preprocess lists a source by them, and a recipe is checked against its source by them.
"""

import re
from pathlib import PurePosixPath
from typing import Literal

from components.common.documents.dataset import Split

SPLIT_OF_NAME: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""The names that a folder or a list may give a split, in lower case."""

Layout = Literal[
    "metadata", "parquet", "webdataset", "tfrecord", "tfds", "cvat", "roboflow", "arrow"
]
"""How a source is laid out that says otherwise than by folders which example is of which class."""

METADATA_FILES = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
"""What may say, in a folder of pictures, what each of them is."""

_TELLING: dict[str, Layout] = {
    "dataset_info.json": "tfds",
    "annotations.xml": "cvat",
    "_classes.csv": "roboflow",
    **dict.fromkeys(METADATA_FILES, "metadata"),
}
_CONTAINERS: dict[str, Layout] = {
    ".tar": "webdataset",
    ".parquet": "parquet",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
    ".arrow": "arrow",
}
_SHARD = re.compile(r"-\d+-of-\d+$")

HIDDEN = "hidden"
"""The kind of litter that begins with a dot: `.DS_Store`, `._1.png`, `.ipynb_checkpoints`."""

_LITTER = {
    name.casefold(): name
    for name in (
        "@eaDir",  # Synology's and QNAP's: thumbnails, bins and snapshots.
        "@Recycle",
        "@Recently-Snapshot",
        "#recycle",
        "#snapshot",
        "$RECYCLE.BIN",  # Windows'.
        "System Volume Information",
        "Thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "__MACOSX",  # What macOS puts into archives and folders.
        "Icon\r",
        "lost+found",  # The root of a Linux volume.
    )
}


def stated_split(name: str) -> Split | None:
    """Returns the split that a folder's name or a list's value states, in any case."""
    return SPLIT_OF_NAME.get(name.strip().casefold())


def told_layout(path: str) -> Layout | None:
    """Returns the layout that a file tells of by its name and place, None where it tells of none.

    Args:
      path: relative to the source. Only at its top, in a folder `data` and in those of splits
        do files tell of the whole.
    """
    folder, _, name = path.rpartition("/")
    if folder and folder != "data" and ("/" in folder or stated_split(folder) is None):
        return None
    name = name.lower()
    return _TELLING.get(name) or _CONTAINERS.get(PurePosixPath(_SHARD.sub("", name)).suffix)


def litter_kind(name: str) -> str | None:
    """Returns what kind of litter the name of a file or folder tells of, None for none."""
    return HIDDEN if name.startswith(".") else _LITTER.get(name.casefold())
