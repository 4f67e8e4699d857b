"""Measures what planning a large data set takes of the process that plans it.

    python -m tests.benchmarks.driver_memory [--records 1000000] [--shards 512]

A listing is made up, of files that are a few bytes long; it is taken stock of, dealt out to splits
and shards, and made into the graph of a Beam pipeline: all that comes before decoding. It prints
the peak memory of the process, by how much that grows with each record, and the graph's size.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator

from components.common.digests import text_digest
from components.preprocess.assignment import plan_shards
from components.preprocess.config import Splits
from components.preprocess.inventory import take_inventory
from components.preprocess.orders import Order
from components.preprocess.sources import Listing, SourceRecord
from components.preprocess.splits import assign_splits

CLASSES = 100


def list_records(count: int) -> Iterator[SourceRecord]:
    """Yields records by path; their content needs no files, and looks like a picture's."""
    for number in range(count):
        label = sys.intern(f"class {number * CLASSES // count:03d}")
        yield SourceRecord(f"{label}/photograph {number:08d}.gif", label, text=f"GIF89a{number}")


def plan(records: int, shards: int) -> int:
    """Plans a data set, and returns the bytes of its graph."""
    names = tuple(f"class {label:03d}" for label in range(CLASSES))
    listing = Listing("/source", tuple(list_records(records)), names, {})
    inventory = take_inventory(listing, max_file_bytes=1 << 20, report=lambda done, total: None)
    del listing
    assignment = assign_splits(inventory.examples, Splits())
    plans = plan_shards(inventory.examples, assignment, training_shards=shards)
    members = sum(1 for plan in plans for _ in plan.members)
    assert members == records
    orders = [
        Order(
            f"runs/{'r' * 40}/orders/{number:05d}.jsonl", text_digest(plan.name), len(plan.members)
        )
        for number, plan in enumerate(plans)
    ]
    return measure_graph(orders)


def measure_graph(orders: list[Order]) -> int:
    """Returns the bytes of a graph; in a process of its own, as Beam's own memory is not ours."""
    code = (
        "import sys, json, apache_beam as beam\n"
        "from components.preprocess.orders import Order\n"
        "from components.preprocess.transforms import build_graph\n"
        "from components.preprocess.writer import ShardWriter\n"
        "from components.common.tasks.image.preparation.settings import PictureSettings\n"
        "writer = ShardWriter('/source', 1 << 20, '/data', 100, PictureSettings().picture_spec(),"
        " 'none')\n"
        "pipeline = beam.Pipeline()\n"
        "build_graph(pipeline, [Order(*each) for each in json.load(sys.stdin)], writer)\n"
        "print(len(pipeline.to_runner_api().SerializeToString()))\n"
    )
    told = json.dumps([[order.name, order.sha256, order.members] for order in orders])
    done = subprocess.run(
        [sys.executable, "-c", code], input=told, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=512)
    parser.add_argument("--alone", action="store_true")
    arguments = parser.parse_args()
    if arguments.alone:
        graph = plan(arguments.records, arguments.shards)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps([peak, graph]))
        return
    peaks = []
    for records in (arguments.records // 10, arguments.records):
        command = [sys.executable, "-m", "tests.benchmarks.driver_memory", "--alone"]
        command += ["--records", str(records), "--shards", str(arguments.shards)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak, graph = json.loads(done.stdout)
        peaks.append(peak)
        print(f"{records:9,} records {peak / 1e6:6.0f} MB, graph {graph / 1e3:5.0f} kB", flush=True)
    each = (peaks[1] - peaks[0]) / (arguments.records - arguments.records // 10)
    print(f"{each:.0f} bytes a record")


if __name__ == "__main__":
    main()
