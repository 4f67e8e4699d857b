"""Schedules: recurring runs declared in a file, typed and validated."""

import dataclasses
import functools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from components.common.config import Section
from components.common.digests import canonical_json, text_digest
from components.common.errors import UserError
from pipeline.dag.compile import WORKFLOW_ID, CompiledDag, compile_dag
from pipeline.declarations.refusals import explain_problems
from pipeline.declarations.yaml_files import read_yaml
from pipeline.recipe import Compression, Recipe, load_recipe, stated_locations
from pipeline.recipe.parameters import run_parameters
from pipeline.schedules.cron import Cron, check_recurs, occurrences, parse_cron, to_utc
from pipeline.target import KubeflowTarget, PortForwardAuth, load_target

# Within which KFP's library and calendars count alike.
ScheduleBound = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC)),
]

_WINDOW = ("{window_start}", "{window_end}")


class Schedule(Section):
    """One recurring run."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    recipe: str
    """A shipped recipe's name, or a file, relative to this one."""
    set: tuple[str, ...] = ()
    """Overrides, as `--set` takes them."""
    tiny: bool = False
    target: str | None = None
    """Where it runs, if not on the file's target."""
    cron: str | None = None
    """Five fields: minute, hour, day of the month, month, weekday."""
    time_zone: str = "UTC"
    daylight_saving: Literal["refuse", "ignore"] = "refuse"
    """Of a time zone that has it: ignore keeps standard time the whole year."""
    interval_s: Annotated[int, Field(ge=60, le=366 * 86_400)] | None = None
    """Seconds between two runs, in place of cron."""
    max_concurrency: Annotated[int, Field(ge=1, le=10)] = 1
    """How many of its runs may go on at once; a run that is due waits for a place."""
    catch_up: bool = False
    """Whether every missed run is made up for, or only the latest."""
    start: ScheduleBound | None = None
    end: ScheduleBound | None = None
    enabled: bool = True
    window_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    """How many whole days of data a run sees, up to the day before it (UTC). The recipe's
    location says where, with `{window_start}` and `{window_end}`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.cron is None) == (self.interval_s is None):
            raise ValueError("give either cron or interval_s")
        if self.cron is None and self.time_zone != "UTC":
            raise ValueError("time_zone: belongs to cron; an interval has none")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"end: {self.end} does not lie after start {self.start}")
        if self.catch_up and self.window_days is not None:
            raise ValueError(
                "catch_up: a run that is made up for would see the newest window, not its own; "
                "use `litesmith schedule backfill`, which gives each its own"
            )
        return self

    def utc_cron(self) -> str:
        """Returns KFP's form of the cron expression."""
        return self._utc_cron().to_kfp()

    def moments(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Yields when it fires from first to last; an interval first ends after its start."""
        if self.cron is not None:
            yield from occurrences(self._utc_cron(), first, last)
            return
        assert self.interval_s is not None  # One of the two is given.
        step = timedelta(seconds=self.interval_s)
        start = self.start if self.start is not None else first - step
        moment = start + max(1, -(-(first - start) // step)) * step
        while moment <= last:
            yield moment
            moment += step

    def fires_after(self, now: datetime) -> bool:
        """Whether it has a moment left, KFP counting from its start or, without one, from now."""
        if self.end is None:
            return True
        start = self.start or now
        soonest = max(now, start) + timedelta(seconds=1)
        counted = self.model_copy(update={"start": start})
        return next(counted.moments(soonest, self.end), None) is not None

    def start_after(self, now: datetime) -> datetime | None:
        """Returns the start of a recurring run that takes another's place.

        KFP makes up for what lies between a recurring run's start and its making; here the one
        before has done that. An interval goes on by its old start.
        """
        if self.start is None or self.start > now:
            return self.start
        if self.interval_s is None:
            return now
        step = timedelta(seconds=self.interval_s)
        return self.start + (now - self.start) // step * step

    def _utc_cron(self) -> Cron:
        assert self.cron is not None  # One of cron and interval_s is given.
        standard_time = self.daylight_saving == "ignore"
        cron = to_utc(parse_cron(self.cron), self.time_zone, standard_time=standard_time)
        check_recurs(cron)
        return cron


class ScheduleFile(Section):
    """What schedules.yaml holds."""

    owner: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._/-]{0,62}$")]
    """Marks what this file owns on a cluster: another file's must differ."""
    target: str
    """Where schedules run; looked over even when none is left."""
    schedules: tuple[Schedule, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [schedule.name for schedule in self.schedules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"schedules: the name {name} is given twice")
        return self


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A schedule with everything that its recurring run is made from."""

    schedule: Schedule
    recipe: Recipe
    target: KubeflowTarget
    dag: CompiledDag

    @property
    def name(self) -> str:
        return self.schedule.name

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters of every run that the schedule starts."""
        days = self.schedule.window_days or 0
        context = self.target.context(WORKFLOW_ID, self.recipe, window_days=days)
        return run_parameters(self.recipe, context)

    def facts(self) -> dict[str, Any]:
        """Returns what its digest is taken of: all but whether it is enabled."""
        schedule = self.schedule
        return {
            "pipeline": self.dag.version_name,
            "cron": schedule.utc_cron() if schedule.cron is not None else None,
            "interval_s": schedule.interval_s,
            "start": _seconds(schedule.start),
            "end": _seconds(schedule.end),
            "max_concurrency": schedule.max_concurrency,
            "catch_up": schedule.catch_up,
            "service_account": self.target.service_account,
            "pipeline_root": self.target.pipeline_root,
            **self.parameters,
        }

    def digest(self) -> str:
        return text_digest(canonical_json(self.facts()))[:16]


def load_schedules(path: Path) -> ScheduleFile:
    """Reads and validates a file of schedules.

    Raises:
      UserError: the file is missing, or a key or value is refused; names each.
    """
    try:
        return ScheduleFile.model_validate_json(json.dumps(read_yaml(path)))
    except ValidationError as error:
        lines = explain_problems(error, ScheduleFile)
        raise UserError(f"{path}: the schedules are refused\n{lines}") from error


def resolve(
    file: ScheduleFile, folder: Path, *, now: datetime | None = None
) -> list[tuple[KubeflowTarget, list[Wanted]]]:
    """Loads the recipes and targets that a file names, and compiles what they need.

    Args:
      file: the schedules.
      folder: where the file lies; relative names start there.
      now: from when on each schedule that is enabled must still fire; None where it need not.

    Returns:
      For each cluster and namespace a target to reach it by, and all that is wanted there;
      where the file's own target runs comes first, even if nothing is wanted there.

    Raises:
      UserError: names the schedule, and what is wrong with it.
    """
    targets = {file.target: _kubeflow(file.target, folder)}
    by_place = {_place(targets[file.target]): (targets[file.target], list[Wanted]())}
    dags: dict[
        tuple[str, tuple[Compression, ...], int], CompiledDag
    ] = {}  # Schedules of one shape share one.
    for schedule in file.schedules:
        name = schedule.target or file.target
        try:
            if now is not None:
                _refuse_finished(schedule, now)
            if name not in targets:
                targets[name] = _kubeflow(name, folder)
            target = targets[name]
            recipe = _located_recipe(schedule, target, folder)
            shape = (name, recipe.compressions(), recipe.search_rounds())
            if shape not in dags:
                dags[shape] = compile_dag(
                    compressions=shape[1], search_rounds=shape[2], target=target
                )
            wanted = Wanted(schedule, recipe, target, dags[shape])
            wanted.facts()  # Refuses a cron that KFP can't keep.
            by_place.setdefault(_place(target), (target, []))[1].append(wanted)
        except UserError as error:
            raise UserError(f"schedule {schedule.name}: {error}") from error
    return list(by_place.values())


def _refuse_finished(schedule: Schedule, now: datetime) -> None:
    if schedule.enabled and not schedule.fires_after(now):
        raise UserError(
            f"never fires from now on, for it ends {schedule.end}; state a later end, or "
            "`enabled: false`, or take it out of the file"
        )


def _place(target: KubeflowTarget) -> tuple[object, ...]:
    """Returns what tells clusters and namespaces apart, by whichever target they are reached."""
    auth = target.auth if isinstance(target.auth, PortForwardAuth) else None
    return target.host, target.namespace, auth


def _kubeflow(name: str, folder: Path) -> KubeflowTarget:
    beside = folder / name
    named = folder / "targets" / f"{name}.yaml"
    found = next((str(path) for path in (beside, named) if path.is_file()), name)
    target = load_target(found)
    if not isinstance(target, KubeflowTarget):
        raise UserError(f"{name}: schedules are kept by Kubeflow Pipelines, not by {target.kind}")
    return target


def _located_recipe(schedule: Schedule, target: KubeflowTarget, folder: Path) -> Recipe:
    beside = folder / schedule.recipe
    name = str(beside) if beside.is_file() else schedule.recipe
    recipe = load_recipe(name, schedule.set, tiny=schedule.tiny, locations="elsewhere")
    sees_window = any(
        mark in location
        for section, _, location in stated_locations(recipe)
        if section == "data"
        for mark in _WINDOW
    )
    if sees_window != (schedule.window_days is not None):
        raise UserError(
            "window_days and the recipe's location go together: data.folder, data.list or "
            "data.source.path holds {window_start} or {window_end}, such as "
            "gs://BUCKET/labels-{window_end}.csv"
        )
    return target.located(recipe)


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment is not None else None
