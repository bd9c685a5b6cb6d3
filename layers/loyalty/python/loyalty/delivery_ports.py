"""What the delivery to Klaviyo needs from the outside world, beside what ``ports`` has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from loyalty.domain.call_windows import Window
from loyalty.domain.identity import ProgramSlug


class CallPermits(Protocol):
    """Who may call Klaviyo when: at most what it publishes for a program and operation, all workers together."""

    def take(self, program: ProgramSlug, operation: str, windows: tuple[Window, ...]) -> float:
        """Seconds until one more call is allowed; 0.0 when it is now, and then it counts as made.

        Raises:
            Transient: the count is out of reach, or too many count at the same moment.
        """

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
