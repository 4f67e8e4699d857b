"""Cron with a time zone: what converts to UTC fires at the same moments."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from components.common.errors import UserError
from pipeline.cron import Cron, occurrences, parse_cron, to_utc

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


def test_day_and_weekday_are_either_or() -> None:
    cron = parse_cron("0 0 1 * 1")
    days = [moment.date().isoformat() for moment in occurrences(cron, START, END)]
    assert days == ["2026-02-23", "2026-03-01", "2026-03-02", "2026-03-09", "2026-03-16"]
