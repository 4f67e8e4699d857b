"""Locks on files, which the system releases when their holder ends.

A lock's file lies in a folder that others may write to: so it is opened without changing it, and
never through a link, which could lead to someone else's file.
"""

import contextlib
import errno
import fcntl
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from components.common.errors import UserError
from components.common.words.terminal import say

PATIENCE_S = 600.0
"""How long a lock is waited for. Those who hold one do so for moments, or while `cache prune`
deletes."""
TOLD_AFTER_S = 5.0
_LONGEST_PAUSE_S = 0.05


class LockedError(UserError):
    """Somebody else holds the lock."""


@contextlib.contextmanager
def hold_lock(
    path: Path, *, shared: bool = False, patience_s: float = PATIENCE_S
) -> Iterator[None]:
    """Holds the lock of a file, which is made where there is none.

    Args:
      path: of the lock's file.
      shared: any number may hold it so at once.
      patience_s: how long to wait for it; after seconds that is said on stderr.

    Raises:
      LockedError: it was not to be had in that time.
      UserError: what lies there is no file of ours.
    """
    descriptor = _open(path)
    try:
        _take(descriptor, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, patience_s)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        raise _not_ours(path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_ours(path)
    return descriptor


def _not_ours(path: Path) -> UserError:
    return UserError(
        f"{path}: is a link, a folder or a device where litesmith keeps a lock; remove it"
    )


def _take(descriptor: int, path: Path, kind: int, patience_s: float) -> None:
    started, pause_s, told = time.monotonic(), 0.001, False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        waited_s = time.monotonic() - started
        if waited_s >= patience_s:
            raise LockedError(
                f"{path}: another process holds this lock, for {patience_s:.0f} s or longer; end "
                f"it (`fuser {path}` names it), and try again"
            )
        if waited_s >= TOLD_AFTER_S and not told:
            say(f"waiting for {path}, which another process has locked", to=sys.stderr)
            told = True
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
