"""Two simulated years of sweeps against a day-by-day model: the same warnings and expiries, each once.

Members earn and spend at random times, under four expiry policies and in four time zones; sweeps come hourly, now and
then not for days, twice, or dying half-way through.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.contracts.sweeps import SweepShard
from loyalty.domain.errors import Transient
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import Earn, Spend
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Entry, EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, Period
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import local_date
from loyalty.ports import DueMember, Plan
from loyalty.services.posting import Ledger
from loyalty.services.sweep_due import SweepDue
from tests.builders import a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_due import MemoryDueIndex
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = 2 * 365 + 1  # 2028 has a leap day
MEMBERS = 50  # in each of four programs
THRESHOLDS = (30, 3)

PROGRAMS: list[tuple[str, ExpiryPolicy]] = [
    ("Europe/Berlin", AfterEarning(Period(months=2))),
    ("America/New_York", Inactivity(Period(days=75))),
    ("Pacific/Auckland", Calendar(2, 29, keep_days=20)),
    ("Asia/Kathmandu", AfterEarning(Period(days=40))),
]


@dataclass
class ModelMember:
    """A member as a person with a calendar would keep it: points by last day, and what was said about each day."""

    lots: dict[date, int] = field(default_factory=lambda: defaultdict(int))
    told: dict[date, int] = field(default_factory=dict)
    acts: list[tuple[str, date, int]] = field(default_factory=list)
    looked_at: date | None = None

    def begin_day(self, today: date) -> None:
        for day in sorted(self.lots):
            if day < today and self.lots[day]:
                self.acts.append(("expired", day, self.lots[day]))
                del self.lots[day]

    def be_looked_at(self, today: date) -> None:
        if self.looked_at == today:
            return
        self.looked_at = today
        self.begin_day(today)
        for day in sorted(self.lots):
            reached = [days for days in THRESHOLDS if (day - today).days <= days]
            if self.lots[day] and reached and self.told.get(day, 1000) > min(reached):
                self.told[day] = min(reached)
                self.acts.append((f"warned {min(reached)}", day, self.lots[day]))

    def earn(self, points: int, last_day: date, *, moves_all: bool) -> None:
        self.looked_at = None
        self.lots[last_day] += points
        if moves_all:
            self._move(last_day)

    def spend(self, points: int, last_day: date, *, moves_all: bool) -> None:
        self.looked_at = None
        for day in sorted(self.lots):
            part = min(points, self.lots[day])
            self.lots[day] -= part
            points -= part
        if moves_all:
            self._move(last_day)

    def _move(self, last_day: date) -> None:
        for day in sorted(self.lots):
            if day < last_day:
                self.lots[last_day] += self.lots.pop(day)

    @property
    def points(self) -> int:
        return sum(self.lots.values())


class DyingLedger(MemoryLedger):
    """Dies now and then, before or after a commit."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.mortal = False

    def commit(self, plan: Plan) -> None:
        fate = self.chance.random() if self.mortal else 1.0
        if fate < 0.02:
            raise Transient("dies before the commit")
        super().commit(plan)
        if fate < 0.04:
            raise Transient("dies after the commit")


def acts_of(entry: Entry) -> list[tuple[str, date, int]]:
    """What an entry of the sweep says, in the model's words."""
    if entry.kind is EntryKind.EXPIRE:
        return [("expired", date.fromisoformat(day), -points) for day, points in entry.effect.lots.items()]
    if entry.effect.warned:
        assert entry.private is not None
        ((day, warned),) = entry.effect.warned.items()
        return [(f"warned {warned.days}", date.fromisoformat(day), int(entry.private.details["points"]))]
    return []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_two_years_of_sweeps_do_what_a_calendar_says(number: int) -> None:
    zone, policy = PROGRAMS[number]
    chance = random.Random(f"time travel {number}")
    clock = FixedClock(BEGIN)
    store = DyingLedger(chance)
    ledger = Ledger(store, clock, SeededRandomness())
    terms = Terms(timezone=zone, expiry=policy, expiry_revision=1, warning_days=THRESHOLDS)
    program = a_program(terms=terms)
    failures: list[tuple[DueMember, Exception]] = []
    sweep = SweepDue(
        programs=MemoryPrograms(program),
        ledger=ledger,
        index=MemoryDueIndex(store),
        queue=_NoQueue(),
        clock=clock,
        failed=lambda member, error: failures.append((member, error)),
    )
    addresses = [Address("email", f"customer{each}@klaviyo-demo.com") for each in range(MEMBERS)]
    model = {address: ModelMember() for address in addresses}
    down_until = BEGIN
    for hour in range(DAYS * 24):
        clock.time = BEGIN + timedelta(hours=hour, minutes=5)
        today = local_date(clock.time, zone)
        last_day = date.fromisoformat(policy.lot_date(today))
        if chance.random() < 0.15:
            address = chance.choice(addresses)
            member, points = model[address], chance.randint(1, 300)
            member.begin_day(today)
            if chance.random() < 0.6:
                assert not _refused(ledger, program, address, Earn(points))
                member.earn(points, last_day, moves_all=policy.restarts_on_activity)
            elif member.points:
                points = min(points, member.points)
                assert not _refused(ledger, program, address, Spend(points))
                member.spend(points, last_day, moves_all=policy.restarts_on_activity)
        if chance.random() < 0.002:
            down_until = clock.time + timedelta(hours=chance.randint(2, 24 * 8))
        if clock.time < down_until:
            continue
        store.mortal = chance.random() < 0.3
        _sweep_until_alive(sweep, clock.time, twice=chance.random() < 0.1)
        store.mortal = False
        for member in model.values():
            member.be_looked_at(today)
    assert failures == []
    for address, member in model.items():
        found = ledger.find(program, address)
        journal = list(store.journal(program.slug, found.member_id)) if found else []
        assert sorted(act for entry in journal for act in acts_of(entry)) == sorted(member.acts)
        assert (found.amounts.available if found else 0) == member.points
    assert any(act[0] == "expired" for member in model.values() for act in member.acts)
    assert {act[0] for member in model.values() for act in member.acts} == {"expired", "warned 30", "warned 3"}


class _NoQueue:
    def send(self, messages: object) -> None:
        raise AssertionError("no sweep runs out of time here")


def _refused(ledger: Ledger, program: object, address: Address, action: Earn | Spend) -> bool:
    command = a_command(action, at=ledger.clock.now())
    return isinstance(ledger.post(program, address, command, newcomer=True), Refusal)  # type: ignore[arg-type]


def _sweep_until_alive(sweep: SweepDue, now: datetime, *, twice: bool) -> None:
    """A message that failed comes back, as from its queue; one that did not may come twice."""
    message = SweepShard(shard=0, until=now, begun=now).model_dump_json()
    left = 2 if twice else 1
    while left:
        try:
            sweep(message, seconds=60)
        except Transient:
            continue
        left -= 1
