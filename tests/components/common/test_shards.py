"""Shards staged from a folder and from a bucket."""

import random
import tempfile
from pathlib import Path

import google_crc32c
import pytest

from components.common.cloud_storage import CloudStorage
from components.common.documents import SPLITS, DatasetManifest, Shard
from components.common.errors import UserError
from components.common.examples import read_examples
from components.common.shards import copy_shards, stage_shards
from components.common.storage import LocalStorage, Storage
from tests.synthetic import run_context, write_dataset

SIZE = 10_000


@pytest.fixture(autouse=True)
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder below which copies are staged."""
    folder = tmp_path / "staging"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def write_shards(storage: Storage, count: int) -> list[Shard]:
    shards = []
    for number in range(count):
        data = random.Random(number).randbytes(SIZE)
        name = f"shards/train-{number:05d}-of-{count:05d}"
        storage.write(name, data)
        shards.append(
            Shard(path=name, examples=1, size_bytes=SIZE, crc32c=google_crc32c.value(data))
        )
    return shards


def staged_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_yields_each_shard_in_order(storage: Storage) -> None:
    shards = write_shards(storage, 7)
    contents = [path.read_bytes() for path in stage_shards(storage, shards)]
    assert contents == [random.Random(number).randbytes(SIZE) for number in range(7)]


def test_hands_out_local_shards_where_they_lie(tmp_path: Path, staging: Path) -> None:
    storage = LocalStorage(str(tmp_path / "root"))
    shards = write_shards(storage, 3)
    expected = [Path(storage.uri(shard.path)) for shard in shards]
    assert list(stage_shards(storage, shards, max_bytes=0)) == expected
    assert list(copy_shards(storage, shards, tmp_path / "copies")) == expected
    assert all(path.is_file() for path in expected)


@pytest.mark.parametrize("held", [1, 3])
def test_copies_never_exceed_their_bound(cloud: CloudStorage, staging: Path, held: int) -> None:
    shards = write_shards(cloud, 8)
    most = 0
    for path in stage_shards(cloud, shards, max_bytes=held * SIZE):
        assert path.stat().st_size == SIZE
        most = max(most, staged_bytes(staging))
    assert SIZE <= most <= held * SIZE
    assert list(staging.iterdir()) == []


def test_copies_are_gone_when_the_reader_stops_early(cloud: CloudStorage, staging: Path) -> None:
    paths = stage_shards(cloud, write_shards(cloud, 5))
    assert next(paths).is_file()
    paths.close()
    assert list(staging.iterdir()) == []


def test_refuses_a_shard_greater_than_the_bound(cloud: CloudStorage) -> None:
    with pytest.raises(UserError, match=r"10,000 bytes are more than the 9,999 .*data\.shards"):
        next(stage_shards(cloud, write_shards(cloud, 1), max_bytes=SIZE - 1))


def test_names_a_missing_shard(storage: Storage, tmp_path: Path) -> None:
    shards = write_shards(storage, 3)
    storage.delete(shards[1].path)
    paths = stage_shards(storage, shards)
    next(paths)
    with pytest.raises(UserError, match=r"train-00001-of-00003: .*missing.*does not exist"):
        next(paths)
    with pytest.raises(UserError, match="train-00001-of-00003"):
        copy_shards(storage, shards, tmp_path / "copies")


def test_refuses_a_shard_that_is_not_the_manifest_s(storage: Storage, tmp_path: Path) -> None:
    shards = write_shards(storage, 2)
    storage.write(shards[1].path, b"short")
    with pytest.raises(UserError, match=r"damaged \(5 bytes.* instead of 10000 bytes"):
        list(stage_shards(storage, shards))
    with pytest.raises(UserError, match="damaged"):
        copy_shards(storage, shards, tmp_path / "copies")


def test_a_copy_is_compared_byte_for_byte(cloud: CloudStorage) -> None:
    shards = write_shards(cloud, 1)
    cloud.write(shards[0].path, b"\0" * SIZE)
    with pytest.raises(UserError, match="CRC-32C"):
        list(stage_shards(cloud, shards))


def test_refuses_more_copies_than_the_disk_has_room_for(
    cloud: CloudStorage, tmp_path: Path
) -> None:
    shard = Shard(path="shards/huge", examples=1, size_bytes=1 << 60, crc32c=0)
    with pytest.raises(UserError, match="give the stage a greater disk or more workers"):
        copy_shards(cloud, [shard], tmp_path / "copies")


def test_examples_are_read_alike_from_folder_and_bucket(
    cloud: CloudStorage, tmp_path: Path
) -> None:
    context = run_context(tmp_path)
    manifest = write_dataset(context, tmp_path / "dataset", shards=3)
    local = context.data()
    cloud.upload(Path(context.data_root, "shards"), "shards")
    for split in SPLITS:
        examples = list(read_examples(manifest, split, local))
        assert list(read_examples(manifest, split, cloud)) == examples
        assert len(examples) == manifest.splits[split].examples


@pytest.mark.parametrize("where", ["local", "cloud"])
def test_a_flipped_byte_in_a_shard_is_told(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    context = run_context(tmp_path)
    manifest = write_dataset(context, tmp_path / "dataset")
    storage: Storage = context.data()
    if where == "cloud":
        storage = request.getfixturevalue("cloud")
        storage.upload(Path(context.data_root, "shards"), "shards")
    name = manifest.splits["test"].shards[1].path
    data = bytearray(storage.read(name))
    data[len(data) // 2] ^= 1
    storage.write(name, bytes(data))
    with pytest.raises(UserError, match=r"test-00001-of-00002.* is missing or damaged"):
        list(read_examples(manifest, "test", storage))


def test_manifests_name_shards_below_the_root(tmp_path: Path) -> None:
    context = run_context(tmp_path)
    manifest = write_dataset(context, tmp_path / "dataset")
    outside = manifest.splits["test"].shards[0].model_copy(update={"path": "../../etc/passwd"})
    split = manifest.splits["test"].model_copy(update={"shards": (outside,)})
    hostile: DatasetManifest = manifest.model_copy(
        update={"splits": {**manifest.splits, "test": split}}
    )
    with pytest.raises(ValueError, match="no name of an object"):
        next(read_examples(hostile, "test", context.data()))
