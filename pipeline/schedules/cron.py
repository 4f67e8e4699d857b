"""Cron with a time zone, as Kubeflow Pipelines can keep it.

People write five fields and a time zone: `30 3 * * 1` in Europe/Berlin. KFP takes six
fields, seconds first, and reads them in UTC. A zone with a fixed offset converts exactly,
where one UTC expression says the same; what can't be said is refused. A zone with daylight
saving has no such expression at all: it is refused too, unless the schedule states that
standard time may be kept the whole year, an hour late by the clock in summer.

What an expression means is what KFP's library (robfig/cron 1.2) makes of it. There a star or a
question mark, a step behind it or not, lets a day fire only if day and weekday both fit; where
neither field has one, either is enough.
"""

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from components.common.errors import UserError

_LIMITS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_NAMES = {
    "month": ("jan feb mar apr may jun jul aug sep oct nov dec").split(),
    "weekday": ("sun mon tue wed thu fri sat").split(),
}
_EVERY_DAY, _EVERY_WEEKDAY = frozenset(range(1, 32)), frozenset(range(7))
_DAY = 24 * 60
_CYCLE_YEARS = 28  # After which weekdays fall on the same dates again, but for 2100's 29 February.
_LOOKS_AHEAD_YEARS = 5  # How far KFP's library looks for the next moment.


@dataclasses.dataclass(frozen=True)
class Cron:
    """A cron expression as sets of numbers; weekday 0 is Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Whether a day fires that fits days or weekdays, and not only one that fits both."""

    def matches_day(self, day: date) -> bool:
        """Whether it fires on a day."""
        if day.month not in self.months:
            return False
        fits = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
        return any(fits) if self.either else all(fits)

    def to_kfp(self) -> str:
        """Returns KFP's six fields."""
        days, weekdays = _spell(self.days, 31), _spell(self.weekdays, 7)
        if not self.either and "*" not in (days, weekdays):
            # Only a star says that both must fit, and one with a step past the end stands for
            # the first number alone. One of the two holds it, or there would have been no star.
            if 1 in self.days:
                days = f"*/31,{days}"
            else:
                weekdays = f"*/7,{weekdays}"
        minutes, hours = _spell(self.minutes, 60), _spell(self.hours, 24)
        return " ".join(("0", minutes, hours, days, _spell(self.months, 12), weekdays))


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
    minutes, hours, days, months, weekdays = sets
    weekdays = frozenset(weekday % 7 for weekday in weekdays)  # 7 is Sunday, too.
    either = not any(sign in fields[2] + fields[4] for sign in "*?")
    if either and (len(days) == 31 or len(weekdays) == 7):
        days, weekdays, either = _EVERY_DAY, _EVERY_WEEKDAY, False
    return Cron(minutes, hours, days, months, weekdays, either)


def check_recurs(cron: Cron) -> None:
    """Refuses what KFP's controller could not keep: it looks a few years ahead, and no further.

    Where it finds no moment there, it takes the year 1 for the next one: a run without end to
    make up for.

    Raises:
      UserError: it never fires, or not for years.
    """
    years = [year for year in range(2001, 2001 + _CYCLE_YEARS) if _fires_in(cron, year)]
    again = [*years[1:], *(year + _CYCLE_YEARS for year in years[:1])]
    if not years or max(b - a for a, b in zip(years, again, strict=True)) > _LOOKS_AHEAD_YEARS:
        raise UserError(
            f"cron: {cron.to_kfp()!r}, as KFP spells it, fires "
            f"{'at intervals of more than' if years else 'never, not once in'} "
            f"{_LOOKS_AHEAD_YEARS} years, and KFP's controller, which looks no further ahead, "
            "would start runs without end; choose days that its months have"
        )


def _fires_in(cron: Cron, year: int) -> bool:
    first = date(year, 1, 1)
    days = (first + timedelta(days=number) for number in range(366))
    return any(day.year == year and cron.matches_day(day) for day in days)


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
        if every or (step and not last):
            stop = 6 if name == "weekday" else high
        else:
            stop = _number(name, last) if last else start
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
