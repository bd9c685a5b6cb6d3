"""Deliver owed journal entries to Klaviyo as events: many at a time, each exactly once.

What is owed is marked in the table; a message only says when to look. So a message can be given back, come twice or
get lost without harm: a repeat finds the entry sent already, and Klaviyo drops a second event of the same
``unique_id`` should the mark be missing.

While nothing may be sent (before the first full sync, with access lost or a reconnect needed) messages are taken off
the queue and the entries stay owed: waiting can take days, longer than a queue is made for, and a thousand messages
that keep coming back would be a retry storm (R16, R17). What is owed is queued again by the sweep over the outbox
that follows a sync or a reconnect (R19).

One batch may hold events of several programs. Those with the fewest come first and each has its share of the time, so
that a program with much to tell, or whose account answers slowly, takes nothing from the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.connection_ports import ConnectionNotes
from loyalty.contracts.deliveries import OwedEvent
from loyalty.delivery_ports import SentEvents
from loyalty.domain.errors import Invalid, Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry
from loyalty.domain.program import Program
from loyalty.domain.telling import MetricEvent, event_of
from loyalty.ports import Clock, Klaviyo, KlaviyoApi, Outbox, ProgramStore
from loyalty.services.isolation import outcomes
from loyalty.services.merged_members import going_on
from loyalty.services.program_run import ProgramRun


@dataclass(slots=True)
class ProgramEvents(ProgramRun):
    """What became of one program's owed events; ``trouble`` is why those in ``later`` have to come back."""

    later: dict[tuple[MemberId, int], OwedEvent]
    states: Counter[DeliveryState] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    paused: int = 0

    @property
    def message(self) -> str:
        """What happened."""
        return "events delivered" if self.trouble is None else "events interrupted"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "EventsSent": self.states[DeliveryState.SENT],
            "EventsFailed": self.states[DeliveryState.FAILED],
            "EventsSkipped": self.states[DeliveryState.SKIPPED],
            "EventsPaused": self.paused,
            "EventsDelayed": len(self.later),
        }


@dataclass(frozen=True, slots=True)
class DeliverEvents:
    """The worker of the events lane."""

    programs: ProgramStore
    outbox: Outbox
    klaviyo: Klaviyo
    clock: Clock
    notes: ConnectionNotes
    counted: SentEvents

    def __call__(self, owed: Collection[OwedEvent], *, until: datetime) -> list[ProgramEvents]:
        """Deliver what is still owed of ``owed``, program by program; no call to Klaviyo begins after ``until``.

        Whatever goes wrong with one program, the others are served.
        """
        grouped: dict[ProgramSlug, dict[tuple[MemberId, int], OwedEvent]] = defaultdict(dict)
        for each in owed:
            grouped[each.program][each.member_id, each.seq] = each
        fewest_first = sorted(grouped.items(), key=lambda group: len(group[1]))
        done = [ProgramEvents(slug, keys) for slug, keys in fewest_first]
        for number, work in enumerate(done):
            now = self.clock.now()
            share = (until - now) / (len(done) - number)
            try:
                self._deliver(work, now + share)
            except Exception as trouble:  # noqa: BLE001 - told in the report; must not touch other programs
                work.trouble = trouble
            if work.sent:
                self.notes.succeeded(work.program, self.clock.now())
                self.counted.add(work.program, work.sent, self.clock.now())
        return done

    def _deliver(self, work: ProgramEvents, until: datetime) -> None:
        program = self.programs.load(work.program)
        try:
            api = self._ready(program)
            owed = self._owed(work)
            if program and not program.is_connected:
                self._mark(work, [(entry, DeliveryState.SKIPPED, "not_connected") for entry in owed])
            elif program and api:
                self._send(work, program, api, owed, until)
            else:
                _pause(work)
        except KlaviyoAccessLost:
            _pause(work)

    def _ready(self, program: Program | None) -> KlaviyoApi | None:
        """Klaviyo, if it may be sent to: before anything is read, since most of a long queue comes too early."""
        if program is None or program.connection is None or not program.connection.is_sending:
            return None
        api = self.klaviyo.open(program)
        api.ready_for_events()
        return api

    def _owed(self, work: ProgramEvents) -> list[Entry]:
        """What is still owed, in the order of the journals; the rest is done with."""
        entries = self.outbox.entries(work.program, list(work.later))
        owed = {(entry.member_id, entry.seq): entry for entry in entries if entry.delivery.state is DeliveryState.OWED}
        for key in work.later.keys() - owed.keys():
            del work.later[key]
        return [owed[key] for key in sorted(owed)]

    def _send(
        self, work: ProgramEvents, program: Program, api: KlaviyoApi, owed: Sequence[Entry], until: datetime
    ) -> None:
        members = going_on(self.outbox, program.slug, {entry.member_id for entry in owed})
        told: dict[str, Entry] = {}
        events: list[MetricEvent] = []
        untold: list[tuple[Entry, DeliveryState, str]] = []
        for entry in owed:
            member = members.get(entry.member_id)
            if member is None or not member.profile.email:
                untold.append((entry, DeliveryState.SKIPPED, "no_email"))
                continue
            try:
                events.append(event_of(program, entry, member.profile.email))
            except Invalid as error:
                untold.append((entry, DeliveryState.FAILED, error.message))
                continue
            told[entry.id] = entry
        self._mark(work, untold)
        if events:
            for settled in outcomes(api, events, self._stop_at(until)):
                self._mark(work, [_became(told[event.unique_id], reason) for event, reason in settled])

    def _mark(self, work: ProgramEvents, settled: Sequence[tuple[Entry, DeliveryState, str]]) -> None:
        if not settled:
            return
        now = self.clock.now()
        self.outbox.mark_events([(entry, Delivery(state, now, why)) for entry, state, why in settled])
        for entry, state, _ in settled:
            work.states[state] += 1
            if state is DeliveryState.SENT:
                work.sent[entry.event_type] += 1
            del work.later[entry.member_id, entry.seq]

    def _stop_at(self, until: datetime) -> Callable[[], None]:
        def check() -> None:
            if self.clock.now() >= until:
                raise Transient("No time is left in this run.", code="out_of_time", retry_after=0)

        return check


def _became(entry: Entry, reason: str) -> tuple[Entry, DeliveryState, str]:
    """What became of an entry; one that was owed as a back-fill is sent as one."""
    if reason:
        return entry, DeliveryState.FAILED, reason
    return entry, DeliveryState.SENT, entry.delivery.why


def _pause(work: ProgramEvents) -> None:
    """Take the messages of what is left off the queue; the entries stay owed."""
    work.paused = len(work.later)
    work.later.clear()
