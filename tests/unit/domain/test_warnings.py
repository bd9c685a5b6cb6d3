"""When members are warned of expiring points, and of what (R67, R72)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import CommandKey
from loyalty.domain.ledger.due import next_act, next_due, next_notice
from loyalty.domain.ledger.expiry import AfterEarning, Inactivity, Period
from loyalty.domain.ledger.member import Member, Standing, Warned
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.ledger.warnings import due_warning, last_day, next_warning

BERLIN = "Europe/Berlin"
TERMS = Terms(timezone=BERLIN, expiry=AfterEarning(Period(days=90)), expiry_revision=1, warning_days=(30, 3))
MEMBER = Member(
    ProgramSlug("candles"),
    MemberId("m"),
    version=1,
    amounts=Amounts(available=100, earned=100),
    lots={"2026-06-30": 100},
    expiry_revision=1,
)


def at(day: str, hour: int = 12) -> datetime:
    """A time on a day in Berlin's summer."""
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(hours=hour - 2)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-05-30", None),
        ("2026-05-31", ("2026-06-30", 30)),
        ("2026-06-26", ("2026-06-30", 30)),
        ("2026-06-27", ("2026-06-30", 3)),
        ("2026-06-30", ("2026-06-30", 3)),
        ("2026-07-01", None),
    ],
)
def test_a_threshold_is_due_from_the_beginning_of_its_day_on(day: str, expected: tuple[str, int] | None) -> None:
    """Late by weeks, only the nearest threshold that has passed is told (R72)."""
    assert due_warning(MEMBER, TERMS, at(day)) == expected


def test_a_day_begins_in_the_programs_time_zone() -> None:
    assert due_warning(MEMBER, TERMS, datetime(2026, 5, 30, 21, 59, tzinfo=UTC)) is None
    assert due_warning(MEMBER, TERMS, datetime(2026, 5, 30, 22, 0, tzinfo=UTC)) == ("2026-06-30", 30)


def test_each_threshold_is_told_once() -> None:
    told = replace(MEMBER, warned={"2026-06-30": Warned(30, "2026-05-31")})
    assert due_warning(told, TERMS, at("2026-06-01")) is None
    assert due_warning(told, TERMS, at("2026-06-27")) == ("2026-06-30", 3)
    told = replace(MEMBER, warned={"2026-06-30": Warned(3, "2026-06-27")})
    assert due_warning(told, TERMS, at("2026-06-29")) is None


def test_thresholds_changed_later_count_from_then_on() -> None:
    told = replace(MEMBER, warned={"2026-06-30": Warned(30, "2026-05-31")})
    terms = replace(TERMS, warning_days=(14, 1))
    assert due_warning(told, terms, at("2026-06-15")) is None
    assert due_warning(told, terms, at("2026-06-16")) == ("2026-06-30", 14)
    assert due_warning(told, terms, at("2026-06-29")) == ("2026-06-30", 1)


@pytest.mark.parametrize("standing", [Standing.EXCLUDED, Standing.ERASED, Standing.MERGED])
def test_members_who_take_no_part_are_not_warned(standing: Standing) -> None:
    assert next_warning(replace(MEMBER, standing=standing), TERMS) is None
    assert due_warning(replace(MEMBER, standing=standing), TERMS, at("2026-06-29")) is None


def test_members_without_points_and_points_without_date_are_not_warned_of() -> None:
    for lots in ({}, {"never": 100}):
        assert next_warning(replace(MEMBER, lots=lots), TERMS) is None


def test_expiry_switched_off_or_no_thresholds_warn_nobody() -> None:
    """R183: off means no expiry and no warnings."""
    assert next_warning(MEMBER, replace(TERMS, warning_days=())) is None


def test_the_soonest_date_is_told_first_and_each_date_by_itself() -> None:
    member = replace(MEMBER, lots={"2026-06-30": 60, "2026-07-01": 40})
    assert due_warning(member, TERMS, at("2026-06-29")) == ("2026-06-30", 3)
    member = replace(member, warned={"2026-06-30": Warned(3, "2026-06-29")})
    assert due_warning(member, TERMS, at("2026-06-29")) == ("2026-07-01", 3)


def test_the_due_index_knows_the_next_warning_and_then_the_expiry() -> None:
    assert next_due(MEMBER, TERMS) == datetime(2026, 5, 30, 22, 0, tzinfo=UTC)
    told = replace(MEMBER, warned={"2026-06-30": Warned(30, "2026-05-31")})
    assert next_due(told, TERMS) == datetime(2026, 6, 26, 22, 0, tzinfo=UTC)
    told = replace(MEMBER, warned={"2026-06-30": Warned(3, "2026-06-27")})
    assert next_due(told, TERMS) == datetime(2026, 6, 30, 22, 0, tzinfo=UTC)


def test_the_notice_says_how_much_when_and_what_keeps_the_points() -> None:
    notice = next_notice(MEMBER, TERMS, at("2026-06-28"))
    assert notice is not None
    assert notice.narrative.event_type == "points_expiring"
    assert (notice.narrative.actor, notice.narrative.reason) == ("tallyhook", "100 points expire on 2026-06-30")
    assert notice.narrative.details == {
        "points": 100,
        "expires_on": "2026-06-30T12:00:00Z",
        "days_left": 3,
        "last_chance": True,
        "kept_by": "spending",
    }
    inactivity = replace(TERMS, expiry=Inactivity(Period(days=90)))
    notice = next_notice(MEMBER, inactivity, at("2026-06-01"))
    assert notice is not None
    assert notice.narrative.details["kept_by"] == "earning or spending"
    assert notice.narrative.details["last_chance"] is False


def test_the_key_names_member_date_and_threshold_and_is_remembered_for_ever() -> None:
    """It is stored: another spelling would warn twice."""
    notice = next_notice(MEMBER, TERMS, at("2026-06-28"))
    assert notice is not None
    assert notice.key == CommandKey("warn", "m|2026-06-30|3", natural=True)


def test_points_wait_for_their_last_warning_where_the_program_promises_it() -> None:
    """Never expired before the last-chance warning had its time, however late the sweep was."""
    terms = replace(TERMS, warned_first=True)
    late = at("2026-07-10")
    assert last_day(MEMBER, terms, "2026-06-30") == date.max
    assert next_act(MEMBER, terms, late) is None
    assert due_warning(MEMBER, terms, late) == ("2026-06-30", 3)
    told = replace(MEMBER, warned={"2026-06-30": Warned(3, "2026-07-10")})
    assert last_day(told, terms, "2026-06-30") == date(2026, 7, 13)
    assert next_act(told, terms, at("2026-07-13")) is None
    assert next_act(told, terms, at("2026-07-14")) is not None
    assert next_due(told, terms) == datetime(2026, 7, 13, 22, 0, tzinfo=UTC)


def test_without_that_promise_points_expire_on_their_day() -> None:
    assert next_act(MEMBER, TERMS, at("2026-06-30")) is None
    assert next_act(MEMBER, TERMS, at("2026-07-01", hour=0)) is not None
