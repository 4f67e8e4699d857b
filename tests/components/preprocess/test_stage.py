"""The stage as a whole: what it writes, what it keeps, what it does again."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.data.membership import Membership
from components.common.documents.dataset import DatasetManifest
from components.common.shell.inputs import input_digest
from components.common.storage import LocalStorage
from components.common.tasks.reading import read_examples
from tests.benchmarks import kills
from tests.builders.synthetic import run_context
from tests.components.preprocess.folders import (
    files,
    last_result,
    preprocess,
    run_stage,
    shape_png,
    write_folder,
)
from tests.components.preprocess.runners import IN_THREADS


def shard_times(work: Path) -> dict[str, int]:
    """Returns when each shard was written, by path."""
    shards = (work / "data" / "shards").rglob("*.tfrecord")
    return {path.relative_to(work / "data").as_posix(): path.stat().st_mtime_ns for path in shards}


def splits_of(work: Path, manifest: DatasetManifest) -> dict[str, str]:
    storage = LocalStorage(str(work / "data"))
    return {
        example.id: split
        for split in manifest.splits
        for example in read_examples(manifest, split, storage)
    }


def shard_paths(manifest: DatasetManifest) -> Iterator[str]:
    return (shard.path for split in manifest.splits.values() for shard in split.shards)


@pytest.mark.slow
def test_the_digits_become_shards(tmp_path):
    manifest = preprocess(tmp_path, sample="digits")
    assert manifest.class_names == tuple("0123456789")
    assert manifest.records == 1797 and manifest.rejects == {}
    counts = {split: found.examples for split, found in manifest.splits.items()}
    assert counts == {"train": 1222, "validation": 312, "test": 263}
    assert len(splits_of(tmp_path, manifest)) == 1797
    preprocess(tmp_path, sample="digits")
    assert last_result(tmp_path).status == "cached"


def test_an_incremental_manifest_equals_a_fresh_one(tmp_path):
    source = write_folder(tmp_path / "source")
    before = preprocess(tmp_path, folder=str(source))
    times = shard_times(tmp_path)
    (source / "bar" / "new.png").write_bytes(shape_png(0, 700))
    grown = preprocess(tmp_path, folder=str(source))
    assert last_result(tmp_path).record.measurements["shards_written"] == 1
    assert len(set(shard_paths(grown)) - set(shard_paths(before))) == 1
    later = shard_times(tmp_path)
    assert {path: later[path] for path in times} == times
    fresh = preprocess(tmp_path / "fresh", folder=str(source))
    assert grown == fresh
    assert files(tmp_path / "dataset") == files(tmp_path / "fresh" / "dataset")
    for path in shard_paths(grown):
        elsewhere = tmp_path / "fresh" / "data" / path
        assert (tmp_path / "data" / path).read_bytes() == elsewhere.read_bytes()


def test_removing_what_was_added_brings_the_first_answer_back(tmp_path):
    source = write_folder(tmp_path / "source")
    before = preprocess(tmp_path, folder=str(source))
    (source / "bar" / "new.png").write_bytes(shape_png(0, 700))
    preprocess(tmp_path, folder=str(source))
    (source / "bar" / "new.png").unlink()
    assert preprocess(tmp_path, folder=str(source)) == before
    assert last_result(tmp_path).status == "cached"


def test_litter_changes_what_is_told_and_no_example(tmp_path):
    source = write_folder(tmp_path / "source")
    before = preprocess(tmp_path, folder=str(source))
    (source / "bar" / "Thumbs.db").touch()
    after = preprocess(tmp_path, folder=str(source))
    assert last_result(tmp_path).record.measurements["shards_written"] == 0
    assert (before.passed_over, after.passed_over) == ({}, {"Thumbs.db": 1})
    assert after.identity() == before.identity()


def test_splits_that_folders_state_are_kept_and_the_one_they_lack_is_carved(tmp_path, capfd):
    source = tmp_path / "source"
    write_folder(source / "train", per_class=20)
    for label, name in enumerate(("bar", "disc")):
        (source / "test" / name).mkdir(parents=True)
        (source / "test" / name / "1.png").write_bytes(shape_png(2 * label, 900))
    manifest = preprocess(tmp_path, folder=str(source))
    assert manifest.class_names == ("bar", "cross", "disc")
    assert manifest.splits["test"].examples_per_class == (1, 0, 1)
    assert all(manifest.splits["validation"].examples_per_class)
    told = capfd.readouterr().out
    assert "the folders state splits, and their sub-folders classes: test (test)" in told
    assert "no record states validation: it is taken out of the training records" in told


def test_where_the_data_lies_changes_nothing(tmp_path):
    source = write_folder(tmp_path / "source")
    first = preprocess(tmp_path, folder=str(source))
    shutil.move(source, tmp_path / "moved")
    assert preprocess(tmp_path, folder=str(tmp_path / "moved")) == first
    assert last_result(tmp_path).status == "cached"


@pytest.mark.parametrize("change", ["a new name", "litter", "max_reject_share"])
def test_what_leaves_the_examples_alone_makes_no_other_input(tmp_path, change):
    source = write_folder(tmp_path / "source")
    first = preprocess(tmp_path, folder=str(source))
    before, times = input_digest(tmp_path / "dataset"), shard_times(tmp_path)
    values = {}
    if change == "a new name":
        (source / "disc" / "003.png").rename(source / "disc" / "renamed.png")
    elif change == "litter":
        (source / "disc" / "Thumbs.db").write_bytes(b"thumbnails")
    else:
        values["max_reject_share"] = 0.06
    changed = preprocess(tmp_path, folder=str(source), **values)
    assert last_result(tmp_path).status == "computed"
    assert changed.identity() == first.identity()
    assert input_digest(tmp_path / "dataset") == before
    assert shard_times(tmp_path) == times


def test_a_fresh_run_writes_every_shard_anew(tmp_path):
    source = write_folder(tmp_path / "source")
    first = preprocess(tmp_path, folder=str(source))
    times = shard_times(tmp_path)
    context = run_context(tmp_path).model_copy(update={"fresh": True})
    run_stage(context, tmp_path / "fresh", folder=str(source))
    assert DatasetManifest.read(tmp_path / "fresh") == first
    later = shard_times(tmp_path)
    assert all(later[name] != time for name, time in times.items())


def test_one_changed_picture_or_value_makes_another_data_set(tmp_path):
    source = write_folder(tmp_path / "source")
    first = preprocess(tmp_path, folder=str(source))
    other = preprocess(tmp_path, folder=str(source), image_size=12)
    assert not set(shard_paths(first)) & set(shard_paths(other))
    (source / "disc" / "003.png").write_bytes(shape_png(2, 800))
    changed = preprocess(tmp_path, folder=str(source))
    assert changed.source_fingerprint != first.source_fingerprint
    assert last_result(tmp_path).status == "computed"


def test_a_flipped_byte_is_found_and_that_shard_alone_written_again(tmp_path):
    source = write_folder(tmp_path / "source")
    manifest = preprocess(tmp_path, folder=str(source))
    path = manifest.splits["train"].shards[1].path
    shard = tmp_path / "data" / path
    whole = shard.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    shard.write_bytes(flipped)
    times = shard_times(tmp_path)
    assert preprocess(tmp_path, folder=str(source)) == manifest
    assert last_result(tmp_path).status == "computed"
    assert shard.read_bytes() == whole
    written = [name for name, time in shard_times(tmp_path).items() if times[name] != time]
    assert written == [path]


def test_the_number_of_workers_does_not_show(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "source")
    outcomes = []
    for cores in (1, 3):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: set(range(n)))
        preprocess(tmp_path / str(cores), folder=str(source), compression="gzip")
        outcomes.append(
            {
                name: data
                for name, data in files(tmp_path / str(cores)).items()
                if name.startswith(("dataset/", "data/shards/"))
            }
        )
    assert outcomes[0] == outcomes[1]


def test_who_makes_the_shards_does_not_show(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "source")
    context = run_context(tmp_path / "beam").model_copy(update={"beam_options": IN_THREADS})
    run_stage(context, tmp_path / "beam" / "dataset", folder=str(source))
    # Where no runner is named, Beam is not even imported.
    monkeypatch.delitem(sys.modules, "components.preprocess.transforms")
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    preprocess(tmp_path / "pool", folder=str(source))
    for made in ("dataset", "data/shards"):
        assert files(tmp_path / "pool" / made) == files(tmp_path / "beam" / made)


@pytest.mark.slow
def test_prism_makes_the_same_data_set_and_takes_over_the_same(tmp_path, prism):
    source = write_folder(tmp_path / "source")
    (tmp_path / "beam").mkdir()
    for new in range(2):
        (source / "bar" / f"new{new}.png").write_bytes(shape_png(0, 700 + new))
        # In a process of its own, as every stage is: a pool's forks may not outlive gRPC's threads.
        assert kills.begin(tmp_path / "beam", source, prism).wait() == 0
        preprocess(tmp_path / "pool", folder=str(source), **kills.VALUES)
        for made in ("dataset", "data/shards", "data/former"):
            assert files(tmp_path / "pool" / made) == files(tmp_path / "beam" / made)
    counted = [last_result(tmp_path / way).record.measurements for way in ("beam", "pool")]
    names = ("pictures", "pictures_taken_over", "shards_written", "shards_kept")
    assert [[each[name] for name in names] for each in counted][0] == [
        counted[1][name] for name in names
    ]
    assert counted[0]["pictures_taken_over"] > 0


def test_groups_slices_and_stated_splits_of_a_list_are_kept(tmp_path):
    source = write_folder(tmp_path / "source")
    rows = ["path,label,split,group,slice"]
    for index in range(8):
        rows.append(f"bar/{index:03d}.png,bar,test,,dark")
        rows.append(f"disc/{index:03d}.png,disc,,all,")
        rows.append(f"cross/{index:03d}.png,cross,train,,light")
    (source / "list.csv").write_text("\n".join(rows))
    manifest = preprocess(tmp_path, list=str(source / "list.csv"))
    storage = LocalStorage(str(tmp_path / "data"))
    found = {
        (manifest.class_names[example.label], split, example.slice)
        for split in manifest.splits
        for example in read_examples(manifest, split, storage)
    }
    stated = {("bar", "test", "dark"), ("cross", "train", "light")}
    assert stated < found and len(found) == 3
    assert manifest.slices == ("dark", "light")
    expected = Membership.of(
        (
            example.id,
            "all" if manifest.class_names[example.label] == "disc" else "",
            split,
        )
        for split in manifest.splits
        for example in read_examples(manifest, split, storage)
    )
    membership = Membership.read(tmp_path / "dataset")
    assert membership.ids.tolist() == expected.ids.tolist()
    assert membership.groups.tolist() == expected.groups.tolist()
    assert membership.splits.tolist() == expected.splits.tolist()


def test_a_source_without_a_training_example_is_refused(tmp_path):
    source = write_folder(tmp_path / "source", per_class=1)
    rows = "".join(f"{name}/000.png,{name},test\n" for name in ("bar", "disc"))
    (source / "list.csv").write_text("path,label,split\n" + rows)
    with pytest.raises(SystemExit):
        preprocess(tmp_path, list=str(source / "list.csv"))
    assert "no example is left for the training split" in last_result(tmp_path).message


def test_an_answer_from_the_store_waits_for_neither_numpy_nor_pillow():
    loaded = "import sys, components.preprocess.stage; print({'numpy', 'PIL'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
