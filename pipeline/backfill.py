"""A schedule run for past days, each time with the window of data of its own day."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta

from components.common.errors import UserError
from pipeline.cluster import Cluster, ClusterRun
from pipeline.schedules import Wanted


@dataclasses.dataclass(frozen=True)
class Filled:
    """One moment of a backfill."""

    moment: datetime
    run: ClusterRun
    was_there: bool
    """Done by an earlier backfill."""


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
    if want.schedule.window_days is None:
        raise UserError(
            f"{want.name}: has no window_days, so that every run of a backfill would see the "
            "same data; state it, and the window in the recipe's location"
        )
    until = _midnight(last) + timedelta(days=1, seconds=-1)
    moments = list(want.schedule.moments(_midnight(first), until))
    if not moments:
        raise UserError(f"{want.name}: never fires from {first} to {last}; see its cron and start")
    known = _attempts(cluster, want)
    pending, filled = list(moments), list[Filled]()
    going: dict[datetime, str] = {}
    while pending or going:
        while pending and len(going) < concurrency:
            moment = pending.pop(0)
            run, was_there = _attempt(cluster, want, moment, known)
            if run.is_over:
                filled.append(Filled(moment, run, was_there))
                report(filled[-1])
            else:
                going[moment] = run.kfp_id
        if going:
            time.sleep(poll_s)
        for moment, kfp_id in list(going.items()):
            run = cluster.get(kfp_id)
            if run.is_over:
                del going[moment]
                filled.append(Filled(moment, run, was_there=False))
                report(filled[-1])
    return sorted(filled, key=lambda one: one.moment)


def _attempts(cluster: Cluster, want: Wanted) -> dict[str, ClusterRun]:
    """Returns the recipe's runs by name."""
    return {run.name: run for run in cluster.runs(recipe=want.recipe.name)}


def _attempt(
    cluster: Cluster, want: Wanted, moment: datetime, known: Mapping[str, ClusterRun]
) -> tuple[ClusterRun, bool]:
    """Returns the moment's run, started unless there is one that has not failed."""
    attempt = 1
    while True:
        run_id = f"{want.name}-{moment:%Y%m%d-%H%M}" + (f"-{attempt}" if attempt > 1 else "")
        run = known.get(run_id)
        if run is None:
            break
        if not run.is_over or run.state == "SUCCEEDED":
            return run, True
        attempt += 1
    context = want.target.context(
        run_id,
        want.recipe,
        window_days=want.schedule.window_days,
        window_end=str(moment.date() - timedelta(days=1)),
    )
    return cluster.submit(want.recipe, context, want.dag), False


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
