"""How long to wait before work that met trouble is tried again. Whether to, is the error's type."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 5
LONGEST = 900
"""Seconds before the second attempt, and at most; doubled in between."""

_SPREAD = 0.2


def wait(attempt: int, asked: int | None, jitter: Callable[[float], float]) -> int:
    """Whole seconds to wait after failed attempt number ``attempt`` (from 1).

    ``asked`` is the time the other side named: never less than that, since it turns earlier tries away, and a little
    more, so that everybody who was told the same does not come back at once. ``jitter(most)`` is a random number
    between 0 and ``most``.
    """
    if asked is not None:
        return asked + round(jitter(max(1.0, asked * _SPREAD)))
    longest = min(LONGEST, FIRST << min(attempt - 1, 10))
    return round(longest / 2 + jitter(longest / 2))
