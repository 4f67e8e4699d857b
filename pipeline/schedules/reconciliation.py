"""Recurring runs on a cluster, brought to agree with a file of schedules.

KFP can't change a recurring run, and its names are not unique. So each one that is made here says
in its description whose it is, and holds the digest of everything that it was made from. Whatever
of this file's owner has another digest, or no place in the file any more, goes; nothing else is
touched. To apply is to plan and carry out until the plan is empty: what somebody else who applies
did meanwhile, or what an apply that was stopped half-way left, is in the next plan. Of several
equal ones the oldest stays, whoever looks; none fires before it is known to be the one that stays:
each is made switched off. A run under way outlives the recurring run that started it: its workflow
is left to itself when that one goes.
"""

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import kfp_server_api as kfp_api

from components.common.digests import canonical_json, text_digest
from components.common.errors import UserError
from pipeline.kubeflow.cluster import Cluster, once, reference
from pipeline.kubeflow.cluster_run import FINAL_STATES
from pipeline.kubeflow.explanations import MissingError
from pipeline.schedules.declaration import Schedule, Wanted

Action = Literal["create", "replace", "enable", "disable", "delete", "keep"]

_ROUNDS = 5  # Of plan and deed; two are enough where nobody else applies.
_FIRST_TO_ORPHAN = (2, 16)  # The KFP that lets a run under way outlive its recurring run.
_LATEST_RUNS = 200  # Among which those under way are: no recurring run has more than ten.
_MARK = re.compile(
    r"litesmith-schedule owner=(?P<owner>\S+) digest=(?P<digest>\w+) facts=(?P<facts>\w+)"
)


@dataclasses.dataclass(frozen=True)
class Existing:
    """A recurring run on the cluster that this file's owner made."""

    id: str
    name: str
    digest: str
    enabled: bool
    created: datetime
    experiment_id: str
    facts: str
    """Four digits for each thing that it was made from, by their names' order."""


@dataclasses.dataclass(frozen=True)
class ScheduleChange:
    """What has to be done about one schedule."""

    action: Action
    name: str
    reason: str
    wanted: Wanted | None = None
    stays: Existing | None = None
    goes: tuple[Existing, ...] = ()


def read_existing(cluster: Cluster, owner: str) -> list[Existing]:
    """Returns what an owner has on a cluster."""
    operation = cluster.api.client.recurring_runs.recurring_run_service_list_recurring_runs
    runs = cluster.api.pages(operation, "recurring_runs", namespace=cluster.api.namespace)
    return [existing for run in runs if (existing := _existing(run, owner)) is not None]


def plan(wanted: Sequence[Wanted], existing: Iterable[Existing]) -> list[ScheduleChange]:
    """Returns what has to be done, schedule by schedule, `keep` where nothing has."""
    by_name: dict[str, list[Existing]] = {}
    for one in sorted(existing, key=lambda one: (one.created, one.id)):
        by_name.setdefault(one.name, []).append(one)
    changes = [_change(want, by_name.pop(want.name, [])) for want in wanted]
    for name, gone in by_name.items():
        changes.append(
            ScheduleChange("delete", name, "is not in the file any more", goes=tuple(gone))
        )
    return changes


def apply(
    cluster: Cluster, owner: str, wanted: Sequence[Wanted], report: Callable[[ScheduleChange], None]
) -> list[ScheduleChange]:
    """Brings a cluster to agree with what is wanted there.

    Args:
      cluster: where.
      owner: whose recurring runs may be touched.
      wanted: all that the owner wants there.
      report: called with each change once it is done.

    Returns:
      What was done.

    Raises:
      UserError: the cluster refuses, or never comes to agree.
    """
    done: list[ScheduleChange] = []
    # Others who apply the same file may make or delete between the look and the deed here, and KFP
    # keeps no name unique. So only a round that finds nothing to do ends this; all who apply choose
    # by the same rule which one stays (`_fitting`), and so come to agree.
    for _ in range(_ROUNDS):
        changes = [
            change
            for change in plan(wanted, read_existing(cluster, owner))
            if change.action != "keep"
        ]
        if not changes:
            return done
        for change in changes:
            done.append(_carry_out(cluster, owner, change))
            report(done[-1])
    raise UserError(
        f"{cluster.api.host}: the schedules still differ after {_ROUNDS} rounds; does somebody "
        f"else apply another file with the owner {owner!r}?"
    )


def _change(want: Wanted, there: Sequence[Existing]) -> ScheduleChange:
    fitting = _fitting(want, there)
    if not there:
        start = want.schedule.start
        late = start is not None and start < datetime.now(UTC)
        reason = "is not on the cluster" + (_made_up_for(want, f" since {start}") if late else "")
        return ScheduleChange("create", want.name, reason, wanted=want)
    if not fitting:
        reason = f"differs in {', '.join(_differences(want, there[-1])) or 'its digest'}"
        return ScheduleChange("replace", want.name, reason, wanted=want, goes=tuple(there))
    stays = fitting[0]
    rest = tuple(one for one in there if one is not stays)
    if stays.enabled != want.schedule.enabled:
        action: Action = "enable" if want.schedule.enabled else "disable"
        reason = f"enabled: {str(want.schedule.enabled).lower()}{_made_up_for(want)}"
        return ScheduleChange(action, want.name, reason, want, stays, rest)
    if rest:
        return ScheduleChange(
            "delete", want.name, f"{len(rest)} older or double ones", want, stays, rest
        )
    return ScheduleChange("keep", want.name, "as it is", want, stays)


def _made_up_for(want: Wanted, since: str = "") -> str:
    """Says what KFP starts at once where a recurring run is switched on that missed moments."""
    if not want.schedule.enabled:
        return ""
    if want.schedule.catch_up:
        return f"; every run that it missed{since} starts now, one after another (catch_up)"
    return f"; the latest run that it missed{since}, if any, starts now"


def _fitting(want: Wanted, there: Iterable[Existing]) -> list[Existing]:
    """Returns those that are as wanted, first the one that stays."""
    found = [one for one in there if (one.name, one.digest) == (want.name, want.digest())]
    # One that is switched on goes before an older one that is not: what fires is not taken away.
    # The id decides between two of the same second, so that everyone chooses alike.
    return sorted(found, key=lambda one: (not one.enabled, one.created, one.id))


def _differences(want: Wanted, one: Existing) -> list[str]:
    """Names what differs; nothing where another version of litesmith made it of other things."""
    facts, names = _fact_digits(want), sorted(want.facts())
    if len(facts) != len(one.facts):
        return []
    return [
        name
        for number, name in enumerate(names)
        if facts[4 * number : 4 * number + 4] != one.facts[4 * number : 4 * number + 4]
    ]


def _fact_digits(want: Wanted) -> str:
    """Digests each fact alone, briefly: some servers keep 255 characters of a description."""
    facts = want.facts()
    return "".join(text_digest(canonical_json(facts[name]))[:4] for name in sorted(facts))


def _carry_out(cluster: Cluster, owner: str, change: ScheduleChange) -> ScheduleChange:
    """Makes a change; at no moment do an old and a new one fire side by side.

    Returns:
      The change, with the runs that outlive what goes in its reason.
    """
    service, now = cluster.api.client.recurring_runs, datetime.now(UTC)
    going_on = [name for one in change.goes for name in _under_way(cluster, one)]
    if going_on:
        _refuse_to_end(cluster, change, going_on)
    #   old ones off -> the new one made, and on -> old ones deleted
    #
    # What is off can be switched on again, what is deleted can't: so the old ones are deleted last,
    # and are switched on again where the new one can't be made.
    for one in change.goes:
        _unless_gone(cluster, service.recurring_run_service_disable_recurring_run, one)
    if change.action in ("create", "replace"):
        assert change.wanted is not None
        try:
            replaced = change.action == "replace"
            _create(cluster, owner, change.wanted, replaces_at=now if replaced else None)
        except BaseException:
            for one in (one for one in change.goes if one.enabled):
                _unless_gone(cluster, service.recurring_run_service_enable_recurring_run, one)
            raise
    if change.stays is not None and change.action == "enable":
        _unless_gone(cluster, service.recurring_run_service_enable_recurring_run, change.stays)
    if change.stays is not None and change.action == "disable":
        _unless_gone(cluster, service.recurring_run_service_disable_recurring_run, change.stays)
    for one in change.goes:
        _unless_gone(
            cluster,
            service.recurring_run_service_delete_recurring_run,
            one,
            # Else Kubernetes collects the workflows that it owns, and KFP never hears of their end.
            propagation_policy="ORPHAN",
        )
    if not going_on:
        return change
    return dataclasses.replace(
        change, reason=f"{change.reason}; what is under way goes on: {', '.join(going_on)}"
    )


def _under_way(cluster: Cluster, one: Existing) -> list[str]:
    """Names the runs of a recurring run that are not over."""
    runs = cluster.api.pages(
        cluster.api.client.runs.run_service_list_runs,
        "runs",
        experiment_id=one.experiment_id,
        sort_by="created_at desc",
    )
    try:
        latest = list(itertools.islice(runs, _LATEST_RUNS))
    except MissingError:  # Somebody deleted the experiment, which KFP allows at any time.
        return []
    return [
        run.display_name
        for run in latest
        if run.recurring_run_id == one.id and run.state not in FINAL_STATES
    ]


def _refuse_to_end(cluster: Cluster, change: ScheduleChange, going_on: Sequence[str]) -> None:
    """Keeps a run from being ended with its recurring run by a server that knows no other way."""
    version = cluster.api.server_version
    if version is None or _release(version) >= _FIRST_TO_ORPHAN:
        return
    raise UserError(
        f"{change.name}: {', '.join(going_on)} is under way, and KFP {version} ends a run with its "
        "recurring run; wait for its end, or `litesmith runs cancel` it, and apply again"
    )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _unless_gone(
    cluster: Cluster, operation: Callable[..., Any], one: Existing, **named: Any
) -> None:
    try:
        cluster.api.call(operation, recurring_run_id=one.id, **named)
    except MissingError:
        pass  # Somebody else who applies was quicker.


def _create(cluster: Cluster, owner: str, want: Wanted, *, replaces_at: datetime | None) -> None:
    start = want.schedule.start if replaces_at is None else want.schedule.start_after(replaces_at)
    version = cluster.ensure_version(want.dag)
    body = kfp_api.V2beta1RecurringRun(
        display_name=want.name,
        description=_describe(owner, want),
        experiment_id=cluster.ensure_experiment(want.recipe.name),
        pipeline_version_reference=reference(version),
        runtime_config=kfp_api.V2beta1RuntimeConfig(
            parameters=want.parameters, pipeline_root=want.target.pipeline_root
        ),
        service_account=want.target.service_account,
        max_concurrency=str(want.schedule.max_concurrency),
        no_catchup=not want.schedule.catch_up,
        trigger=_trigger(want.schedule, start),
        # Of two that are made at the same time, only the one that stays is switched on, below.
        mode=kfp_api.RecurringRunMode.DISABLE,
    )

    def find() -> Existing | None:
        return next(iter(_fitting(want, read_existing(cluster, owner))), None)

    service = cluster.api.client.recurring_runs
    once(
        find,
        lambda: cluster.api.call(
            service.recurring_run_service_create_recurring_run, recurring_run=body
        ),
    )
    if want.schedule.enabled:
        for stays in _fitting(want, read_existing(cluster, owner))[:1]:
            _unless_gone(cluster, service.recurring_run_service_enable_recurring_run, stays)


def _describe(owner: str, want: Wanted) -> str:
    return (
        "Kept by `litesmith schedule apply`.\n"
        f"litesmith-schedule owner={owner} digest={want.digest()} facts={_fact_digits(want)}"
    )


def _trigger(schedule: Schedule, start: datetime | None) -> Any:
    times = {"start_time": start, "end_time": schedule.end}
    if schedule.cron is not None:
        cron = kfp_api.V2beta1CronSchedule(cron=schedule.utc_cron(), **times)
        return kfp_api.V2beta1Trigger(cron_schedule=cron)
    interval = kfp_api.V2beta1PeriodicSchedule(interval_second=str(schedule.interval_s), **times)
    return kfp_api.V2beta1Trigger(periodic_schedule=interval)


def _existing(run: Any, owner: str) -> Existing | None:
    mark = _MARK.search(run.description or "")
    if mark is None or mark["owner"] != owner:
        return None
    return Existing(
        id=run.recurring_run_id,
        name=run.display_name,
        digest=mark["digest"],
        enabled=run.mode == kfp_api.RecurringRunMode.ENABLE,
        created=run.created_at,
        experiment_id=run.experiment_id,
        facts=mark["facts"],
    )
