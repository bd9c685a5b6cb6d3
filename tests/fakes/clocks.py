"""Time and randomness that tests decide."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class FixedClock:
    """A clock that stands still until told otherwise; sleeping moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def advance(self, **units: float) -> None:
        self.time += timedelta(**units)


class SeededRandomness:
    """Salts and jitter that are the same in every run."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)

    def salt(self) -> str:
        return f"{self._random.getrandbits(128):032x}"[:22]

    def jitter(self, most: float) -> float:
        return self._random.uniform(0, most)
