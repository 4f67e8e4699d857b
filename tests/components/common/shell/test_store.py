"""The content-addressed store, on a folder and on a bucket."""

import shutil
from pathlib import Path

import pytest

from components.common.digests import tree_digest
from components.common.documents.record import Record
from components.common.shell.store import Store
from components.common.storage import ABSENT, Storage

KEY = "k" * 64
RECORD = f"store/prune/{KEY}/record.json"


def record_of(output: Path, **changes: object) -> Record:
    values = {
        "stage": "prune",
        "key": KEY,
        "config": {},
        "identity": {},
        "inputs": {},
        "code": "",
        "image": "",
        "libraries": {},
        "output_digest": tree_digest(output),
        "started": "2025-01-01T00:00:00+00:00",
        "seconds": 1.0,
        "peak_memory_bytes": 1,
        "measurements": {},
    }
    return Record.model_validate(values | changes)


def write_output(path: Path, text: str = "weights") -> Path:
    (path / "deep").mkdir(parents=True)
    (path / "bundle.json").write_text("{}")
    (path / "deep/model.keras").write_text(text)
    return path


def whole(_: Path) -> bool:
    return True


def broken(_: Path) -> bool:
    return False


def file_name(record: Record, name: str) -> str:
    return f"store/prune/{KEY}/{record.output_digest}/{name}"


def test_gives_back_what_was_put(storage: Storage, tmp_path: Path) -> None:
    output = write_output(tmp_path / "output")
    record = record_of(output)
    store = Store(storage)
    assert store.find("prune", KEY, tmp_path / "found", whole) is None
    assert store.put(record, output, whole) == record
    assert store.find("prune", KEY, tmp_path / "found", whole) == record
    assert tree_digest(tmp_path / "found") == record.output_digest
    assert store.find("prune", "other", tmp_path / "found", whole) is None
    assert not (tmp_path / "found").exists()


def test_keeps_an_output_without_files(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    record = record_of(tmp_path / "output")
    Store(storage).put(record, tmp_path / "output", whole)
    assert Store(storage).find("prune", KEY, tmp_path / "found", whole) == record


def test_the_first_writer_wins_and_the_loser_adopts(storage: Storage, tmp_path: Path) -> None:
    first = write_output(tmp_path / "first", "one")
    second = write_output(tmp_path / "second", "two")
    winner = record_of(first)
    Store(storage).put(winner, first, whole)
    assert Store(storage).put(record_of(second), second, whole) == winner
    assert (second / "deep/model.keras").read_text() == "one"


def flip_a_byte(storage: Storage, record: Record) -> None:
    storage.write(file_name(record, "deep/model.keras"), b"weightr")


def lose_a_file(storage: Storage, record: Record) -> None:
    storage.delete(file_name(record, "bundle.json"))


def lose_all_files(storage: Storage, record: Record) -> None:
    storage.delete(f"store/prune/{KEY}/{record.output_digest}")


def add_a_file(storage: Storage, record: Record) -> None:
    storage.write(file_name(record, "deep/stray"), b"")


def cut_the_record(storage: Storage, record: Record) -> None:
    storage.write(RECORD, storage.read(RECORD)[:100])


def empty_the_record(storage: Storage, record: Record) -> None:
    storage.write(RECORD, b"")


def swap_the_record(storage: Storage, record: Record) -> None:
    storage.write(RECORD, record.model_copy(update={"key": "other"}).to_json().encode())


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte, lose_a_file, lose_all_files, add_a_file,
        cut_the_record, empty_the_record, swap_the_record,
    ],
)  # fmt: skip
def test_a_damaged_entry_is_a_miss_and_is_repaired(
    storage: Storage, tmp_path: Path, damage: object
) -> None:
    output = write_output(tmp_path / "output")
    record = record_of(output)
    store = Store(storage)
    store.put(record, output, whole)
    damage(storage, record)
    assert store.find("prune", KEY, tmp_path / "found", whole) is None
    repaired = record_of(output, seconds=2.0)
    assert store.put(repaired, output, whole) == repaired
    assert store.find("prune", KEY, tmp_path / "found", whole) == repaired
    assert tree_digest(tmp_path / "found") == record.output_digest


def test_what_is_not_whole_does_not_stand(storage: Storage, tmp_path: Path) -> None:
    output = write_output(tmp_path / "output")
    store = Store(storage)
    store.put(record_of(output), output, whole)
    assert store.find("prune", KEY, tmp_path / "found", broken) is None
    again = record_of(output, seconds=2.0)
    assert store.put(again, output, broken) == again


def test_files_without_a_record_are_no_entry(storage: Storage, tmp_path: Path) -> None:
    output = write_output(tmp_path / "output")
    record = record_of(output)
    shutil.copytree(output, tmp_path / "partial")
    (tmp_path / "partial/bundle.json").unlink()
    storage.upload(tmp_path / "partial", file_name(record, "")[:-1])
    assert Store(storage).find("prune", KEY, tmp_path / "found", whole) is None
    assert storage.read_with_generation(RECORD)[1] == ABSENT
    Store(storage).put(record, output, whole)
    assert Store(storage).find("prune", KEY, tmp_path / "found", whole) == record
