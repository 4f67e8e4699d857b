"""The same data set from and to a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.documents.dataset import DatasetManifest
from components.common.documents.record import TaskResult
from components.common.errors import DamagedError, UserError
from components.common.run_context import RunContext
from components.common.storage import open_storage
from components.common.tasks.reading import read_examples
from components.preprocess import shared_looks, transforms
from components.preprocess.config import PreprocessConfig
from components.preprocess.inspection import look_at
from components.preprocess.inventory import take_inventory
from components.preprocess.layouts import list_folder_as_told
from components.preprocess.lists import list_file
from components.preprocess.looking import Looker, Memory
from components.preprocess.shared_looks import Part, PartLooker
from components.preprocess.sources import Listing, Sieve, SourceRecord
from components.preprocess.trees import tree_of_objects
from tests.components.preprocess.folders import (
    forge_digests,
    preprocess,
    run_stage,
    shape_png,
    write_folder,
)
from tests.components.preprocess.layouts.examples import seen, write_plain
from tests.components.preprocess.layouts.test_parquet import write_hub
from tests.components.preprocess.layouts.test_tfrecords import write_tfds
from tests.components.preprocess.layouts.test_webdataset import write_shards
from tests.components.preprocess.runners import IN_THREADS
from tests.fakes.fake_gcs import create_bucket, serve


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with serve():
        yield create_bucket("pictures")


def cloud_context(bucket: str) -> RunContext:
    return RunContext(
        run_id="test",
        recipe_name="synthetic",
        data_root=f"{bucket}/data",
        registry=f"{bucket}/registry",
    )


@pytest.mark.slow
def test_a_bucket_s_folder_is_the_same_source_and_gives_the_same_shards(tmp_path, bucket):
    source = write_folder(tmp_path / "source")
    (source / ".hidden").write_text("no picture")
    local = preprocess(tmp_path, folder=str(source))
    open_storage(bucket).upload(source, "source")
    context, output = cloud_context(bucket), tmp_path / "cloud"
    run_stage(context, output, folder=f"{bucket}/source")
    assert DatasetManifest.read(output) == local
    storage = context.data()
    for split, found in local.splits.items():
        assert len(list(read_examples(local, split, storage))) == found.examples
    result = context.data().read("runs/test/tasks/preprocess.json")
    run_stage(context, output, folder=f"{bucket}/source")
    assert b'"computed"' in result
    assert b'"cached"' in context.data().read("runs/test/tasks/preprocess.json")
    open_storage(bucket).write("source/bar/new.png", shape_png(0, 700))
    run_stage(context, output, folder=f"{bucket}/source")
    result = TaskResult.parse(context.data().read("runs/test/tasks/preprocess.json"))
    counted = result.record.measurements
    assert counted["pictures"] - counted["pictures_taken_over"] == 1 < counted["pictures"]


def test_objects_that_can_t_be_asked_for_stop_nothing(bucket):
    names = ("/0.png", "a//1.png", "a/2.png", "b/3.png", "b/@eaDir/3.png/t.jpg", ".x//4.png")
    sieve = Sieve()
    tree = tree_of_objects(names, sieve)
    assert (tree.files, tree.misnamed) == (["a/2.png", "b/3.png"], ["/0.png", "a//1.png"])
    assert tree.folders == {"a", "b"} and sieve.counts == {"@eaDir": 1, "hidden": 1}
    record = SourceRecord("a//1.png", "a", misnamed=True)
    listing = Listing(bucket, (record,), ("a", "b"), {})
    inventory = take_inventory(listing, max_file_bytes=1000, report=lambda done, total: None)
    assert [reject.reason for reject in inventory.rejects] == ["misnamed"]


def test_an_object_of_the_same_generation_is_not_read_again(tmp_path, bucket):
    storage = open_storage(f"{bucket}/known")
    names = ["a/1.png", "a/2.png", "b/3.png"]
    for index, name in enumerate(names):
        storage.write(name, shape_png(index % 2, index))
    left = [tmp_path / "first", tmp_path / "second"]

    def take(recalled: Path | None, file: Path) -> dict[str, str]:
        listing = list_folder_as_told(f"{bucket}/known")
        memory = Memory(recalled, file)
        found = take_inventory(
            listing, max_file_bytes=10_000, memory=memory, report=lambda done, total: None
        )
        return {example.path: example.id for example in found.examples}

    fresh = take(None, left[0])
    forge_digests(left[0])
    storage.write("a/2.png", shape_png(1, 1))  # The same bytes, another generation.
    told = take(*left)
    assert fresh["a/2.png"] == told["a/2.png"]
    assert len(fresh) == 3 and len(told) == 1  # Of the others it is told that they are the same.


@pytest.mark.slow
def test_a_runner_s_workers_share_the_looks_at_many_objects(tmp_path, bucket, monkeypatch):
    local = preprocess(tmp_path, folder=str(write_folder(tmp_path / "source")))
    storage, prefix = open_storage(bucket), "shared"
    storage.upload(tmp_path / "source", prefix)
    read, parts = [], []
    read_record, run_looks = Looker._read, transforms.run_looks
    monkeypatch.setattr(
        Looker, "_read", lambda self, record: read.append(record.path) or read_record(self, record)
    )
    monkeypatch.setattr(
        transforms, "run_looks", lambda *given: parts.append(len(given[0])) or run_looks(*given)
    )
    monkeypatch.setattr(shared_looks, "PART_RECORDS", 4)
    context = cloud_context(bucket).model_copy(
        update={"beam_options": IN_THREADS, "data_root": f"{bucket}/shared-data"}
    )
    output = tmp_path / "cloud"
    run_stage(context, output, folder=f"{bucket}/{prefix}")
    assert DatasetManifest.read(output) == local
    assert (len(read), len(set(read)), parts) == (24, 24, [6])
    assert not list(context.data().list("runs/test/orders"))
    storage.write(f"{prefix}/bar/new.png", shape_png(0, 700))
    read.clear()
    run_stage(context, output, folder=f"{bucket}/{prefix}")
    assert (read, parts) == (["bar/new.png"], [6])


def test_a_part_that_was_changed_is_not_looked_at(tmp_path):
    storage = open_storage(str(tmp_path))
    storage.write("part", b'[["a/1.png", null, "12-34"]]')
    looker = PartLooker(str(tmp_path), 1000, "image", str(tmp_path))
    with pytest.raises(DamagedError, match="part: was changed; run again"):
        looker.look(Part("part", "0" * 64))


def test_objects_that_are_too_large_are_rejected(bucket):
    storage = open_storage(f"{bucket}/large")
    storage.write("a/1.png", bytes(1001))
    storage.write("a/2.png", bytes(1000))
    records = (SourceRecord("a/1.png", "a"), SourceRecord("a/2.png", "a"))
    listing = Listing(f"{bucket}/large", records, ("a", "b"), {})
    inventory = take_inventory(listing, max_file_bytes=1000, report=lambda done, total: None)
    assert [(r.path, r.reason, r.detail) for r in inventory.rejects] == [
        ("a/1.png", "oversized", "has more bytes, where 1000 are the most that are read"),
        ("a/2.png", "not_an_image", "its first bytes are no picture's"),
    ]


def test_containers_in_a_bucket_are_read_in_part(tmp_path, bucket):
    plain = seen(list_folder_as_told(write_plain(tmp_path / "plain")))
    for name, write in (("shards", write_shards), ("hub", write_hub), ("tfds", write_tfds)):
        open_storage(bucket).upload(Path(write(tmp_path / name)), name)
        assert seen(list_folder_as_told(f"{bucket}/{name}")) == plain
    look = look_at(PreprocessConfig(folder=f"{bucket}/hub"))
    assert (look.inspection.examples, look.inspection.looked_at) == (24, 24)


def test_a_list_in_a_bucket_names_what_lies_beside_it(bucket):
    storage = open_storage(bucket)
    text = f"path,label\n./a/1.png,a\n{bucket}/list/b/2.png,b\n"
    storage.write("list/list.csv", text.encode())
    listing = list_file(f"{bucket}/list/list.csv")
    assert [record.path for record in listing.records] == ["a/1.png", "b/2.png"]
    for outside in ("../c.png", "gs://other/c.png", "/c.png", ".", "a/../../c.png"):
        storage.write("list/list.csv", f"path,label\n{outside},a\n".encode())
        with pytest.raises(UserError, match=r"line 2: .* does not lie below gs://pictures"):
            list_file(f"{bucket}/list/list.csv")
    with pytest.raises(UserError, match="there is no such file"):
        list_file(f"{bucket}/list/gone.csv")
