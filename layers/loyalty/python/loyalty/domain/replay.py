"""Telling Klaviyo afterwards of events that it was not told of when they happened (R94, R95).

An entry whose event was skipped or failed becomes owed again; what Klaviyo has already is never owed twice, and its
``unique_id`` would have it dropped there anyway.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from loyalty.domain.catalogue import EVENT_TYPES, event_type
from loyalty.domain.errors import Invalid
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.entry import DeliveryState, Entry
from loyalty.domain.telling import BACKFILL

MOST_DAYS = 1100
"""A range may not be longer: three years and a little."""

REPLAYED = "replayed"
"""Why an event is owed, and later was sent, that was asked for afterwards and may set off flows."""


class ReplayState(StrEnum):
    """How a replay is."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay of a program's events, recorded from ``begin`` until before ``end`` (aware UTC).

    It goes through the program's feed day by day: ``day`` and ``place`` are how far it got. ``looked`` counts entries
    that it has looked at, ``owed`` those that became owed again. ``version`` counts changes, 0 before it is stored.
    """

    id: str
    program: ProgramSlug
    begin: datetime
    end: datetime
    types: frozenset[str]
    backfill: bool
    started_at: datetime
    day: date
    place: str = ""
    looked: int = 0
    owed: int = 0
    state: ReplayState = ReplayState.RUNNING
    finished_at: datetime | None = None
    version: int = 0

    @property
    def why(self) -> str:
        """What stands on the entries it makes owed."""
        return BACKFILL if self.backfill else REPLAYED

    @property
    def last_day(self) -> date:
        """The last day of its range."""
        return (self.end - timedelta(microseconds=1)).date()

    @property
    def days(self) -> tuple[int, int]:
        """How many days are behind it, and how many there are."""
        whole = (self.last_day - self.begin.date()).days + 1
        behind = whole if self.state is ReplayState.DONE else (self.day - self.begin.date()).days
        return behind, whole

    def wants(self, entry: Entry) -> bool:
        """Whether an entry's event is to be owed again."""
        return (
            entry.delivery.state in {DeliveryState.SKIPPED, DeliveryState.FAILED}
            and entry.event_type in self.types
            and self.begin <= entry.recorded_at < self.end
        )

    def asks_the_same_as(self, other: Replay) -> bool:
        """Whether both are of the same events, told in the same way."""
        return (self.begin, self.end, self.types, self.backfill) == (
            other.begin,
            other.end,
            other.types,
            other.backfill,
        )

    def after_page(self, looked: int, owed: int, place: str, now: datetime) -> Replay:
        """The replay after a page of its day; an empty ``place`` ends the day."""
        moved = replace(self, looked=self.looked + looked, owed=self.owed + owed, place=place)
        if place:
            return moved
        if self.day >= self.last_day:
            return replace(moved, state=ReplayState.DONE, finished_at=now)
        return replace(moved, day=self.day + timedelta(days=1))

    def stopped(self, now: datetime) -> Replay:
        """The replay after its program stopped telling Klaviyo anything."""
        return replace(self, state=ReplayState.STOPPED, finished_at=now)


def replay_of(
    program: ProgramSlug,
    begin: datetime,
    end: datetime,
    *,
    types: AbstractSet[str],
    off: AbstractSet[str],
    backfill: bool,
    now: datetime,
) -> Replay:
    """A new replay of the events of some types, or of all selected ones if none is named.

    Raises:
        Invalid: ``empty_range``, ``range_too_long``, ``unknown_event_type``, or ``event_type_not_selected`` for a type
            that is switched ``off``.
    """
    end = min(end, now)
    if begin >= end:
        raise Invalid("The range is empty: from must be before to, and in the past.", code="empty_range")
    if end - begin > timedelta(days=MOST_DAYS):
        raise Invalid(f"The range is longer than {MOST_DAYS} days; ask for parts of it.", code="range_too_long")
    for name in sorted(types):
        if event_type(name).id in off:
            message = f"Events of type {name!r} are switched off; switch them on in the settings first."
            raise Invalid(message, code="event_type_not_selected", event_type=name)
    wanted = frozenset(types or EVENT_TYPES.keys() - off)
    begin = begin.astimezone(UTC)
    return Replay(f"{now:%Y%m%d%H%M%S%f}", program, begin, end, wanted, backfill, now, begin.date())
