"""Queue again what a program's outbox holds: after access came back, and for messages that got lost (R19).

What is owed is marked in the table, so any number of repeats do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.contracts.deliveries import OwedEvent
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock, MessageQueue, Outbox, QueueMessage, WatchedQueue
from loyalty.services.relay_outbox import wake_up

OWED_LONG = timedelta(hours=1)
"""After this time the message of an owed event may have got lost."""

SURELY_BEFORE = 2
"""Until this hour (UTC) everything that is owed for long is queued again, whatever the queue holds."""

MOST_COUNTED = 10_000

PAGE = 500
"""Entries that are looked up and queued at a time."""


@dataclass(frozen=True, slots=True)
class Requeued:
    """How much was queued again; ``finished`` is False when the time ended before the outbox did."""

    events: int
    finished: bool


@dataclass(frozen=True, slots=True)
class RequeueOwed:
    """Walks a program's outbox."""

    outbox: Outbox
    events: WatchedQueue
    profiles: MessageQueue
    clock: Clock

    def what_got_lost(self, slug: ProgramSlug, *, until: datetime) -> Requeued:
        """Queue again what has been owed for long, unless its messages are still there, and wake the profiles lane.

        That lane needs one message however much is owed. Messages of events are there where the queue holds no fewer
        than the program owes: through an outage of hours each event would otherwise be queued again every hour.
        Messages of another program can stand in for them, so once a day nobody asks.

        Raises:
            Transient: storage or a queue is out of reach; doing it again is safe.
        """
        now = self.clock.now()
        owed, profiles = self.outbox.owed_counts(slug, most=MOST_COUNTED)
        if profiles:
            self._wake_profiles(slug)
        if now.hour >= SURELY_BEFORE and self.events.waiting() >= owed:
            return Requeued(0, finished=True)
        return self._events(slug, before=now - OWED_LONG, until=until)

    def __call__(self, slug: ProgramSlug, *, before: datetime, until: datetime) -> Requeued:
        """Queue the events owed since before a time, in ledger order, and wake the profiles lane.

        Raises:
            Transient: storage or a queue is out of reach; doing it again is safe.
        """
        self._wake_profiles(slug)
        return self._events(slug, before=before, until=until)

    def _wake_profiles(self, slug: ProgramSlug) -> None:
        self.profiles.send([wake_up(slug, f"requeue-{self.clock.now().timestamp()}")])

    def _events(self, slug: ProgramSlug, *, before: datetime, until: datetime) -> Requeued:
        queued, place = 0, ""
        while True:
            if self.clock.now() >= until:
                return Requeued(queued, finished=False)
            owed, place = self.outbox.owed_events(slug, before=before, after=place, limit=PAGE)
            messages = [OwedEvent(program=slug, member_id=member_id, seq=seq) for member_id, seq in owed]
            self.events.send([QueueMessage(each.model_dump_json(), group=slug) for each in messages])
            queued += len(messages)
            if not place:
                return Requeued(queued, finished=True)
