"""Runs of the real command line, watched from outside: their events, files and processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import components
import pipeline
from components.common.documents.record import TaskResult
from components.common.shell.local_runner import DRIVER_PID
from pipeline.stages import task_of

LITESMITH = str(Path(sys.executable).with_name("litesmith"))


class LocalRun:
    """One `litesmith run` under way, or ended."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        data_root: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data_root = data_root
        self._before = set(_run_folders(data_root))
        self._output = folder / f"output-{time.monotonic_ns()}"
        # Where the tests themselves run in a shell's background, SIGINT is ignored, and whoever
        # is started from here would go on ignoring it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [LITESMITH, "run", *arguments, "--data-root", str(data_root)],
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self._output.read_text()

    def wait(self, timeout: float = 400) -> int:
        return self.process.wait(timeout)

    def folder(self) -> Path:
        """Returns the run's folder, as soon as there is one."""
        while True:
            if new := set(_run_folders(self.data_root)) - self._before:
                return new.pop()
            assert self.process.poll() is None, self.output()
            time.sleep(0.02)

    def statuses(self) -> dict[str, str]:
        """Returns computed, cached or failed for each task that has ended."""
        return {result.task: result.status for result in self.results()}

    def results(self) -> Iterator[TaskResult]:
        for path in (self.folder() / "tasks").glob("*.json"):
            yield TaskResult.parse(path.read_bytes())

    def wait_for(self, event: str, stage: str, timeout: float = 300) -> str:
        """Waits until a task of a stage tells an event; returns the task's name.

        Raises:
          AssertionError: the run ended before.
        """
        path = self.folder() / "logs" / "events.jsonl"
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            for line in path.read_text().splitlines() if path.exists() else ():
                told = json.loads(line)
                if told["event"] == event and told["task"].partition("[")[0] == stage:
                    return str(told["task"])
            assert not ended, f"ended before {stage} {event}:\n{self.output()}"
            time.sleep(0.02)
        raise AssertionError(f"{stage} {event} took over {timeout} s:\n{self.output()}")

    def children(self) -> list[int]:
        """Returns the processes that the run started, and that are still there."""
        mark = f"{DRIVER_PID}={self.process.pid}\0".encode()
        return [pid for pid in _processes() if mark in _read(pid, "environ") + b"\0"]

    def started(self, stage: str) -> dict[str, int]:
        """Returns the process of each task of a stage that has begun."""
        lines = (self.folder() / "logs" / "events.jsonl").read_text().splitlines()
        told = [event for event in map(json.loads, lines) if event["event"] == "started"]
        return {
            event["task"]: event["pid"]
            for event in told
            if event["task"].partition("[")[0] == stage
        }

    def kill_task(self, stage: str) -> bool:
        """Kills the process of one task of a stage; returns whether there was one."""
        for pid in self.children():
            words = _read(pid, "cmdline").split(b"\0")
            if b"kfp.dsl.executor_main" in words[:4] and task_of(stage).encode() in words:
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def kill_worker(self) -> None:
        """Kills the process that runs the DAG, if it is still there."""
        for pid in self.children():
            if b"pipeline.local.worker" in _read(pid, "cmdline").split(b"\0"):
                os.kill(pid, signal.SIGKILL)

    def gone_within(self, seconds: float) -> bool:
        """Returns whether every process of the run is gone in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.children():
                return True
            time.sleep(0.05)
        return not self.children()


def copy_code(folder: Path) -> Path:
    """Copies our packages, so that a test can edit them; goes into PYTHONPATH."""
    for package in (pipeline, components):
        source = Path(package.__path__[0])
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / source.name, ignore=ignored)
    return folder


def _run_folders(data_root: Path) -> Iterator[Path]:
    # run.json is written last: before it, the folder is still being made.
    return (path.parent for path in (data_root / "runs").glob("*/run.json"))


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _read(pid: int, file_name: str) -> bytes:
    try:
        return Path("/proc", str(pid), file_name).read_bytes()
    except OSError:  # It ended in between; a zombie has no environment either.
        return b""
