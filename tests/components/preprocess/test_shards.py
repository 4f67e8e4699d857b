"""A shard's content, by the writer alone, this machine's processes and Beam's runners."""

import contextlib
import errno
import gc
import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest

from components.common.code_digests import code_digest, module_digests
from components.common.data.records import read_records
from components.common.errors import DamagedError, UserError
from components.common.process.events import Events
from components.common.storage import LocalStorage
from components.common.tasks.image.device import decode_picture
from components.common.tasks.image.features import decode_example
from components.common.tasks.image.preparation.spec import PictureSpec
from components.preprocess import sources
from components.preprocess.ledger import find_whole_shards
from components.preprocess.members import Member
from components.preprocess.orders import Order, open_order, placed_orders
from components.preprocess.places import Cell, Span
from components.preprocess.pool import run_pool
from components.preprocess.tasks import ShardTask
from components.preprocess.transforms import build_graph, run_pipeline
from components.preprocess.writer import Effort, ShardWriter
from tests.components.preprocess.folders import files, shape_png
from tests.components.preprocess.runners import IN_THREADS

SPEC = PictureSpec(8, 1, "crop", "#ffffff", "png", 95, 10_000)


def write_source(folder: Path, count: int) -> list[Member]:
    folder.mkdir()
    members = []
    for index in range(count):
        data = shape_png(index % 3, index)
        (folder / f"{index}.png").write_bytes(data)
        id_ = hashlib.sha256(data).hexdigest()
        members.append(Member(id_, f"{index}.png", index % 3, "odd" if index % 2 else ""))
    return sorted(members, key=lambda member: member.id)


@contextlib.contextmanager
def orders(folder: Path, tasks: list[ShardTask], *, data: str = "data") -> Iterator[list[Order]]:
    """Orders the shards of tasks, and finds nothing left of the orders afterwards."""
    storage = LocalStorage(str(folder / data))
    with placed_orders(storage, "runs/test/orders", tasks) as placed:
        yield placed
    assert not list(storage.list("runs"))


def write_all(folder: Path, tasks: list[ShardTask], **where: str) -> None:
    with orders(folder, tasks, data=where.get("data", "data")) as placed:
        for order in placed:
            writer(folder, **where).write(order)


def writer(folder: Path, *, data: str = "data", compression: str = "none") -> ShardWriter:
    return ShardWriter(str(folder / "source"), 1 << 20, str(folder / data), 3, SPEC, compression)


def tasks(members: list[Member], shards: int = 3) -> list[ShardTask]:
    return [
        ShardTask(f"shards/k{n}/train-{n:05d}.tfrecord", "train", tuple(members[n::shards]), 100)
        for n in range(shards)
    ]


def test_a_picture_that_the_worker_may_not_read_is_told_as_one_of_the_source(tmp_path, monkeypatch):
    """The place that the shard is written to has the same error, and another remedy."""
    members = write_source(tmp_path / "source", 2)

    def read_chunks(path, *, at_most):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(sources, "read_chunks", read_chunks)
    task = ShardTask("shards/a", "train", tuple(members), 1)
    path = tmp_path / "source" / members[0].path
    with pytest.raises(UserError) as refused:
        write_all(tmp_path, [task])
    assert str(refused.value) == (
        f"{path}: Permission denied; give this user the right to read the source"
    )


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_shard_holds_its_members_in_order(tmp_path, compression):
    members = write_source(tmp_path / "source", 7)
    (task,) = tasks(members, shards=1)
    write_all(tmp_path, [task], compression=compression)
    record = find_whole_shards(LocalStorage(tmp_path / "data"), [task.path])[task.path]
    path = tmp_path / "data" / task.path
    with gzip.open(path) if compression == "gzip" else path.open("rb") as file:
        examples = [decode_example(serialized) for serialized in read_records(file)]
    assert [(e.id, e.label, e.slice) for e in examples] == [
        (m.id, m.label, m.slice) for m in members
    ]
    assert record.content.examples_per_class == (3, 2, 2)
    assert (record.size_bytes, record.crc32c) == LocalStorage(tmp_path / "data").checksum(task.path)
    pixels = np.stack([decode_picture(example.image, channels=1) for example in examples])
    assert record.content.counts["sums"] == (pixels.sum(),)
    assert record.content.counts["histogram"] == tuple(
        np.bincount(pixels.ravel() // 8, minlength=32)
    )


def write_plainly(folder: Path, members: list[Member]) -> dict[str, bytes]:
    """Returns the files that the writer leaves, called without any engine."""
    write_all(folder, tasks(members), data="plain")
    plain = files(folder / "plain")
    assert len(plain) == 9
    return plain


def test_the_pool_writes_what_the_plain_function_writes(tmp_path):
    members = write_source(tmp_path / "source", 20)
    plain = write_plainly(tmp_path, members)
    events = Events("preprocess", tmp_path / "events.jsonl")
    with orders(tmp_path, tasks(members), data="pool") as placed:
        run_pool(placed, writer(tmp_path, data="pool"), events, unit="texts")
    assert files(tmp_path / "pool") == plain
    last = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert (last["done"], last["total"], last["unit"]) == (20, 20, "texts")


def test_no_collection_writes_to_what_the_pools_processes_share(tmp_path, monkeypatch):
    def write(self, order, done):
        return Effort(gc.get_freeze_count())

    monkeypatch.setattr(ShardWriter, "write", write)
    with orders(tmp_path, tasks(write_source(tmp_path / "source", 3))) as placed:
        frozen = run_pool(placed, writer(tmp_path), Events("test"), unit="pictures").members
    assert frozen > 10_000  # What is imported alone is more.
    assert gc.get_freeze_count() == 0


def test_a_beam_runner_writes_what_the_plain_function_writes(tmp_path):
    members = write_source(tmp_path / "source", 20)
    plain = write_plainly(tmp_path, members)
    with orders(tmp_path, tasks(members), data="beam") as placed:
        run_pipeline(placed, writer(tmp_path, data="beam"), IN_THREADS)
    assert files(tmp_path / "beam") == plain


def test_an_order_holds_all_that_is_known_of_members(tmp_path):
    ids = [f"{number:064x}" for number in range(4)]
    members = [
        Member(ids[0], "a/1.png", 0, ""),
        Member(ids[1], "list.csv, line 2", 1, "odd", text="a\nline \ud83d \u00e9"),
        Member(ids[2], "b.tar/1.png", 2, "", place=Span("b.tar", 512, 100)),
        Member(ids[3], "c.parquet, row 7", 2, "", place=Cell("c.parquet", "image.bytes", 1, 3)),
    ]
    task = ShardTask("shards/a/train.tfrecord", "train", tuple(members), 1, ("shards/b", "c"))
    with (
        orders(tmp_path, [task]) as (order,),
        open_order(LocalStorage(str(tmp_path / "data")), order) as opened,
    ):
        assert (opened.path, opened.split, opened.former) == (task.path, "train", task.former)
        assert list(opened.members) == members and order.members == 4


def test_an_order_that_was_changed_is_not_carried_out(tmp_path):
    members = write_source(tmp_path / "source", 3)
    with orders(tmp_path, tasks(members, 1)) as (order,):
        path = tmp_path / "data" / order.name
        path.write_bytes(path.read_bytes().replace(b'"odd"', b'"new"'))
        with pytest.raises(DamagedError, match="was changed; run again"):
            writer(tmp_path).write(order)


def test_a_beam_graph_holds_no_pictures(tmp_path):
    """Of a million pictures in 512 shards it has less than a tenth of what Dataflow takes."""
    many = [Order(f"runs/{'r' * 40}/preprocess/{n:05d}.jsonl", "f" * 64, 2000) for n in range(512)]
    pipeline = beam.Pipeline()
    build_graph(pipeline, many, writer(tmp_path))
    assert len(pipeline.to_runner_api().SerializeToString()) < 200_000


@pytest.mark.parametrize("engine", ["pool", "beam"])
def test_a_file_that_changes_meanwhile_stops_the_run(tmp_path, engine):
    members = write_source(tmp_path / "source", 6)
    (tmp_path / "source" / "3.png").write_bytes(shape_png(0, 999))
    with (
        pytest.raises(RuntimeError, match=r"3\.png: changed while the run was reading it"),
        orders(tmp_path, tasks(members)) as placed,
    ):
        if engine == "pool":
            run_pool(placed, writer(tmp_path), Events("test"), unit="pictures")
        else:
            run_pipeline(placed, writer(tmp_path), IN_THREADS)


def test_a_shard_counts_only_with_its_record_and_its_bytes(tmp_path):
    members = write_source(tmp_path / "source", 9)
    write_all(tmp_path, tasks(members))
    storage = LocalStorage(tmp_path / "data")
    paths = [task.path for task in tasks(members)]
    assert list(find_whole_shards(storage, paths)) == paths
    shard = tmp_path / "data" / paths[0]
    flipped = bytearray(shard.read_bytes())
    flipped[50] ^= 1
    shard.write_bytes(flipped)
    (tmp_path / "data" / f"{paths[1]}.json").write_text("{")
    assert list(find_whole_shards(storage, paths)) == paths[2:]
    (tmp_path / "data" / paths[2]).unlink()
    assert find_whole_shards(storage, paths) == {}


def test_only_code_that_decides_about_bytes_makes_other_shards(tmp_path):
    root = Path(shutil.copytree("components", tmp_path / "components")).parent

    def digest_with_change_in(module: str) -> str:
        path = root / "components" / module
        source = path.read_text()
        path.write_text(source + "\n_CHANGED = True\n")
        module_digests.cache_clear()
        digest = code_digest("components.preprocess.shards", root)
        path.write_text(source)
        return digest

    now = code_digest("components.preprocess.shards", root)
    image = "common/tasks/image"
    for module in (
        f"{image}/preparation/pictures.py",
        "preprocess/shards.py",
        "common/data/records.py",
    ):
        assert digest_with_change_in(module) != now
    for module in (
        f"{image}/thumbnails.py",
        f"{image}/inputs.py",
        "common/storage/storage.py",
        "common/documents/dataset.py",
        "preprocess/inventory.py",
    ):
        assert digest_with_change_in(module) == now
