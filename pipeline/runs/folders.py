"""Run folders: what a local run leaves under `<data root>/runs/<run id>/`.

run.json       how the run was started; its driver holds a lock on it while it lives
logs/          events.jsonl, one log per task, kfp.log (what happened outside the tasks)
tasks/         one TaskResult per task, written by the tasks
outcome.json   how it ended and what it came to, written by notify, or by the driver of a
               stopped run
report.html    the page to read
tensorboard/   the curves of what was trained, a folder for each task that trained
"""

import contextlib
import fcntl
import importlib.metadata
import os
import platform
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from components.common.documents.base import Document, Moment
from components.common.documents.ladder import Ladder
from components.common.documents.outcome import Outcome
from components.common.documents.record import TaskResult
from components.common.errors import DamagedError, UserError, pass_over
from components.common.run_context import RunContext
from components.common.storage import open_regular_file, read_whole_file
from components.common.storage.locks import LockedError, hold_lock
from pipeline.declarations.placeholders import refuse_placeholders
from pipeline.recipe import Recipe
from pipeline.recipe.parameters import run_parameters
from pipeline.stages import place_of

D = TypeVar("D", bound=Document)

RunState = Literal["running", "succeeded", "failed", "interrupted"]

_DISTRIBUTIONS = (
    "litesmith", "kfp", "apache-beam", "tensorflow", "tf-keras",
    "tensorflow-model-optimization", "ai-edge-litert", "numpy", "pillow",
)  # fmt: skip


class RunDescription(Document):
    """How a run was started."""

    file_name: ClassVar[str] = "run.json"

    context: RunContext
    recipe: str
    """The whole recipe, defaults included, as YAML."""
    command: tuple[str, ...]
    working_folder: str
    started: Moment
    """ISO 8601, UTC."""
    versions: dict[str, str]

    def parse_recipe(self) -> Recipe:
        return Recipe.from_yaml(self.recipe)


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name
        self.logs = path / "logs"
        self.events = self.logs / "events.jsonl"
        self.kfp_log = self.logs / "kfp.log"
        self.artifacts = path / "artifacts"
        self.report = path / "report.html"
        self.tensorboard = path / "tensorboard"

    def task_log(self, task: str) -> Path:
        return self.logs / f"{task}.log"

    def describe(self) -> RunDescription:
        return RunDescription.read(self.path)

    def outcome(self) -> Outcome | None:
        return _read(Outcome, self.path)

    def search(self) -> Ladder | None:
        """Returns the search after its latest round, where the recipe searches."""
        return _read(Ladder, self.path)

    def tasks(self) -> list[TaskResult]:
        """Returns the results of the tasks that ended, in the order of the DAG.

        A damaged one is passed over, with a word on stderr.
        """
        files = sorted((self.path / "tasks").glob("*.json"))
        return sorted(_read_results(files), key=_place)

    def state(self) -> RunState:
        if self.is_running():
            return "running"
        outcome = self.outcome()
        return outcome.state if outcome is not None else "interrupted"

    def is_running(self) -> bool:
        try:
            with self.lock(wait=False):
                return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False

    def fetch(self) -> None:
        """Fetches what the tasks wrote, where the data root is no folder."""
        context = self.describe().context
        if "://" in context.data_root:
            context.data().download(context.run_folder(), self.path)

    @contextlib.contextmanager
    def lock(self, *, wait: bool = True) -> Iterator[None]:
        """Holds the run's lock, which the system lets go of when this process ends."""
        with open_regular_file(self.path / RunDescription.file_name) as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield


def _place(result: TaskResult) -> tuple[int, str, int]:
    """Returns what sorts tasks as the DAG runs them, those of the candidates by candidate."""
    stage, _, candidate_id = result.task.partition("[")
    task_place, stage_place = place_of(stage)
    return task_place, candidate_id, stage_place


def _read_results(files: Iterable[Path]) -> Iterator[TaskResult]:
    for file in files:
        try:
            yield TaskResult.parse(read_whole_file(file), name=str(file))
        except DamagedError as error:
            pass_over(error)


def create_run(
    recipe: Recipe, *, data_root: str, registry: str, command: Sequence[str], fresh: bool = False
) -> RunFolder:
    """Makes a fresh run folder and describes the run in it.

    Raises:
      UserError: the data root can't be written to, or a text would not reach the tasks.
    """
    refuse_placeholders({"--data-root": data_root, "--registry": registry}, source="this run")
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    context = RunContext(
        run_id=run_id,
        recipe_name=recipe.name,
        data_root=data_root,
        registry=registry,
        fresh=fresh,
    )
    run_parameters(recipe, context)  # Refused here, not when the first task is started.
    folder = RunFolder(runs_folder(local_folder(data_root)) / run_id)
    description = RunDescription(
        context=context,
        recipe=recipe.to_yaml(),
        command=tuple(command),
        working_folder=os.getcwd(),
        started=now.isoformat(timespec="seconds"),
        versions=dict(_versions()),
    )
    try:
        folder.logs.mkdir(parents=True)
        folder.events.touch()
        description.write(folder.path)
    except OSError as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise _unwritable(data_root, error) from error
    return folder


def _unwritable(data_root: str | Path, error: OSError) -> UserError:
    return UserError(
        f"{data_root}: can't be written to ({error.strerror}); give another --data-root"
    )


@contextlib.contextmanager
def data_root_in_use(data_root: Path) -> Iterator[None]:
    """Keeps `cache prune` from deleting while a run lasts; any number of runs may last."""
    with hold_lock(_lock_file(data_root), shared=True):
        yield


@contextlib.contextmanager
def data_root_alone(data_root: Path) -> Iterator[None]:
    """Keeps runs from starting.

    Raises:
      UserError: a run is going on.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(_lock_file(data_root), patience_s=0))
        except LockedError as error:
            raise UserError(
                f"{data_root}: a run is going on there; wait for its end (`litesmith runs list`)"
            ) from error
        yield


def _lock_file(data_root: Path) -> Path:
    folder = runs_folder(data_root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(data_root, error) from error
    return folder / ".lock"


def local_folder(data_root: str) -> Path:
    """Returns the folder below which the runs that this machine started lie.

    Their logs are local. Of runs whose data root is a bucket they lie in the default
    folder, and what the tasks wrote is fetched there.
    """
    return Path("litesmith-data").resolve() if "://" in data_root else Path(data_root)


def runs_folder(data_root: Path) -> Path:
    return data_root / "runs"


def list_runs(data_root: Path) -> list[RunFolder]:
    """Returns the runs below a data root, the latest first.

    One whose description is damaged is passed over, with a word on stderr.
    """
    descriptions = runs_folder(data_root).glob(f"*/{RunDescription.file_name}")
    folders = [RunFolder(path.parent) for path in sorted(descriptions, reverse=True)]
    return [folder for folder in folders if _read(RunDescription, folder.path) is not None]


def find_run(data_root: Path, run_id: str) -> RunFolder:
    """Finds a run by its id, or by the beginning of it; the latest for an empty one.

    Raises:
      UserError: there is none, or several.
    """
    runs = list_runs(data_root)
    found = [run for run in runs if run.run_id.startswith(run_id)] if run_id else runs[:1]
    if len(found) != 1:
        known = ", ".join(run.run_id for run in (found or runs)[:5]) or "none"
        raise UserError(
            f"{run_id}: {'several runs' if found else 'no run'} of that id under {data_root} "
            f"({known}); see `litesmith runs list`"
        )
    return found[0]


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    for name in _DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)


def _read(kind: type[D], directory: Path) -> D | None:
    """Returns a document; None where there is none, or a damaged one, which is named."""
    try:
        return kind.read(directory)
    except FileNotFoundError:
        return None
    except DamagedError as error:
        pass_over(error)
        return None
