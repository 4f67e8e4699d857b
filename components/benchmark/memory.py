"""Memory that a model needs: by how much a fresh process grows at its peak.

A process of its own, because memory that an earlier model gave back would be taken again
unseen. Run as a program, this module measures one model and prints the bytes.
"""

import re
import resource
import subprocess
import sys
from pathlib import Path

from components.common.litert import LiteRTError

_RUNS = 3  # The first run still allocates.
_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")


def measure_peak_memory(model: Path) -> int:
    """Returns by how many bytes a process's resident memory grows: loaded and run, one thread.

    Raises:
      LiteRTError: the model cannot be loaded or run.
    """
    # -P: a file named components.py in the working folder must do no harm.
    child = subprocess.run(
        [sys.executable, "-P", "-m", "components.benchmark.memory", str(model)],
        capture_output=True,
        text=True,
        check=False,
    )
    if child.returncode != 0:
        raise LiteRTError(f"the model's memory could not be measured: {child.stderr[-500:]}")
    return int(child.stdout)


def _grow(model: Path) -> int:
    import numpy as np

    from components.common.litert import Classifier
    from components.common.tflite import inspect_model

    _, *shape = inspect_model(model.read_bytes()).input.shape
    picture = np.zeros(shape, np.uint8)
    if _CLEAR_REFS.exists():
        _CLEAR_REFS.write_text("5")  # The peak falls back to now: that of the imports is gone.
    before = _peak_bytes()
    classifier = Classifier(model)
    for _ in range(_RUNS):
        classifier.classify(picture)
    return _peak_bytes() - before


def _peak_bytes() -> int:
    """Returns the process's peak resident memory."""
    if not _STATUS.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # In bytes on macOS.
    # Linux's ru_maxrss starts with that of the parent, whose memory a child shares until exec.
    found = re.search(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"{_STATUS}: there is no VmHWM")
    return int(found[1]) * 1024


if __name__ == "__main__":
    print(_grow(Path(sys.argv[1])))
