"""Measures whether preprocess takes more memory for more pictures.

    python -m tests.benchmarks.memory [--examples 4000 40000]

Preprocesses JPEGs of 500x375 to 224x224, fewer and then more, by processes of its own and by Beam's
FnApiRunner with two workers, and prints the peak memory of all processes together, and by how much
it is more for more pictures.
"""

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.photographs import write_photographs
from tests.benchmarks.preprocess import measure

SHADES = 100
"""Of each picture: drawing one takes longer than making it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, nargs="+", default=[4_000, 40_000])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), arguments.examples)


def compare(folder: Path, counts: list[int]) -> None:
    peaks: dict[str, list[float]] = {"ours": [], "beam": []}
    for count in counts:
        source = folder / f"source-{count}"
        write_photographs(source, count, distinct=-(-count // SHADES))
        for way, found in peaks.items():
            work = folder / f"{way}-{count}"
            work.mkdir()
            measured = measure(way, source, work)
            found.append(measured.memory_mb)
            print(f"{way:5} {measured.describe(count)}", flush=True)
    for way, found in peaks.items():
        ratio, more = found[-1] / found[0], counts[-1] / counts[0]
        print(f"{way}: {ratio:.2f} of the memory for {more:.0f} times the pictures")


if __name__ == "__main__":
    main()
