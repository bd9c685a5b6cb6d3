"""Earn caps per rule and period (R105, W10), counted in buckets that a member carries with it.

A bucket is named ``rule|period|end``, where ``end`` is the first day after the period in the program's time zone,
so a bucket that is over can be told from its name and dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Earned


class CapPeriod(StrEnum):
    """The span a cap counts in; calendar spans, weeks start on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    EVER = "ever"

    def end(self, day: date) -> str:
        """The first day after the span that holds ``day``, as ISO text; ``never`` for ``ever``."""
        match self:
            case CapPeriod.DAY:
                return (day + timedelta(days=1)).isoformat()
            case CapPeriod.WEEK:
                return (day + timedelta(days=7 - day.weekday())).isoformat()
            case CapPeriod.MONTH:
                return date(day.year + day.month // 12, day.month % 12 + 1, 1).isoformat()
            case CapPeriod.YEAR:
                return date(day.year + 1, 1, 1).isoformat()
            case CapPeriod.EVER:
                return NEVER


@dataclass(frozen=True, slots=True)
class EarnCap:
    """At most ``times`` awards or ``points`` points of one rule within a period; None is no limit."""

    period: CapPeriod
    times: int | None = None
    points: int | None = None

    def bucket(self, rule: str, day: date) -> str:
        """Name of the bucket an award of ``rule`` on a local ``day`` counts in."""
        return f"{rule}|{self.period}|{self.period.end(day)}"

    def room(self, earned: Earned) -> int | None:
        """Points one more award may bring: 0 when the cap is reached, None when nothing limits it."""
        if self.times is not None and earned.times >= self.times:
            return 0
        return None if self.points is None else max(0, self.points - earned.points)


def counted(earned_in: Mapping[str, Earned], changes: Mapping[str, Earned], now: datetime) -> dict[str, Earned]:
    """The buckets after an award; those whose period is over everywhere on earth are dropped."""
    over = (now.date() - timedelta(days=1)).isoformat()
    result = {name: value for name, value in earned_in.items() if name.rpartition("|")[2] > over}
    for name, change in changes.items():
        before = result.get(name, Earned())
        result[name] = Earned(before.times + change.times, before.points + change.points)
    return result
