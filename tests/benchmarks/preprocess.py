"""Measures preprocess against what people write by hand.

    python -m tests.benchmarks.preprocess [--examples 16000] [--usual-examples 16000] [--rounds 2]

One run times three ways from the same JPEGs (500x375) to TFRecords of 224x224 JPEGs, each
in a process of its own, start-up included:

    pool    Pillow in a process pool, one shard per work item, as an expert would write it
    ours    the preprocess stage: digests, duplicates, rejects, statistics and manifest too
    usual   Beam as most people write it: ReadMatches, Pillow, WriteToTFRecord

and prints pictures per second, of wall-clock and of processor time, the peak memory of all
processes together, and the ratios. On a machine that does other work at the same time,
only processor time means something.
"""

import argparse
import dataclasses
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.by_hand import QUALITY, SIZE, run_pool, run_usual_beam

IN_PROCESSES = (
    "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner",
    "--direct_num_workers=2",
    "--direct_running_mode=multi_processing",
)


def run_ours(source: Path, work: Path, beam_options: tuple[str, ...] = ()) -> None:
    from components.common.run_context import RunContext
    from components.preprocess import stage
    from components.preprocess.config import PreprocessConfig

    config = PreprocessConfig(
        folder=str(source),
        image_size=SIZE,
        jpeg_quality=QUALITY,
        near_copies="keep",  # They are a few pictures in many shades.
    )
    context = RunContext(
        run_id="benchmark",
        recipe_name="benchmark",
        data_root=str(work / "ours"),
        registry=str(work / "registry"),
        beam_options=beam_options,
    )
    stage.declare_stage().run(
        config=config.to_json(), context=context.to_json(), dataset=work / "dataset"
    )


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "pool": lambda source, work: run_pool(source, work / "pool"),
    "ours": run_ours,
    "beam": lambda source, work: run_ours(source, work, IN_PROCESSES),
    "usual": lambda source, work: run_usual_beam(source, work / "usual"),
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one way took, start-up and all of its processes included."""

    seconds: float
    cpu_seconds: float
    memory_mb: float
    """At its peak."""

    def better(self, other: "Measured") -> "Measured":
        """Returns the best of both in each respect."""
        return Measured(*map(min, dataclasses.astuple(self), dataclasses.astuple(other)))

    def describe(self, pictures: int) -> str:
        return (
            f"{pictures:7} pictures {self.seconds:7.1f} s {pictures / self.seconds:6.0f}/s "
            f"{pictures / self.cpu_seconds:6.0f}/s of processor time {self.memory_mb:6.0f} MB"
        )


def measure(way: str, source: Path, work: Path) -> Measured:
    command = [sys.executable, "-m", "tests.benchmarks.preprocess", "--way", way]
    command += ["--source", str(source), "--work", str(work)]
    # As where it is installed, its code is compiled once.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    with (work / f"{way}.log").open("w") as log:
        started, cpu_before = time.monotonic(), _cpu_seconds()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        peak, done = [0.0], threading.Event()
        watcher = threading.Thread(target=_watch_memory, args=(process.pid, peak, done))
        watcher.start()
        code = process.wait()
        seconds = time.monotonic() - started
        done.set()
        watcher.join()
    if code:
        raise SystemExit(f"{way} failed:\n{(work / f'{way}.log').read_text()[-2000:]}")
    return Measured(seconds, _cpu_seconds() - cpu_before, peak[0])


def _cpu_seconds() -> float:
    """Returns the processor time of all children that have ended, theirs included."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _watch_memory(pid: int, peak: list[float], done: threading.Event) -> None:
    while not done.wait(0.2):
        total = sum(_memory_kb(process) for process in _family(pid))
        peak[0] = max(peak[0], total / 1024)


def _family(pid: int) -> list[int]:
    """Returns a process and all that it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for thread in Path(f"/proc/{pid}/task").iterdir():
            if thread.name != str(pid):
                children += (thread / "children").read_text().split()
    except OSError:
        return []
    return [pid, *(relative for child in children for relative in _family(int(child)))]


def _memory_kb(pid: int) -> float:
    """Returns a process's own share of memory (Pss), so that forks are not counted twice."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return float(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=16_000)
    parser.add_argument("--usual-examples", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=2, help="of pool and ours; the best counts")
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    if arguments.way:
        WAYS[arguments.way](arguments.source, arguments.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), arguments)


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    from tests.benchmarks.photographs import write_photographs  # NumPy, before ours loads it.

    counts = {
        "pool": arguments.examples,
        "ours": arguments.examples,
        "usual": arguments.usual_examples,
    }
    sources = {count: folder / f"source-{count}" for count in set(counts.values())}
    for count, source in sources.items():
        write_photographs(source, count)
    best: dict[str, Measured] = {}
    # In turns, so that what else the machine does meets both.
    for number, way in enumerate([*["pool", "ours"] * arguments.rounds, "usual"]):
        work = folder / f"work-{number}"
        work.mkdir()
        found = measure(way, sources[counts[way]], work)
        best[way] = found if way not in best else found.better(best[way])
        print(f"{way:6} {found.describe(counts[way])}", flush=True)
    for other in ("pool", "usual"):
        rates = [counts[way] / best[way].seconds for way in ("ours", other)]
        cpu_rates = [counts[way] / best[way].cpu_seconds for way in ("ours", other)]
        print(
            f"ours / {other}: {rates[0] / rates[1]:.2f} "
            f"({cpu_rates[0] / cpu_rates[1]:.2f} by processor time)"
        )


if __name__ == "__main__":
    main()
