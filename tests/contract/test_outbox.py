"""Outbox: what Klaviyo is owed stays owed until somebody notes what became of it (R17, R31, R93)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.adapters.dynamodb.codec import entry_item
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Earn, Erase, Identify, Notify, Reverse, Spend
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from tests.builders import a_program
from tests.contract.storage import Marks, Pen, TableStorage

NAMES = ("sarah", "bill", "mo", "ada", "kai", "lou", "tom", "eva")
EVENT = "points_earned_review"


def owed(pen: Pen, limit: int = 100) -> list[MemberId]:
    return pen.storage.outbox.owed_profiles(pen.program.slug, limit=limit)


def marks(pen: Pen, name: str) -> Marks:
    return pen.storage.marks(pen.program.slug, pen.id_of(name))


# Reading what is to be sent


def test_members_are_read_by_id_and_unknown_ones_are_missing(pen: Pen) -> None:
    """Redirects are no members: whoever leads elsewhere has no profile of its own."""
    for name in NAMES:
        pen.write(name, Earn(10))
    pen.write("sarah", Identify({}), redirects=((pen.id_of("former"), pen.id_of("sarah")),))
    asked = [pen.id_of(name) for name in (*NAMES, "nobody", "former", "sarah")]
    found = pen.storage.outbox.members(pen.program.slug, asked)
    assert found == {pen.id_of(name): pen.member(name) for name in NAMES}
    assert pen.storage.outbox.members(pen.program.slug, []) == {}


def test_entries_are_read_by_member_and_number(pen: Pen) -> None:
    for name in NAMES:
        pen.write(name, Earn(10), event_type=EVENT)
        pen.write(name, Earn(20), event_type=EVENT)
    asked = [(pen.id_of(name), 2) for name in NAMES]
    found = pen.storage.outbox.entries(pen.program.slug, [*asked, (pen.id_of("sarah"), 9), *asked])
    assert sorted(found, key=lambda entry: entry.id) == sorted(
        (pen.entry(name, 2) for name in NAMES), key=lambda entry: entry.id
    )
    assert pen.storage.outbox.entries(pen.program.slug, []) == []


def test_more_than_one_batch_is_read(table_storage: TableStorage, table_pen: Pen) -> None:
    """DynamoDB reads at most 100 items at a time; here the items are put there one by one, which is quicker."""
    table_pen.write("sarah", Notify("note"))
    first, numbers = table_pen.entry("sarah", 1), range(1, 103)
    for number in numbers:
        table_storage.put(entry_item(replace(first, seq=number)))
    asked = [(table_pen.id_of("sarah"), number) for number in numbers]
    found = table_storage.outbox.entries(table_pen.program.slug, asked)
    assert sorted(entry.seq for entry in found) == list(numbers)


# Events


def test_what_became_of_an_owed_event_is_noted_once(pen: Pen) -> None:
    pen.write("sarah", Earn(10), event_type=EVENT)
    entry = pen.entry("sarah", 1)
    sent = Delivery(DeliveryState.SENT, pen.clock.now())
    assert pen.storage.outbox.mark_event(entry, sent)
    assert pen.entry("sarah", 1) == replace(entry, delivery=sent)
    late = Delivery(DeliveryState.FAILED, pen.clock.now() + timedelta(hours=1), "rejected")
    assert not pen.storage.outbox.mark_event(entry, late)
    assert pen.entry("sarah", 1).delivery == sent


@pytest.mark.parametrize("state", [DeliveryState.FAILED, DeliveryState.SKIPPED])
def test_a_failed_or_skipped_event_says_when_and_why(pen: Pen, state: DeliveryState) -> None:
    pen.write("sarah", Earn(10), event_type=EVENT)
    failed = Delivery(state, pen.clock.now(), "Invalid e-mail address")
    assert pen.storage.outbox.mark_event(pen.entry("sarah", 1), failed)
    assert pen.entry("sarah", 1).delivery == failed


def test_an_event_that_is_not_owed_cannot_be_marked(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    assert not pen.storage.outbox.mark_event(pen.entry("sarah", 1), Delivery(DeliveryState.SENT, pen.clock.now()))
    assert pen.entry("sarah", 1).delivery == Delivery()
    pen.program = a_program(events_off=frozenset({EVENT}))
    pen.write("sarah", Earn(10), event_type=EVENT)
    assert not pen.storage.outbox.mark_event(pen.entry("sarah", 2), Delivery(DeliveryState.SENT, pen.clock.now()))


def test_marking_an_entry_that_does_not_exist_creates_none(pen: Pen) -> None:
    pen.write("sarah", Earn(10), event_type=EVENT)
    stray = replace(pen.entry("sarah", 1), seq=2)
    assert not pen.storage.outbox.mark_event(stray, Delivery(DeliveryState.SENT, pen.clock.now()))
    assert len(pen.journal("sarah")) == 1


def test_a_reversal_and_a_delivery_do_not_disturb_each_other(pen: Pen) -> None:
    """Both write to the original entry, each its own attributes, whatever state they read."""
    pen.write("sarah", Earn(10), event_type=EVENT)
    original = pen.entry("sarah", 1)
    plan = pen.draft("sarah", Reverse(original, 4))
    sent = Delivery(DeliveryState.SENT, pen.clock.now())
    assert pen.storage.outbox.mark_event(original, sent)
    pen.storage.ledger.commit(plan)
    assert pen.entry("sarah", 1).delivery == sent
    assert pen.entry("sarah", 1).reversed_points == 4


# Profiles


def test_a_changed_member_is_owed_until_its_newest_state_was_sent(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    assert owed(pen) == [pen.id_of("sarah")]
    assert pen.storage.outbox.clear_profile(pen.program.slug, pen.id_of("sarah"), 1)
    assert owed(pen) == []
    pen.write("sarah", Spend(5))
    assert owed(pen) == [pen.id_of("sarah")]


def test_a_mark_is_cleared_for_the_version_that_was_sent_and_no_other(pen: Pen) -> None:
    """Whatever came in between is owed still, so a profile ends at the newest state (docs/delivery-profiles.md)."""
    pen.write("sarah", Earn(10))
    pen.write("sarah", Spend(5))
    since = marks(pen, "sarah").owed_since
    for version in (1, 3, 0):
        assert not pen.storage.outbox.clear_profile(pen.program.slug, pen.id_of("sarah"), version)
        assert marks(pen, "sarah").owed_since == since
    assert pen.storage.outbox.clear_profile(pen.program.slug, pen.id_of("sarah"), 2)
    assert marks(pen, "sarah").owed_since is None


def test_clearing_changes_nothing_else(pen: Pen) -> None:
    posting = pen.write("sarah", Earn(10))
    assert pen.storage.outbox.clear_profile(pen.program.slug, pen.id_of("sarah"), 1)
    assert pen.member("sarah") == posting.after
    assert pen.storage.outbox.clear_profile(pen.program.slug, pen.id_of("sarah"), 1)


def test_a_member_is_owed_since_its_first_change_not_its_last(pen: Pen) -> None:
    first = pen.clock.now()
    pen.write("sarah", Earn(10))
    pen.clock.advance(hours=1)
    pen.write("sarah", Spend(5))
    assert marks(pen, "sarah").owed_since == first
    pen.storage.outbox.clear_profile(pen.program.slug, pen.id_of("sarah"), 2)
    pen.clock.advance(hours=1)
    pen.write("sarah", Spend(5))
    assert marks(pen, "sarah").owed_since == pen.clock.now()


def test_those_owed_longest_come_first_whatever_their_shard(pen: Pen) -> None:
    for name in NAMES:
        pen.write(name, Earn(10))
        pen.clock.advance(seconds=1)
    pen.write(NAMES[0], Earn(10))
    in_order = [pen.id_of(name) for name in NAMES]
    assert owed(pen) == in_order
    assert owed(pen, limit=3) == in_order[:3]


def test_a_refused_profile_is_not_owed_until_it_changes_again(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    slug, sarah = pen.program.slug, pen.id_of("sarah")
    assert not pen.storage.outbox.refuse_profile(slug, sarah, 7, "invalid e-mail address")
    assert owed(pen) == [sarah]
    assert pen.storage.outbox.refuse_profile(slug, sarah, 1, "invalid e-mail address")
    assert owed(pen) == []
    assert marks(pen, "sarah").refused == "invalid e-mail address"
    pen.write("sarah", Spend(5))
    assert owed(pen) == [sarah]
    assert pen.storage.outbox.clear_profile(slug, sarah, 2)
    assert marks(pen, "sarah") == Marks()


def test_nobody_unknown_is_marked(pen: Pen) -> None:
    slug, nobody = pen.program.slug, pen.id_of("nobody")
    assert not pen.storage.outbox.clear_profile(slug, nobody, 0)
    assert not pen.storage.outbox.refuse_profile(slug, nobody, 1, "why")
    assert pen.storage.ledger.find(slug, nobody) is None


def test_without_a_connection_or_an_address_no_profile_is_owed(pen: Pen) -> None:
    """There is nobody to tell, or no way to say who it is about."""
    pen.write("phone-only", Earn(10), introduced=False)
    assert owed(pen) == []
    pen.program = a_program(connection=None)
    pen.write("sarah", Earn(10))
    assert owed(pen) == []


def test_disconnecting_drops_what_was_owed_at_the_next_change(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    pen.program = a_program(connection=None)
    pen.write("sarah", Spend(5))
    assert owed(pen) == []


def test_an_erased_member_is_owed_no_more(pen: Pen) -> None:
    """R25: no address is left by which Klaviyo could be told anything."""
    pen.write("sarah", Earn(10))
    pen.write("sarah", Erase())
    assert owed(pen) == []


def test_what_is_owed_is_counted_by_program(pen: Pen) -> None:
    pen.write("sarah", Earn(10))
    assert pen.storage.outbox.owed_profiles(ProgramSlug("soaps"), limit=10) == []


# Queueing again


def test_owed_events_are_found_in_pages_and_in_the_order_of_each_journal(pen: Pen) -> None:
    """R19."""
    for _ in range(3):
        pen.clock.advance(seconds=1)
        for name in NAMES:
            pen.write(name, Earn(10), event_type=EVENT)
    sent = pen.entry("mo", 2)
    pen.storage.outbox.mark_event(sent, Delivery(DeliveryState.SENT, pen.clock.now()))
    cut = pen.clock.now() - timedelta(milliseconds=500)
    found, place = pen.storage.outbox.owed_events(pen.program.slug, before=cut, limit=3)
    while place:
        more, place = pen.storage.outbox.owed_events(pen.program.slug, before=cut, after=place, limit=3)
        found += more
    owed_keys = [(pen.id_of(name), seq) for name in NAMES for seq in (1, 2) if (name, seq) != ("mo", 2)]
    assert sorted(found) == sorted(owed_keys)
    for name in NAMES:
        assert [seq for member, seq in found if member == pen.id_of(name)] in ([1, 2], [1])


def test_what_is_owed_is_counted_up_to_a_limit(pen: Pen) -> None:
    for name in NAMES:
        pen.write(name, Earn(10), event_type=EVENT)
    assert pen.storage.outbox.owed_counts(pen.program.slug, most=100) == (8, 8)
    assert pen.storage.outbox.owed_counts(pen.program.slug, most=5) == (5, 5)
    assert pen.storage.outbox.owed_counts(ProgramSlug("nobody"), most=5) == (0, 0)


# Many at once


def test_many_events_are_noted_at_once(pen: Pen) -> None:
    """Each on its own: what was noted before, or is not there, stays as it is."""
    entries = [pen.write(name, Earn(10), event_type=EVENT).entry for name in NAMES]
    first = Delivery(DeliveryState.FAILED, pen.clock.now(), "No such profile.")
    assert pen.storage.outbox.mark_event(entries[0], first)
    sent = Delivery(DeliveryState.SENT, pen.later(minutes=1).clock.now())
    stray = replace(entries[0], seq=99)
    pen.storage.outbox.mark_events([(entry, sent) for entry in (*entries, stray)])
    assert [pen.entry(name, 1).delivery for name in NAMES] == [first, *[sent] * (len(NAMES) - 1)]
    assert pen.storage.ledger.entry(stray.program, stray.member_id, 99) is None
