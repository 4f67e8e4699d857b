"""What killed commands leave behind, and how the next ones remove it.

Three kinds of files are of no use once the process that made them is gone: a command's folder of
temporary files; below a run's folder, the artifacts that kfp hands from task to task, and the
orders of its shards; and files half-written beside their places in a data root or registry. A
command holds a lock on the first while it lives, and a run on the second; half-written files are
nobody's when nothing was added for longer than any write, with the wait for its turn, can take.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from components.common.errors import UserError
from components.common.storage import is_half_written
from components.common.storage.locks import hold_lock
from pipeline.runs.folders import RunFolder, runs_folder

_PREFIX = "litesmith-"
_LOCK = ".lock"
HALF_WRITTEN_S = 3600.0
"""A file half-written to which nothing was added for so long is not being written."""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yields a folder for temporary files, which a later command removes if this one can't.

    Raises:
      UserError: there is no place for one.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise UserError(
            "no file can be written in any folder for temporary files; free some space, or name "
            "another folder in TMPDIR"
        ) from error
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder, files = Path(name), Path(name, "files")
        files.mkdir()
        with hold_lock(folder / "new"):
            # Where there is a lock of this name, it is held, or its holder is gone.
            (folder / "new").rename(folder / _LOCK)
            yield files


def remove_leftovers(data_root: Path, *, dry_run: bool = False) -> int:
    """Removes what killed commands left in the folder of temporary files and below `runs/`.

    Args:
      data_root: the folder below which this machine's runs lie.
      dry_run: look only.

    Returns:
      How many bytes were, or would be, freed.
    """
    freed = sum(_free(folder, dry_run) for folder in _abandoned_scratch())
    for name in ("artifacts", "orders"):
        for left in runs_folder(data_root).glob(f"*/{name}"):
            # The lock is held meanwhile. FileNotFoundError: it is no run of ours.
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                with RunFolder(left.parent).lock(wait=False):
                    freed += _free(left, dry_run)
    return freed


def remove_half_written(*roots: Path, dry_run: bool = False) -> int:
    """Removes the files that killed writers left beside their places, at any depth of folders.

    Returns:
      How many bytes were, or would be, freed.
    """
    freed = 0
    for path in {path for root in roots for path in _half_written(root)}:
        with contextlib.suppress(FileNotFoundError):
            freed += path.lstat().st_size
            if not dry_run:
                path.unlink()
    return freed


def _half_written(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for path in (Path(folder, name) for name in names if is_half_written(name)):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_mtime <= time.time() - HALF_WRITTEN_S:
                    yield path


def _abandoned_scratch() -> Iterator[Path]:
    """Yields this user's temporary folders whose command is gone, each while it is locked."""
    try:
        temporary = Path(tempfile.gettempdir())
    except FileNotFoundError:  # Nothing can be written in any.
        return
    for folder in temporary.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, UserError):  # It is somebody's, or goes just now.
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
                # Without a lock it is being made, or is none of ours.
                if (folder / _LOCK).is_file():
                    with hold_lock(folder / _LOCK, patience_s=0):
                        yield folder


def _free(folder: Path, dry_run: bool) -> int:
    size_bytes = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):
            found = file.lstat()
            size_bytes += found.st_size if stat.S_ISREG(found.st_mode) else 0
    if not dry_run:
        shutil.rmtree(folder, ignore_errors=True)
    return size_bytes
