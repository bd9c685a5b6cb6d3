"""Time and randomness as the operating system has them."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

_RANDOM = secrets.SystemRandom()


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present time, aware UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class SystemRandomness:
    """The operating system's randomness."""

    def salt(self) -> str:
        """22 characters of fresh randomness: 128 bits."""
        return secrets.token_urlsafe(16)

    def jitter(self, most: float) -> float:
        """A number between 0 and ``most``, evenly spread."""
        return _RANDOM.uniform(0, most)
