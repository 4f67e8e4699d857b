"""Shards staged from a folder and from a bucket."""

import contextlib
import random
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import google_crc32c
import pytest

from components.common.data.shards import ShardCopies, stage_shards
from components.common.documents.dataset import SPLITS, DatasetManifest, Shard
from components.common.errors import UserError
from components.common.storage import LocalStorage, Storage
from components.common.storage.cloud_storage import CloudStorage
from components.common.tasks.reading import read_examples
from tests.builders.synthetic import run_context, write_dataset

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
    """Returns the size of all files, of which some may be renamed at this moment."""
    sizes = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


def test_yields_each_shard_in_order(storage: Storage) -> None:
    shards = write_shards(storage, 7)
    contents = [path.read_bytes() for path in stage_shards(storage, shards)]
    assert contents == [random.Random(number).randbytes(SIZE) for number in range(7)]


def test_hands_out_local_shards_where_they_lie(tmp_path: Path, staging: Path) -> None:
    storage = LocalStorage(str(tmp_path / "root"))
    shards = write_shards(storage, 3)
    expected = [Path(storage.uri(shard.path)) for shard in shards]
    assert list(stage_shards(storage, shards, max_bytes=0)) == expected
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


def test_names_a_missing_shard(storage: Storage) -> None:
    shards = write_shards(storage, 3)
    storage.delete(shards[1].path)
    paths = stage_shards(storage, shards)
    next(paths)
    with pytest.raises(UserError, match=r"train-00001-of-00003: .*missing.*does not exist"):
        next(paths)


def test_refuses_a_shard_that_is_not_the_manifest_s(storage: Storage) -> None:
    shards = write_shards(storage, 2)
    storage.write(shards[1].path, b"short")
    with pytest.raises(UserError, match=r"damaged \(5 bytes.* instead of 10000 bytes"):
        list(stage_shards(storage, shards))


def test_a_copy_is_compared_byte_for_byte(cloud: CloudStorage) -> None:
    shards = write_shards(cloud, 1)
    cloud.write(shards[0].path, b"\0" * SIZE)
    with pytest.raises(UserError, match="CRC-32C"):
        list(stage_shards(cloud, shards))


def open_shards(storage: Storage, folder: Path, *, held: int) -> tuple[ShardCopies, list[str]]:
    shards = write_shards(storage, 6)
    copies = ShardCopies(storage, shards, folder, max_bytes=held * SIZE)
    return copies, [shard.path for shard in shards]


def test_copies_stay_while_in_use_and_while_there_is_room(
    cloud: CloudStorage, tmp_path: Path
) -> None:
    copies, names = open_shards(cloud, tmp_path / "copies", held=3)
    paths = [copies.take(name) for name in names[:4]]
    assert all(path.is_file() for path in paths), "those in use may exceed the bound"
    for name in names[:4]:
        copies.drop(name)
    assert [path.is_file() for path in paths] == [False, True, True, True]
    copies.take(names[4])
    assert [path.is_file() for path in paths] == [False, False, True, True]
    assert staged_bytes(tmp_path / "copies") == 3 * SIZE


def test_a_copy_in_use_twice_stays_until_it_is_dropped_twice(
    cloud: CloudStorage, tmp_path: Path
) -> None:
    copies, names = open_shards(cloud, tmp_path / "copies", held=1)
    path = copies.take(names[0])
    copies.take(names[0])
    copies.drop(names[0])
    copies.take(names[1])
    assert path.is_file()
    copies.drop(names[0])
    copies.take(names[2])
    assert not path.is_file()
    assert copies.take(names[0]).read_bytes() == random.Random(0).randbytes(SIZE)


def test_copies_are_shared_by_readers_at_once(cloud: CloudStorage, tmp_path: Path) -> None:
    copies, names = open_shards(cloud, tmp_path / "copies", held=2)

    def read(number: int) -> bytes:
        name = names[number % len(names)]
        try:
            return copies.take(name).read_bytes()
        finally:
            copies.drop(name)

    with ThreadPoolExecutor(8) as pool:
        contents = list(pool.map(read, range(60)))
    for number, content in enumerate(contents):
        assert content == random.Random(number % len(names)).randbytes(SIZE)
    assert staged_bytes(tmp_path / "copies") <= 2 * SIZE


def test_a_copy_that_could_not_be_had_says_why(cloud: CloudStorage, tmp_path: Path) -> None:
    copies, names = open_shards(cloud, tmp_path / "copies", held=2)
    cloud.delete(names[0])
    for _ in range(2):
        with pytest.raises(UserError, match="does not exist"):
            copies.take(names[0])
    assert "does not exist" in str(copies.failure)


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
