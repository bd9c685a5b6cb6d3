"""Whatever happens between and during looks through a listing, the newest state of every review gets reported."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from loyalty.connection_ports import ReviewPage
from loyalty.domain.connection import ConnectionMode
from loyalty.domain.errors import Transient
from loyalty.domain.reconciliation import OVERLAP
from loyalty.services import reconcile_reviews
from loyalty.services.reconcile_reviews import ReconcileReviews
from tests.builders import a_connection, a_program
from tests.fakes.clocks import START, FixedClock
from tests.fakes.memory_oauth import MemoryReconciliations
from tests.fakes.memory_queues import MemoryQueue
from tests.unit.contracts.test_listed_reviews import a_listed_review

PAGE = 3
FAR = timedelta(days=1)


class Listing:
    """Klaviyo's listing, three to a page, with a cursor that counts; what changes is listed ``late`` at times."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.changed: dict[int, datetime] = {}
        self.shown_from: dict[int, datetime] = {}
        self.calls = 0

    def change(self, number: int, late: timedelta) -> None:
        self.changed[number] = self.clock.now()
        self.shown_from[number] = self.clock.now() + late

    def changed_reviews(self, cursor: str) -> ReviewPage:
        self.calls += 1
        seen = [number for number in self.changed if self.shown_from[number] <= self.clock.now()]
        seen.sort(key=lambda number: self.changed[number], reverse=True)
        start = int(cursor or 0)
        page = [a_listed_review(number, updated=self.changed[number].isoformat()) for number in seen[start:][:PAGE]]
        return ReviewPage(tuple(page), str(start + PAGE) if start + PAGE < len(seen) else "")

    def reviews_created(self, since: datetime, until: datetime, cursor: str) -> ReviewPage:
        raise AssertionError("nobody asks for this")


class World:
    """A program whose account's reviews are looked through."""

    def __init__(self) -> None:
        self.clock, self.queue = FixedClock(), MemoryQueue()
        self.listing = Listing(self.clock)
        self.program = a_program(connection=a_connection(mode=ConnectionMode.API_KEY, connected_at=START - FAR))
        self.look = ReconcileReviews(MemoryReconciliations(), self.queue, self.clock)

    def looks(self, pages: int) -> int:
        with patch.object(reconcile_reviews, "MOST_PAGES", pages):
            return self.look(self.program, self.listing, until=self.clock.now() + FAR).reported

    def reported(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for message in self.queue.messages:
            body: dict[str, Any] = json.loads(message.body)
            found.setdefault(int(body["review_key"], 16), set()).add(body["updated_at"])
        return found


changes = st.tuples(st.just("change"), st.integers(1, 12), st.sampled_from([0, 0, 0, 9 * 60]))
looks = st.tuples(st.just("look"), st.integers(1, 3), st.just(0))
crashes = st.tuples(st.just("crash"), st.integers(1, 3), st.just(0))
passing = st.tuples(st.just("pass"), st.integers(1, 3600), st.just(0))


@given(st.lists(st.one_of(changes, changes, looks, crashes, passing), max_size=60))
def test_every_newest_state_is_reported_and_then_there_is_quiet(steps: list[tuple[str, int, int]]) -> None:
    """R118: interrupted looks, crashes, reviews that change during a look, and changes that are listed late."""
    world = World()
    for step, number, late in steps:
        world.clock.advance(seconds=1)
        match step:
            case "change":
                world.listing.change(number, timedelta(seconds=late))
            case "look":
                world.looks(number)
            case "crash":
                world.queue.troubles = 1
                with contextlib.suppress(Transient):
                    world.looks(number)
                world.queue.troubles = 0
            case _:
                world.clock.advance(seconds=number)
    world.clock.advance(seconds=OVERLAP.total_seconds())
    for _ in range(3):
        world.looks(40)
    reported = world.reported()
    for number, at in world.listing.changed.items():
        assert any(datetime.fromisoformat(told) == at for told in reported[number])
    calls = world.listing.calls
    assert world.looks(40) == 0
    times = world.listing.changed.values()
    recent = sum(at >= max(times) - OVERLAP for at in times)
    assert world.listing.calls - calls <= 1 + recent // PAGE
