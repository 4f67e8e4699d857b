"""Kills preprocess at random moments, and compares what is made afterwards with a run in peace.

    python -m tests.benchmarks.kills [--moments 20] [--prism PATH]

A data set that has grown is preprocessed by a Beam runner; at a moment, its driver or one of its
workers gets SIGKILL. Then the same command runs again, as a cluster's retry does, and the data set
must be, byte for byte, that of a run in peace on an empty data root. A moment is how many shards
are there, and some time after the last of them. Runners: FnApiRunner with workers in processes, and
Prism where its program is named.
"""

import argparse
import contextlib
import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.photographs import write_photographs
from tests.benchmarks.preprocess import IN_PROCESSES
from tests.builders.synthetic import run_context
from tests.components.preprocess.folders import files, run_stage

SCRIPT = """
import sys
from pathlib import Path
from tests.builders.synthetic import run_context
from tests.components.preprocess.folders import run_stage
if __name__ == "__main__":
    context = run_context(Path(sys.argv[1])).model_copy(update={{"beam_options": {options}}})
    run_stage(context, Path(sys.argv[1], "dataset"), folder=sys.argv[2], **{values})
"""
VALUES = {"image_size": 512, "channels": 3, "shards": 8}
AS_PROCESS = "--experiments=use_loopback_process_worker"
"""Prism's worker is a process of its own, then, not a thread of the driver."""
PATIENCE_S = 60.0
"""A runner that has not noticed by then that its worker is gone is ended, as by a deadline."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """When to kill what."""

    victim: str
    """driver or worker"""
    shards: int
    """As many new ones are there."""
    seconds: float
    """So long after that."""


def draw_moment(victim: str, seed: int) -> Moment:
    choose = random.Random(seed)
    return Moment(victim, choose.randrange(10), choose.uniform(0, 0.5))


def prepare(folder: Path) -> None:
    """Makes a data root of some pictures, a source with more of them, and what that comes to."""
    source, base = folder / "source", folder / "base"
    write_photographs(source, 40, distinct=40, classes=3)
    run_stage(run_context(base), base / "dataset", folder=str(source), **VALUES)
    write_photographs(source / "class0" / "new", 20, distinct=20, classes=3, first_seed=40)
    fresh = folder / "fresh"
    run_stage(run_context(fresh), fresh / "dataset", folder=str(source), **VALUES)


def disturb(folder: Path, work: Path, options: tuple[str, ...], moment: Moment) -> str:
    """Kills a run of what was prepared, and runs it again.

    Returns:
      What became of the run that was disturbed.
    """
    shutil.copytree(folder / "base", work)
    task = begin(work, folder / "source", options)
    try:
        happened = kill(task, work / "data", moment)
    finally:
        end(family(task.pid) - {task.pid})
    again = begin(work, folder / "source", options)
    if code := again.wait():
        raise SystemExit(f"{moment}: the run after it ended with {code}")
    check_same(work, folder / "fresh", moment)
    return happened


def begin(work: Path, source: Path, options: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    script = work / "script.py"
    script.write_text(SCRIPT.format(values=VALUES, options=options))
    command = [sys.executable, str(script), str(work), str(source)]
    with (work / "log").open("ab") as log:
        # Beam calls a worker's interpreter `python`.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": path})


def kill(task: subprocess.Popen[bytes], data: Path, moment: Moment) -> str:
    before = set(data.rglob("shards/*/*.json"))
    # Orders are placed before there is any worker, and stand until the last shard is made.
    while not list(data.glob("runs/*/orders")) or (
        len(set(data.rglob("shards/*/*.json")) - before) < moment.shards
    ):
        if task.poll() is not None:
            return "it had ended"
        time.sleep(0.02)
    time.sleep(moment.seconds)
    relatives = family(task.pid) - {task.pid}
    if moment.victim == "driver":
        task.kill()
        task.wait()
        end(relatives)
        return "killed"
    workers = [pid for pid in relatives if b"sdk_worker" in command_of(pid)]
    if not workers:
        return f"it had no worker, and ended with {task.wait()}"
    end({max(workers)})
    try:
        return f"ended with {task.wait(PATIENCE_S)}"
    except subprocess.TimeoutExpired:
        end(family(task.pid))
        task.wait()
        return "waited for its worker until it was ended"


def end(processes: set[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def family(pid: int) -> set[int]:
    """Returns a process and all that it started, whichever of its threads did."""
    found = {pid}
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # It has ended.
            for child in children.read_text().split():
                found |= family(int(child))
    return found


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def check_same(work: Path, fresh: Path, moment: Moment) -> None:
    if files(work / "dataset") != files(fresh / "dataset"):
        raise SystemExit(f"{moment}: the manifest is another")
    made, expected = files(work / "data" / "shards"), files(fresh / "data" / "shards")
    if differing := [name for name, data in expected.items() if made.get(name) != data]:
        raise SystemExit(f"{moment}: these are other shards: {', '.join(differing)}")
    if left := list((work / "data" / "runs" / "test" / "orders").glob("*/*")):
        print(f"  left until it is pruned: {len(left)} orders")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--prism", help="Prism's program; without it, FnApiRunner alone")
    arguments = parser.parse_args()
    runners = {"FnApiRunner": IN_PROCESSES}
    if arguments.prism:
        runners["Prism"] = ("--runner=PrismRunner", f"--prism_location={arguments.prism}")
        runners["Prism"] += (AS_PROCESS,)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        for seed in range(arguments.moments):
            for runner, options in runners.items():
                moment = draw_moment(("driver", "worker")[seed % 2], seed)
                work = folder / f"{runner}-{seed}"
                happened = disturb(folder, work, options, moment)
                print(f"{runner} {moment}: {happened}; the same data set", flush=True)
                shutil.rmtree(work)


if __name__ == "__main__":
    main()
