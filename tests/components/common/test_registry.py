import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.common.errors import DamagedError, UserError
from components.common.registry import MODEL_FILE, LostRaceError, Registry, model_names
from components.common.storage import ABSENT, LocalStorage, Storage
from tests.builders.releases import make_release, publish_and_bless

DOCUMENTS = (MODEL_FILE, "release.json", "run.txt")


@pytest.fixture
def registry(storage: Storage) -> Registry:
    """Returns an empty registry, in a folder and in a bucket."""
    return Registry(storage, "shapes")


@pytest.fixture
def folder(tmp_path: Path) -> Registry:
    """Returns an empty registry in a folder that child processes can open."""
    return Registry(LocalStorage(str(tmp_path)), "shapes")


def test_an_empty_registry_has_nothing(registry):
    assert registry.blessed() == (None, ABSENT)
    assert registry.releases() == ()
    with pytest.raises(UserError, match="no such version.*none yet"):
        registry.release("0" * 12)
    with pytest.raises(UserError, match="nothing is blessed yet"):
        registry.roll_back()


def test_a_published_version_is_whole_and_the_pointer_names_it(registry, storage):
    release = publish_and_bless(registry, b"model one")
    pointer, generation = registry.blessed()
    assert generation != ABSENT
    assert (pointer.version, pointer.counter, pointer.history) == (release.version, 1, ())
    assert registry.releases() == (release,)
    assert registry.read_model(release.version) == b"model one"
    prefix = f"shapes/versions/{release.version}/"
    names = [blob.name.removeprefix(prefix) for blob in storage.list(prefix)]
    assert names == sorted(DOCUMENTS)
    assert model_names(storage) == ("shapes",)


def test_a_version_is_named_by_all_that_it_holds(registry):
    first = publish_and_bless(registry, b"model", run_id="first")
    again = registry.publish(
        make_release(b"model", run_id="first"), b"model", {"run.txt": b"first"}
    )
    assert again == first and again.version == first.version
    others = [
        registry.publish(make_release(b"model", run_id="second"), b"model", {"run.txt": b"first"}),
        registry.publish(make_release(b"model", run_id="first"), b"model", {"run.txt": b"other"}),
    ]
    assert len({first.version, *(other.version for other in others)}) == 3
    assert registry.read(first.version, "run.txt") == b"first"


def test_a_version_can_be_named_by_how_it_begins(registry):
    versions = [publish_and_bless(registry, data).version for data in (b"1", b"2")]
    assert registry.release(versions[0][:12]).version == versions[0]
    with pytest.raises(UserError, match="no such version"):
        registry.release("")
    many = [registry.publish(make_release(bytes([n])), bytes([n]), {}).version for n in range(40)]
    begins = next(v[0] for v in many if sum(other[0] == v[0] for other in many) > 1)
    with pytest.raises(UserError, match="several such versions"):
        registry.release(begins)


def versions_folder(release) -> str:
    return f"shapes/versions/{release.version}"


FOREIGN = {
    "another model": (MODEL_FILE, b"evil!"),
    "a larger model": (MODEL_FILE, b"evil" * 100),
    "an empty model": (MODEL_FILE, b""),
    "another document": ("run.txt", b"fun"),
    "another release": ("release.json", b"{}"),
    "an archive": ("documents.zip", b"PK"),
    "a stranger's file": ("model.keras", b"code"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_lies_in_the_way_is_replaced_or_passed_over(registry, storage, name):
    release = make_release(b"model")
    files = {"run.txt": b"run"}
    whole = registry.publish(release, b"model", files)
    storage.delete(versions_folder(whole))
    file_name, data = FOREIGN[name]
    storage.write(f"{versions_folder(whole)}/{file_name}", data)
    assert registry.releases() == ()
    again = registry.publish(release, b"model", files)
    assert again == whole == registry.release(whole.version)
    assert registry.read_model(whole.version) == b"model"
    assert registry.read(whole.version, "run.txt") == b"run"
    with pytest.raises(FileNotFoundError):
        registry.read(whole.version, "documents.zip")


@pytest.mark.parametrize("file_name", [MODEL_FILE, "run.txt", "release.json"])
def test_what_is_changed_afterwards_is_not_believed(registry, storage, file_name, capsys):
    victim = publish_and_bless(registry, b"model one")
    stranger = registry.publish(make_release(b"evil"), b"evil", {"run.txt": b"evil"})
    stolen = storage.read(f"{versions_folder(stranger)}/{file_name}")
    storage.write(f"{versions_folder(victim)}/{file_name}", stolen)
    with pytest.raises(DamagedError, match=file_name):
        registry.read_model(victim.version)
        registry.read(victim.version, file_name)
    if file_name == "release.json":
        assert registry.releases() == (stranger,)
        assert f"passed over: {registry.uri(victim.version, file_name)}" in capsys.readouterr().err
    registry.bless(stranger, run_id="later", generation=registry.blessed()[1])
    if file_name != "run.txt":
        with pytest.raises(DamagedError):
            registry.roll_back()


def test_an_enormous_file_in_a_version_is_not_read(tmp_path):
    registry = Registry(LocalStorage(str(tmp_path)), "shapes")
    release = publish_and_bless(registry, b"model")
    with (tmp_path / versions_folder(release) / MODEL_FILE).open("ab") as file:
        file.truncate(20 << 30)
    with pytest.raises(DamagedError, match="missing or damaged"):
        registry.read_model(release.version)
    registry.publish(release, b"model", {"run.txt": b"run"})
    assert registry.read_model(release.version) == b"model"


def test_a_model_that_is_not_the_described_one_is_refused(registry):
    with pytest.raises(ValueError, match="not the one"):
        registry.publish(make_release(b"model"), b"another", {})


def test_publishing_again_repairs_a_damaged_file(registry, storage):
    release = publish_and_bless(registry, b"model")
    storage.write(f"shapes/versions/{release.version}/{MODEL_FILE}", b"mod3l")
    with pytest.raises(UserError, match="damaged"):
        registry.read_model(release.version)
    registry.publish(release, b"model", {"run.txt": b"run"})
    assert registry.read_model(release.version) == b"model"


def test_a_pointer_that_moved_since_is_not_moved(registry):
    publish_and_bless(registry, b"one")
    _, generation = registry.blessed()
    second = publish_and_bless(registry, b"two")
    late = registry.publish(make_release(b"three"), b"three", {})
    with pytest.raises(LostRaceError):
        registry.bless(late, run_id="late", generation=generation)
    with pytest.raises(LostRaceError):
        registry.bless(late, run_id="late", generation=ABSENT)
    assert registry.blessed()[0].version == second.version


def test_rolling_back_goes_further_back_each_time(registry):
    versions = [publish_and_bless(registry, data).version for data in (b"1", b"2", b"3")]
    assert registry.roll_back().version == versions[1]
    pointer = registry.roll_back()
    assert (pointer.version, pointer.counter, pointer.run_id) == (versions[0], 5, "")
    with pytest.raises(UserError, match="first version"):
        registry.roll_back()


def test_rolling_back_to_a_version_can_itself_be_undone(registry):
    versions = [publish_and_bless(registry, data).version for data in (b"1", b"2", b"3")]
    assert registry.roll_back(versions[0]).version == versions[0]
    assert registry.roll_back().version == versions[2]


def test_only_going_back_withdraws_the_model_that_is_left(registry):
    old, new = (publish_and_bless(registry, data) for data in (b"1", b"2"))
    assert registry.roll_back().withdrawn == {new.model.sha256: new.version}
    forward = registry.roll_back(new.version)
    assert (forward.version, forward.withdrawn) == (new.version, {})
    assert registry.roll_back(old.version).withdrawn == {new.model.sha256: new.version}


@pytest.mark.parametrize("version", ["0" * 12, "..", "../../secret", ""])
def test_rolling_back_to_an_unknown_version_is_refused(registry, version):
    release = publish_and_bless(registry, b"1")
    with pytest.raises(UserError, match="no such version"):
        registry.roll_back(version)
    assert registry.blessed()[0].version == release.version


def test_rolling_back_to_a_damaged_or_the_blessed_version_is_refused(registry, storage):
    versions = [publish_and_bless(registry, data).version for data in (b"1", b"2")]
    storage.delete(f"shapes/versions/{versions[0]}/{MODEL_FILE}")
    with pytest.raises(UserError, match="missing or damaged"):
        registry.roll_back()
    with pytest.raises(UserError, match="blessed version of shapes already"):
        registry.roll_back(versions[1])


class DyingStorage(LocalStorage):
    """Ends its process, as a kill would, in the place of one of its writes."""

    def __init__(self, root: str, *, dies_at: int) -> None:
        super().__init__(root)
        self.writes = 0
        self.dies_at = dies_at

    def write(self, name: str, data: bytes, *, if_generation: int | None = None) -> int:
        self.writes += 1
        if self.writes == self.dies_at:
            os._exit(9)
        return super().write(name, data, if_generation=if_generation)


def publish_in_child(root: str, data: bytes, *, dies_at: int, run_id: str) -> bool:
    """Publishes in a process that dies at its n-th write; returns whether it lived on."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            storage = DyingStorage(root, dies_at=dies_at)
            publish_and_bless(Registry(storage, "shapes"), data, run_id=run_id)
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 0


def test_a_publisher_killed_at_any_write_leaves_the_old_model_blessed(folder, tmp_path):
    old = publish_and_bless(folder, b"old", run_id="old")
    pointer = folder.blessed()
    deaths = 0
    while not publish_in_child(
        str(tmp_path), f"new {deaths}".encode(), dies_at=deaths + 1, run_id="killed"
    ):
        deaths += 1
        assert folder.blessed() == pointer
        assert folder.read_model(old.version) == b"old"
        for release in folder.releases():
            folder.read_model(release.version)
            assert folder.read(release.version, "run.txt")
    # The document, the model, release.json and the pointer.
    assert deaths == 4


@pytest.mark.parametrize("dies_at", range(1, 5))
def test_the_next_publisher_is_not_in_the_way_of_what_a_killed_one_left(folder, tmp_path, dies_at):
    assert not publish_in_child(str(tmp_path), b"new", dies_at=dies_at, run_id="killed")
    release = publish_and_bless(folder, b"new", run_id="next")
    assert folder.release(release.version) == release
    assert folder.read(release.version, "run.txt") == b"next"
    assert folder.read_model(release.version) == b"new"
    assert folder.blessed()[0].version == release.version


class NowhereStorage(LocalStorage):
    """Takes everything and keeps nothing."""

    def __init__(self) -> None:
        super().__init__("/nowhere")

    def read_with_generation(self, name: str, *, max_bytes: int = 0) -> tuple[bytes, int]:
        return b"", ABSENT

    def write(self, name: str, data: bytes, *, if_generation: int | None = None) -> int:
        return 1


def compete(storage: Storage, number: int, start: Callable[[], object]) -> int | None:
    """Publishes with others at once; returns the pointer's counter, or None for the losers."""
    registry = Registry(storage, "shapes")
    _, generation = registry.blessed()
    # Every other publisher has the same model, as two runs over the same data would, and finds
    # a stranger's files in its way.
    data = b"shared" if number % 2 else f"own {number}".encode()
    run_id = f"run{number}"
    documents = {"run.txt": run_id.encode()}
    elsewhere = Registry(NowhereStorage(), "shapes")
    expected = elsewhere.publish(make_release(data, run_id=run_id), data, documents)
    if number % 2:
        for name in (MODEL_FILE, "run.txt", "documents.zip", "release.json"):
            storage.write(f"{versions_folder(expected)}/{name}", b"a stranger's" * number)
    start()
    release = registry.publish(make_release(data, run_id=run_id), data, documents)
    assert release.version == expected.version
    try:
        return registry.bless(release, run_id=run_id, generation=generation).counter
    except LostRaceError:
        return None


def check_round(registry: Registry, round_: int, counters: dict[int, int | None]) -> None:
    """Exactly one publisher moved the pointer, and every version is one run's alone."""
    (winner,) = [number for number, counter in counters.items() if counter is not None]
    pointer, _ = registry.blessed()
    assert (pointer.counter, pointer.run_id) == (round_, f"run{winner}")
    assert counters[winner] == round_ == len(pointer.history) + 1
    releases = registry.releases()
    assert len(releases) == 20
    for release in releases:
        registry.read_model(release.version)
        assert registry.read(release.version, "run.txt") == release.run_id.encode()


@pytest.mark.slow
def test_of_twenty_threads_at_once_exactly_one_wins_each_generation(registry, storage):
    for round_ in range(1, 4):
        barrier = threading.Barrier(20)
        with ThreadPoolExecutor(20) as pool:
            futures = {n: pool.submit(compete, storage, n, barrier.wait) for n in range(20)}
            counters = {number: future.result() for number, future in futures.items()}
        check_round(registry, round_, counters)


@pytest.mark.slow
def test_of_twenty_publishers_to_a_failing_bucket_exactly_one_wins_each_generation(cloud, gcs):
    for round_ in range(1, 4):
        barrier = threading.Barrier(20)
        with gcs.misbehaving(0.2), ThreadPoolExecutor(20) as pool:
            futures = {n: pool.submit(compete, cloud, n, barrier.wait) for n in range(20)}
            counters = {number: future.result() for number, future in futures.items()}
            assert sum(gcs.seen.values()) > 20
        check_round(Registry(cloud, "shapes"), round_, counters)


def compete_in_process(root: str, number: int, barrier: Any, results: Any) -> None:
    results.put((number, compete(LocalStorage(root), number, barrier.wait)))


@pytest.mark.slow
def test_of_twenty_processes_at_once_exactly_one_wins_each_generation(folder, tmp_path):
    forks = multiprocessing.get_context("fork")
    for round_ in range(1, 4):
        barrier, results = forks.Barrier(20), forks.Queue()
        processes = [
            forks.Process(target=compete_in_process, args=(str(tmp_path), n, barrier, results))
            for n in range(20)
        ]
        for process in processes:
            process.start()
        counters = dict(results.get(timeout=60) for _ in processes)
        for process in processes:
            process.join()
        check_round(folder, round_, counters)
