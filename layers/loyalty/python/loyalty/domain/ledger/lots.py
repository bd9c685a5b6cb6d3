"""Lots: points that share an expiry date, as a compact map ``date -> points``.

A date is ISO text or ``never``; both sort as text, soonest first. There is at most one lot a day, and never more
than ``MAX_LOTS``: beyond that, days merge into their week, then month, then year, farthest first and always onto
the latest date of the group, so that no point ever expires earlier than promised (W3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date

LotDate = str
Lots = Mapping[LotDate, int]

NEVER: LotDate = "never"
MAX_LOTS = 100


def total(lots: Lots) -> int:
    """Points in all lots."""
    return sum(lots.values())


def moved(lots: Lots, *changes: Lots) -> dict[LotDate, int]:
    """The lots after signed changes; emptied lots are gone.

    Raises:
        ValueError: a change takes more from a lot than it holds.
    """
    result = dict(lots)
    for change in changes:
        for day, points in change.items():
            result[day] = result.get(day, 0) + points
    if any(points < 0 for points in result.values()):
        raise ValueError("a lot cannot be negative")
    return {day: points for day, points in sorted(result.items()) if points}


def negated(lots: Lots) -> dict[LotDate, int]:
    """The same points with the other sign."""
    return {day: -points for day, points in lots.items()}


def take(lots: Lots, points: int, *, first: Lots | None = None) -> dict[LotDate, int]:
    """Choose ``points`` from the lots, soonest-expiring first, as positive amounts by date.

    ``first`` names dates to take from before all others, up to the points it gives for each: a reversal takes back
    the very points that were issued, as far as they are still there.

    Raises:
        ValueError: the lots hold fewer points.
    """
    taken: dict[LotDate, int] = {}
    for day, most in sorted((first or {}).items()):
        part = min(points, most, lots.get(day, 0))
        if part > 0:
            taken[day] = part
            points -= part
    for day, held in sorted(lots.items()):
        part = min(points, held - taken.get(day, 0))
        if part > 0:
            taken[day] = taken.get(day, 0) + part
            points -= part
    if points > 0:
        raise ValueError("the lots hold fewer points")
    return taken


def last_taken(taken: Lots, points: int, *, skip: int = 0) -> dict[LotDate, int]:
    """The part of an earlier ``take`` to give back: latest-expiring first, after ``skip`` points given back before.

    Giving back in the opposite order of taking leaves the member with the lots it would have had if it had taken
    less in the first place.
    """
    given: dict[LotDate, int] = {}
    for day, part in sorted(taken.items(), reverse=True):
        passed = min(skip, part)
        skip -= passed
        back = min(points, part - passed)
        if back > 0:
            given[day] = back
            points -= back
    return given


def coarsening(lots: Lots) -> dict[LotDate, int]:
    """The signed moves that bring a map of lots back to ``MAX_LOTS``; empty when it is small enough."""
    if len(lots) <= MAX_LOTS:
        return {}
    merged = dict(lots)
    for group_of in (_week, _month, _year):
        _merge_farthest_first(merged, group_of)
    return {day: change for day, points in sorted(lots.items()) if (change := merged.get(day, 0) - points)}


def _merge_farthest_first(lots: dict[LotDate, int], group_of: Callable[[date], tuple[int, ...]]) -> None:
    groups: dict[tuple[int, ...], list[LotDate]] = defaultdict(list)
    for day in sorted(lots):
        if day != NEVER:
            groups[group_of(date.fromisoformat(day))].append(day)
    for _, days in sorted(groups.items(), reverse=True):
        for day in days[:-1]:
            if len(lots) <= MAX_LOTS:
                return
            lots[days[-1]] += lots.pop(day)


def _week(day: date) -> tuple[int, ...]:
    calendar = day.isocalendar()
    return (calendar.year, calendar.week)


def _month(day: date) -> tuple[int, ...]:
    return (day.year, day.month)


def _year(day: date) -> tuple[int, ...]:
    return (day.year,)
