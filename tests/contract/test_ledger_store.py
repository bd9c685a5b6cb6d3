"""LedgerStore: what is written is read back, in order, and commands are carried out once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from loyalty.domain.errors import Conflict, Duplicate
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.caps import CapPeriod, EarnCap
from loyalty.domain.ledger.commands import (
    Adjust,
    Earn,
    Identify,
    Notify,
    Pend,
    PlaceHold,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.terms import Overdraft, Terms
from loyalty.ports import Redirect
from tests.builders import a_program
from tests.contract.storage import Pen


def test_nothing_is_found_in_an_empty_store(pen: Pen) -> None:
    store, slug, nobody = pen.storage.ledger, pen.program.slug, pen.id_of("nobody")
    assert store.find(slug, nobody) is None
    assert store.entry(slug, nobody, 1) is None
    assert list(store.journal(slug, nobody)) == []
    assert store.latest(slug, nobody, before=None, limit=10) == []
    assert store.claimed_by(pen.program, "phone", "+4915112345678") is None
    assert pen.record("never") is None


def test_a_member_comes_back_as_it_was_committed(pen: Pen) -> None:
    """Everything a member can carry: lots, claims, cap counts, a policy's revision, every profile field."""
    pen.program = a_program(
        terms=Terms(expiry=AfterEarning(Period(months=12)), expiry_revision=3, expiry_since=date(2026, 1, 1))
    )
    caps = (EarnCap(CapPeriod.DAY, times=2), EarnCap(CapPeriod.EVER, points=1000))
    pen.write("sarah", Earn(100, "review", caps))
    pen.clock.advance(days=1)
    pen.write("sarah", Earn(50, "order"))
    pen.write("sarah", PlaceHold("cart", 120, pen.clock.now() + timedelta(hours=1)))
    pen.write("sarah", Pend("order-7", 30, pen.clock.now() + timedelta(days=14)))
    profile = {
        "external_id": "c-7",
        "phone": "+4915112345678",
        "first_name": "Sarah",
        "last_name": "Mäson",
        "birthday": "1990-02-28",
    }
    posting = pen.write("sarah", Identify(profile))
    stored = pen.storage.ledger.find(pen.program.slug, pen.id_of("sarah"))
    assert stored == posting.after
    assert posting.after.lots
    assert posting.after.pendings
    assert posting.after.holds
    assert posting.after.earned_in


def test_what_a_member_no_longer_has_is_gone(pen: Pen) -> None:
    """Amounts that return to zero, closed claims and cleared fields leave nothing behind."""
    pen.write("sarah", Earn(10))
    pen.write("sarah", Identify({"phone": "+4915112345678"}))
    pen.write("sarah", Spend(10))
    posting = pen.write("sarah", Identify({"phone": ""}))
    assert pen.member("sarah") == posting.after
    assert (posting.after.amounts.available, posting.after.lots, posting.after.profile.phone) == (0, {}, "")


def test_an_entry_comes_back_as_it_was_committed(pen: Pen) -> None:
    """With its words, in any language, numbers of every kind, and its event's delivery."""
    details = {"product": "Kerze „Lavendel“ 香り", "rating": 5, "price": 12.5, "whole": 3.0, "verified": True}
    posting = pen.write("sarah", Earn(10), reason="Danke! 🎉", details=details, event_type="points_earned_review")
    stored = pen.entry("sarah", 1)
    assert stored == replace(posting.entry, delivery=Delivery(DeliveryState.OWED))
    assert stored.private is not None
    assert {name: type(value) for name, value in stored.private.details.items()} == {
        name: type(value) for name, value in details.items()
    }


def test_an_entry_whose_event_is_not_sent_says_why(pen: Pen) -> None:
    pen.program = a_program(connection=None)
    pen.write("sarah", Earn(10), event_type="points_earned_review")
    pen.write("sarah", Notify("anniversary"))
    assert pen.entry("sarah", 1).delivery == Delivery(DeliveryState.SKIPPED, why="not_connected")
    assert pen.entry("sarah", 2).delivery == Delivery(DeliveryState.NONE)


def test_programs_do_not_see_each_other(pen: Pen) -> None:
    pen.write("sarah", Earn(10), key="welcome")
    other, sarah = ProgramSlug("soaps"), pen.id_of("sarah")
    assert pen.storage.ledger.find(other, sarah) is None
    assert list(pen.storage.ledger.journal(other, sarah)) == []
    pen.program = a_program(slug=other)
    assert pen.record("welcome") is None


# The journal


def test_a_journal_is_read_oldest_first_from_anywhere(pen: Pen) -> None:
    for points in range(1, 13):
        pen.write("sarah", Earn(points))
    assert [entry.points for entry in pen.journal("sarah")] == list(range(1, 13))
    later = pen.storage.ledger.journal(pen.program.slug, pen.id_of("sarah"), after=9)
    assert [entry.seq for entry in later] == [10, 11, 12]
    assert list(pen.storage.ledger.journal(pen.program.slug, pen.id_of("sarah"), after=12)) == []


def test_the_latest_entries_come_newest_first_and_in_pages(pen: Pen) -> None:
    """R182: an activity log is read from its end, page by page, without gaps or repeats."""
    for points in range(1, 8):
        pen.write("sarah", Earn(points))

    def page(before: int | None, limit: int) -> list[int]:
        found = pen.storage.ledger.latest(pen.program.slug, pen.id_of("sarah"), before=before, limit=limit)
        return [entry.seq for entry in found]

    assert page(None, 3) == [7, 6, 5]
    assert page(5, 3) == [4, 3, 2]
    assert page(2, 3) == [1]
    assert page(1, 3) == []
    assert page(0, 3) == []
    assert page(None, 100) == [7, 6, 5, 4, 3, 2, 1]


def test_a_journal_of_more_than_a_megabyte_is_read_whole(pen: Pen) -> None:
    """DynamoDB answers at most 1 MB at a time."""
    topics = [f"{number:05d}" * 20_000 for number in range(12)]
    for topic in topics:
        pen.write("sarah", Notify(topic))
    assert [entry.effect.topic for entry in pen.journal("sarah")] == topics
    latest = pen.storage.ledger.latest(pen.program.slug, pen.id_of("sarah"), before=None, limit=12)
    assert [entry.effect.topic for entry in latest] == topics[::-1]


# One command, one effect


def test_a_command_leaves_its_record(pen: Pen) -> None:
    for key, natural in (("caller", False), ("review", True)):
        plan = pen.draft("sarah", Earn(10), key=key, natural=natural)
        pen.storage.ledger.commit(plan)
        assert pen.record(key, natural=natural) == plan.record


def test_the_same_key_is_a_duplicate_that_carries_the_first_record(pen: Pen) -> None:
    plan = pen.draft("sarah", Earn(10), key="welcome")
    pen.storage.ledger.commit(plan)
    with pytest.raises(Duplicate) as duplicate:
        pen.write("sarah", Earn(10), key="welcome")
    assert duplicate.value.first == plan.record
    assert len(pen.journal("sarah")) == 1
    assert pen.member("sarah") == plan.postings[0].after


def test_a_key_is_taken_whoever_the_member_is(pen: Pen) -> None:
    pen.write("sarah", Earn(10), key="welcome")
    with pytest.raises(Duplicate):
        pen.write("bill", Earn(10), key="welcome")
    assert pen.storage.ledger.find(pen.program.slug, pen.id_of("bill")) is None


def test_duplicate_says_more_than_conflict(pen: Pen) -> None:
    """A twin that decided on the same state fails on both counts; what it must hear is the first answer."""
    twins = [pen.draft("sarah", Earn(10), key="welcome") for _ in range(2)]
    pen.storage.ledger.commit(twins[0])
    with pytest.raises(Duplicate) as duplicate:
        pen.storage.ledger.commit(twins[1])
    assert duplicate.value.first == twins[0].record


def test_a_natural_key_and_a_callers_key_of_one_value_are_two_keys(pen: Pen) -> None:
    pen.write("sarah", Earn(10), key="1", natural=True)
    pen.write("sarah", Earn(10), key="1")
    assert len(pen.journal("sarah")) == 2


def test_a_member_is_created_once(pen: Pen) -> None:
    first, second = pen.draft("sarah", Earn(10)), pen.draft("sarah", Earn(20))
    pen.storage.ledger.commit(first)
    with pytest.raises(Conflict):
        pen.storage.ledger.commit(second)
    assert pen.member("sarah") == first.postings[0].after


def test_a_decision_on_an_outdated_member_changes_nothing(pen: Pen) -> None:
    pen.write("sarah", Earn(100))
    first, second = pen.draft("sarah", Spend(60), key="a"), pen.draft("sarah", Spend(60), key="b")
    pen.storage.ledger.commit(first)
    with pytest.raises(Conflict):
        pen.storage.ledger.commit(second)
    assert pen.member("sarah") == first.postings[0].after
    assert [entry.points for entry in pen.journal("sarah")] == [100, -60]
    assert pen.record("b") is None


# Reversals


def test_reversals_are_noted_on_the_entry_they_reverse(pen: Pen) -> None:
    """R167: that is where their keys and their sum live."""
    pen.write("sarah", Earn(100))
    first = pen.draft("sarah", Reverse(pen.entry("sarah", 1), 30), key="refund-1")
    pen.storage.ledger.commit(first)
    second = pen.draft("sarah", Reverse(pen.entry("sarah", 1), 30), key="refund-2")
    pen.storage.ledger.commit(second)
    assert first.reversal is not None
    assert second.reversal is not None
    original = pen.entry("sarah", 1)
    assert original.reversals == {
        first.reversal.key: first.reversal.reversal,
        second.reversal.key: second.reversal.reversal,
    }
    assert original.reversed_points == 60
    assert pen.member("sarah").amounts.available == 40


def test_two_reversals_decided_on_one_state_do_not_both_happen(pen: Pen) -> None:
    """Before and after the entry's first reversal, for these are two different conditions."""
    pen.write("sarah", Earn(100))
    for number, left in enumerate((60, 20)):
        original = pen.entry("sarah", 1)
        twins = [pen.draft("sarah", Reverse(original, 40), key=f"{number}-{twin}") for twin in "ab"]
        pen.storage.ledger.commit(twins[0])
        with pytest.raises(Conflict):
            pen.storage.ledger.commit(twins[1])
        assert pen.member("sarah").amounts.available == left
    assert pen.entry("sarah", 1).reversed_points == 80


def test_a_reversal_conflicts_although_its_member_is_another(pen: Pen) -> None:
    """After a merge points are taken back elsewhere; the tally on the entry alone must hold."""
    pen.write("sarah", Earn(100))
    pen.write("bill", Earn(100))
    original = pen.entry("sarah", 1)
    here, there = pen.draft("sarah", Reverse(original, 60)), pen.draft("bill", Reverse(original, 60))
    pen.storage.ledger.commit(here)
    with pytest.raises(Conflict):
        pen.storage.ledger.commit(there)
    assert pen.member("bill").amounts.available == 100


def test_a_reversal_posted_elsewhere_is_noted_with_its_member(pen: Pen) -> None:
    pen.write("sarah", Earn(100))
    pen.write("bill", Earn(100))
    plan = pen.draft("bill", Reverse(pen.entry("sarah", 1), 60))
    pen.storage.ledger.commit(plan)
    assert plan.reversal is not None
    (mark,) = pen.entry("sarah", 1).reversals.values()
    assert mark == plan.reversal.reversal
    assert mark.member_id == pen.id_of("bill")


def test_an_entry_that_does_not_exist_is_not_reversed(pen: Pen) -> None:
    pen.write("sarah", Earn(100))
    stray = replace(pen.entry("sarah", 1), seq=9)
    with pytest.raises(Conflict):
        pen.write("sarah", Reverse(stray, 10))
    assert pen.storage.ledger.entry(pen.program.slug, pen.id_of("sarah"), 9) is None


# Members that lead to each other


def test_an_address_that_leads_elsewhere_is_a_redirect(pen: Pen) -> None:
    new = pen.id_of("sarah-new")
    pen.write("sarah", Identify({"email": "sarah-new@klaviyo-demo.com"}), redirects=((new, pen.id_of("sarah")),))
    assert pen.storage.ledger.find(pen.program.slug, new) == Redirect(pen.id_of("sarah"))
    pen.write("sarah", Identify({}), redirects=((new, pen.id_of("sarah")),))
    assert list(pen.storage.ledger.journal(pen.program.slug, new)) == []


def test_an_address_is_not_taken_from_a_member(pen: Pen) -> None:
    pen.write("bill", Earn(10))
    bill = pen.member("bill")
    with pytest.raises(Conflict):
        pen.write("sarah", Identify({}), redirects=((pen.id_of("bill"), pen.id_of("sarah")),))
    assert pen.member("bill") == bill
    assert pen.storage.ledger.find(pen.program.slug, pen.id_of("sarah")) is None


def test_a_redirect_is_not_taken_from_its_member(pen: Pen) -> None:
    former = pen.id_of("former")
    pen.write("sarah", Identify({}), redirects=((former, pen.id_of("sarah")),))
    with pytest.raises(Conflict):
        pen.write("bill", Identify({}), redirects=((former, pen.id_of("bill")),))
    assert pen.storage.ledger.find(pen.program.slug, former) == Redirect(pen.id_of("sarah"))


def test_no_member_is_created_where_a_redirect_is(pen: Pen) -> None:
    stale = pen.draft("former", Earn(10))
    pen.write("sarah", Identify({}), redirects=((pen.id_of("former"), pen.id_of("sarah")),))
    with pytest.raises(Conflict):
        pen.storage.ledger.commit(stale)
    assert pen.storage.ledger.find(pen.program.slug, pen.id_of("former")) == Redirect(pen.id_of("sarah"))


def test_adjustments_below_zero_leave_no_lots(pen: Pen) -> None:
    """The one state in which a balance is negative round-trips too."""
    pen.program = a_program(terms=Terms(overdraft=Overdraft.ALLOW_NEGATIVE))
    pen.write("sarah", Earn(10))
    posting = pen.write("sarah", Adjust(-25))
    assert pen.member("sarah") == posting.after
    assert posting.after.amounts.available == -15
