"""The machine's clock and randomness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from loyalty.adapters.system import SystemClock, SystemRandomness


def test_the_clock_tells_aware_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta()
    assert abs(datetime.now(UTC) - now) < timedelta(minutes=1)


def test_salts_are_22_characters_and_never_the_same() -> None:
    salts = {SystemRandomness().salt() for _ in range(1000)}
    assert len(salts) == 1000
    assert {len(salt) for salt in salts} == {22}


def test_jitter_stays_within_its_bounds_and_moves() -> None:
    drawn = [SystemRandomness().jitter(0.5) for _ in range(1000)]
    assert 0 <= min(drawn) < 0.1
    assert 0.4 < max(drawn) <= 0.5
