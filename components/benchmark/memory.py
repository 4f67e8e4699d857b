"""Memory that a model needs: by how much a fresh process grows at its peak.

It is a process of its own, because a model could otherwise take again, unseen, the memory that an
earlier one gave back. Run as a program, this module measures one model and prints the bytes.
"""

import subprocess
import sys
from pathlib import Path

from components.common.lite.litert import LiteRTError
from components.common.process.peak_memory import forget_peak, peak_memory_bytes

_RUNS = 3  # The first run still allocates.


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
    from components.common.lite.litert import Classifier

    forget_peak()  # That of the imports.
    before = peak_memory_bytes()
    classifier = Classifier(model)
    for _ in range(_RUNS):
        classifier.try_out()
    return peak_memory_bytes() - before


if __name__ == "__main__":
    print(_grow(Path(sys.argv[1])))  # noqa: T201 (a number, for whoever called)
