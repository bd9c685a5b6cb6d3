"""Earn caps: calendar spans in the program's time zone (R105, W10)."""

from datetime import date

import pytest

from loyalty.domain.ledger.caps import CapPeriod, EarnCap, counted
from loyalty.domain.ledger.member import Earned
from tests.journey import at


@pytest.mark.parametrize(
    ("period", "day", "end"),
    [
        (CapPeriod.DAY, "2026-03-02", "2026-03-03"),
        (CapPeriod.DAY, "2026-12-31", "2027-01-01"),
        (CapPeriod.WEEK, "2026-03-02", "2026-03-09"),
        (CapPeriod.WEEK, "2026-03-08", "2026-03-09"),
        (CapPeriod.WEEK, "2026-12-31", "2027-01-04"),
        (CapPeriod.MONTH, "2026-01-31", "2026-02-01"),
        (CapPeriod.MONTH, "2026-11-01", "2026-12-01"),
        (CapPeriod.MONTH, "2026-12-31", "2027-01-01"),
        (CapPeriod.YEAR, "2026-01-01", "2027-01-01"),
        (CapPeriod.YEAR, "2026-12-31", "2027-01-01"),
        (CapPeriod.EVER, "2026-03-02", "never"),
    ],
)
def test_a_period_ends_on_the_first_day_after_it(period: CapPeriod, day: str, end: str) -> None:
    """Weeks begin on Monday; 2026-03-02 is one."""
    assert period.end(date.fromisoformat(day)) == end


def test_periods_have_the_names_that_buckets_are_stored_under() -> None:
    assert [period.value for period in CapPeriod] == ["day", "week", "month", "year", "ever"]


def test_a_bucket_is_named_for_rule_period_and_end() -> None:
    assert EarnCap(CapPeriod.MONTH, times=2).bucket("review", date(2026, 3, 2)) == "review|month|2026-04-01"


@pytest.mark.parametrize(
    ("cap", "earned", "room"),
    [
        (EarnCap(CapPeriod.DAY), Earned(99, 9999), None),
        (EarnCap(CapPeriod.DAY, times=2), Earned(1, 500), None),
        (EarnCap(CapPeriod.DAY, times=2), Earned(2, 1), 0),
        (EarnCap(CapPeriod.DAY, times=2), Earned(3, 1), 0),
        (EarnCap(CapPeriod.DAY, times=0), Earned(), 0),
        (EarnCap(CapPeriod.DAY, points=100), Earned(9, 40), 60),
        (EarnCap(CapPeriod.DAY, points=100), Earned(9, 100), 0),
        (EarnCap(CapPeriod.DAY, points=100), Earned(9, 140), 0),
        (EarnCap(CapPeriod.DAY, times=2, points=100), Earned(1, 99), 1),
        (EarnCap(CapPeriod.DAY, times=2, points=100), Earned(2, 0), 0),
    ],
)
def test_the_room_of_a_cap_is_what_one_more_award_may_bring(cap: EarnCap, earned: Earned, room: int | None) -> None:
    assert cap.room(earned) == room


def test_awards_add_up_in_their_buckets() -> None:
    before = {"review|day|2026-03-03": Earned(1, 10), "order|ever|never": Earned(4, 4)}
    changes = {"review|day|2026-03-03": Earned(1, 5), "review|ever|never": Earned(1, 5)}
    assert counted(before, changes, at("2026-03-02T12:00")) == {
        "review|day|2026-03-03": Earned(2, 15),
        "order|ever|never": Earned(4, 4),
        "review|ever|never": Earned(1, 5),
    }


@pytest.mark.parametrize(("now", "kept"), [("2026-03-03T23:59", True), ("2026-03-04T00:00", False)])
def test_a_bucket_is_dropped_once_its_period_is_over_everywhere_on_earth(now: str, *, kept: bool) -> None:
    """A day ending on the 3rd lasts until noon UTC on the 3rd in the westernmost zone; a day later it is over there."""
    bucket = "review|day|2026-03-03"
    assert (bucket in counted({bucket: Earned(1, 1)}, {}, at(now))) is kept


def test_a_bucket_is_dropped_whatever_its_rule_is_called() -> None:
    assert counted({"a|b|day|2026-03-03": Earned(1, 1)}, {}, at("2026-03-09")) == {}
