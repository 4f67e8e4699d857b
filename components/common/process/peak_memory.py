"""The most memory that a process held at a time: since its start, or since it was told to forget.

Linux keeps the mark and lets it fall back to what is held now (proc(5): VmHWM, clear_refs).
What earlier work of the process left in memory, such as its libraries, still counts: it is held.
Elsewhere the mark is that since the process's start.
"""

import contextlib
import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Lets the peak fall back to what the process holds now, where the system can."""
    with contextlib.suppress(OSError):
        if _CLEAR_REFS.exists():
            _CLEAR_REFS.write_text("5")


def peak_memory_bytes() -> int:
    """Returns the process's peak of resident memory, in bytes."""
    # Linux's ru_maxrss starts with that of the parent, whose memory a child shares until exec.
    if _STATUS.is_file():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
        if found is not None:
            return int(found[1]) * 1024
    return _in_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def childrens_peak_memory_bytes() -> int:
    """Returns the greatest peak of any child that has ended, in bytes; it is never forgotten."""
    return _in_bytes(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _in_bytes(peak: int) -> int:
    return peak if sys.platform == "darwin" else peak * 1024
