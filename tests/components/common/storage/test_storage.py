"""What every storage promises, and how a local folder keeps it."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components.common.errors import UserError
from components.common.storage import (
    ABSENT,
    LocalStorage,
    PreconditionError,
    Storage,
    SummedFile,
    file_checksum,
    open_storage,
)

ROOT = Path(__file__).parents[4]


def names(storage: Storage, prefix: str) -> list[str]:
    return [blob.name for blob in storage.list(prefix)]


def write_tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def read_tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


TREE = {"document.json": b"{}", "deep/er/shard": b"s" * 5000, "empty": b""}


class TestEveryStorage:
    def test_gives_back_what_was_written(self, storage: Storage) -> None:
        storage.write("runs/a/task.json", b"first")
        storage.write("runs/a/task.json", b"123456789")
        assert storage.read("runs/a/task.json") == b"123456789"
        assert storage.exists("runs/a/task.json")
        assert storage.checksum("runs/a/task.json") == (9, 0xE3069283)

    def test_gives_some_of_an_object_s_bytes(self, storage: Storage) -> None:
        storage.write("tar", b"0123456789")
        assert storage.read_range("tar", 3, 4) == b"3456"
        assert storage.read_range("tar", 8, 4) == b"89"
        assert storage.read_range("tar", 10, 4) == storage.read_range("tar", 2, 0) == b""
        with pytest.raises(FileNotFoundError):
            storage.read_range("missing", 0, 4)

    def test_knows_no_folders_and_no_missing_objects(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        storage.write("a/b", b"x")
        for name in ("a", "a/b/c", "missing", "missing/too"):
            assert not storage.exists(name)
            assert storage.read_with_generation(name) == (b"", ABSENT)
            with pytest.raises(FileNotFoundError):
                storage.read(name)
            with pytest.raises(FileNotFoundError):
                storage.checksum(name)
        for name in ("missing", "a/b/c"):
            with pytest.raises(FileNotFoundError):
                storage.download(name, tmp_path / "nothing")
            assert not (tmp_path / "nothing").exists()

    def test_creates_only_where_nothing_is(self, storage: Storage) -> None:
        generation = storage.write("pointer", b"one", if_generation=ABSENT)
        assert storage.read_with_generation("pointer") == (b"one", generation)
        with pytest.raises(PreconditionError):
            storage.write("pointer", b"one", if_generation=ABSENT)
        with pytest.raises(PreconditionError):
            storage.write("other", b"two", if_generation=generation)
        assert not storage.exists("other")

    def test_replaces_only_the_generation_that_was_read(self, storage: Storage) -> None:
        first = storage.write("pointer", b"one", if_generation=ABSENT)
        second = storage.write("pointer", b"two", if_generation=first)
        third = storage.write("pointer", b"one", if_generation=second)
        assert len({first, second, third}) == 3, "the same bytes are another generation"
        with pytest.raises(PreconditionError):
            storage.write("pointer", b"late", if_generation=first)
        assert storage.read_with_generation("pointer") == (b"one", third)

    def test_lists_by_prefix_in_order_of_names(self, storage: Storage) -> None:
        for name in ("a/b/c", "a/b.txt", "a/bc", "a/b/a", "b", "a.txt", "aé", "a/.hidden"):
            storage.write(name, name.encode())
        assert names(storage, "a/b") == ["a/b.txt", "a/b/a", "a/b/c", "a/bc"]
        assert names(storage, "a/b/") == ["a/b/a", "a/b/c"]
        assert names(storage, "a/") == ["a/.hidden", "a/b.txt", "a/b/a", "a/b/c", "a/bc"]
        assert names(storage, "a") == ["a.txt", *names(storage, "a/"), "aé"]
        assert names(storage, "") == [*names(storage, "a"), "b"]
        assert names(storage, "missing/") == []
        assert names(storage, "b/") == []
        assert next(storage.list("aé")).size_bytes == 3

    def test_moves_folders(self, storage: Storage, tmp_path: Path) -> None:
        storage.upload(write_tree(tmp_path / "from", TREE), "store/key/digest")
        storage.write("store/key/digest-of-another", b"x")
        assert names(storage, "store/key/digest/") == [
            f"store/key/digest/{name}" for name in sorted(TREE)
        ]
        storage.download("store/key/digest", tmp_path / "to")
        assert read_tree(tmp_path / "to") == TREE

    def test_moves_files(self, storage: Storage, tmp_path: Path) -> None:
        source = write_tree(tmp_path, {"shard": b"records"}) / "shard"
        storage.upload(source, "shards/a")
        storage.download("shards/a", tmp_path / "new/folder/shard")
        assert (tmp_path / "new/folder/shard").read_bytes() == b"records"

    def test_uploads_over_what_is_damaged(self, storage: Storage, tmp_path: Path) -> None:
        source = write_tree(tmp_path / "from", TREE)
        storage.upload(source, "entry")
        storage.write("entry/document.json", b"[]")
        storage.delete("entry/empty")
        storage.upload(source, "entry")
        storage.download("entry", tmp_path / "to")
        assert read_tree(tmp_path / "to") == TREE

    def test_refuses_to_upload_what_is_not_there(self, storage: Storage, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            storage.upload(tmp_path / "missing", "a")
        assert not storage.exists("a")

    def test_gives_a_path_to_read_an_object_at(self, storage: Storage) -> None:
        storage.write("a/b", b"x")
        with storage.reading("a/b") as path:
            assert path.read_bytes() == b"x"
        assert storage.read("a/b") == b"x"
        for name in ("missing", "a", "a/b/c"):
            with pytest.raises(FileNotFoundError), storage.reading(name):
                pass

    def test_has_what_is_written_at_a_path_once_it_is_whole(self, storage: Storage) -> None:
        storage.write("a/b", b"before")
        with pytest.raises(ZeroDivisionError), storage.writing("a/b") as path:
            path.write_bytes(b"half")
            raise ZeroDivisionError
        with storage.writing("a/b") as path:
            path.write_bytes(b"whole")
            assert storage.read("a/b") == b"before"
        assert storage.read("a/b") == b"whole"
        assert names(storage, "") == ["a/b"]
        assert not path.exists()

    def test_deletes_an_object_or_all_below_a_name(self, storage: Storage) -> None:
        for name in ("a/b/c", "a/b/d", "a/bc", "e"):
            storage.write(name, b"x")
        storage.delete("a/b")
        storage.delete("a/b")
        storage.delete("missing/at/all")
        assert names(storage, "") == ["a/bc", "e"]
        storage.delete("e")
        assert names(storage, "") == ["a/bc"]

    @pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "", "a//b", "a/.", "a/"])
    def test_refuses_names_that_leave_the_root(self, storage: Storage, name: str) -> None:
        for operation in (storage.read, storage.delete, storage.uri, storage.exists):
            with pytest.raises(ValueError, match="no name of an object"):
                operation(name)
        with pytest.raises(ValueError, match="no name of an object"):
            storage.write(name, b"x")


def test_a_file_knows_the_checksum_of_what_was_written_to_it(tmp_path: Path) -> None:
    with SummedFile(tmp_path / "file") as file:
        for data in (b"12345", bytearray(b"67"), b"", b"89"):
            file.write(data)
    assert file.checksum() == file_checksum(tmp_path / "file") == (9, 0xE3069283)


class TestLocalStorage:
    def test_counts_right_when_processes_race(self, tmp_path: Path) -> None:
        program = f"""
from components.common.storage import LocalStorage, PreconditionError
storage = LocalStorage({str(tmp_path)!r})
done = 0
while done < 40:
    data, generation = storage.read_with_generation("counter")
    try:
        storage.write("counter", b"%d" % (int(data or b"0") + 1), if_generation=generation)
        done += 1
    except PreconditionError:
        pass
"""
        processes = [subprocess.Popen([sys.executable, "-c", program], cwd=ROOT) for _ in range(4)]
        assert [process.wait(timeout=60) for process in processes] == [0] * 4
        assert LocalStorage(str(tmp_path)).read("counter") == b"160"

    def test_readers_never_see_half_a_file(self, tmp_path: Path) -> None:
        storage = LocalStorage(str(tmp_path))
        contents = [bytes([value]) * 200_000 for value in range(4)]
        storage.write("object", contents[0])
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                for content in contents:
                    storage.write("object", content)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(300):
                assert storage.read("object") in contents
                assert names(storage, "") == ["object"]
        finally:
            stop.set()
            writer.join()

    def test_hides_what_a_killed_writer_leaves(self, tmp_path: Path) -> None:
        storage = LocalStorage(str(tmp_path / "root"))
        storage.write("folder/whole", b"x")
        program = f"""
import os, signal
from pathlib import Path
from components.common.storage import LocalStorage, beside
storage = LocalStorage({storage.root!r})
with storage._locked(), beside(Path(storage.root, "folder/half")) as partial:
    partial.write_bytes(b"ha")
    os.kill(os.getpid(), signal.SIGKILL)
"""
        process = subprocess.run([sys.executable, "-c", program], cwd=ROOT)
        assert process.returncode == -signal.SIGKILL
        assert len(list(Path(storage.root, "folder").iterdir())) == 2
        assert names(storage, "") == ["folder/whole"]
        storage.download("folder", tmp_path / "copy")
        assert read_tree(tmp_path / "copy") == {"whole": b"x"}
        storage.write("folder/half", b"whole", if_generation=ABSENT)
        assert storage.read("folder/half") == b"whole"

    def test_leaves_nothing_behind_when_copying_fails(self, tmp_path: Path) -> None:
        storage = LocalStorage(str(tmp_path / "root"))
        with pytest.raises(FileNotFoundError):
            storage.upload(tmp_path / "missing", "folder/object")
        assert list(Path(storage.root, "folder").iterdir()) == []

    def test_gives_files_the_permissions_of_the_umask(self, tmp_path: Path) -> None:
        storage = LocalStorage(str(tmp_path / "root"))
        secretive = write_tree(tmp_path, {"file": b"x"}) / "file"
        secretive.chmod(0o400)
        before = os.umask(0o027)
        try:
            storage.write("written", b"x", if_generation=ABSENT)
            storage.upload(secretive, "uploaded")
            storage.download("uploaded", tmp_path / "downloaded")
        finally:
            os.umask(before)
        paths = (storage.local_path("written"), storage.local_path("uploaded"))
        for path in (*paths, tmp_path / "downloaded"):
            assert path is not None and path.stat().st_mode & 0o777 == 0o640

    def test_follows_a_linked_root_and_linked_files_but_no_loops(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "root").symlink_to(tmp_path / "disk")
        storage = LocalStorage(str(tmp_path / "root"))
        storage.write("a/b", b"x")
        (tmp_path / "disk/a/link").symlink_to(tmp_path / "disk/a/b")
        (tmp_path / "disk/a/loop").symlink_to(tmp_path / "disk")
        (tmp_path / "disk/a/dangling").symlink_to(tmp_path / "nowhere")
        assert names(storage, "") == ["a/b", "a/link"]
        storage.delete("a/loop")
        assert storage.read("a/b") == b"x", "a link is removed, not what it points to"

    def test_says_what_to_do_where_a_file_is_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for root in (tmp_path / "file", tmp_path / "file/below"):
            with pytest.raises(UserError, match="is a file where a folder is needed"):
                LocalStorage(str(root)).write("a", b"x")

    def test_says_what_to_do_where_it_has_no_permission(self, tmp_path: Path) -> None:
        storage = LocalStorage(str(tmp_path / "root"))
        storage.write("a/b", b"x")
        Path(storage.root).chmod(0)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)  # Root may do everything; this is nobody.
        try:
            with pytest.raises(UserError, match="give this user the right to read and write"):
                storage.write("a/b", b"y")
            with pytest.raises(UserError, match="give this user the right to read and write"):
                storage.read("a/b")
        finally:
            os.seteuid(before)
            Path(storage.root).chmod(0o700)


class TestOpenStorage:
    def test_refuses_what_it_cannot_open(self) -> None:
        with pytest.raises(UserError, match="s3://bucket: there is no storage for s3://"):
            open_storage("s3://bucket")

    def test_spares_a_local_run_the_google_libraries(self, tmp_path: Path) -> None:
        program = f"""
import sys
from components.common.storage import open_storage
open_storage({str(tmp_path)!r}).write("a", b"x")
assert not [name for name in sys.modules if name.startswith(("google.cloud", "google.auth"))]
"""
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)

    def test_only_cloud_storage_knows_google_cloud_storage(self) -> None:
        imports = re.compile(r"google\.cloud(\.| import )storage")
        sources = [*ROOT.glob("components/**/*.py"), *ROOT.glob("pipeline/**/*.py")]
        users = [path.name for path in sources if imports.search(path.read_text())]
        assert users == ["cloud_storage.py"]
