"""``apply``: a member is the fold of its journal, and an entry that does not fit is noticed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.apply import apply, replayed
from loyalty.domain.ledger.caps import CapPeriod, EarnCap
from loyalty.domain.ledger.commands import (
    Activate,
    Cancel,
    Earn,
    Erase,
    Identify,
    MergeOut,
    Notify,
    Pend,
    PlaceHold,
    Release,
    Spend,
    Warn,
)
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Member, Pending
from loyalty.domain.ledger.terms import Terms
from tests.fakes.clocks import START
from tests.journey import Journey, at

SOON = START + timedelta(days=3)
EXPIRING = Terms(expiry=AfterEarning(Period(days=30)))


def test_replaying_a_journal_gives_the_member_it_was_written_for() -> None:
    sarah = Journey()
    sarah.does(Identify({"email": "sarah@klaviyo-demo.com"}))
    sarah.does(Earn(50, rule="r", caps=(EarnCap(CapPeriod.DAY, times=2),)))
    sarah.waits(days=1).does(PlaceHold("cart", 5, SOON))
    sarah.does(Pend("order", 7, SOON))
    sarah.does(Cancel("order", 2))
    sarah.does(Erase())
    assert replayed(ProgramSlug("candles"), MemberId("sarah"), sarah.entries) == sarah.member
    sarah.does(Release("cart"))
    assert replayed(ProgramSlug("candles"), MemberId("sarah"), sarah.entries) == sarah.member


def test_replaying_the_journal_of_a_merged_member_gives_an_empty_one() -> None:
    sarah = Journey()
    sarah.does(Earn(50))
    sarah.does(MergeOut("bill"))
    again = replayed(ProgramSlug("candles"), MemberId("sarah"), sarah.entries)
    assert again == sarah.member
    assert (again.amounts, again.lots, again.merged_into) == (Amounts(), {}, "bill")


def test_replaying_nothing_gives_somebody_unknown() -> None:
    assert replayed(ProgramSlug("candles"), MemberId("sarah"), []) == Member(ProgramSlug("candles"), MemberId("sarah"))


def test_an_entry_does_not_fit_a_member_whose_lots_hold_less() -> None:
    sarah = Journey()
    start = sarah.member
    sarah.does(Earn(50))
    spent = sarah.does(Spend(1))
    with pytest.raises(ValueError, match="a lot cannot be negative"):
        apply(start, spent)


def test_an_entry_does_not_fit_where_less_is_pending_than_it_closes() -> None:
    sarah = Journey()
    sarah.does(Pend("order", 7, SOON))
    fewer = replace(sarah.member, pendings={"order": Pending(6, SOON)})
    activated = sarah.does(Activate("order"))
    with pytest.raises(ValueError, match=r"^more is closed than was pending$"):
        apply(fewer, activated)


def test_an_entry_does_not_fit_where_another_amount_is_held() -> None:
    sarah = Journey()
    sarah.does(Earn(9))
    sarah.does(PlaceHold("cart", 7, SOON))
    other = replace(sarah.member, holds={"cart": replace(sarah.member.holds["cart"], points=6)})
    released = sarah.does(Release("cart"))
    with pytest.raises(ValueError, match=r"^a hold closes as a whole$"):
        apply(other, released)


def test_an_entry_does_not_fit_where_nothing_of_that_name_is_open() -> None:
    sarah = Journey()
    start = sarah.member
    sarah.does(Pend("order", 7, SOON))
    activated = sarah.does(Activate("order"))
    with pytest.raises(KeyError):
        apply(start, activated)


def test_everything_an_entry_closes_is_closed() -> None:
    sarah = Journey()
    sarah.does(Earn(9))
    sarah.does(PlaceHold("cart", 7, SOON))
    sarah.does(Pend("order", 5, SOON))
    entry = sarah.decide(Release("cart"))
    assert isinstance(entry, Posting)
    both = replace(entry.entry, effect=replace(entry.entry.effect, closed={"cart": 7, "order": 5}))
    after = apply(sarah.member, both)
    assert (after.holds, after.pendings) == ({}, {})


def test_a_warning_is_remembered_until_its_day_is_over_everywhere_on_earth() -> None:
    """Points that come back on their last day are not announced again; the member item does not grow for ever (R67)."""
    sarah = Journey(EXPIRING)
    sarah.does(Earn(9))
    sarah.waits(days=27).does(Warn("2026-04-01", 3))
    sarah.does(Spend(9))
    assert sarah.lots == {}
    sarah.now = at("2026-04-02T23:59")
    sarah.does(Notify("seen"))
    assert list(sarah.member.warned) == ["2026-04-01"]
    sarah.now = at("2026-04-03T00:00")
    sarah.does(Notify("seen"))
    assert sarah.member.warned == {}


def test_a_warning_is_remembered_for_as_long_as_its_points_are_there() -> None:
    """They may have to wait for the days of their last warning, which would begin again and again otherwise (R72)."""
    sarah = Journey(EXPIRING)
    sarah.does(Earn(9))
    sarah.waits(days=27).does(Warn("2026-04-01", 3))
    sarah.waits(days=30).does(Notify("seen"))
    assert list(sarah.member.warned) == ["2026-04-01"]


def test_over_periods_fall_out_of_the_count() -> None:
    sarah = Journey()
    daily = Earn(1, rule="r", caps=(EarnCap(CapPeriod.DAY, times=2),))
    sarah.does(daily)
    sarah.waits(days=5).does(daily)
    assert list(sarah.member.earned_in) == ["r|day|2026-03-08"]


def test_applying_leaves_the_member_it_is_given_alone() -> None:
    sarah = Journey()
    sarah.does(Earn(9))
    before = sarah.member
    copies = (dict(before.lots), dict(before.pendings), dict(before.holds))
    sarah.does(PlaceHold("cart", 7, SOON))
    sarah.does(Pend("order", 7, SOON))
    assert (before.lots, before.pendings, before.holds) == copies
