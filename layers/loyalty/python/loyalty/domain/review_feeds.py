"""Review apps beside Klaviyo Reviews that may deliver to a program, each with the secret that proves it (R188)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from loyalty.domain.reviews import ReviewSource


@dataclass(frozen=True, slots=True)
class ReviewFeed:
    """One review app's access to a program.

    ``secrets`` are encrypted for the program; without any the app is switched off. ``since`` is when it was switched
    on: what was written before pays nothing (R112). ``version`` counts changes, 0 before it is stored.
    """

    source: ReviewSource
    since: datetime
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    version: int = 0

    @property
    def is_on(self) -> bool:
        """Whether the app may deliver."""
        return bool(self.secrets)
