"""What the delivery to Klaviyo needs from the outside world, beside what ``ports`` has."""

from __future__ import annotations

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
