"""Cron with a time zone, as Kubeflow Pipelines can keep it.

People write five fields and a time zone: `30 3 * * 1` in Europe/Berlin. KFP takes six
fields, seconds first, and reads them in UTC. A zone with a fixed offset converts exactly,
where one UTC expression says the same; what can't be said is refused. A zone with daylight
saving has no such expression at all: it is refused too, unless the schedule states that
standard time may be kept the whole year, an hour late by the clock in summer.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from components.common.errors import UserError

_LIMITS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_NAMES = {
    "month": ("jan feb mar apr may jun jul aug sep oct nov dec").split(),
    "weekday": ("sun mon tue wed thu fri sat").split(),
}
_DAY = 24 * 60


@dataclasses.dataclass(frozen=True)
class Cron:
    """A cron expression as sets of numbers; weekday 0 is Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def matches_day(self, moment: datetime) -> bool:
        """Whether it fires on a day: on either, where day and weekday are both restricted."""
        if moment.month not in self.months:
            return False
        day = moment.day in self.days
        weekday = (moment.weekday() + 1) % 7 in self.weekdays
        if len(self.days) < 31 and len(self.weekdays) < 7:
            return day or weekday
        return day and weekday

    def to_kfp(self) -> str:
        """Returns KFP's six fields."""
        fields = (
            _spell(self.minutes, 60),
            _spell(self.hours, 24),
            _spell(self.days, 31),
            _spell(self.months, 12),
            _spell(self.weekdays, 7),
        )
        return " ".join(("0", *fields))


def parse_cron(expression: str) -> Cron:
    """Parses five fields: minute, hour, day of the month, month, weekday.

    Raises:
      UserError: names the field and what it may hold.
    """
    fields = expression.split()
    if len(fields) != len(_LIMITS):
        raise UserError(
            f"cron: {expression!r} has {len(fields)} fields; give minute, hour, day, month and "
            "weekday, such as `30 3 * * 1`"
        )
    sets = [_parse_field(name, text) for name, text in zip(_LIMITS, fields, strict=True)]
    sets[4] = frozenset(weekday % 7 for weekday in sets[4])  # 7 is Sunday, too.
    return Cron(*sets)


def to_utc(cron: Cron, time_zone: str, *, standard_time: bool) -> Cron:
    """Converts a cron expression of a time zone to UTC.

    Args:
      cron: in local time.
      time_zone: such as `Europe/Berlin`.
      standard_time: keep the zone's standard time the whole year.

    Raises:
      UserError: there is no such zone, no one expression in UTC says the same, or the zone
        has daylight saving and standard_time is not set.
    """
    offset = _offset(time_zone, standard_time=standard_time)
    if not offset:
        return cron
    minutes, hours, days_later = _shift_times(cron, -offset, time_zone)
    every_day = len(cron.days) == 31 and len(cron.months) == 12
    if days_later and not every_day:
        raise UserError(
            f"cron: a day of the month in {time_zone} falls on the day before or after in UTC, "
            "which KFP's cron can't say; choose another hour, or write it in UTC"
        )
    weekdays = frozenset((weekday + days_later) % 7 for weekday in cron.weekdays)
    return dataclasses.replace(cron, minutes=minutes, hours=hours, weekdays=weekdays)


def occurrences(cron: Cron, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yields when a cron expression fires, from start to end, both included.

    Args:
      cron: in UTC.
      start: with a time zone.
      end: with a time zone.
    """
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    times = sorted(itertools.product(cron.hours, cron.minutes))
    while day <= end:
        if cron.matches_day(day):
            for hour, minute in times:
                moment = day + timedelta(hours=hour, minutes=minute)
                if start <= moment <= end:
                    yield moment
        day += timedelta(days=1)


def _shift_times(
    cron: Cron, shift: int, time_zone: str
) -> tuple[frozenset[int], frozenset[int], int]:
    """Moves minutes and hours; returns them, and by how many days all of them moved."""
    moved = [hour * 60 + minute + shift for hour in cron.hours for minute in cron.minutes]
    minutes = frozenset(moment % 60 for moment in moved)
    hours = frozenset(moment % _DAY // 60 for moment in moved)
    day_shifts = {moment // _DAY for moment in moved}
    any_day = len(cron.days) == 31 and len(cron.months) == 12 and len(cron.weekdays) == 7
    if len(minutes) * len(hours) != len(moved) or (len(day_shifts) > 1 and not any_day):
        raise UserError(
            f"cron: these times in {time_zone} are not one cron expression in UTC, which is all "
            "that KFP keeps; make a schedule of each, or write them in UTC"
        )
    return minutes, hours, 0 if len(day_shifts) > 1 else day_shifts.pop()


def _offset(time_zone: str, *, standard_time: bool) -> int:
    """Returns how many minutes a zone is ahead of UTC."""
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UserError(
            f"time_zone: there is no time zone {time_zone!r}; give a name such as Europe/Berlin "
            "or UTC"
        ) from error
    now = datetime.now(UTC)
    offsets = {(now + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(0, 366, 7)}
    minutes = sorted(int(o.total_seconds()) // 60 for o in offsets if o is not None)
    if len(minutes) > 1 and not standard_time:
        raise UserError(
            f"time_zone: {time_zone} has daylight saving, which KFP's cron, in UTC, can't follow; "
            "write the cron in UTC, or state `daylight_saving: ignore`: it then keeps standard "
            "time, and fires an hour later by the clock in summer"
        )
    return minutes[0]  # The smaller one is standard time.


def _parse_field(name: str, text: str) -> frozenset[int]:
    low, high = _LIMITS[name]
    values: set[int] = set()
    for part in text.lower().split(","):
        match = re.fullmatch(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
        if match is None:
            raise _refuse(name, part)
        every, first, last, step = match.groups()
        start = low if every else _number(name, first)
        if every:
            stop = 6 if name == "weekday" else high
        else:
            stop = _number(name, last) if last else (high if step else start)
        if not low <= start <= stop <= high or step == "0":
            raise _refuse(name, part)
        values.update(range(start, stop + 1, int(step or 1)))
    return frozenset(values)


def _number(name: str, text: str) -> int:
    if text.isdecimal():
        return int(text)
    names: Sequence[str] = _NAMES.get(name, ())
    if text not in names:
        raise _refuse(name, text)
    return names.index(text) + (name == "month")


def _refuse(name: str, text: str) -> UserError:
    low, high = _LIMITS[name]
    return UserError(
        f"cron: {text!r} is no {name}; give numbers from {low} to {high}, lists `1,3`, ranges "
        "`1-5` or steps `*/2`"
    )


def _spell(values: frozenset[int], everything: int) -> str:
    return "*" if len(values) == everything else ",".join(map(str, sorted(values)))
