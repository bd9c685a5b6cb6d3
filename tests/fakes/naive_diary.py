"""What the passing of time does to a member, as somebody with a wall calendar would write it down day by day.

It says what docs/scheduled-work.md says and shares no code with the ledger but policies as plain data. Birthdays are
found by living through every day, and nothing is known in advance: no due times, no index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.domain.ledger.expiry import AfterEarning, ExpiryPolicy, Inactivity, Period
from tests.fakes.naive_dates import UNDATED, Slip, followed, last_use

Act = tuple[str, str, int, date]
"""What happened, to which day or claim it belongs, how many points, and on which day it did."""

A_YEAR = AfterEarning(Period(months=12))
KNOWN_DAYS = 30
LATE_DAYS = 60


@dataclass
class HouseRules:
    """A program's rules as they are now; policies with the day each began."""

    zone: str
    policies: list[tuple[date, ExpiryPolicy]]
    thresholds: tuple[int, ...] = (30, 3)
    warned_first: bool = False
    presents: int = 0
    presents_since: date = date(1970, 1, 1)

    def day(self, now: datetime) -> date:
        return now.astimezone(ZoneInfo(self.zone)).date()

    @property
    def policy(self) -> ExpiryPolicy:
        return self.policies[-1][1]

    def give_presents(self, points: int, today: date) -> None:
        if points and not self.presents:
            self.presents_since = today
        self.presents = points


@dataclass
class Diary:
    """One member: points by their last day, what was said of each day, what is promised, and what happened."""

    rules: HouseRules
    policies_followed: int
    lots: dict[Slip, int] = field(default_factory=dict)
    told: dict[Slip, tuple[int, date]] = field(default_factory=dict)
    promised: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    born: date | None = None
    born_known: date = date.min
    celebrated: date | None = None
    uncelebrated: date | None = None
    acts: list[Act] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(self.lots.values())

    # What the customer does

    def earn(self, points: int, now: datetime) -> None:
        self.settle(now)
        self._receive(points, self.rules.day(now))
        self._be_active(self.rules.day(now))

    def spend(self, points: int, now: datetime) -> None:
        self.settle(now)
        for slip in sorted(self.lots):
            part = min(points, self.lots[slip])
            self._remove(slip, part)
            points -= part
        self._be_active(self.rules.day(now))

    def be_promised(self, name: str, points: int, due: datetime, now: datetime) -> None:
        self.settle(now)
        self.promised[name] = (due, points)

    def say_birthday(self, born: date, now: datetime) -> None:
        if self.born is None or (self.born.month, self.born.day) != (born.month, born.day):
            self.born_known, self.uncelebrated = self.rules.day(now), None
        self.born = born

    # What time does

    def begin_day(self, today: date) -> None:
        """Look at the calendar: is it the birthday, and does it count?"""
        if self.born is None or not self.rules.presents or today != self._birthday_in(today.year):
            return
        is_known = (today - self.born_known).days >= KNOWN_DAYS and today >= self.rules.presents_since
        if is_known and (self.celebrated is None or today.isoformat() >= last_use(A_YEAR, self.celebrated)):
            self.uncelebrated = today

    def settle(self, now: datetime) -> None:
        """What comes before anything a member does, and is not told to anybody in advance."""
        today = self.rules.day(now)
        for since, policy in self.rules.policies[self.policies_followed :]:
            moved = followed(list(self.lots), policy, since)
            if moved != list(self.lots):
                self._expire_before(min(since, today), today)
                self._move(followed(list(self.lots), policy, since))
        self.policies_followed = len(self.rules.policies)
        claims = sorted((due, name) for name, (due, _) in self.promised.items() if due <= now) if self.promised else []
        for due, name in claims:
            self._expire_before(self.rules.day(due), today)
            points = self.promised.pop(name)[1]
            self.acts.append(("activated", name, points, today))
            self._receive(points, today)
            self._be_active(today)
        self._expire_before(today, today)

    def be_swept(self, now: datetime) -> None:
        """The sweep comes by: it settles, gives presents and warns."""
        self.settle(now)
        today = self.rules.day(now)
        self._celebrate(today)
        for slip in sorted(self.lots.keys() - {UNDATED}):
            last = date.fromisoformat(slip)
            reached = [days for days in self.rules.thresholds if (last - today).days <= days]
            if reached and min(reached) < self.told.get(slip, (10**6, today))[0]:
                self.told[slip] = (min(reached), today)
                self.acts.append((f"warned {min(reached)}", slip, self.lots[slip], today))

    def _celebrate(self, today: date) -> None:
        day, self.uncelebrated = self.uncelebrated, None
        if day is None or not self.rules.presents or day < self.rules.presents_since:
            return
        self.celebrated = day
        if (today - day).days > LATE_DAYS:
            self.acts.append(("missed", day.isoformat(), 0, today))
            return
        self.acts.append(("birthday", day.isoformat(), self.rules.presents, today))
        self._receive(self.rules.presents, today)

    def _expire_before(self, day: date, today: date) -> None:
        for slip in sorted(self.lots.keys() - {UNDATED}):
            end = self._end(slip)
            if end is not None and end < day:
                self.acts.append(("expired", slip, self.lots[slip], today))
                del self.lots[slip]

    def _end(self, slip: Slip) -> date | None:
        """The last day of a lot; None while it waits to be warned of."""
        last, thresholds = date.fromisoformat(slip), self.rules.thresholds
        if not self.rules.warned_first or not thresholds:
            return last
        threshold, on = self.told.get(slip, (10**6, last))
        return max(last, on + timedelta(days=min(thresholds))) if threshold <= min(thresholds) else None

    def _receive(self, points: int, today: date) -> None:
        slip = last_use(self.rules.policy, today)
        self.lots[slip] = self.lots.get(slip, 0) + points

    def _remove(self, slip: Slip, points: int) -> None:
        self.lots[slip] -= points
        if not self.lots[slip]:
            del self.lots[slip]

    def _be_active(self, today: date) -> None:
        if isinstance(self.rules.policy, Inactivity):
            new = last_use(self.rules.policy, today)
            self._move([max(slip, new) if slip != UNDATED else new for slip in self.lots])

    def _move(self, slips: list[Slip]) -> None:
        before, self.lots = self.lots, {}
        for slip, points in zip(slips, before.values(), strict=True):
            self.lots[slip] = self.lots.get(slip, 0) + points

    def _birthday_in(self, year: int) -> date:
        assert self.born is not None
        try:
            return self.born.replace(year=year)
        except ValueError:
            return date(year, 2, 28)
