"""A schedule run for past days, each time with the window of data of its own day."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from components.common.errors import UserError
from pipeline.kubeflow.cluster import Cluster
from pipeline.kubeflow.cluster_run import ClusterRun
from pipeline.schedules.declaration import Wanted


@dataclasses.dataclass(frozen=True)
class Filled:
    """One moment of a backfill."""

    moment: datetime
    run: ClusterRun
    was_there: bool
    """Started by another backfill."""


def backfill(
    cluster: Cluster,
    want: Wanted,
    first: date,
    last: date,
    *,
    concurrency: int,
    report: Callable[[Filled], None],
    poll_s: float = 5.0,
) -> list[Filled]:
    """Runs a schedule for past days, each time with the window of its own day.

    Args:
      cluster: where.
      want: the schedule.
      first: the first day (UTC).
      last: the last day, included.
      concurrency: how many runs may go on at once.
      report: called with each run that is over.
      poll_s: seconds between two looks at the runs.

    Returns:
      Every moment's run, over; of a failed one there is a new attempt each time this is
      called, and a finished one is not repeated.

    Raises:
      UserError: the schedule sees no window, or never fires in these days.
    """
    pending = _moments(want, first, last)
    known = {run.name: run for run in cluster.runs(recipe=want.recipe.name)}
    going: list[Filled] = []
    filled: list[Filled] = []
    while pending or going:
        while pending and len(going) < concurrency:
            going.append(_attempt(cluster, want, pending.pop(0), known))
        over = [one for one in going if one.run.is_over]
        for one in over:
            report(one)
        filled.extend(over)
        going = [one for one in going if not one.run.is_over]
        if not over:
            time.sleep(poll_s)
        going = [
            dataclasses.replace(one, run=cluster.get_patiently(one.run.kfp_id)) for one in going
        ]
    return sorted(filled, key=lambda one: one.moment)


def _moments(want: Wanted, first: date, last: date) -> list[datetime]:
    if want.schedule.window_days is None:
        raise UserError(
            f"{want.name}: has no window_days, so that every run of a backfill would see the "
            "same data; state it, and the window in the recipe's location"
        )
    until = _midnight(last) + timedelta(days=1, seconds=-1)
    moments = list(want.schedule.moments(_midnight(first), until))
    if not moments:
        raise UserError(f"{want.name}: never fires from {first} to {last}; see its cron and start")
    return moments


def _attempt(
    cluster: Cluster, want: Wanted, moment: datetime, known: Mapping[str, ClusterRun]
) -> Filled:
    """Returns the moment's run, started unless there is one that has not failed."""
    attempt = 1
    while True:
        run_id = f"{want.name}-{moment:%Y%m%d-%H%M}" + (f"-{attempt}" if attempt > 1 else "")
        run = known.get(run_id)
        if run is None:
            break
        if not run.is_over or run.state == "SUCCEEDED":
            return Filled(moment, run, was_there=True)
        attempt += 1
    context = want.target.context(
        run_id,
        want.recipe,
        window_days=want.schedule.window_days,
        window_end=str(moment.date() - timedelta(days=1)),
    )
    run = cluster.submit(want.recipe, context, want.dag)
    return Filled(moment, run, was_there=False)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
