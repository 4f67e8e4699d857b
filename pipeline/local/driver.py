"""Runs the DAG on this machine and shows it: the driver.

The driver is the process that the user sees. It imports neither kfp nor anything heavy:
kfp.local runs in a child, `pipeline.local.worker`, which leads a process group of its own
with every task in it. The driver reads the tasks' events, shows them, and ends the whole
group when it is told to stop; where the driver itself is killed, the worker ends the group.
"""

import contextlib
import dataclasses
import errno
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from components.common.documents.outcome import Outcome, RunResults
from components.common.errors import UserError
from components.common.runs.outcomes import results_so_far
from components.common.shell.local_runner import DRIVER_PID, EVENTS_DIRECTORY
from components.common.storage import StorageError
from components.common.words.figures import size
from pipeline.recipe import Recipe
from pipeline.runs.folders import RunFolder, create_run, data_root_in_use, local_folder
from pipeline.runs.leftovers import remove_leftovers, scratch_folder
from pipeline.stages import task_of
from pipeline.terminal.console import open_console
from pipeline.terminal.exit_codes import ExitCode
from pipeline.terminal.progress import RunProgress
from pipeline.terminal.view import open_view, show_paths, show_summary

_POLL_S = 0.1
_GRACE_S = 0.5  # After SIGTERM, and after SIGKILL: everything must be gone within a second.
_SHOWN_LOG_LINES = 20


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a run did not come to its end."""

    code: ExitCode
    task: str | None
    message: str
    log: Path
    last_lines: Sequence[str]
    """Of the log, up to the failure."""


class Stopped(BaseException):
    """The user, or whoever started the run, wants it to stop."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        interrupted = signal_number == signal.SIGINT
        self.code = ExitCode.INTERRUPTED if interrupted else ExitCode.TERMINATED


def run_locally(
    recipe: Recipe,
    *,
    data_root: str,
    registry: str,
    command: Sequence[str],
    console: Console,
    fresh: bool = False,
) -> ExitCode:
    """Runs a recipe's DAG on this machine.

    Args:
      recipe: what to compute.
      data_root: the folder, or gs:// address, for shards, store and the runs' results.
      registry: where models are published.
      command: how litesmith was called, for the record.
      console: where progress and results are shown.
      fresh: compute everything anew, whatever the store holds.

    Returns:
      How it ended.

    Raises:
      UserError: the data root can't be written to.
    """
    if freed := remove_leftovers(local_folder(data_root)):
        console.print(f"removed {size(freed)} that killed commands had left")
    run = create_run(recipe, data_root=data_root, registry=registry, command=command, fresh=fresh)
    progress = RunProgress(recipe, run.events)
    with data_root_in_use(local_folder(data_root)), _still_there(run), run.lock():
        try:
            with stoppable():
                returncode = _run_worker(run, progress, console)
        except Stopped as stopped:
            return _record_stop(run, progress, stopped, console)
        failure = _find_failure(run, progress) if returncode else None
        return _finish(run, failure, console)


@contextlib.contextmanager
def _still_there(run: RunFolder) -> Iterator[None]:
    """Says so where a run's folder is removed under it."""
    try:
        yield
    except FileNotFoundError as error:
        if run.path.exists():
            raise
        raise UserError(
            f"{run.path}: was removed while the run went on; give the same command again, from a "
            "folder that stays"
        ) from error


def _run_worker(run: RunFolder, progress: RunProgress, console: Console) -> int:
    """Runs the DAG in a process group of its own, shows it, and returns its exit status."""
    title = f"{run.describe().context.recipe_name}  {run.run_id}"
    with (
        scratch_folder() as scratch,
        run.kfp_log.open("wb") as log,
        open_view(console, progress, title=title) as view,
    ):
        started: list[subprocess.Popen[bytes]] = []

        def start() -> None:
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", "pipeline.local.worker", str(run.path)],
                env=_environment(run, scratch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal then reaches this process alone, which ends the others in
                # order; and one signal to the group reaches every task, however deep.
                start_new_session=True,
            )
            started.append(worker)

        # In a thread of its own no signal interrupts it, between the worker's start and its name.
        pool = ThreadPoolExecutor(1)
        try:
            pool.submit(start).result()
            (worker,) = started
            while worker.poll() is None:
                view.update(progress.update())
                view.update(progress.take_note_of_lost(_KILLED))
                time.sleep(_POLL_S)
        finally:
            pool.shutdown()
            for worker in started:
                _end_group(worker)
        view.update(progress.update())
    return worker.returncode


def _environment(run: RunFolder, scratch: Path) -> Mapping[str, str]:
    """Returns the environment of the worker and of every task."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        EVENTS_DIRECTORY: str(run.logs),
        DRIVER_PID: str(os.getpid()),
        # A user's components.py in the working folder must not be taken for ours.
        "PYTHONSAFEPATH": "1",
        "PYTHONUNBUFFERED": "1",
        # kfp starts tasks as `python3`: see local_worker.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        # kfp leaves a temporary folder behind for every task.
        "TMPDIR": str(scratch),
    }


def _end_group(worker: subprocess.Popen[bytes]) -> None:
    """Ends the worker and every process in its group."""
    with contextlib.suppress(ProcessLookupError):
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGTERM)
            # Tasks that train save their state; the worker itself ends before them.
            _await_end(worker)
        os.killpg(worker.pid, signal.SIGKILL)
        _await_end(worker)  # Whoever is killed is still there for a moment.
    worker.wait()


def _await_end(worker: subprocess.Popen[bytes]) -> None:
    """Waits while any process of the worker's group is left, and no longer than _GRACE_S.

    Raises:
      ProcessLookupError: there is none.
    """
    deadline = time.monotonic() + _GRACE_S
    while time.monotonic() < deadline:
        worker.poll()
        os.killpg(worker.pid, 0)  # Asks only; the worker itself counts until it is reaped.
        time.sleep(_POLL_S / 10)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turns the first SIGINT, SIGTERM or SIGHUP into Stopped, and passes over any that follow."""
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        # What whoever started this ignores stays ignored: SIGHUP under nohup, for one.
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGHUP:
            _leave_terminal()
        raise Stopped(number)

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_terminal() -> None:
    """Prints nowhere what would go to a terminal that has hung up: writing there is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _finish(run: RunFolder, failure: Failure | None, console: Console) -> ExitCode:
    """Keeps what is worth keeping of a run that ended by itself, and shows how it ended."""
    # What can be used again is in the store, the rest in the run's folder and the registry.
    shutil.rmtree(run.artifacts, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError, StorageError, UserError):
        run.fetch()
    outcome = run.outcome() if failure is None else None
    if failure is None and (outcome is None or outcome.verdict is None):
        message = "every task succeeded, but nothing was decided"
        failure = _failure(ExitCode.UNEXPECTED, None, message, run.kfp_log)
    if failure is not None:
        _show_failure(failure, run)
        _record_failure(run, failure)
        return failure.code
    assert outcome is not None
    show_summary(console, outcome, run)
    return ExitCode.NOT_BLESSED if outcome.verdict == "not_blessed" else ExitCode.OK


def _record_failure(run: RunFolder, failure: Failure) -> None:
    """Writes how the run ended, where notify could not."""
    if run.outcome() is None:
        Outcome(
            run_id=run.run_id,
            state="failed",
            verdict=None,
            message=failure.message,
            failed_task=failure.task,
            user_error=failure.code is ExitCode.BAD_INPUT,
            results=_results(run),
        ).write(run.path)


def _results(run: RunFolder) -> RunResults:
    """Returns what the tasks came to; nothing where the data root does not answer."""
    try:
        return results_so_far(run.describe().context)
    except (StorageError, UserError):
        return RunResults()


def _record_stop(
    run: RunFolder, progress: RunProgress, stopped: Stopped, console: Console
) -> ExitCode:
    running = ", ".join(task.name for task in progress.running()) or "no task"
    word = "interrupted" if stopped.code is ExitCode.INTERRUPTED else "terminated"
    Outcome(
        run_id=run.run_id,
        state="interrupted",
        verdict=None,
        message=f"{word} while {running} ran",
        failed_task=None,
        results=_results(run),
    ).write(run.path)
    shutil.rmtree(run.artifacts, ignore_errors=True)
    console.print(f"\n{word}; finished stages are kept, the same command goes on from them")
    return stopped.code


def _find_failure(run: RunFolder, progress: RunProgress) -> Failure:
    """Finds out why a run failed, from its tasks' events and kfp's log."""
    # The witnesses, the best first: a task that said that it failed; one that began and never
    # ended, so was killed; KFP's log, which knows of a task that ended before it could say
    # anything.
    task = progress.failed()
    if task is not None:
        code = ExitCode.BAD_INPUT if task.user_error else ExitCode.STAGE_FAILED
        return _failure(code, task.name, task.message, run.task_log(task.name))
    killed = next(iter(progress.running()), None)
    if killed is not None:
        return _failure(ExitCode.STAGE_FAILED, killed.name, _KILLED, run.task_log(killed.name))
    text = _read_log(run.kfp_log)
    failed = re.search(r"Task '([\w-]+)' finished with status FAILURE", text)
    if failed is not None:
        lines = _last_lines(text[: text.rindex("\n", 0, failed.start())])
        ended = {task_of(task.name.partition("[")[0]) for task in progress.ended()}
        if failed[1] in ended:
            message = "its process was killed when its work was done, before kfp knew"
        else:
            message = f"it ended before it began: {lines[-1].strip() if lines else 'silently'}"
        return Failure(ExitCode.STAGE_FAILED, failed[1], message, run.kfp_log, lines)
    return _failure(ExitCode.UNEXPECTED, None, "the DAG's runner ended too early", run.kfp_log)


def _failure(code: ExitCode, task: str | None, message: str, log: Path) -> Failure:
    return Failure(code, task, message, log, _last_lines(_read_log(log)))


_KILLED = (
    "its process was killed; the system does that when memory runs out: close other programs, "
    "or lower global_batch_size or image_size"
)

_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT))
"""What an error says where a disk, or a user's share of it, is full."""
_MAKE_ROOM = (
    "Free some space where the data root lies (`litesmith cache prune` frees what no run uses), or "
    "name another place: --data-root, and TMPDIR for temporary files"
)


def _show_failure(failure: Failure, run: RunFolder) -> None:
    """Says on stderr which task failed, why, where to look and what to do."""
    console = open_console(stderr=True, soft_wrap=True)
    what = f"{failure.task} failed" if failure.task else "the run failed"
    console.print()
    if failure.code is ExitCode.BAD_INPUT:
        console.print(Text.assemble(("error:", "bold red"), f" {failure.message}"))
        return
    console.print(Text.assemble(("error:", "bold red"), f" {what}: {failure.message}"))
    if any(reason in failure.message for reason in _FULL):  # Where it was found tells nothing.
        console.print(f"\n{_MAKE_ROOM}", markup=False, highlight=False)
    elif failure.last_lines:
        console.print(f"\nThe last lines of {failure.log}:", markup=False, highlight=False)
        for line in failure.last_lines:
            console.print(f"  {line}", markup=False, highlight=False)
    if "No module named" in failure.message:
        console.print(
            "\nInstall what is missing: requirements/local.lock, as docs/install.md says",
            markup=False,
            highlight=False,
        )
    console.print("\nMend the cause and give the same command again: finished stages are kept.")
    show_paths(console, run)


def _read_log(log: Path) -> str:
    """Returns a log's text without colours; empty where there is no log."""
    if not log.exists():
        return ""
    text = log.read_text(encoding="utf-8", errors="replace")
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _last_lines(text: str) -> Sequence[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()][-_SHOWN_LOG_LINES:]
