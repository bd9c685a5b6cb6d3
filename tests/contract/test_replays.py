"""Replays: the feed by day, owing again what was skipped or failed, and how far a replay is (R94, R95)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.adapters.dynamodb.feed import DynamoFeed
from loyalty.adapters.dynamodb.replays import DynamoReplays
from loyalty.delivery_ports import Feed, Replays
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Earn
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.domain.replay import Replay, ReplayState
from tests.contract.storage import MemoryStorage, Pen, Storage, TableStorage
from tests.fakes.clocks import START
from tests.fakes.memory_replays import MemoryReplays

EVENT = "points_earned_review"
CANDLES = ProgramSlug("candles")


def feed_of(storage: Storage) -> Feed:
    if isinstance(storage, TableStorage):
        return DynamoFeed(storage.client, storage.table)
    assert isinstance(storage, MemoryStorage)
    return storage.ledger


def replays_of(storage: Storage) -> Replays:
    return DynamoReplays(storage.client, storage.table) if isinstance(storage, TableStorage) else MemoryReplays()


def a_replay(**changes: object) -> Replay:
    whole = Replay("one", CANDLES, START, START + timedelta(days=3), frozenset({EVENT}), True, START, START.date())
    return replace(whole, **changes)  # type: ignore[arg-type]


def paged(pen: Pen, *, limit: int, days: int = 0) -> list[tuple[MemberId, int]]:
    """A day's entries, page by page."""
    found: list[tuple[MemberId, int]] = []
    after = ""
    while True:
        day = START.date() + timedelta(days=days)
        page, after = feed_of(pen.storage).of_day(pen.program.slug, day, after=after, limit=limit)
        found += page
        if not after:
            return found


@pytest.mark.parametrize("limit", [2, 3, 100])
def test_a_day_is_read_in_pages_by_time(pen: Pen, limit: int) -> None:
    """All but what is owed, and nothing of other days."""
    pen.program = replace(pen.program, events_off=frozenset({EVENT}))
    names = ("sarah", "bill", "mo", "ada", "kai", "lou")
    for name in names:
        pen.write(name, Earn(10), event_type=EVENT)
        pen.later(minutes=1)
    pen.program = replace(pen.program, events_off=frozenset())
    pen.write("sarah", Earn(10), event_type=EVENT)
    pen.later(days=1)
    pen.write("bill", Earn(10))
    assert paged(pen, limit=limit) == [(pen.id_of(name), 1) for name in names]
    assert paged(pen, limit=limit, days=1) == [(pen.id_of("bill"), 2)]
    assert paged(pen, limit=limit, days=2) == []


def test_what_was_skipped_or_failed_becomes_owed_again_and_nothing_else(pen: Pen) -> None:
    pen.program = replace(pen.program, events_off=frozenset({EVENT}))
    skipped = pen.write("sarah", Earn(10), event_type=EVENT).entry
    pen.program = replace(pen.program, events_off=frozenset())
    states = (DeliveryState.FAILED, DeliveryState.SENT)
    others = [pen.write(name, Earn(10), event_type=EVENT).entry for name in ("bill", "mo")]
    for entry, state in zip(others, states, strict=True):
        pen.storage.outbox.mark_event(entry, Delivery(state, pen.clock.now(), "why"))
    quiet = pen.write("ada", Earn(10)).entry
    asked = Delivery(DeliveryState.OWED, pen.later(hours=1).clock.now(), "backfill")
    feed_of(pen.storage).owe_again([skipped, *others, quiet], asked)
    found = [pen.entry(name, 1).delivery for name in ("sarah", "bill", "mo", "ada")]
    assert found[:2] == [asked, asked]
    assert [each.state for each in found[2:]] == [DeliveryState.SENT, DeliveryState.NONE]
    assert pen.storage.outbox.owed_counts(pen.program.slug, most=10)[0] == 2
    assert set(paged(pen, limit=100)) == {(pen.id_of("mo"), 1), (pen.id_of("ada"), 1)}


def test_what_is_owed_again_is_noted_as_sent_like_anything_else(pen: Pen) -> None:
    pen.program = replace(pen.program, events_off=frozenset({EVENT}))
    entry = pen.write("sarah", Earn(10), event_type=EVENT).entry
    feed_of(pen.storage).owe_again([entry], Delivery(DeliveryState.OWED, pen.clock.now(), "backfill"))
    sent = Delivery(DeliveryState.SENT, pen.later(minutes=1).clock.now(), "backfill")
    assert pen.storage.outbox.mark_event(pen.entry("sarah", 1), sent)
    assert pen.entry("sarah", 1).delivery == sent
    assert paged(pen, limit=100) == [(pen.id_of("sarah"), 1)]


def test_a_replay_is_kept_whole_and_changed_by_one_at_a_time(storage: Storage) -> None:
    replays = replays_of(storage)
    assert replays.load(CANDLES) is None
    stored = replays.save(a_replay())
    assert replays.load(CANDLES) == stored == a_replay(version=1)
    moved = replays.save(stored.after_page(200, 7, "place", START))
    assert replays.load(CANDLES) == moved
    with pytest.raises(Conflict):
        replays.save(stored.after_page(200, 7, "", START))
    assert replays.load(CANDLES) == moved


def test_a_second_replay_waits_for_the_end_of_the_first(storage: Storage) -> None:
    replays = replays_of(storage)
    first = replays.save(a_replay())
    with pytest.raises(Conflict):
        replays.save(a_replay(id="two"))
    replays.save(first.stopped(START))
    assert replays.save(a_replay(id="two")).version == 1
    found = replays.load(CANDLES)
    assert found is not None
    assert (found.id, found.state) == ("two", ReplayState.RUNNING)
