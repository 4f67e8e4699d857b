"""Measures what a data set costs that has grown a little, against all of it.

    python -m tests.benchmarks.growth [--examples 16000] [--new 160]

Preprocesses JPEGs of 500x375 to 224x224, adds some, and preprocesses all of them twice, each time
in a process of its own, start-up included: once where the shards of the first run lie, and once on
an empty data root. It prints the processor time of both, and their ratio; that the two data sets
are the same, byte for byte; and what a run costs where nothing is new, which is what starting a
process, importing libraries and looking at the folder come to.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from components.preprocess.known import SETTLED_S
from tests.benchmarks.photographs import write_photographs
from tests.benchmarks.preprocess import Measured, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=16_000)
    parser.add_argument("--new", type=int, default=160)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), arguments.examples, arguments.new)


def compare(folder: Path, examples: int, new: int) -> None:
    source, grown, afresh = folder / "source", folder / "grown", folder / "afresh"
    write_photographs(source, examples)
    time.sleep(SETTLED_S)
    tell("first", run(source, grown), examples)
    # They have other names in another class folder, and none of the pixels that are there.
    write_photographs(source / "class0" / "new", new, distinct=new, first_seed=examples)
    some = tell("grown", run(source, grown), examples + new)
    check_taken_over(grown, new)
    nothing = tell("same", run(source, grown), examples + new)
    everything = tell("afresh", run(source, afresh), examples + new)
    same = files(grown) == files(afresh)
    print(f"grown / afresh, by processor time: {some / everything:.3f}")
    print(f"same / afresh: {nothing / everything:.3f}; the same data set: {same}")
    if not same:
        raise SystemExit("the data set that grew is not the one that was made afresh")


def run(source: Path, work: Path) -> Measured:
    work.mkdir(exist_ok=True)
    return measure("ours", source, work)


def tell(name: str, found: Measured, pictures: int) -> float:
    print(f"{name:7}{found.describe(pictures)} {found.cpu_seconds:.1f} s", flush=True)
    return found.cpu_seconds


def check_taken_over(work: Path, new: int) -> None:
    """Stops where more was decoded than the new pictures."""
    (told,) = (work / "ours" / "runs").glob("*/tasks/preprocess.json")
    counted = json.loads(told.read_text())["record"]["measurements"]
    anew = counted["pictures"] - counted["pictures_taken_over"]
    print(f"{anew:.0f} pictures were decoded, {counted['pictures_taken_over']:.0f} taken over")
    if anew > new:
        raise SystemExit("more was decoded than what is new")


def files(work: Path) -> dict[str, bytes]:
    """Returns what a data set is: what lies beside the manifest, and the shards it names."""
    dataset = work / "dataset"
    found = {path.name: path.read_bytes() for path in dataset.iterdir()}
    splits = json.loads(found["dataset.json"])["splits"]
    for split in splits.values():
        for shard in split["shards"]:
            found[shard["path"]] = (work / "ours" / shard["path"]).read_bytes()
    return found


if __name__ == "__main__":
    main()
