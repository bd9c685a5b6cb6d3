"""What the delivery to Klaviyo needs from the outside world, beside what ``ports`` has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from loyalty.domain.call_windows import Window
    from loyalty.domain.identity import MemberId, ProgramSlug
    from loyalty.domain.ledger.entry import Delivery, Entry
    from loyalty.domain.replay import Replay


class CallPermits(Protocol):
    """Who may call Klaviyo when: at most what it publishes for a program and operation, all workers together."""

    def take(self, program: ProgramSlug, operation: str, windows: tuple[Window, ...]) -> float:
        """Seconds until one more call is allowed; 0.0 when it is now, and then it counts as made.

        Raises:
            Transient: the count is out of reach, or too many count at the same moment.
        """

    def wait(self, program: ProgramSlug, operation: str, windows: tuple[Window, ...]) -> float:
        """Seconds until one more call is allowed as far as this process has seen: costs nothing, may be too short."""

    def close(self, program: ProgramSlug, operation: str, seconds: float) -> None:
        """Allow no call for some seconds, since Klaviyo asked for that. Never fails: a note is not worth that."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How many events of a type Klaviyo has taken so far, and when the last one."""

    events: int
    last_at: datetime


class SentEvents(Protocol):
    """What Klaviyo has taken, counted by event type (R96).

    Counting never fails, and a run that dies between Klaviyo's answer and the count is not in it: these are figures to
    look at, the journal is what is true.
    """

    def add(self, program: ProgramSlug, events: Mapping[str, int], at: datetime) -> None:
        """Klaviyo took so many events of these types; one write, however many."""

    def of(self, program: ProgramSlug) -> dict[str, Sent]:
        """The figures by event type; types without any are missing."""


class Feed(Protocol):
    """A program's entries by the UTC day they were recorded; those whose event is owed stand elsewhere meanwhile."""

    def of_day(
        self, program: ProgramSlug, day: date, *, after: str, limit: int
    ) -> tuple[list[tuple[MemberId, int]], str]:
        """Entries of a day by time, in pages: keys, and what the next page is after; the last page is after ""."""

    def owe_again(self, entries: Sequence[Entry], delivery: Delivery) -> None:
        """Owe Klaviyo events that were skipped or failed; any other is left alone.

        Raises:
            Transient: some are not owed again; doing it again is safe.
        """


class Replays(Protocol):
    """How far each program's replay is; one at a time."""

    def load(self, program: ProgramSlug) -> Replay | None:
        """The newest replay of a program."""

    def save(self, replay: Replay) -> Replay:
        """Replace the version of a replay that was read; a new one, of version 0, replaces what is finished.

        Raises:
            Conflict: somebody else works on it, or another one is running.
        """
