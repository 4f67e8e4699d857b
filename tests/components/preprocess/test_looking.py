"""Files that did not change aren't read again; and all that may have changed are."""

import os
import threading
import time
from pathlib import Path

import pytest

from components.preprocess import known, looking
from components.preprocess.folders import list_folder
from components.preprocess.inventory import Inventory, take_inventory
from components.preprocess.looking import Memory
from tests.builders.synthetic import run_context
from tests.components.preprocess.folders import (
    files,
    forge_digests,
    preprocess,
    run_stage,
    shape_png,
    write_folder,
)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes files that were just written count as settled."""
    monkeypatch.setattr(known, "SETTLED_S", -60)


def take(folder: Path, memory: Memory, *, most: int = 1 << 20) -> Inventory:
    return take_inventory(
        list_folder(str(folder)), max_file_bytes=most, memory=memory, report=lambda *_: None
    )


def memories(work: Path) -> list[Memory]:
    """Returns what one look after the other has of the one before."""
    names = [work / f"known{number}" for number in range(3)]
    return [Memory(None, names[0]), Memory(names[0], names[1]), Memory(names[1], names[2])]


def ids(inventory: Inventory) -> dict[str, str]:
    return {example.path: example.id for example in inventory.examples}


def test_a_file_that_did_not_change_is_not_read(tmp_path, settled):
    source = write_folder(tmp_path / "source", per_class=1)
    first, second, third = memories(tmp_path)
    fresh = take(source, first)
    assert take(source, second).fingerprint == fresh.fingerprint
    assert second.left.read_bytes() == first.left.read_bytes()
    forge_digests(second.left)  # What is told of files is told by nothing but this.
    told = take(source, third)
    assert not told.examples and len({reject.reason for reject in told.rejects}) == 1


@pytest.mark.parametrize("change", ["content", "times", "another file", "link"])
def test_a_file_that_may_have_changed_is_read(tmp_path, settled, change):
    source = write_folder(tmp_path / "source", per_class=1)
    first, second, _ = memories(tmp_path)
    path, other = source / "bar" / "000.png", tmp_path / "other.png"
    before = ids(take(source, first))
    found, data = path.stat(), path.read_bytes()
    changed = bytes([*data[:-1], data[-1] ^ 1])
    if change == "content":
        path.write_bytes(changed)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))  # As some tools do.
    elif change == "times":
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    else:
        other.write_bytes(changed)
        os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
        path.unlink()
        path.symlink_to(other) if change == "link" else other.rename(path)
    forge_digests(first.left)
    after = ids(take(source, second))
    assert (after["bar/000.png"] == before["bar/000.png"]) == (change == "times")
    assert list(after) == ["bar/000.png"]  # The others are what was forged, twice the same.


def test_what_is_just_written_is_read_again(tmp_path):
    source = write_folder(tmp_path / "source", per_class=1)
    first, second, _ = memories(tmp_path)
    fresh = take(source, first)
    assert not first.left.read_bytes().startswith(b"[")
    forge_digests(first.left)
    assert ids(take(source, second)) == ids(fresh)
    long_ago = time.time() - 10
    os.utime(source / "bar" / "000.png", (long_ago, long_ago))
    take(source, second)  # Its change of times was just now.
    assert not second.left.read_bytes().startswith(b"[")


def test_what_is_damaged_is_not_believed(tmp_path, settled):
    source = write_folder(tmp_path / "source", per_class=1)
    first, second, third = memories(tmp_path)
    fresh = ids(take(source, first))
    data = first.left.read_bytes()
    digit = data.index(fresh["disc/000.png"].encode())
    first.left.write_bytes(data[:digit] + b"0" * 4 + data[digit + 4 :])
    assert ids(take(source, second)) == fresh
    second.left.write_bytes(b"[]\n")
    assert ids(take(source, third)) == fresh


def test_a_file_that_has_become_too_large_for_the_settings_is_rejected(tmp_path, settled):
    source = write_folder(tmp_path / "source", per_class=1)
    first, second, _ = memories(tmp_path)
    assert not take(source, first).rejects
    assert [reject.reason for reject in take(source, second, most=10).rejects] == ["oversized"] * 3


@pytest.mark.slow
def test_a_fresh_run_reads_all(tmp_path, settled):
    source = write_folder(tmp_path / "source")
    first = preprocess(tmp_path, folder=str(source))
    (left,) = (tmp_path / "data" / "digests").iterdir()
    whole = left.read_bytes()
    forge_digests(left)
    context = run_context(tmp_path).model_copy(update={"fresh": True})
    run_stage(context, tmp_path / "dataset", folder=str(source))
    assert preprocess(tmp_path, folder=str(source)) == first
    assert left.read_bytes() == whole
    (source / "bar" / "new.png").write_bytes(shape_png(0, 700))
    grown = preprocess(tmp_path, folder=str(source))
    assert grown == preprocess(tmp_path / "other", folder=str(source))
    assert files(tmp_path / "dataset") == files(tmp_path / "other" / "dataset")


def test_of_what_several_looks_know_the_newer_is_told_first(tmp_path):
    def write(name: str, **digits: str) -> Path:
        with known.Remembering(tmp_path / name) as remembering:
            for path, digit in digits.items():
                remembering.add(known.Known.of(path, "stamp", known.Look(digit * 64, 1, b"")))
        return tmp_path / name

    older = write("older", a="0", b="0", d="0")
    newer = [write("first", a="1", b="1"), write("damaged", c="1"), write("last", d="1", e="1")]
    newer[1].write_bytes(newer[1].read_bytes()[:-1])
    known.merge(newer, older, tmp_path / "merged")
    recalled = known.Recalled(tmp_path / "merged")
    told = {path: recalled.find(path) for path in "abcde"}
    assert {path: found and found.look.digest[0] for path, found in told.items()} == {
        "a": "1", "b": "1", "c": None, "d": "1", "e": "1",
    }  # fmt: skip


@pytest.mark.parametrize(("quick_s", "shared"), [(60.0, False), (0.0, True)])
def test_threads_share_files_that_take_long(tmp_path, monkeypatch, quick_s, shared):
    source = write_folder(tmp_path / "source", per_class=10)
    alone = take(source, memories(tmp_path)[0])
    batch, seen = looking.Looker.look_at_batch, list[tuple[str, int]]()

    def look_at_batch(self, records, known, stamps):
        seen.append((records[0].path, threading.get_ident()))
        return batch(self, records, known, stamps)

    monkeypatch.setattr(looking, "_BATCH", 4)
    monkeypatch.setattr(looking, "_QUICK_S", quick_s)
    monkeypatch.setattr(looking.Looker, "look_at_batch", look_at_batch)
    assert take(source, memories(tmp_path)[0]).fingerprint == alone.fingerprint
    first, *others = [thread for _, thread in sorted(seen)]
    assert first == threading.get_ident()  # Until they were known to take long.
    assert {thread != first for thread in others} == {shared}
