"""What the names in a source mean before any file is read: splits, and litter.

Preprocess lists a source by them, and a recipe is checked against its source by them.
"""

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


def litter_kind(name: str) -> str | None:
    """Returns what kind of litter the name of a file or folder tells of, None for none."""
    return HIDDEN if name.startswith(".") else _LITTER.get(name.casefold())
