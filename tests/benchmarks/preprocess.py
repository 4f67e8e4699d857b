"""Measures preprocess against what people write by hand.

    python -m tests.benchmarks.preprocess [--examples 16000] [--usual-examples 4000]

One run times three ways from the same JPEGs (500x375) to TFRecords of 224x224 JPEGs, each
in a process of its own, start-up included:

    pool    Pillow in a process pool, one shard per work item, as an expert would write it
    ours    the preprocess stage: digests, duplicates, rejects, statistics and manifest too
    usual   Beam as most people write it: ReadAllFiles, Pillow, WriteToTFRecord

and prints pictures per second, peak memory of all processes together, and the ratios.
"""

import argparse
import dataclasses
import io
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from PIL import Image

from components.common.records import Example, encode_example, write_record
from tests.benchmarks.photographs import write_photographs

SIZE, QUALITY = 224, 95


def resize_by_hand(data: bytes) -> bytes:
    """Returns a picture's central square as a JPEG: what preprocess does with these files."""
    with Image.open(io.BytesIO(data)) as picture:
        picture.draft("RGB", (SIZE, SIZE))
        rgb = picture.convert("RGB")
    width, height = rgb.size
    margin_x, margin_y = (width - min(rgb.size)) / 2, (height - min(rgb.size)) / 2
    box = (margin_x, margin_y, width - margin_x, height - margin_y)
    buffer = io.BytesIO()
    rgb.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=box).save(
        buffer, "JPEG", quality=QUALITY
    )
    return buffer.getvalue()


def write_by_hand(work: tuple[list[Path], Path]) -> int:
    paths, target = work
    with target.open("wb") as file:
        for path in paths:
            label = int(path.parent.name.removeprefix("class"))
            image = resize_by_hand(path.read_bytes())
            write_record(file, encode_example(Example(id=path.name, image=image, label=label)))
    return len(paths)


def run_pool(source: Path, work: Path) -> None:
    paths = sorted(source.rglob("*.jpg"))
    shards = max(8, len(paths) // 500)
    target = work / "pool"
    target.mkdir()
    items = [(paths[index::shards], target / f"{index:05d}.tfrecord") for index in range(shards)]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        assert sum(pool.map(write_by_hand, items)) == len(paths)


def run_ours(source: Path, work: Path) -> None:
    from components.common.run_context import RunContext
    from components.preprocess import stage
    from components.preprocess.config import PreprocessConfig

    config = PreprocessConfig(folder=str(source), image_size=SIZE, jpeg_quality=QUALITY)
    context = RunContext(
        run_id="benchmark",
        recipe_name="benchmark",
        data_root=str(work / "ours"),
        registry=str(work / "registry"),
    )
    stage.run(config=config.to_json(), context=context.to_json(), dataset=work / "dataset")


def run_usual(source: Path, work: Path) -> None:
    import apache_beam as beam
    import tensorflow as tf
    from apache_beam.io import fileio
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    def to_example(path: str, data: bytes) -> bytes:
        label = int(Path(path).parent.name.removeprefix("class"))
        features = {
            "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[resize_by_hand(data)])),
            "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        }
        return bytes(
            tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
        )

    options = PipelineOptions(
        flags=[],
        direct_num_workers=len(os.sched_getaffinity(0)),
        direct_running_mode="multi_processing",
        save_main_session=False,
    )
    with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
        _ = (
            pipeline
            | fileio.MatchFiles(f"{source}/*/*.jpg")
            | fileio.ReadMatches()
            | beam.Map(lambda file: to_example(file.metadata.path, file.read()))
            | beam.io.WriteToTFRecord(f"{work}/usual/part", file_name_suffix=".tfrecord")
        )


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "pool": run_pool,
    "ours": run_ours,
    "usual": run_usual,
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """What one way took, start-up and all of its processes included."""

    seconds: float
    cpu_seconds: float
    memory_mb: float
    """At its peak."""


def measure(way: str, source: Path, work: Path) -> Measured:
    command = [sys.executable, "-m", "tests.benchmarks.preprocess", "--way", way]
    command += ["--source", str(source), "--work", str(work)]
    with (work / f"{way}.log").open("w") as log:
        started, cpu_before = time.monotonic(), _cpu_seconds()
        process = subprocess.Popen(command, stdout=log, stderr=log)
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
    parser.add_argument("--usual-examples", type=int, default=4_000)
    parser.add_argument("--way", choices=WAYS)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    if arguments.way:
        WAYS[arguments.way](arguments.source, arguments.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), arguments.examples, arguments.usual_examples)


def compare(folder: Path, examples: int, usual_examples: int) -> None:
    sources = {count: folder / f"source-{count}" for count in {examples, usual_examples}}
    for count, source in sources.items():
        write_photographs(source, count)
    work = folder / "work"
    work.mkdir()
    counts = {"pool": examples, "ours": examples, "usual": usual_examples}
    rates, cpu_rates = {}, {}
    for way, count in counts.items():
        found = measure(way, sources[count], work)
        rates[way], cpu_rates[way] = count / found.seconds, count / found.cpu_seconds
        print(
            f"{way:6}{count:8} pictures {found.seconds:8.1f} s {rates[way]:8.0f} pictures/s "
            f"{cpu_rates[way]:8.0f} pictures/s of CPU {found.memory_mb:8.0f} MB",
            flush=True,
        )
    for other in ("pool", "usual"):
        print(
            f"ours / {other}: {rates['ours'] / rates[other]:.2f} "
            f"({cpu_rates['ours'] / cpu_rates[other]:.2f} by processor time)"
        )


if __name__ == "__main__":
    main()
