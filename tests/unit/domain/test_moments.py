"""Times: one precision, one text form, and days that begin and end where the program is."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from loyalty.domain.moments import end_of_day, local_date, parse_utc, utc_text, whole_milliseconds
from tests.journey import at


def test_times_are_utc_in_whole_milliseconds() -> None:
    berlin = timezone(timedelta(hours=2))
    moment = whole_milliseconds(datetime(2026, 8, 20, 16, 3, 11, 999_999, tzinfo=berlin))
    assert moment == at("2026-08-20T14:03:11.999")
    assert moment.tzinfo is UTC


def test_a_time_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"^a time without a zone$"):
        whole_milliseconds(datetime(2026, 8, 20))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        ("2026-08-20T14:03:11", "2026-08-20T14:03:11.000Z"),
        ("2026-08-20T14:03:11.000999", "2026-08-20T14:03:11.000Z"),
        ("2026-08-20T14:03:11.007", "2026-08-20T14:03:11.007Z"),
        ("2026-01-02T03:04:05.999999", "2026-01-02T03:04:05.999Z"),
    ],
)
def test_the_text_form_has_a_fixed_width_and_reads_back(moment: str, text: str) -> None:
    assert utc_text(at(moment)) == text
    assert parse_utc(text) == whole_milliseconds(at(moment))


def test_a_text_without_a_zone_is_no_time() -> None:
    with pytest.raises(ValueError, match=r"^a time without a zone$"):
        parse_utc("2026-08-20T14:03:11.000")


@pytest.mark.parametrize(
    ("day", "timezone_name", "end"),
    [
        ("2026-03-02", "UTC", "2026-03-03T00:00"),
        ("2026-12-31", "UTC", "2027-01-01T00:00"),
        ("2028-02-28", "UTC", "2028-02-29T00:00"),
        ("2026-03-28", "Europe/Berlin", "2026-03-28T23:00"),
        ("2026-03-29", "Europe/Berlin", "2026-03-29T22:00"),
        ("2026-10-25", "Europe/Berlin", "2026-10-25T23:00"),
        ("2026-03-08", "America/New_York", "2026-03-09T04:00"),
        ("2026-11-01", "America/New_York", "2026-11-02T05:00"),
        ("2026-03-28", "Asia/Beirut", "2026-03-28T22:00"),
        ("2026-10-24", "Asia/Beirut", "2026-10-24T22:00"),
        ("2026-10-31", "America/Havana", "2026-11-01T04:00"),
        ("2026-03-02", "Asia/Kathmandu", "2026-03-02T18:15"),
    ],
)
def test_a_day_ends_with_the_first_instant_of_the_next(day: str, timezone_name: str, end: str) -> None:
    """On days of 23 and 25 hours, and where the clocks change at midnight itself (Beirut, Havana)."""
    over = end_of_day(date.fromisoformat(day), timezone_name)
    assert over == at(end)
    assert local_date(over, timezone_name) == date.fromisoformat(day) + timedelta(days=1)
    assert local_date(over - timedelta(milliseconds=1), timezone_name) == date.fromisoformat(day)


def test_the_end_of_a_day_is_utc() -> None:
    assert end_of_day(date(2026, 3, 2), "Europe/Berlin").tzinfo is UTC


@pytest.mark.parametrize(
    ("moment", "timezone_name", "day"),
    [
        ("2026-03-02T12:00", "UTC", "2026-03-02"),
        ("2026-03-02T11:00", "Pacific/Auckland", "2026-03-03"),
        ("2026-03-03T07:59", "America/Los_Angeles", "2026-03-02"),
        ("2026-03-03T08:00", "America/Los_Angeles", "2026-03-03"),
    ],
)
def test_the_day_is_that_of_the_time_zone(moment: str, timezone_name: str, day: str) -> None:
    assert local_date(at(moment), timezone_name).isoformat() == day
