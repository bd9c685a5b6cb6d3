"""Expiry policies: which date points get, over leap days, month ends and the turn of the year (R175, R183)."""

from datetime import date

import pytest

from loyalty.domain.ledger.expiry import (
    AfterEarning,
    Calendar,
    ExpiryPolicy,
    Inactivity,
    NoExpiry,
    Period,
    redated,
    restarted,
    schedule,
)
from loyalty.domain.ledger.lots import NEVER


@pytest.mark.parametrize(
    ("period", "day", "after"),
    [
        (Period(days=30), "2026-03-02", "2026-04-01"),
        (Period(days=365), "2027-03-02", "2028-03-01"),
        (Period(months=1), "2026-03-02", "2026-04-02"),
        (Period(months=1), "2026-01-31", "2026-02-28"),
        (Period(months=1), "2028-01-31", "2028-02-29"),
        (Period(months=1), "2026-02-28", "2026-03-28"),
        (Period(months=3), "2026-08-31", "2026-11-30"),
        (Period(months=1), "2026-12-31", "2027-01-31"),
        (Period(months=11), "2026-01-15", "2026-12-15"),
        (Period(months=12), "2028-02-29", "2029-02-28"),
        (Period(months=12), "2026-12-01", "2027-12-01"),
        (Period(months=48), "2028-02-29", "2032-02-29"),
        (Period(months=25), "2026-11-30", "2028-12-30"),
        (Period(months=1, days=1), "2026-01-31", "2026-03-01"),
        (Period(), "2026-03-02", "2026-03-02"),
    ],
)
def test_a_period_counts_whole_months_then_days(period: Period, day: str, after: str) -> None:
    """A month that is too short ends on its last day; days are counted from there."""
    assert period.after(date.fromisoformat(day)).isoformat() == after


def test_without_expiry_points_have_no_date() -> None:
    assert NoExpiry().lot_date(date(2026, 3, 2)) == NEVER


@pytest.mark.parametrize("policy", [AfterEarning, Inactivity])
def test_points_live_for_the_period_after_the_day_they_came(policy: type[AfterEarning] | type[Inactivity]) -> None:
    assert policy(Period(months=6)).lot_date(date(2026, 8, 31)) == "2027-02-28"


@pytest.mark.parametrize(
    ("calendar", "day", "expires"),
    [
        (Calendar(12, 31), "2026-03-02", "2026-12-31"),
        (Calendar(12, 31), "2026-12-31", "2026-12-31"),
        (Calendar(1, 1), "2026-01-02", "2027-01-01"),
        (Calendar(3, 31), "2026-03-31", "2026-03-31"),
        (Calendar(3, 31), "2026-04-01", "2027-03-31"),
        (Calendar(12, 31, keep_days=30), "2026-12-01", "2026-12-31"),
        (Calendar(12, 31, keep_days=30), "2026-12-02", "2027-12-31"),
        (Calendar(1, 1, keep_days=400), "2026-03-02", "2028-01-01"),
        (Calendar(2, 29), "2026-01-10", "2026-02-28"),
        (Calendar(2, 29), "2028-01-10", "2028-02-29"),
        (Calendar(2, 29), "2027-03-01", "2028-02-29"),
        (Calendar(4, 31), "2026-04-01", "2026-04-30"),
    ],
)
def test_calendar_points_expire_on_the_first_such_day_that_is_far_enough(
    calendar: Calendar, day: str, expires: str
) -> None:
    """The day itself counts; a day the month lacks is its last one."""
    assert calendar.lot_date(date.fromisoformat(day)) == expires


def test_only_inactivity_restarts_with_what_the_member_does() -> None:
    period = Period(days=1)
    policies: list[ExpiryPolicy] = [NoExpiry(), AfterEarning(period), Inactivity(period), Calendar(12, 31)]
    assert [policy.restarts_on_activity for policy in policies] == [False, False, True, False]


def test_restarting_brings_all_earlier_and_undated_lots_to_the_new_date() -> None:
    lots = {"2026-03-05": 1, "2026-03-09": 2, "2026-03-10": 4, "2026-03-11": 8, NEVER: 16}
    assert restarted(lots, "2026-03-10") == {"2026-03-05": -1, "2026-03-09": -2, "2026-03-10": 19, NEVER: -16}


def test_restarting_takes_every_date_off_where_nothing_expires() -> None:
    assert restarted({"2026-03-05": 1, NEVER: 16}, NEVER) == {"2026-03-05": -1, NEVER: 1}


def test_restarting_leaves_lots_on_the_new_date_alone() -> None:
    assert restarted({"2026-03-10": 4}, "2026-03-10") == {}
    assert restarted({NEVER: 4}, NEVER) == {}


CHANGED = date(2026, 3, 10)
MONTH = Period(days=30)


@pytest.mark.parametrize(
    ("policy", "moves"),
    [
        (NoExpiry(), {"2026-03-10": -2, "2026-04-01": -4, "2026-05-01": -8, NEVER: 14}),
        (AfterEarning(MONTH), {"2026-03-10": -2, "2026-04-01": -4, "2026-04-09": 22, NEVER: -16}),
        (Inactivity(MONTH), {"2026-03-10": -2, "2026-04-01": -4, "2026-04-09": 22, NEVER: -16}),
        (Calendar(4, 9), {"2026-03-10": -2, "2026-04-01": -4, "2026-04-09": 22, NEVER: -16}),
    ],
)
def test_a_policy_change_gives_living_points_the_later_of_two_dates(
    policy: ExpiryPolicy, moves: dict[str, int]
) -> None:
    """The clock starts with the change (docs/ledger.md); what was over then is not brought back; later dates stay."""
    lots = {"2026-03-09": 1, "2026-03-10": 2, "2026-04-01": 4, "2026-05-01": 8, NEVER: 16}
    assert redated(lots, policy, CHANGED) == moves


def test_a_policy_change_that_moves_nothing_has_no_moves() -> None:
    assert redated({"2026-03-09": 1, "2026-05-01": 8}, AfterEarning(MONTH), CHANGED) == {}
    assert redated({}, NoExpiry(), CHANGED) == {}


def test_the_schedule_lists_dated_points_soonest_first() -> None:
    """W4: the full schedule, and nothing about points that never expire."""
    lots = {NEVER: 16, "2026-05-01": 8, "2026-03-09": 1}
    assert schedule(lots) == [(date(2026, 3, 9), 1), (date(2026, 5, 1), 8)]
