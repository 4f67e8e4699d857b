"""What a shard takes over from its former selves, and what it does not believe of them."""

import hashlib
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.storage import LocalStorage
from components.common.tasks.image.preparation.spec import PictureSpec
from components.preprocess.formers import Formers
from components.preprocess.ledger import find_whole_shards
from components.preprocess.members import Member
from components.preprocess.orders import placed_orders
from components.preprocess.shards import WrittenShard, write_shard
from components.preprocess.tasks import ShardTask
from components.preprocess.writer import ShardWriter
from tests.components.preprocess.folders import (
    files,
    last_result,
    preprocess,
    shape_png,
    write_folder,
)

SPEC = PictureSpec(8, 1, "crop", "#ffffff", "png", 95, 10_000)
PICTURES = {
    hashlib.sha256(data).hexdigest(): data
    for data in [*(shape_png(index % 3, index) for index in range(9)), b"\x89PNG\r\n\x1a\nbroken"]
}
IDS = sorted(PICTURES)
MEMBERS = st.dictionaries(
    st.sampled_from(IDS), st.tuples(st.integers(0, 2), st.sampled_from(["", "odd"]))
)
"""Id -> label and slice."""


def write(folder: Path, members: dict, former=(), *, compression="none") -> WrittenShard:
    """Writes a shard of some pictures; the names of these differ from one call to the next."""
    folder.mkdir(parents=True, exist_ok=True)
    read: list[str] = []

    def read_member(member: Member) -> bytes:
        read.append(member.id)
        return PICTURES[member.id]

    with (folder / "shard").open("wb") as shard, (folder / "index").open("wb") as index:
        written = write_shard(
            shard,
            [Member(id_, f"{folder.name}/{id_}", *members[id_]) for id_ in sorted(members)],
            index=index,
            former=[(other / "shard", other / "index") for other in former],
            read=read_member,
            classes=3,
            plan=SPEC,
            compression=compression,
            with_statistics=True,
        )
    assert len(read) == len(members) - written.taken_over
    return written


@settings(max_examples=40, deadline=None)
@given(st.lists(MEMBERS, max_size=3), MEMBERS, st.sampled_from(["none", "gzip"]))
def test_a_shard_is_the_same_whatever_it_takes_over(tmp_path_factory, before, now, compression):
    work = tmp_path_factory.mktemp("shards")
    former = [work / f"former{number}" for number in range(len(before))]
    for folder, members in zip(former, before, strict=True):
        write(folder, members, compression=compression)
    grown = write(work / "grown", now, former, compression=compression)
    fresh = write(work / "fresh", now, compression=compression)
    assert files(work / "grown") == files(work / "fresh")
    assert grown.content == fresh.content
    assert grown.taken_over == len(now.keys() & {id_ for members in before for id_ in members})
    shutil.rmtree(work)


def task(members: list[Member], digit: str, *former: str) -> ShardTask:
    path = f"shards/{digit * 32}/train-00000-of-00001.tfrecord"
    return ShardTask(path, "train", tuple(members), 100, former)


def write_task(writer: ShardWriter, task: ShardTask) -> int:
    """Makes a shard, and returns how many of its members were taken over."""
    with placed_orders(LocalStorage(writer.data_root), "orders", [task]) as (order,):
        return writer.write(order).taken_over


@pytest.fixture
def made(tmp_path) -> tuple[ShardWriter, list[Member], ShardTask]:
    """A shard of all pictures, and who wrote it."""
    (tmp_path / "source").mkdir()
    for id_, data in PICTURES.items():
        (tmp_path / "source" / id_).write_bytes(data)
    members = [Member(id_, id_, index % 3, "") for index, id_ in enumerate(IDS)]
    writer = ShardWriter(str(tmp_path / "source"), 1 << 20, str(tmp_path / "data"), 3, SPEC, "none")
    former = task(members, "a")
    write_task(writer, former)
    return writer, members, former


def test_what_is_whole_is_taken_over(made):
    writer, members, former = made
    assert write_task(writer, task(members[:4], "b", "shards/gone", former.path)) == 4


@pytest.mark.parametrize("damaged", ["", ".index", ".json"])
def test_what_is_damaged_is_made_anew(made, tmp_path, damaged):
    writer, members, former = made
    path = tmp_path / "data" / f"{former.path}{damaged}"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    again = task(members[:4], "b", former.path)
    assert write_task(writer, again) == 0
    assert again.path in find_whole_shards(LocalStorage(str(tmp_path / "data")), [again.path])


def test_a_record_of_another_picture_is_not_believed(tmp_path):
    """As where an index and its shard were swapped: their bytes are whole, their ids are not."""
    (one, other), label = [id_ for id_ in IDS if b"broken" not in PICTURES[id_]][:2], (0, "")
    write(tmp_path / "one", {one: label})
    write(tmp_path / "other", {other: label})
    shutil.copy(tmp_path / "other" / "index", tmp_path / "one" / "index")
    again = write(tmp_path / "again", {other: label}, [tmp_path / "one"])
    assert again.taken_over == 0
    write(tmp_path / "fresh", {other: label})
    assert files(tmp_path / "again") == files(tmp_path / "fresh")


def test_shards_of_half_as_many_are_former_selves():
    names = {f"train-{number:05d}-of-{count:05d}" for count in (4, 8) for number in range(count)}
    names |= {"test-00002-of-00004", "train-00000-of-00003"}
    formers = Formers(
        paths={name: ("../other", f"shards/{'a' * 32}/{name}.tfrecord") for name in sorted(names)}
    )

    def of(name: str) -> list[str]:
        return sorted(path.rpartition("/")[2].partition(".")[0] for path in formers.of(name))

    assert of("train-00010-of-00016") == [
        "train-00002-of-00004",
        "train-00002-of-00008",
    ]
    assert of("train-00001-of-00002") == [
        "train-00001-of-00004",
        "train-00001-of-00008",
        "train-00003-of-00004",
        "train-00003-of-00008",
    ]


def test_the_last_shards_of_a_name_are_kept():
    paths = [task([], digit).path for digit in "abcdef"]
    kept = Formers().with_latest(paths).with_latest([paths[2]])
    assert [path[7] for path in kept.of("train-00000-of-00001")] == ["c", "f", "e", "d"]


def change(source: Path, choose: random.Random, *, classes: tuple[str, ...]) -> None:
    """Adds, removes, renames and relabels pictures of a folder, and damages one."""
    pictures = choose.sample(sorted(source.rglob("*.png")), 7)
    for path in pictures[:2]:
        path.unlink()
    for path in pictures[2:4]:
        path.rename(path.with_name(f"{choose.random()}.png"))
    for path in pictures[4:6]:
        path.rename(source / choose.choice(classes) / f"{choose.random()}.png")
    pictures[6].write_bytes(pictures[6].read_bytes()[:60])
    (source / "new").mkdir(exist_ok=True)
    for _ in range(2):
        data = shape_png(1, choose.randrange(1 << 20))
        (source / choose.choice(["new", "disc"]) / f"{choose.random()}.png").write_bytes(data)


@pytest.mark.slow
def test_a_run_after_all_sorts_of_changes_equals_a_fresh_one(tmp_path):
    source = write_folder(tmp_path / "source", per_class=20)
    preprocess(tmp_path, folder=str(source), max_reject_share=0.5)
    choose = random.Random(3)
    for turn in range(2):
        change(source, choose, classes=("bar", "disc", "new"))
        grown = preprocess(tmp_path, folder=str(source), max_reject_share=0.5)
        counted = last_result(tmp_path).record.measurements
        assert counted["pictures"] - counted["pictures_taken_over"] <= 8
        fresh = tmp_path / f"fresh{turn}"
        assert grown == preprocess(fresh, folder=str(source), max_reject_share=0.5)
        assert last_result(fresh).record.measurements["pictures_taken_over"] == 0
        assert files(tmp_path / "dataset") == files(fresh / "dataset")
        made, whole = files(fresh / "data" / "shards"), files(tmp_path / "data" / "shards")
        assert made and made.items() <= whole.items()
