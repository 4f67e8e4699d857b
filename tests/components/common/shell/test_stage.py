"""The shell around every stage: what it computes again, what it keeps, how it fails."""

import json
import platform
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from components.common.config import StageConfig
from components.common.digests import file_digest
from components.common.documents.record import Record, TaskResult
from components.common.errors import BAD_INPUT, UserError
from components.common.run_context import RunContext
from components.common.shell.local_runner import EVENTS_DIRECTORY
from components.common.shell.stage import Stage, Task
from components.common.shell.store import Store
from components.common.storage import LocalStorage, Storage

ROOT = Path(__file__).parents[4]


class ScaleConfig(StageConfig):
    locations: ClassVar[frozenset[str]] = frozenset({"source"})

    factor: int = 2
    source: str = ""


class Bench:
    """Runs a small stage that multiplies the numbers it finds, and counts its work.

    Attributes:
      computed: how often the stage computed.
      compute: what it does besides.
    """

    def __init__(self, folder: Path, data_root: str | None = None) -> None:
        self.folder = folder
        self.data_root = data_root or str(folder / "data")
        self.computed = 0
        self.compute: Callable[[Task[ScaleConfig]], None] = lambda task: None
        self.options: dict[str, Any] = {}
        self.fresh = False

    def context(self) -> RunContext:
        return RunContext(
            run_id="run",
            recipe_name="test",
            data_root=self.data_root,
            registry="nowhere",
            fresh=self.fresh,
        )

    def storage(self) -> Storage:
        return self.context().data()

    def number(self, value: int, name: str = "number") -> Path:
        path = self.folder / name
        path.write_text(str(value))
        return path

    def run(
        self, inputs: dict[str, Path | Sequence[Path] | None] | None = None, **config: Any
    ) -> Path:
        output = self.folder / f"output-{uuid.uuid4().hex}"
        stage = Stage(
            name="scale",
            config=ScaleConfig,
            output="output",
            compute=self._compute,
            **self.options,
        )
        stage.run(
            config=ScaleConfig(**config).to_json(),
            context=self.context().to_json(),
            output=output,
            **(inputs or {}),
        )
        return output

    def _compute(self, task: Task[ScaleConfig]) -> dict[str, float]:
        self.computed += 1
        assert list(task.output.iterdir()) == []
        numbers = [int(path.read_text()) for path in task.inputs.values() if path is not None]
        (task.output / "product").write_text(str(sum(numbers) * task.config.factor))
        self.compute(task)
        return {"numbers": float(len(numbers))}

    def result(self) -> TaskResult:
        name = f"{self.context().run_folder()}/tasks/scale.json"
        return TaskResult.parse(self.storage().read(name))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def product(output: Path) -> str:
    return (output / "product").read_text()


class TestReuse:
    def test_unchanged_work_is_answered_from_the_store(self, bench: Bench) -> None:
        first = bench.run({"number": bench.number(21)})
        assert bench.result().status == "computed"
        second = bench.run({"number": bench.number(21, "elsewhere")})
        assert (product(first), product(second)) == ("42", "42")
        assert bench.computed == 1
        assert bench.result().status == "cached"
        record = bench.result().record
        assert record is not None and record.measurements == {"numbers": 1.0}

    def test_what_is_computed_anew_says_what_differs_from_the_run_before(
        self, bench: Bench
    ) -> None:
        reasons = []
        for number, config in [
            (21, {}), (21, {"factor": 3}), (21, {"factor": 3}), (21, {"source": "b", "factor": 4}),
            (21, {}), (22, {"factor": 4}),
        ]:  # fmt: skip
            bench.run({"number": bench.number(number)}, **config)
            reasons.append((bench.result().status, bench.result().reason))
        assert reasons == [
            ("computed", ""),
            ("computed", "factor is 3, was 2"),
            ("cached", ""),
            ("computed", "factor is 4, was 3"),
            ("cached", ""),
            ("computed", "factor is 4, was 2; what it reads changed"),
        ]

    def test_what_is_always_computed_needs_no_reason(self, bench: Bench) -> None:
        bench.options = {"reuse": False}
        for factor in (2, 3):
            bench.run(factor=factor)
            assert bench.result().reason == ""
        assert list(bench.storage().list("latest/")) == []

    def test_a_reason_that_cannot_be_kept_fails_no_task(self, bench: Bench) -> None:
        Path(bench.data_root).mkdir()
        Path(bench.data_root, "latest").touch()
        assert product(bench.run({"number": bench.number(21)})) == "42"
        assert bench.result().status == "computed"

    @pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's resettable peak")
    def test_each_of_two_stages_in_one_process_is_told_its_own_memory(self, bench: Bench) -> None:
        peaks = []
        for size_bytes in (300_000_000, 1000):
            bench.compute = lambda task, size=size_bytes: bytearray(size) and None  # type: ignore[misc]
            bench.run(factor=size_bytes)
            record = bench.result().record
            assert record is not None
            peaks.append(record.peak_memory_bytes)
        assert peaks[0] - peaks[1] > 200_000_000

    def test_a_bucket_answers_as_a_folder_does(self, cloud: Storage, tmp_path: Path) -> None:
        bench = Bench(tmp_path, cloud.root)
        outputs = [bench.run({"number": bench.number(21)}) for _ in range(2)]
        assert [product(output) for output in outputs] == ["42", "42"]
        assert bench.computed == 1

    @pytest.mark.parametrize("change", ["config", "input", "input name", "another input"])
    def test_changed_work_is_computed(self, bench: Bench, change: str) -> None:
        bench.run({"number": bench.number(21)}, factor=2)
        if change == "config":
            bench.run({"number": bench.number(21)}, factor=3)
        elif change == "input":
            bench.run({"number": bench.number(20)}, factor=2)
        elif change == "input name":
            bench.run({"other": bench.number(21)}, factor=2)
        else:
            bench.run({"number": bench.number(21), "second": bench.number(0, "zero")}, factor=2)
        assert bench.computed == 2

    def test_what_has_changed_back_is_still_known(self, bench: Bench) -> None:
        for factor in (2, 3, 2):
            output = bench.run({"number": bench.number(5)}, factor=factor)
        assert product(output) == "10"
        assert bench.computed == 2

    def test_a_location_stands_for_the_content_behind_it(self, bench: Bench) -> None:
        bench.options = {
            "identify": lambda config, context, events: {"source": file_digest(Path(config.source))}
        }
        bench.run(source=str(bench.number(1, "here")))
        bench.run(source=str(bench.number(1, "there")))
        assert bench.computed == 1
        bench.run(source=str(bench.number(2, "there")))
        assert bench.computed == 2

    def test_another_data_root_changes_no_key(self, tmp_path: Path) -> None:
        keys = set()
        for name in ("one", "two"):
            bench = Bench(tmp_path, str(tmp_path / name))
            bench.run({"number": bench.number(1)})
            record = bench.result().record
            assert record is not None
            keys.add(record.key)
        assert len(keys) == 1

    def test_a_collected_input_has_no_order_and_a_missing_one_no_part(self, bench: Bench) -> None:
        folders = []
        for value in (1, 2, 3):
            folder = bench.folder / f"folder-{value}"
            folder.mkdir()
            (folder / "document.json").write_text(str(value))
            folders.append(folder)

        def run(*items: Path) -> str:
            output = bench.folder / "collected"
            stage = Stage(
                name="scale", config=ScaleConfig, output="output", compute=lambda task: None
            )
            stage.run(
                config=ScaleConfig().to_json(),
                context=bench.context().to_json(),
                items=items,
                optional=None,
                output=output,
            )
            return bench.result().status

        assert run(*folders) == "computed"
        assert run(*reversed(folders)) == "cached"
        assert run(*folders[:2]) == "computed"

    def test_stages_that_do_not_reuse_compute_each_time(self, bench: Bench) -> None:
        bench.options = {"reuse": False}
        bench.run()
        bench.run()
        assert bench.computed == 2
        assert list(bench.storage().list("store/")) == []

    def test_what_is_no_longer_whole_is_computed_again(self, bench: Bench) -> None:
        shard = bench.folder / "shard"

        def write_shard(task: Task[ScaleConfig]) -> None:
            shard.write_text("records")

        bench.compute = write_shard
        bench.options = {"verify": lambda stored, context: shard.is_file()}
        bench.run()
        bench.run()
        assert bench.computed == 1
        shard.unlink()
        bench.run()
        assert bench.computed == 2 and shard.is_file()
        bench.run()
        assert bench.computed == 2


class TestDamage:
    def entry(self, bench: Bench) -> Path:
        (record,) = Path(bench.data_root).glob("store/scale/*/record.json")
        return record.parent

    def flip(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    @pytest.mark.parametrize("damage", ["flip", "truncate", "lose", "record", "stray"])
    def test_a_damaged_entry_is_noticed_computed_and_mended(
        self, bench: Bench, damage: str
    ) -> None:
        output = bench.run({"number": bench.number(21)})
        entry = self.entry(bench)
        (stored,) = entry.glob("*/product")
        if damage == "flip":
            self.flip(stored)
        elif damage == "truncate":
            stored.write_bytes(b"")
        elif damage == "lose":
            shutil.rmtree(stored.parent)
        elif damage == "record":
            (entry / "record.json").write_text("{")
        else:
            stored.with_name("stray").write_text("")
        reasons = []
        for _ in range(2):
            assert product(bench.run({"number": bench.number(21)})) == product(output)
            assert bench.computed == 2
            reasons.append(bench.result().reason)
        assert reasons == ["what the store held of it is gone or damaged", ""]


class TestRace:
    @pytest.mark.parametrize("root", ["local", "cloud"])
    def test_all_deliver_what_the_first_writer_kept(
        self, root: str, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        data_root = request.getfixturevalue("cloud").root if root == "cloud" else None
        bench = Bench(tmp_path, data_root)
        number = bench.number(1)
        together = threading.Barrier(4)

        def differ(task: Task[ScaleConfig]) -> None:
            (task.output / "noise").write_text(uuid.uuid4().hex)
            together.wait(timeout=30)

        bench.compute = differ
        outputs: list[Path] = []
        threads = [
            threading.Thread(target=lambda: outputs.append(bench.run({"number": number})))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bench.computed == 4
        assert len({(output / "noise").read_text() for output in outputs}) == 1
        assert product(bench.run({"number": number})) == "2"
        assert bench.computed == 4


class TestDelivery:
    def test_an_artifact_may_be_one_file(self, bench: Bench) -> None:
        bench.options = {"output_file": "product"}
        for _ in range(2):
            output = bench.run({"number": bench.number(4)})
            assert output.read_text() == "8"
        assert bench.computed == 1
        assert not list(bench.folder.glob("*.work"))

    def test_an_old_output_is_replaced(self, bench: Bench) -> None:
        stale = bench.folder / "output"
        for factor in (1, 2):
            (stale / "old").mkdir(parents=True)
            stage = Stage(name="scale", config=ScaleConfig, output="output", compute=bench._compute)
            stage.run(
                config=ScaleConfig(factor=factor).to_json(),
                context=bench.context().to_json(),
                output=stale,
            )
            assert sorted(path.name for path in stale.iterdir()) == ["product"]
            stale.rename(bench.folder / f"seen-{factor}")


class TestFailure:
    def test_a_user_error_is_told_without_a_traceback(
        self, bench: Bench, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def refuse(task: Task[ScaleConfig]) -> None:
            raise UserError("data.folder: /nowhere does not exist")

        bench.compute = refuse
        with pytest.raises(SystemExit) as exit_:
            bench.run()
        assert exit_.value.code == BAD_INPUT
        assert capsys.readouterr().err == "error: data.folder: /nowhere does not exist\n"
        result = bench.result()
        assert (result.status, result.user_error) == ("failed", True)
        assert result.message == "data.folder: /nowhere does not exist"
        assert list(bench.storage().list("store/")) == []
        assert not list(bench.folder.glob("output-*[0-9a-f]"))

    def test_a_fault_is_recorded_and_raised(self, bench: Bench) -> None:
        def fail(task: Task[ScaleConfig]) -> None:
            raise RuntimeError("out of memory")

        bench.compute = fail
        with pytest.raises(RuntimeError, match="out of memory"):
            bench.run()
        result = bench.result()
        assert (result.status, result.user_error) == ("failed", False)
        assert result.message == "RuntimeError: out of memory"
        assert list(bench.storage().list("store/")) == []

    def test_what_failed_is_tried_again(self, bench: Bench) -> None:
        def fail(task: Task[ScaleConfig]) -> None:
            raise RuntimeError("once")

        bench.compute = fail
        with pytest.raises(RuntimeError):
            bench.run()
        bench.compute = lambda task: None
        assert product(bench.run({"number": bench.number(1)})) == "2"

    def test_a_data_root_that_cannot_be_used_is_told_once(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").write_text("")
        bench = Bench(tmp_path, str(tmp_path / "file"))
        with pytest.raises(SystemExit) as exit_:
            bench.run()
        assert exit_.value.code == BAD_INPUT
        lines = capsys.readouterr().err.splitlines()
        assert lines[0].startswith(f"error: {tmp_path}/file")
        assert "is a file where a folder is needed" in lines[0]
        assert lines[1].startswith("could not be recorded: UserError")

    @pytest.mark.slow
    def test_events_tell_how_it_ended(self, bench: Bench, tmp_path: Path) -> None:
        program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from components.common.config import StageConfig
from components.common.errors import UserError
from components.common.shell.stage import Stage
def compute(task):
    print("computing")
    for _ in task.events.track(range(3), "pictures"):
        pass
    if sys.argv[1] == "refuse":
        raise UserError("no pictures")
Stage(name="scale", config=StageConfig, output="output", compute=compute).run(
    config="{{}}",
    context={bench.context().to_json()!r},
    output=Path({str(tmp_path)!r}, "output"),
)
"""
        environment = {EVENTS_DIRECTORY: str(tmp_path), "PATH": "/usr/bin"}
        codes = [
            subprocess.run([sys.executable, "-c", program, how], env=environment).returncode
            for how in ("refuse", "compute", "compute")
        ]
        assert codes == [BAD_INPUT, 0, 0]
        lines = (tmp_path / "events.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        told = [(event["event"], event.get("status")) for event in events]
        assert [event for event in told if event[0] != "progress"] == [
            ("started", None), ("failed", None),
            ("started", None), ("finished", "computed"),
            ("started", None), ("finished", "cached"),
        ]  # fmt: skip
        log = (tmp_path / "scale.log").read_text().splitlines()
        assert log == ["computing", "error: no pictures", "computing"]


class TestFresh:
    def test_a_fresh_run_computes_anew_and_takes_the_place_of_what_stands(
        self, bench: Bench
    ) -> None:
        bench.compute = lambda task: (task.output / "made").write_text(f"{bench.computed}")
        bench.run({"number": bench.number(1)})
        bench.fresh = True
        fresh = bench.run({"number": bench.number(1)})
        assert (bench.result().status, bench.result().reason) == ("computed", "")
        bench.fresh = False
        later = bench.run({"number": bench.number(1)})
        assert bench.result().status == "cached"
        assert [(path / "made").read_text() for path in (fresh, later)] == ["2", "2"]

    def test_what_an_earlier_run_was_answered_by_stays_beside(self, bench: Bench) -> None:
        bench.compute = lambda task: (task.output / "made").write_text(f"{bench.computed}")
        bench.run()
        earlier = bench.result().record
        bench.fresh = True
        bench.run()
        assert earlier is not None
        assert Store(bench.storage()).read_file(earlier, "made") == b"1"

    def test_a_fresh_run_goes_on_from_its_own_states_alone(self, bench: Bench) -> None:
        folders = []
        bench.compute = lambda task: folders.append(task.checkpoint_folder)
        for fresh in (False, True, True):
            bench.fresh = fresh
            bench.run()
        assert folders[0] != folders[1] == folders[2]

    def test_an_answer_says_which_libraries_have_changed_since(self, bench: Bench) -> None:
        bench.run()
        assert bench.result().other_libraries == {}
        record = bench.result().record
        assert record is not None
        assert record.libraries["python"] == platform.python_version()
        older = record.model_copy(
            update={"libraries": {**record.libraries, "python": "3.9.1", "gone": "1.0"}}
        )
        name = f"store/scale/{record.key}/record.json"
        bench.storage().write(name, older.to_json().encode())
        bench.run()
        assert bench.result().status == "cached"
        assert bench.result().other_libraries == {"python": platform.python_version()}


class TestCode:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Callable[[], tuple[str, str]]:
        """Runs a stage in a copy of the package; returns how it ended and what it made."""
        shutil.copytree(ROOT / "components", tmp_path / "components")
        folder = tmp_path / "components/scale"
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "core.py").write_text("FACTOR = 2\n")
        (folder / "stage.py").write_text(
            "from components.common.config import StageConfig\n"
            "from components.common.shell.stage import Stage\n"
            "def _compute(task):\n"
            "    from components.scale.core import FACTOR\n"
            "    (task.output / 'product').write_text(str(21 * FACTOR))\n"
            "STAGE = Stage(\n"
            "    name='scale', config=StageConfig, output='output', compute=_compute\n"
            ")\n"
        )
        context = Bench(tmp_path).context()
        program = f"""
from pathlib import Path
from components.scale.stage import STAGE
STAGE.run(config="{{}}", context={context.to_json()!r}, output=Path("output"))
"""

        def run() -> tuple[str, str]:
            subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
            return (
                TaskResult.parse(
                    LocalStorage(context.data_root).read("runs/run/tasks/scale.json")
                ).status,
                (tmp_path / "output/product").read_text(),
            )

        return run

    @pytest.mark.slow
    def test_edited_code_is_run_and_other_code_is_not(
        self, run: Callable[[], tuple[str, str]], tmp_path: Path
    ) -> None:
        def modules() -> set[tuple[str, str]]:
            result = TaskResult.parse((tmp_path / "data/runs/run/tasks/scale.json").read_bytes())
            assert result.record is not None
            return set(result.record.modules.items())

        assert run() == ("computed", "42")
        before = modules()
        (tmp_path / "components/compress/stage.py").write_text("raise ImportError\n")
        assert run() == ("cached", "42")
        # Of another length: Python knows bytecode by its source's length and by whole seconds.
        (tmp_path / "components/scale/core.py").write_text("FACTOR = 2 + 1\n")
        assert run() == ("computed", "63")
        assert {file for file, _ in modules() ^ before} == {"components/scale/core.py"}
        assert len(before) > 10
        (tmp_path / "components/scale/core.py").write_text("FACTOR = 2\n")
        assert run() == ("cached", "42")


@pytest.mark.slow
def test_a_killed_task_leaves_no_entry_and_the_next_one_ends_the_same(tmp_path: Path) -> None:
    """Kills a task at moments spread over its whole life, the keeping included."""
    program = """
import sys
from pathlib import Path
from components.common.config import StageConfig
from components.common.shell.stage import Stage
def compute(task):
    for number in range(200):
        (task.output / str(number)).write_bytes(bytes([number]) * 20_000)
print("ready", flush=True)
Stage(name="scale", config=StageConfig, output="output", compute=compute).run(
    config="{}", context=sys.argv[1], output=Path(sys.argv[2])
)
"""

    def start(name: str, output: Path) -> subprocess.Popen[bytes]:
        context = Bench(tmp_path, str(tmp_path / name)).context().to_json()
        process = subprocess.Popen(
            [sys.executable, "-c", program, context, str(output)],
            cwd=ROOT, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def record(name: str) -> Record:
        (path,) = (tmp_path / name).glob("store/scale/*/record.json")
        return Record.parse(path.read_bytes())

    with start("undisturbed", tmp_path / "output") as undisturbed:
        assert undisturbed.wait() == 0
    for delay_s in (0.01, 0.03, 0.06, 0.1, 0.15):
        with start("killed", tmp_path / "output") as killed:
            try:
                killed.wait(timeout=delay_s)
            except subprocess.TimeoutExpired:
                killed.send_signal(signal.SIGKILL)
    with start("killed", tmp_path / "output") as last:
        assert last.wait() == 0
    assert record("killed").output_digest == record("undisturbed").output_digest
    assert len(list((tmp_path / "output").iterdir())) == 200
