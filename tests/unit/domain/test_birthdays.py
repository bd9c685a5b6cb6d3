"""Birthday points: once a year, on the day, for a birthday that was known before (R169)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.domain.errors import Invalid
from loyalty.domain.ledger.apply import replayed
from loyalty.domain.ledger.birthdays import due_birthday, next_birthday, valid_birthday
from loyalty.domain.ledger.commands import Celebrate, CommandKey, Earn, Erase, Identify, MergeIn, PlaceHold, Spend
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.due import next_due, next_notice
from loyalty.domain.ledger.entry import Entry, EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Inactivity, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import BirthdayRule, Terms
from tests.journey import ENDLESS, Journey, at

BERLIN = "Europe/Berlin"
TERMS = Terms(timezone=BERLIN, birthday=BirthdayRule(100))


def born(day: str, terms: Terms = TERMS, *, now: str = "2026-03-02") -> Journey:
    sarah = Journey(terms, now=at(now))
    sarah.does(Identify({"birthday": day}, Standing.MEMBER))
    return sarah


def sweeps(member: Journey) -> list[Entry]:
    """What the sweep posts now."""
    posted = []
    while notice := next_notice(member.member, member.terms, member.now):
        outcome = member.decides(notice)
        assert isinstance(outcome, Posting), outcome
        posted.append(member._takes(outcome))
        assert len(posted) < ENDLESS, "what was done is still due"
    return posted


def lives(member: Journey, until: str) -> list[tuple[str, int]]:
    """Sweep whenever something is due until a day: when birthday points came, and how many."""
    came: list[tuple[str, int]] = []
    while (due := next_due(member.member, member.terms)) and due < at(until):
        member.now = max(member.now, due)
        posted = sweeps(member)
        assert posted, "something is due that nobody does"
        came += [(member.today.isoformat(), entry.points) for entry in posted]
    member.now = at(until)
    return came


def test_a_birthday_brings_points_once_a_year_on_its_day() -> None:
    """R169: one grant a year."""
    sarah = born("1990-06-15")
    assert lives(sarah, "2029-01-01") == [("2026-06-15", 100), ("2027-06-15", 100), ("2028-06-15", 100)]
    assert sarah.amounts.available == 300


def test_it_begins_with_the_day_in_the_programs_time_zone() -> None:
    sarah = born("1990-06-15")
    assert next_birthday(sarah.member, TERMS) == datetime(2026, 6, 14, 22, 0, tzinfo=UTC)
    assert due_birthday(sarah.member, TERMS, datetime(2026, 6, 14, 21, 59, tzinfo=UTC)) is None
    assert due_birthday(sarah.member, TERMS, datetime(2026, 6, 14, 22, 0, tzinfo=UTC)) == (date(2026, 6, 15), 100)


def test_the_entry_is_an_earning_that_klaviyo_hears_of() -> None:
    sarah = born("1990-06-15")
    sarah.now = at("2026-06-15")
    notice = next_notice(sarah.member, sarah.terms, sarah.now)
    assert notice is not None
    assert (notice.narrative.event_type, notice.narrative.source.kind) == ("points_earned_birthday", "schedule")
    assert (notice.narrative.actor, notice.narrative.reason) == ("tallyhook", "Birthday")
    (entry,) = sweeps(sarah)
    assert (entry.kind, entry.effect.rule, entry.effect.birthday_done) == (EntryKind.EARN, "birthday", "2026-06-15")
    assert (entry.event_type, sarah.member.birthday_done) == ("points_earned_birthday", "2026-06-15")


def test_the_key_names_member_and_year_and_is_remembered_for_ever() -> None:
    """It is stored: another spelling would celebrate a birthday twice."""
    sarah = born("1990-06-15")
    notice = next_notice(sarah.member, sarah.terms, at("2026-06-15"))
    assert notice is not None
    assert notice.key == CommandKey("birthday", "sarah|2026", natural=True)


def test_a_birthday_on_29_february_is_on_the_28th_in_other_years() -> None:
    sarah = born("1992-02-29", now="2026-12-01")
    days = [day for day, _ in lives(sarah, "2030-01-01")]
    assert days == ["2027-02-28", "2028-02-29", "2029-02-28"]


@pytest.mark.parametrize(("known", "first"), [("2026-05-16", "2026-06-15"), ("2026-05-17", "2027-06-15")])
def test_a_birthday_must_have_been_known_for_thirty_days(known: str, first: str) -> None:
    """Set late it pays only the year after."""
    assert lives(born("1990-06-15", now=known), "2028-01-01")[0] == (first, 100)


def test_a_birthday_that_is_moved_starts_the_thirty_days_again() -> None:
    sarah = born("1990-06-15")
    sarah.now = at("2026-06-01")
    sarah.does(Identify({"birthday": "1990-06-20"}))
    assert lives(sarah, "2028-01-01") == [("2027-06-20", 100)]


@pytest.mark.parametrize("again", ["1991-06-15", "1990-06-15"])
def test_correcting_the_year_or_saying_the_same_again_moves_nothing(again: str) -> None:
    sarah = born("1990-06-15")
    sarah.now = at("2026-06-14")
    sarah.does(Identify({"birthday": again, "first_name": "Sarah"}))
    assert lives(sarah, "2027-01-01") == [("2026-06-15", 100)]


def test_clearing_and_setting_a_birthday_is_moving_it() -> None:
    sarah = born("1990-06-15")
    sarah.now = at("2026-06-01")
    sarah.does(Identify({"birthday": ""}))
    assert next_birthday(sarah.member, TERMS) is None
    sarah.does(Identify({"birthday": "1990-06-15"}))
    assert lives(sarah, "2028-01-01") == [("2027-06-15", 100)]


@pytest.mark.parametrize(("moved", "second"), [("1990-10-01", "2027-10-01"), ("1990-03-01", "2028-03-01")])
def test_moving_a_birthday_after_it_paid_brings_nothing_within_a_year(moved: str, second: str) -> None:
    """Farming is refused."""
    sarah = born("1990-06-15")
    assert lives(sarah, "2026-07-01") == [("2026-06-15", 100)]
    sarah.does(Identify({"birthday": moved}))
    assert lives(sarah, "2028-12-31")[0] == (second, 100)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.dates(date(1991, 1, 1), date(1992, 12, 31))),
        min_size=1,
        max_size=12,
    )
)
def test_whatever_a_customer_says_a_year_lies_between_two_birthdays(moves: list[tuple[int, date]]) -> None:
    sarah = born("1990-06-15")
    came: list[str] = []
    for days, birthday in moves:
        came += [day for day, points in lives(sarah, (sarah.today + timedelta(days=days)).isoformat()) if points]
        sarah.does(Identify({"birthday": birthday.isoformat()}))
    came += [day for day, _ in lives(sarah, (sarah.today + timedelta(days=800)).isoformat())]
    assert came
    for one, other in pairwise(came):
        assert Period(months=12).after(date.fromisoformat(one)) <= date.fromisoformat(other)
    assert replayed(sarah.member.program, sarah.member.member_id, sarah.entries) == sarah.member


@pytest.mark.parametrize(("day", "points"), [("2026-06-22", 100), ("2026-08-14", 100), ("2026-08-15", 0)])
def test_a_sweep_that_was_down_still_pays_for_sixty_days(day: str, points: int) -> None:
    """Later than that the birthday is noted as missed, and the next one is a year later."""
    sarah = born("1990-06-15")
    sarah.now = at(day)
    (entry,) = sweeps(sarah)
    assert entry.points == points
    assert entry.event_type == ("points_earned_birthday" if points else "")
    assert (entry.kind, entry.effect.topic) == (
        (EntryKind.EARN, "") if points else (EntryKind.NOTICE, "birthday_missed")
    )
    assert lives(sarah, "2027-12-31") == [("2027-06-15", 100)]


def test_a_sweep_that_was_down_for_years_pays_the_last_birthday_alone() -> None:
    sarah = born("1990-06-15")
    sarah.now = at("2029-07-01")
    assert [(entry.points, entry.effect.birthday_done) for entry in sweeps(sarah)] == [(100, "2029-06-15")]


def test_birthdays_missed_for_years_are_noted_with_the_last_of_them() -> None:
    """Three were missed; the one of 2028 ends the matter, and the next is that of 2029."""
    sarah = born("1990-06-15")
    sarah.now = at("2029-03-01")
    assert [(entry.points, entry.effect.birthday_done) for entry in sweeps(sarah)] == [(0, "2028-06-15")]
    assert lives(sarah, "2030-01-01") == [("2029-06-15", 100)]


def test_a_late_sweep_pays_for_a_birthday_of_the_old_year() -> None:
    sarah = born("1990-12-20")
    sarah.now = at("2027-01-05")
    assert [entry.effect.birthday_done for entry in sweeps(sarah)] == ["2026-12-20"]
    assert lives(sarah, "2028-01-01") == [("2027-12-20", 100)]


@pytest.mark.parametrize("standing", [Standing.CANDIDATE, Standing.EXCLUDED])
def test_only_members_who_have_joined_have_birthdays(standing: Standing) -> None:
    """Who joins has known the birthday's thirty days from then on."""
    sarah = born("1990-06-15")
    sarah.does(Identify(standing=standing))
    assert next_birthday(sarah.member, TERMS) is None
    sarah.now = at("2026-06-10")
    sarah.does(Identify(standing=Standing.MEMBER))
    assert lives(sarah, "2028-01-01") == [("2027-06-15", 100)]


def test_an_erased_member_has_no_birthday() -> None:
    sarah = born("1990-06-15")
    lives(sarah, "2026-07-01")
    sarah.does(Erase())
    assert (sarah.member.birthday_since, sarah.member.birthday_done) == (None, "")
    assert next_birthday(sarah.member, TERMS) is None


def test_two_members_that_become_one_have_one_birthday_a_year() -> None:
    """W13: what the one who ends was paid counts for the one who goes on."""
    bill = born("1990-06-15")
    lives(bill, "2026-07-01")
    sarah = born("1990-10-01")
    sarah.now = bill.now
    sarah.does(MergeIn(bill.member))
    assert sarah.member.profile.birthday == "1990-10-01"
    assert lives(sarah, "2028-01-01") == [("2027-10-01", 100)]


def test_a_birthday_that_comes_with_a_merged_member_is_newly_known() -> None:
    bill = born("1990-06-15")
    sarah = Journey(TERMS, now=at("2026-06-01"))
    sarah.does(Identify(standing=Standing.MEMBER))
    sarah.does(MergeIn(bill.member))
    assert sarah.member.profile.birthday == "1990-06-15"
    assert lives(sarah, "2028-01-01") == [("2027-06-15", 100)]


def test_a_program_without_birthday_points_gives_none() -> None:
    sarah = born("1990-06-15", replace(TERMS, birthday=BirthdayRule()))
    assert next_due(sarah.member, sarah.terms) is None
    assert due_birthday(sarah.member, sarah.terms, at("2026-06-15")) is None


def test_switching_birthday_points_on_pays_no_birthday_that_was_before() -> None:
    off = BirthdayRule()
    on = off.paying(100, date(2026, 7, 1))
    assert on == BirthdayRule(100, date(2026, 7, 1))
    assert off.paying(0, date(2026, 7, 1)) == off
    assert on.paying(50, date(2026, 9, 1)) == BirthdayRule(50, date(2026, 7, 1))
    assert on.paying(0, date(2026, 9, 1)).paying(50, date(2027, 1, 1)) == BirthdayRule(50, date(2027, 1, 1))
    sarah = born("1990-06-15").under(birthday=on)
    sarah.now = at("2026-07-02")
    assert sweeps(sarah) == []
    assert lives(sarah, "2028-01-01") == [("2027-06-15", 100)]


@pytest.mark.parametrize(("cap", "points", "missing"), [(1000, 100, 0), (60, 50, 50), (11, 1, 99), (10, 0, 0)])
def test_the_balance_cap_leaves_what_it_leaves(cap: int, points: int, missing: int) -> None:
    """W10: no room on the day is no birthday points this year, without a sweep that fails every hour."""
    sarah = born("1990-06-15", replace(TERMS, balance_cap=cap))
    sarah.does(Earn(10))
    sarah.now = at("2026-06-15")
    (entry,) = sweeps(sarah)
    assert (entry.points, entry.effect.shortfall) == (points, missing)
    assert sarah.member.birthday_done == "2026-06-15"


def test_held_points_take_up_room_under_the_balance_cap() -> None:
    """W10: they come back when the checkout fails."""
    sarah = born("1990-06-15", replace(TERMS, balance_cap=100))
    sarah.does(Earn(100))
    sarah.does(PlaceHold("cart", 60, at("2026-07-01")))
    sarah.now = at("2026-06-15")
    (entry,) = sweeps(sarah)
    assert (entry.points, entry.effect.topic) == (0, "birthday_missed")


def test_birthday_points_expire_like_others_and_keep_no_balance_alive() -> None:
    """A present is nothing the customer did: it does not restart the clock of inactivity (R175)."""
    sarah = born("1990-06-15", replace(TERMS, expiry=AfterEarning(Period(days=10)), expiry_revision=1))
    sarah.now = at("2026-06-15")
    sweeps(sarah)
    assert sarah.lots == {"2026-06-25": 100}
    bill = born("1990-06-15", replace(TERMS, expiry=Inactivity(Period(days=200)), expiry_revision=1))
    bill.does(Earn(10))
    active, bill.now = bill.member.last_activity_at, at("2026-06-15")
    sweeps(bill)
    assert bill.lots == {"2026-09-18": 10, "2027-01-01": 100}
    assert bill.member.last_activity_at == active
    bill.does(Spend(1))
    assert bill.lots == {"2027-01-01": 109}


def test_a_birthday_is_celebrated_once_and_with_an_amount() -> None:
    sarah = born("1990-06-15")
    sarah.does(Celebrate(date(2026, 6, 15), 100))
    refusal = sarah.refuses(Celebrate(date(2026, 6, 15), 100))
    assert (refusal.code, refusal.message) == ("birthday_done", "This birthday was dealt with before.")
    assert sarah.refuses(Celebrate(date(2027, 6, 15), -1)).code == "invalid_points"
    assert sarah.under(balance_cap=100).refuses(Celebrate(date(2027, 6, 15), 1)).code == "balance_cap_reached"
    sarah.does(Identify(standing=Standing.EXCLUDED))
    assert sarah.refuses(Celebrate(date(2027, 6, 15), 100)).code == "member_excluded"


@pytest.mark.parametrize("text", ["", "1990-06-15", "1992-02-29", "1900-01-01"])
def test_a_birthday_is_a_date(text: str) -> None:
    assert valid_birthday(text) == text


@pytest.mark.parametrize(
    "text", ["15.06.1990", "1990-02-29", "19900615", "0001-01-01", "1899-12-31", "--06-15", "1990-6-15", " "]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        valid_birthday(text)
    assert refused.value.code == "invalid_birthday"
    assert refused.value.message == "A birthday is a date from 1900 on, written YYYY-MM-DD."


def test_a_birthday_nobody_can_read_is_none() -> None:
    assert next_birthday(born("15 June").member, TERMS) is None
