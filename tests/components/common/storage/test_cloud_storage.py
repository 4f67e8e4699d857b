"""A bucket through a real fake-gcs-server, with faults between."""

import gc
import itertools
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import google_crc32c
import pytest

from components.common.errors import UserError
from components.common.storage import (
    ABSENT,
    PreconditionError,
    StorageError,
    cloud_storage,
    open_storage,
)
from components.common.storage.cloud_storage import CloudStorage
from tests.fakes.fake_gcs import ENVIRONMENT, FAULTS, Fault, FaultyProxy

ROOT = Path(__file__).parents[4]
BIG = 9 << 20  # More than the library sends in one request.

# Google's library leaves the connection of a broken answer to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True, scope="module")
def broken_connections() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_storage, "_PIECE_BYTES", 5 << 20)


def big_file(folder: Path) -> Path:
    path = folder / "big"
    path.write_bytes(random.Random(1).randbytes(BIG))
    return path


def tree(folder: Path, files: int) -> Path:
    for number in range(files):
        path = folder / f"{number % 10}" / f"{number:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    return folder


class TestAddress:
    def test_opens_from_an_address(self, cloud: CloudStorage) -> None:
        cloud.write("a", b"x")
        assert open_storage(cloud.root + "/").read("a") == b"x"
        bucket, prefix = cloud.root.removeprefix("gs://").split("/", 1)
        assert open_storage(f"gs://{bucket}").read(f"{prefix}/a") == b"x"
        assert cloud.uri("a") == f"{cloud.root}/a"
        assert cloud.local_path("a") is None

    def test_refuses_an_address_without_a_bucket(self) -> None:
        with pytest.raises(UserError, match="expected gs://bucket"):
            open_storage("gs:///prefix")

    def test_travels_to_workers(self, cloud: CloudStorage) -> None:
        cloud.write("a", b"x")
        assert pickle.loads(pickle.dumps(cloud)).read("a") == b"x"

    @pytest.mark.slow
    def test_survives_a_fork(self, cloud: CloudStorage) -> None:
        cloud.write("a", b"x")
        program = f"""
import os
from components.common.storage import open_storage
storage = open_storage({cloud.root!r})
assert storage.read("a") == b"x"
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        os._exit(0 if all(storage.read("a") == b"x" for _ in range(20)) else 1)
    children.append(child)
assert all(storage.read("a") == b"x" for _ in range(20))
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
"""
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


class TestTransfers:
    @pytest.mark.parametrize(
        ("objects", "page_size"), [(25, 10), pytest.param(1_050, 1_000, marks=pytest.mark.slow)]
    )
    def test_lists_more_than_one_page(
        self,
        cloud: CloudStorage,
        gcs: FaultyProxy,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        objects: int,
        page_size: int,
    ) -> None:
        monkeypatch.setattr(gcs, "page_size", page_size)
        cloud.upload(tree(tmp_path, objects), "many")
        found = [blob.name for blob in cloud.list("many/")]
        assert len(found) == objects and found == sorted(found)
        cloud.delete("many")
        assert list(cloud.list("")) == []

    def test_moves_big_files_in_pieces(self, cloud: CloudStorage, tmp_path: Path) -> None:
        source = big_file(tmp_path)
        cloud.upload(source, "big")
        cloud.download("big", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == source.read_bytes()
        assert cloud.checksum("big") == (BIG, google_crc32c.value(source.read_bytes()))

    def test_writes_big_objects_on_condition(self, cloud: CloudStorage) -> None:
        one, two = bytes(BIG), bytes([1]) * BIG
        generation = cloud.write("big", one, if_generation=ABSENT)
        with pytest.raises(PreconditionError):
            cloud.write("big", two, if_generation=ABSENT)
        assert cloud.read_with_generation("big") == (one, generation)
        cloud.write("big", two, if_generation=generation)
        assert cloud.read("big") == two

    def test_sends_nothing_that_is_already_there(self, cloud: CloudStorage, tmp_path: Path) -> None:
        (tmp_path / "from").mkdir()
        big_file(tmp_path / "from")
        tree(tmp_path / "from", 20)
        cloud.upload(tmp_path / "from", "entry")
        first = {blob.name: blob.updated for blob in cloud.list("")}
        with ThreadPoolExecutor(6) as pool:
            for _ in pool.map(lambda _: cloud.upload(tmp_path / "from", "entry"), range(6)):
                pass
        assert {blob.name: blob.updated for blob in cloud.list("")} == first

    def test_passes_over_the_folder_marks_of_the_console(self, cloud: CloudStorage) -> None:
        cloud.write("folder/a", b"x")
        blob = cloud._bucket.blob(cloud._prefix + "folder/")
        blob.upload_from_string(b"")
        assert [blob.name for blob in cloud.list("folder")] == ["folder/a"]

    @pytest.mark.slow
    def test_a_killed_upload_publishes_no_part(
        self, cloud: CloudStorage, gcs: FaultyProxy, tmp_path: Path
    ) -> None:
        source = big_file(tmp_path)
        program = f"""
from pathlib import Path
from components.common.storage import open_storage
open_storage({cloud.root!r}).exists("any")
print("ready", flush=True)
open_storage({cloud.root!r}).upload(Path({str(source)!r}), "big")
"""
        seen = set()
        for delay_s in (0.1, 30.0):
            with subprocess.Popen(
                [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                try:
                    process.wait(timeout=delay_s)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
            seen.add(cloud.exists("big"))
            if cloud.exists("big"):
                assert cloud.checksum("big")[0] == BIG
        assert True in seen


class TestFaults:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_each_fault_is_overcome_by_every_operation(
        self, cloud: CloudStorage, gcs: FaultyProxy, tmp_path: Path, fault: Fault
    ) -> None:
        source = tree(tmp_path / "from", 3)
        operations: tuple[Callable[[], object], ...] = (
            lambda: cloud.write("a", b"one", if_generation=ABSENT),
            lambda: cloud.write("a", b"two", if_generation=cloud.read_with_generation("a")[1]),
            lambda: cloud.write("a", b"three"),
            lambda: cloud.exists("a"),
            lambda: cloud.checksum("a"),
            lambda: list(cloud.list("")),
            lambda: cloud.upload(source, "tree"),
            lambda: cloud.download("tree", tmp_path / "to"),
            lambda: cloud.upload(source / "0/00000", "file"),
            lambda: cloud.delete("file"),
        )
        for operation in operations:
            gcs.script = [fault]
            operation()
            assert gcs.script == []
        assert cloud.read("a") == b"three"
        assert [blob.name for blob in cloud.list("")] == [
            "a", "tree/0/00000", "tree/1/00001", "tree/2/00002"
        ]  # fmt: skip
        assert (tmp_path / "to/2/00002").read_bytes() == b"2"

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_each_passing_status_is_retried(
        self, cloud: CloudStorage, gcs: FaultyProxy, status: int
    ) -> None:
        gcs.script = [status]
        cloud.write("a", b"x", if_generation=ABSENT)
        gcs.script = [status]
        assert cloud.read("a") == b"x"

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize(
        "request_number",
        [2, *(pytest.param(number, marks=pytest.mark.slow) for number in (0, 1, 3, 4))],
    )
    def test_big_files_survive_a_fault_at_any_request(
        self,
        cloud: CloudStorage,
        gcs: FaultyProxy,
        tmp_path: Path,
        fault: Fault,
        request_number: int,
    ) -> None:
        source = big_file(tmp_path)
        gcs.script = [*[None] * request_number, fault]
        cloud.upload(source, "big")
        gcs.script = [*[None] * request_number, fault]
        cloud.download("big", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == source.read_bytes()

    def test_a_refused_checksum_is_sent_again(self, cloud: CloudStorage, gcs: FaultyProxy) -> None:
        gcs.script = ["reject"]
        cloud.write("a", b"x", if_generation=ABSENT)
        assert cloud.read("a") == b"x"

    def test_a_lost_acknowledgement_is_a_success_for_its_writer_alone(
        self, cloud: CloudStorage, gcs: FaultyProxy
    ) -> None:
        gcs.script = ["forget"]
        generation = cloud.write("pointer", b"same", if_generation=ABSENT)
        assert cloud.read_with_generation("pointer") == (b"same", generation)
        with pytest.raises(PreconditionError):
            cloud.write("pointer", b"same", if_generation=ABSENT)
        gcs.script = ["reset_response"]
        after = cloud.write("pointer", b"same", if_generation=generation)
        assert cloud.read_with_generation("pointer") == (b"same", after)

    def test_deletes_only_what_it_has_seen(self, cloud: CloudStorage, gcs: FaultyProxy) -> None:
        """The server passes over the precondition of a deletion, the proxy plays its part."""
        cloud.write("a", b"new")
        gcs.script = [None, 412]
        cloud.delete("a")
        assert cloud.read("a") == b"new"

    def test_lasting_damage_is_never_delivered(
        self, cloud: CloudStorage, gcs: FaultyProxy, tmp_path: Path
    ) -> None:
        cloud.write("a", b"x" * 1000)
        with gcs.misbehaving(1.0, "corrupt"):
            with pytest.raises(StorageError, match="arrived damaged"):
                cloud.read("a")
            with pytest.raises(StorageError, match="arrived damaged"):
                cloud.download("a", tmp_path / "to/a")
        assert list((tmp_path / "to").iterdir()) == []

    def test_a_lasting_outage_ends_within_the_patience(
        self, cloud: CloudStorage, gcs: FaultyProxy, tmp_path: Path
    ) -> None:
        source = tree(tmp_path / "from", 2)
        impatient = CloudStorage(cloud.root, patience_s=0.5)
        operations: tuple[Callable[[], object], ...] = (
            lambda: impatient.read("a"),
            lambda: impatient.write("a", b"x"),
            lambda: impatient.exists("a"),
            lambda: list(impatient.list("")),
            lambda: impatient.upload(source, "tree"),
            lambda: impatient.download("a", tmp_path / "to"),
            lambda: impatient.delete("a"),
        )
        with gcs.misbehaving(1.0, "refuse"):
            for operation in operations:
                started = time.monotonic()
                with pytest.raises(StorageError, match="gave no good answer"):
                    operation()
                assert time.monotonic() - started < 5

    def test_a_server_that_falls_silent_is_given_up(
        self, cloud: CloudStorage, gcs: FaultyProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cloud.write("a", b"x")
        monkeypatch.setattr(cloud_storage, "_TIMEOUT_S", (1.0, 0.1))
        gcs.script = ["delay", "delay"]
        assert cloud.read("a") == b"x"

    @pytest.mark.parametrize("operations", [100, pytest.param(1_000, marks=pytest.mark.slow)])
    def test_operations_among_faults_lose_nothing(
        self, cloud: CloudStorage, gcs: FaultyProxy, tmp_path: Path, operations: int
    ) -> None:
        """A fifth of all requests fails; every object ends as its last writer left it."""
        numbers = range(operations // 10)
        outcomes: Counter[str] = Counter()

        def attempt(name: str, operation: Callable[[], object]) -> bool:
            try:
                operation()
            except StorageError as error:
                outcomes[f"{name}: {error}"[:80]] += 1
                return False
            outcomes[name] += 1
            return True

        def work(number: int) -> dict[str, bytes]:
            """Does ten operations; returns what must be there afterwards."""
            content = random.Random(number)
            base, folder = f"work/{number}", tmp_path / str(number)
            small, large = content.randbytes(100), content.randbytes(100_000)
            files = {f"{name}": content.randbytes(2_000) for name in ("a", "b", "c")}
            folder.mkdir()
            for name, data in files.items():
                (folder / name).write_bytes(data)

            def compare(read: bytes, expected: bytes) -> None:
                assert read == expected

            def fetch() -> None:
                cloud.download(f"{base}/tree", folder / "back")
                for name, data in files.items():
                    compare((folder / "back" / name).read_bytes(), data)

            steps: tuple[tuple[str, Callable[[], object]], ...] = (
                ("create", lambda: cloud.write(f"{base}/small", small, if_generation=ABSENT)),
                ("read", lambda: compare(cloud.read(f"{base}/small"), small)),
                ("write", lambda: cloud.write(f"{base}/large", small)),
                ("overwrite", lambda: cloud.write(f"{base}/large", large)),
                ("read", lambda: compare(cloud.read(f"{base}/large"), large)),
                ("upload", lambda: cloud.upload(folder, f"{base}/tree")),
                ("download", fetch),
                ("delete", lambda: cloud.delete(f"{base}/small")),
                ("exists", lambda: compare(b"%d" % cloud.exists(f"{base}/small"), b"0")),
                ("list", lambda: compare(b"%d" % len(list(cloud.list(f"{base}/"))), b"4")),
            )
            done = [attempt(name, operation) for name, operation in steps]
            assert all(done)
            return {f"{base}/large": large, **{f"{base}/tree/{k}": v for k, v in files.items()}}

        with gcs.misbehaving(0.2):
            with ThreadPoolExecutor(16) as pool:
                expected = dict(
                    itertools.chain.from_iterable(
                        wanted.items() for wanted in pool.map(work, numbers)
                    )
                )
            faults = sum(gcs.seen.values())
        assert sum(outcomes.values()) == 10 * len(numbers)
        assert faults > operations / 10
        assert [blob.name for blob in cloud.list("")] == sorted(expected)
        for name, data in expected.items():
            assert cloud.read(name) == data


class TestRaces:
    @pytest.mark.parametrize("share", [0.0, pytest.param(0.2, marks=pytest.mark.slow)])
    def test_twenty_writers_of_one_pointer_have_one_winner_a_generation(
        self, cloud: CloudStorage, gcs: FaultyProxy, share: float
    ) -> None:
        writers = 20
        together = threading.Barrier(writers)
        wins: list[tuple[int, int, bytes]] = []

        def write(writer: int) -> None:
            for turn in range(5):
                together.wait(timeout=60)
                _, generation = cloud.read_with_generation("pointer")
                together.wait(timeout=60)
                mine = b"%d of %d" % (writer, turn)
                try:
                    written = cloud.write("pointer", mine, if_generation=generation)
                except PreconditionError:
                    continue
                wins.append((generation, written, mine))

        with gcs.misbehaving(share), ThreadPoolExecutor(writers) as pool:
            for _ in pool.map(write, range(writers)):
                pass
        assert len(wins) == 5
        wins.sort()
        assert wins[0][0] == ABSENT
        for (_, written, _), (replaced, _, _) in itertools.pairwise(wins):
            assert replaced == written, "each winner replaced the one before it"
        assert cloud.read_with_generation("pointer") == (wins[-1][2], wins[-1][1])

    def test_unconditional_writers_leave_one_whole_object(
        self, cloud: CloudStorage, gcs: FaultyProxy
    ) -> None:
        contents = [bytes([writer]) * 10_000 for writer in range(8)]
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda content: cloud.write("a", content), contents):
                pass
        assert cloud.read("a") in contents


class TestErrors:
    def operations(self, storage: CloudStorage, folder: Path) -> dict[str, Callable[[], object]]:
        source = tree(folder / "from", 1)
        return {
            "read": lambda: storage.read("a"),
            "read_with_generation": lambda: storage.read_with_generation("a"),
            "write": lambda: storage.write("a", b"x"),
            "create": lambda: storage.write("a", b"x", if_generation=ABSENT),
            "exists": lambda: storage.exists("a"),
            "checksum": lambda: storage.checksum("a"),
            "list": lambda: list(storage.list("")),
            "upload": lambda: storage.upload(source, "a"),
            "upload one": lambda: storage.upload(source / "0/00000", "a"),
            "download": lambda: storage.download("a", folder / "to"),
            "delete": lambda: storage.delete("a"),
        }

    def test_a_missing_bucket_is_named(self, gcs: FaultyProxy, tmp_path: Path) -> None:
        storage = CloudStorage("gs://no-such-bucket/prefix")
        for name, operation in self.operations(storage, tmp_path).items():
            with pytest.raises(UserError, match="gs://no-such-bucket: there is no such bucket"):
                operation()
                pytest.fail(name)

    @pytest.mark.parametrize(
        ("status", "reading", "writing"),
        [
            (403, "grant roles/storage.objectViewer", "grant roles/storage.objectUser"),
            (401, "no valid Google credentials", "gcloud auth application-default login"),
        ],
    )
    def test_a_missing_permission_is_named(
        self,
        cloud: CloudStorage,
        gcs: FaultyProxy,
        tmp_path: Path,
        status: int,
        reading: str,
        writing: str,
    ) -> None:
        writers = ("write", "create", "upload", "upload one", "delete")
        for name, operation in self.operations(cloud, tmp_path).items():
            gcs.script = [status] * 4  # Google's session itself tries a 401 again.
            with pytest.raises(UserError, match=writing if name in writers else reading):
                operation()
                pytest.fail(name)

    def test_missing_credentials_are_named(
        self, gcs: FaultyProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for variable in (ENVIRONMENT, "GOOGLE_APPLICATION_CREDENTIALS"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        cloud_storage._client.cache_clear()
        try:
            with pytest.raises(UserError, match="set GOOGLE_APPLICATION_CREDENTIALS"):
                open_storage("gs://some-bucket").read("a")
        finally:
            cloud_storage._client.cache_clear()

    def test_the_library_is_given_no_credentials_for_an_emulator(self, gcs: FaultyProxy) -> None:
        assert os.environ[ENVIRONMENT] == gcs.url
        assert cloud_storage._client()._credentials.token is None
