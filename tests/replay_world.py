"""A program whose merchant asks for history: the world of the delivery tests, with what replays need."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from loyalty.contracts.deliveries import OwedEvent, ReplayStep
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.replay import Replay, replay_of
from loyalty.services.replay_events import BeginReplay, Replayed, ReplayEvents
from tests.fakes.memory_queues import MemoryQueue
from tests.fakes.memory_replays import MemoryReplays
from tests.klaviyo_world import World

UP = "points_adjusted_up"


class ReplayWorld(World):
    """The world, with what replays need."""

    def __init__(self) -> None:
        super().__init__()
        self.replays, self.events = MemoryReplays(), MemoryQueue()
        self.begin = BeginReplay(self.replays, self.events)
        self.work = ReplayEvents(self.programs, self.replays, self.store, self.store, self.events, self.clock)
        self.began = self.clock.now()

    def asks(self, **changes: Any) -> Replay:
        """Ask for a replay of everything since the beginning."""
        program = self.programs.programs[self.candles.slug]
        return self.begin(program, self.asked(**changes))

    def asked(self, **changes: Any) -> Replay:
        program = self.programs.programs[self.candles.slug]
        whole: dict[str, Any] = {"types": frozenset(), "off": program.events_off, "backfill": True}
        begin, end = self.began - timedelta(days=1), self.clock.now() + timedelta(seconds=1)
        self.clock.sleep(1)
        return replay_of(program.slug, begin, end, **(whole | {"now": self.clock.now()} | changes))

    def skipped(self, number: int, *, event_type: str = UP) -> list[Entry]:
        """Entries of a type that was switched off when they were written."""
        self.changed_settings(events_off=frozenset({event_type}))
        entries = [self.gets(f"m{i}@klaviyo-demo.com", event_type=event_type) for i in range(number)]
        self.changed_settings(events_off=frozenset())
        return entries

    def goes_on(self, *, seconds: float = 60) -> list[Replayed]:
        """Do as the lane does with everything that is queued, until nothing is left."""
        reports = []
        while self.events.messages:
            bodies = [message.body for message in self.events.messages]
            self.events.messages.clear()
            steps = [ReplayStep.model_validate_json(body) for body in bodies if "replay" in body]
            owed = [OwedEvent.model_validate_json(body) for body in bodies if "replay" not in body]
            until = self.clock.now() + timedelta(seconds=seconds)
            reports += [self.work(step, until=until) for step in steps]
            self.deliver_events(owed, until=until)
        return reports

    def told(self) -> dict[str, bool]:
        """Ids of what Klaviyo has, and whether as back-fill."""
        return {event.unique_id: event.backfill for event in self.account.stored_events()}
