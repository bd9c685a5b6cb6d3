"""The floor: what the operations cost when nothing is proved, chained, limited or explained."""

from __future__ import annotations

from collections import defaultdict

from benchmarks.operations import Operation


class Dictionaries:
    """Balances and lots in dictionaries, a list for a journal."""

    def __init__(self) -> None:
        self._balances: dict[str, int] = defaultdict(int)
        self._lots: dict[str, dict[int, int]] = defaultdict(dict)
        self._journal: list[tuple[str, int]] = []
        self._done: set[int] = set()

    def apply(self, operation: Operation) -> None:
        """Add or take; the soonest lot first."""
        number = operation.target if operation.kind == "repeat" else operation.number
        if number in self._done:
            return
        self._done.add(number)
        points = operation.points if operation.kind == "earn" else -operation.points
        lots = self._lots[operation.member]
        if points > 0:
            day = number // 24
            lots[day] = lots.get(day, 0) + points
        else:
            self._take(lots, operation.points)
        self._balances[operation.member] += points
        self._journal.append((operation.member, points))

    def balances(self) -> dict[str, int]:
        """Points."""
        return dict(self._balances)

    @staticmethod
    def _take(lots: dict[int, int], points: int) -> None:
        for day in sorted(lots):
            part = min(points, lots[day])
            points -= part
            lots[day] -= part
            if not lots[day]:
                del lots[day]
            if not points:
                return
