"""Cron with a time zone: what converts to UTC fires at the same moments."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import strategies as st

from components.common.errors import UserError
from pipeline.schedules.cron import Cron, check_recurs, occurrences, parse_cron, to_utc

START = datetime(2026, 2, 20, tzinfo=UTC)
END = START + timedelta(days=24)  # Over the end of a month that is not a leap year's.


@pytest.mark.parametrize(
    ("expression", "kfp"),
    [
        ("30 3 * * 1", "0 30 3 * * 1"),
        ("*/20 8-10 1,15 jan-mar *", "0 0,20,40 8,9,10 1,15 1,2,3 *"),
        ("0 0 * * sun", "0 0 0 * * 0"),
        ("0 0 * * 7", "0 0 0 * * 0"),
        ("0 0 * * 1-7", "0 0 0 * * *"),
        ("5/25 * ? * *", "0 5,30,55 * * * *"),
        # A star keeps its meaning beside the other field, step or not: both must fit.
        ("0 3 */10 * mon", "0 0 3 */31,1,11,21,31 * 1"),
        ("0 3 8,15 * */2", "0 0 3 8,15 * */7,0,2,4,6"),
        ("0 3 1,15 * */2", "0 0 3 */31,1,15 * 0,2,4,6"),
        ("0 3 1-7 * mon", "0 0 3 1,2,3,4,5,6,7 * 1"),
        # Either is enough, and one of the two always fits.
        ("0 3 1-31 * mon", "0 0 3 * * *"),
        ("0 3 13 * 0-6", "0 0 3 * * *"),
        ("0 3 * * 1/2", "0 0 3 * * 1,3,5"),
    ],
)
def test_five_fields_become_kfps_six(expression: str, kfp: str) -> None:
    assert parse_cron(expression).to_kfp() == kfp


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 3 * *", "has 4 fields"),
        ("0 0 3 * * 1", "has 6 fields"),
        ("60 3 * * *", "'60' is no minute; give numbers from 0 to 59"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 3 0 * *", "'0' is no day"),
        ("0 3 * 13 *", "'13' is no month"),
        ("0 3 * * monday", "'monday' is no weekday"),
        ("0 10-8 * * *", "'10-8' is no hour"),
        ("*/0 * * * *", "is no minute"),
        ("@daily x x x x", "'@daily' is no minute"),
    ],
)
def test_mistakes_name_the_field(expression: str, message: str) -> None:
    with pytest.raises(UserError, match="cron") as error:
        parse_cron(expression)
    assert message in str(error.value)


def local_moments(cron: Cron, time_zone: str) -> list[datetime]:
    """Returns when a cron expression fires by the clocks of a zone: minute by minute."""
    moments, moment = [], START
    while moment <= END:
        local = moment.astimezone(ZoneInfo(time_zone))
        if local.hour in cron.hours and local.minute in cron.minutes and cron.matches_day(local):
            moments.append(moment)
        moment += timedelta(minutes=5)
    return moments


@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu"])
@pytest.mark.parametrize(
    "expression", ["30 3 * * *", "0 14 * * *", "0 * * * *", "15 1 * * 1", "45 23 * * 6,0"]
)
def test_conversion_keeps_the_moments(expression: str, time_zone: str) -> None:
    cron = parse_cron(expression)
    utc = to_utc(cron, time_zone, standard_time=False)
    assert list(occurrences(utc, START, END)) == local_moments(cron, time_zone)


@pytest.mark.parametrize(
    ("expression", "time_zone"),
    [
        ("0 3 1 * *", "Asia/Tokyo"),  # The first of the month there is the last here.
        ("0 3 * 6 *", "Asia/Tokyo"),
        ("0 3,15 * * 1", "Asia/Tokyo"),  # Two weekdays here, each with one of the hours.
        ("0,40 3 * * *", "Asia/Kolkata"),  # 21:30 and 22:10.
    ],
)
def test_what_one_expression_cannot_say_is_refused(expression: str, time_zone: str) -> None:
    with pytest.raises(UserError, match="UTC"):
        to_utc(parse_cron(expression), time_zone, standard_time=False)


def test_daylight_saving_is_refused_unless_it_may_be_ignored() -> None:
    cron = parse_cron("30 3 * * 1")
    with pytest.raises(UserError, match="daylight_saving: ignore"):
        to_utc(cron, "Europe/Berlin", standard_time=False)
    assert to_utc(cron, "Europe/Berlin", standard_time=True).to_kfp() == "0 30 2 * * 1"
    assert to_utc(cron, "America/New_York", standard_time=True).to_kfp() == "0 30 8 * * 1"


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(UserError, match="no time zone 'Europe/Atlantis'"):
        to_utc(parse_cron("0 3 * * *"), "Europe/Atlantis", standard_time=True)


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 1 * 1", ["02-23", "03-01", "03-02", "03-09", "03-16"]),
        ("0 0 */5 * 1", ["03-16"]),
        ("0 0 1,*/5 * 1", ["03-16"]),
        ("0 0 15,28 * */6", ["02-28", "03-15"]),
        ("0 0 ? * 6", ["02-21", "02-28", "03-07", "03-14"]),
    ],
)
def test_without_a_star_either_of_day_and_weekday_is_enough(
    expression: str, days: list[str]
) -> None:
    moments = occurrences(parse_cron(expression), START, END)
    assert [f"{moment:%m-%d}" for moment in moments] == days


@hypothesis.given(st.randoms(use_true_random=False))
@hypothesis.settings(max_examples=300, deadline=None)
def test_what_is_written_for_kfp_means_the_same(random: Random) -> None:
    cron = parse_cron(random_expression(random))
    assert parse_cron(cron.to_kfp().removeprefix("0 ")) == cron


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 3 31 2 *", "never, not once in 5 years"),
        ("0 3 30,31 2 *", "never, not once in 5 years"),
        ("0 3 31 4,6,9,11 ?", "never, not once in 5 years"),
        # The leap day's weekdays: 28 years apart.
        ("0 3 29 2 ?/6", "at intervals of more than 5 years"),
    ],
)
def test_what_kfp_finds_no_next_moment_for_is_refused(expression: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_recurs(parse_cron(expression))


@pytest.mark.parametrize(
    "expression", ["0 3 29 2 *", "0 3 31 2 1", "0 3 31 * *", "0 3 */30 2 mon-fri"]
)
def test_what_comes_rarely_is_kept(expression: str) -> None:
    check_recurs(parse_cron(expression))


# --- against KFP's own library ----------------------------------------------------------

ORACLE = Path(__file__).parent / "cron_oracle"
HOURS_AHEAD = {"UTC": 0.0, "Asia/Tokyo": 9.0, "Asia/Kolkata": 5.5, "America/Phoenix": -7.0}


@pytest.fixture(scope="module")
def ask_kfps_library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Returns what asks robfig/cron, as KFP 2.17 has it, when expressions fire."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed, and KFP's cron library is written in it")
    program = tmp_path_factory.mktemp("oracle") / "oracle"
    built = subprocess.run(
        [go, "build", "-buildvcs=false", "-o", str(program), "."],
        cwd=ORACLE,
        env={**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode and "dial tcp" in built.stderr:
        pytest.skip(f"KFP's cron library can't be had from here: {built.stderr.strip()}")
    assert built.returncode == 0, built.stderr

    def ask(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        lines = "\n".join(map(json.dumps, questions))
        done = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return ask


def question(cron: str, first: datetime, last: datetime, hours: float = 0) -> dict[str, Any]:
    return {
        "cron": cron,
        "hours_ahead": hours,
        "first": int(first.timestamp()),
        "last": int(last.timestamp()),
    }


@pytest.mark.slow
def test_expressions_mean_what_kfps_library_means_by_them(ask_kfps_library: Any) -> None:
    first, last = datetime(2026, 7, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
    random, asked, ours = Random(7), [], []
    for _ in range(1500):
        expression, zone = random_expression(random), random.choice(list(HOURS_AHEAD))
        try:
            cron = to_utc(parse_cron(expression), zone, standard_time=False)
            check_recurs(cron)
        except UserError:
            continue  # What no cron in UTC says; see the tests above.
        # The library counts from behind a moment, and knows Sunday as 0 alone.
        asked.append(question(f"0 {expression}", first, last, HOURS_AHEAD[zone]))
        asked.append(question(cron.to_kfp(), first, last))
        ours += [[int(m.timestamp()) for m in occurrences(cron, first, last)]] * 2
    assert len(asked) > 1000
    assert [fired["moments"] for fired in ask_kfps_library(asked)] == ours


@pytest.mark.slow
def test_what_never_fires_is_what_kfps_library_gives_up_on(ask_kfps_library: Any) -> None:
    first, last = datetime(2025, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
    random, asked, ours = Random(8), [], []
    for _ in range(300):
        days = ",".join(str(random.randint(27, 31)) for _ in range(random.randint(1, 2)))
        months = ",".join(str(random.choice((2, 2, 4, 11))) for _ in range(random.randint(1, 2)))
        weekday = random.choice(("*", "?/6", "*/7", "*/4", "1"))
        cron = parse_cron(f"0 3 {days} {months} {weekday}")
        try:
            check_recurs(cron)
            ours.append(False)
        except UserError:
            ours.append(True)
        asked.append(question(cron.to_kfp(), first, last))
    assert 10 < sum(ours) < 290
    assert [fired["gave_up"] for fired in ask_kfps_library(asked)] == ours


def random_expression(random: Random) -> str:
    """Returns five fields of every form, of which a day fires at most some sixty times."""
    minute, hour = str(random.randrange(60)), str(random.randrange(24))
    if random.random() < 0.5:
        minute = f"{minute}/{random.randint(15, 40)}"
    if random.random() < 0.3:
        hour = random_field(random, 0, 23, ())
    months = ("jan", "feb", "MAR", "jun", "Oct", "dec")
    weekdays = ("sun", "Mon", "wed", "SAT")
    return " ".join(
        (
            minute,
            hour,
            random_field(random, 1, 31, ()),
            random_field(random, 1, 12, months),
            random_field(random, 0, 6, weekdays),
        )
    )


def random_field(random: Random, low: int, high: int, names: tuple[str, ...]) -> str:
    """Returns a list of one to three stars, numbers, names, ranges and steps."""

    def part() -> str:
        first, last = sorted(random.randint(low, high) for _ in range(2))
        step = f"/{random.randint(1, high)}" if random.random() < 0.4 else ""
        forms = [random.choice("*?") + step, f"{first}-{last}{step}", f"{first}{step}", *names]
        return random.choice(forms)

    if random.random() < 0.3:
        return random.choice("*?")
    return ",".join(part() for _ in range(random.randint(1, 3)))
