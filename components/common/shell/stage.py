"""The shell around every stage: key, store, compute, keep, record.

A stage is declared once, as a `Stage`, and run with its component's arguments. The shell
computes the key (config, code, content of the inputs), answers from the store where it can,
and otherwise lets the stage's `compute` write into a fresh directory, keeps the result and
records how it came to be, beside the output and in the run's folder.
"""

import dataclasses
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from components.common.code_digests import code_digest, module_digests
from components.common.config import StageConfig
from components.common.digests import canonical_json, text_digest, tree_digest
from components.common.documents.base import Lineage
from components.common.documents.record import Record, StoredOutput, TaskResult
from components.common.errors import BAD_INPUT, GivenUp, UserError
from components.common.process.events import Events
from components.common.process.libraries import imported_libraries, other_versions
from components.common.run_context import RunContext
from components.common.shell.effort import Effort
from components.common.shell.inputs import Input, fetched, input_digest
from components.common.shell.local_runner import connect
from components.common.shell.misses import explain_miss, leave_record, recall_record
from components.common.shell.results import best_effort, keep_failure, keep_result
from components.common.shell.store import Store
from components.common.workers.worker import DEVICES, WORKER_PODS, Worker, this_worker

C = TypeVar("C", bound=StageConfig)

Deliver = Callable[[Path, Record, Path], None]
"""Makes of an output's directory and record what is handed on: the artifact at a path."""

PROFILE_STEPS = "LITESMITH_PROFILE_STEPS"
"""Set by a user, or in a target: how many steps of each phase of a training to profile."""

MODULE_DIGITS = 16  # They tell apart what one module was; nothing is believed for them.
IMAGE = "LITESMITH_IMAGE"
"""Set in the container images: which one this is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task(Generic[C]):
    """What a stage's compute function works with."""

    name: str
    config: C
    context: RunContext
    inputs: Mapping[str, Any]
    """Input name -> Path, tuple of Paths, or None for an optional one not given."""
    output: Path
    """A fresh, empty directory; what is written here is the stage's output."""
    lineage: Lineage
    events: Events
    worker: Worker = Worker()
    devices: str = "auto"
    """What a training is to run on; see components.common.training.strategy."""
    profile_steps: int = 0
    """How many steps of each phase of a training to profile."""

    @property
    def tensorboard_folder(self) -> str:
        """Where a training's curves go, relative to the data root."""
        return f"{self.context.run_folder()}/tensorboard/{self.name}"

    @property
    def checkpoint_folder(self) -> str:
        """Where this computation keeps what it goes on from, relative to the data root."""
        return _checkpoint_folder(self.lineage.stage, self.lineage.key, self.context)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage(Generic[C]):
    """The declaration of a stage.

    Attributes:
      name: the component's name.
      config: the class of its configuration.
      output: the name of its output among the arguments of `run`.
      compute: writes the output; returns figures of its own work for the record.
      identify: returns what the config's locations stand for (content digests), or the
        machine where results depend on it; enters the key.
      verify: whether what the output refers to, but does not contain, is still whole.
      reuse: whether unchanged work is answered from the store; off for stages that look
        at the blessed model, which changes outside the run.
      output_file: where set, the KFP artifact is this one file of the output directory.
      resumes: whether it keeps checkpoints, to be removed when its output is in the store.
    """

    name: str
    config: type[C]
    output: str
    compute: Callable[[Task[C]], Mapping[str, float] | None]
    identify: Callable[[C, RunContext, Events], Mapping[str, str]] | None = None
    verify: Callable[[Path, RunContext], bool] | None = None
    reuse: bool = True
    output_file: str | None = None
    resumes: bool = False

    def run(self, *, config: str, context: str, **paths: Path | Sequence[Path] | None) -> None:
        """Runs one task, or answers it from the store.

        Args:
          config: canonical JSON of the stage's configuration.
          context: canonical JSON of the RunContext.
          paths: the component's inputs and its output, by their names there.
        """
        inputs = {name: path for name, path in paths.items() if name != self.output}
        output = paths[self.output]
        assert isinstance(output, Path)
        execute(
            self,
            config=self.config.from_json(config),
            context=context,
            inputs=inputs,
            output=output,
        )


def execute(
    stage: Stage[C],
    *,
    config: C,
    context: str,
    inputs: Mapping[str, Input],
    output: Path,
    instance: str = "",
    deliver: Deliver | None = None,
    scratch: Path | None = None,
) -> None:
    """Runs one task, or answers it from the store.

    Args:
      stage: what to run.
      config: the stage's configuration.
      context: canonical JSON of the RunContext.
      inputs: input name -> what it is.
      output: where KFP expects the artifact; made here.
      instance: which of several parallel tasks of the stage this is, such as a
        candidate's id.
      deliver: makes the artifact; the output's own files are handed on where not given.
      scratch: where inputs from the store are put when they are needed, and found again by
        the next task of this process; a folder for this task alone where not given.

    Raises:
      SystemExit: with BAD_INPUT, after a UserError, whose message is printed and kept; with
        TERMINATED, where the task was told to end and has kept its state.
      GivenUp: a training can't come to what is asked of it, which is no failure.
    """
    run = RunContext.model_validate_json(context)
    name = _task_name(stage, instance)
    events = connect(name)
    started = time.monotonic()
    events.emit("started")
    try:
        # A fresh run computes whatever differs, so nothing of what differs is its reason.
        before = recall_record(run, name) if stage.reuse and not run.fresh else None
        record, cached = _answer(
            stage, config, run, inputs, output, instance, events, deliver, scratch
        )
    except GivenUp as end:
        seconds = time.monotonic() - started
        keep_result(
            run, TaskResult(task=name, status="given_up", seconds=seconds, message=str(end))
        )
        events.emit("finished", status="given_up", seconds=round(seconds, 3))
        raise
    except BaseException as error:
        # Being told to end is a BaseException too, and whoever reads the run's folder wants to
        # know.
        keep_failure(run, name, error, seconds=time.monotonic() - started, events=events)
        if isinstance(error, UserError):
            raise SystemExit(BAD_INPUT) from None
        raise
    seconds = time.monotonic() - started
    result = TaskResult(
        task=name,
        status="cached" if cached else "computed",
        seconds=seconds,
        record=record,
        reason="" if cached else explain_miss(record, before, locations=config.locations),
        other_libraries=other_versions(record.libraries) if cached else {},
    )
    keep_result(run, result)
    if stage.reuse and record != before and this_worker(os.environ).is_chief:
        with best_effort():
            leave_record(run, name, record)
    events.emit("finished", status=result.status, seconds=round(seconds, 3))


def _task_name(stage: Stage[Any], instance: str) -> str:
    return f"{stage.name}[{instance}]" if instance else stage.name


def _answer(
    stage: Stage[C],
    config: C,
    run: RunContext,
    inputs: Mapping[str, Input],
    output: Path,
    instance: str,
    events: Events,
    deliver: Deliver | None,
    scratch: Path | None,
) -> tuple[Record, bool]:
    """Returns the record of the output that now lies in place, and whether it was stored.

    Of several workers that train together, only the chief puts its output there.
    """
    identity = dict(stage.identify(config, run, events)) if stage.identify else {}
    digests = {input_: input_digest(path) for input_, path in inputs.items() if path is not None}
    code = code_digest(f"components.{stage.name}.stage")
    # All that can shape the output, and nothing else. Where inputs lie, which run this is and which
    # machine computes are absent, so that another run elsewhere finds the same entry; a stage whose
    # result depends on the machine says so through `identify`.
    material = {
        "stage": stage.name,
        "config": config.identity(),
        "code": code,
        "inputs": digests,
        "identity": identity,
    }
    key = text_digest(canonical_json(material))
    store = Store(run.data())

    def verify(stored: Path) -> bool:
        return stage.verify is None or stage.verify(stored, run)

    # Beside the artifact's place, hence on the same disk, so that handing it on is a rename.
    work = output.with_name(f"{output.name}.work")
    record = None
    if stage.reuse and not run.fresh:
        record = store.find(stage.name, key, work, verify)
    cached = record is not None
    if record is None and WORKER_PODS in os.environ:
        # The workers' result is awaited in the store, where a fresh run must not take the entry
        # that was there before them for theirs.
        before = store.find_record(stage.name, key) if run.fresh else None
        record = _launch(
            stage,
            key,
            config,
            run,
            inputs,
            instance,
            events,
            lambda: store.find(stage.name, key, work, verify, other_than=before),
        )
    if record is None:
        with fetched(inputs, store, scratch) as paths:
            task = Task(
                name=_task_name(stage, instance),
                config=config,
                context=run,
                inputs=paths,
                output=work,
                lineage=Lineage(stage=stage.name, key=key, inputs=digests),
                events=events,
                worker=this_worker(os.environ),
                devices=os.environ.get(DEVICES, "auto"),
                profile_steps=_profile_steps(),
            )
            record = _compute(stage, task, identity, code)
        if not task.worker.is_chief:
            shutil.rmtree(work)
            return record, cached
        if stage.reuse:
            record = store.put(record, work, verify, replace=run.fresh)
    # Last: a task that is killed before its output is in the store finds its states again.
    if stage.resumes:
        run.data().delete(_checkpoint_folder(stage.name, key, run))
    if deliver is None:
        _deliver(work, output, stage.output_file)
    else:
        deliver(work, record, output)
        shutil.rmtree(work)
    return record, cached


def _profile_steps() -> int:
    text = os.environ.get(PROFILE_STEPS, "0")
    if not text.isdecimal():
        raise UserError(f"{PROFILE_STEPS}: {text!r}; expected a number of steps, such as 10")
    return int(text)


def _launch(
    stage: Stage[C],
    key: str,
    config: C,
    run: RunContext,
    inputs: Mapping[str, Input],
    instance: str,
    events: Events,
    find: Callable[[], Record | None],
) -> Record:
    """Lets workers of the cluster compute, and returns the record of what they put in the store."""
    # Here: a machine that computes for itself need not have Kubernetes' client.
    from components.common.workers.launcher import launch_and_wait
    from components.common.workers.launches import Launch

    left: dict[str, Path | StoredOutput | None] = {}
    for input_, given in inputs.items():
        assert given is None or isinstance(given, Path | StoredOutput), (
            f"{stage.name}: a launch has no place for collections"
        )
        left[input_] = given
    launch = Launch(run.data(), stage.name, key)
    launch.leave(config, run, left, instance=instance)
    return launch_and_wait(
        launch,
        find,
        environment=os.environ,
        states=_checkpoint_folder(stage.name, key, run),
        events=events,
    )


def _checkpoint_folder(stage: str, key: str, run: RunContext) -> str:
    # A fresh run goes on from its own states alone.
    return f"checkpoints/{stage}/{key}" + (f"-{run.run_id}" if run.fresh else "")


def _compute(stage: Stage[C], task: Task[C], identity: Mapping[str, str], code: str) -> Record:
    """Computes a task's output anew and returns its record."""
    shutil.rmtree(task.output, ignore_errors=True)
    task.output.mkdir(parents=True)
    effort = Effort()
    measurements = stage.compute(task) or {}
    output_digest, identity_digest = tree_digest(task.output), input_digest(task.output)
    return Record(
        stage=stage.name,
        key=task.lineage.key,
        config=task.config.model_dump(mode="json"),
        identity=identity,
        inputs=task.lineage.inputs,
        code=code,
        modules={
            file: digest[:MODULE_DIGITS]
            for file, digest in module_digests(f"components.{stage.name}.stage").items()
        },
        image=os.environ.get(IMAGE, ""),
        libraries=imported_libraries(),
        output_digest=output_digest,
        identity_digest="" if identity_digest == output_digest else identity_digest,
        started=effort.started.isoformat(timespec="seconds"),
        seconds=effort.seconds,
        peak_memory_bytes=effort.peak_memory_bytes,
        measurements=measurements,
    )


def _deliver(work: Path, output: Path, output_file: str | None) -> None:
    if output.is_dir():
        shutil.rmtree(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    if output_file is None:
        work.rename(output)
    else:
        (work / output_file).replace(output)
        shutil.rmtree(work)
