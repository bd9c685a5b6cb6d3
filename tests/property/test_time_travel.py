"""Two simulated years of sweeps against a diary kept day by day: the same warnings, expiries and presents, each once.

Members earn, spend, are promised points and say when they were born, at random times and in six time zones; programs
change their policies, thresholds, presents and promises. Sweeps come hourly, now and then not for days or months,
twice, or dying half-way through (R67, R72, R165, R169, R175, R183).
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import settings

from loyalty.contracts.sweeps import SweepShard
from loyalty.domain.errors import Transient
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import CommandKey, Earn, Narrative, Pend, Spend
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Entry, EntryKind, Source
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import BirthdayRule, Terms
from loyalty.domain.moments import local_date
from loyalty.ports import Plan
from loyalty.services.identify_member import IdentifyMember
from loyalty.services.posting import Ledger
from loyalty.services.settle_members import SettleMembers
from loyalty.services.sweep_due import SweepDue
from tests.builders import a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_due import MemoryDueIndex
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.naive_diary import Act, Diary, HouseRules

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
HOURS = (2 * 365 + 1) * 24  # 2028 has a leap day
DAYS_APART = 10
"""Between two things that one member does, on average."""

POLICIES: tuple[ExpiryPolicy, ...] = (
    AfterEarning(Period(months=2)),
    Inactivity(Period(days=75)),
    Calendar(2, 29, keep_days=20),
    AfterEarning(Period(days=40)),
    Inactivity(Period(months=1)),
    NoExpiry(),
)
THRESHOLDS = ((30, 3), (14, 1), (45, 30, 7), (5,), ())
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "America/Havana",
    "Australia/Lord_Howe",
)


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


class Town:
    """A program and its members, the real one and the diaries side by side, and the random things that happen."""

    def __init__(self, number: int, members: int) -> None:
        self.chance = chance = random.Random(f"time travel {number}")
        self.clock = FixedClock(BEGIN)
        self.store = DyingLedger(chance)
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())
        policy, zone = POLICIES[number % len(POLICIES)], ZONES[number % len(ZONES)]
        terms = Terms(
            timezone=zone, expiry=policy, warning_days=(30, 3), warned_first=bool(number % 2), birthday=BirthdayRule(20)
        )
        self.program = a_program(terms=terms, newcomers=Standing.MEMBER)
        self.programs = MemoryPrograms(self.program)
        self.index = MemoryDueIndex(self.store)
        self.failures: list[Exception] = []
        self.sweep = SweepDue(
            programs=self.programs,
            ledger=self.ledger,
            index=self.index,
            queue=_NoQueue(),
            clock=self.clock,
            failed=lambda _, error: self.failures.append(error),
        )
        self.rules = HouseRules(zone, [(BEGIN.date(), policy)], warned_first=terms.warned_first, presents=20)
        addresses = [Address("email", f"customer{each}@klaviyo-demo.com") for each in range(members)]
        self.diaries = {address: Diary(self.rules, policies_followed=1) for address in addresses}
        self.down_until = BEGIN
        self.today = date.min
        self.unseen: set[Address] = set()

    def live(self, hours: int) -> None:
        """Let so many hours go by."""
        for hour in range(hours):
            self.clock.time = BEGIN + timedelta(hours=hour, minutes=5)
            today = self.rules.day(self.clock.time)
            if today != self.today:
                self.today = today
                self.unseen.update(self.diaries)
                for diary in self.diaries.values():
                    diary.begin_day(today)
            if self.chance.random() < len(self.diaries) / DAYS_APART / 24:
                self.unseen.add(self._somebody_acts())
            if self.chance.random() < 0.0008:
                self._change_terms()
            self._go_down()
            if self.clock.time >= self.down_until:
                self._sweep()

    def _somebody_acts(self) -> Address:
        address, diary = self.chance.choice(list(self.diaries.items()))
        now, points, what = self.clock.time, self.chance.randint(1, 300), self.chance.random()
        if what < 0.5:
            self._post(address, Earn(points))
            diary.earn(points, now)
        elif what < 0.75:
            diary.settle(now)
            if points := min(points, diary.points):
                self._post(address, Spend(points))
                diary.spend(points, now)
            else:
                self._settle(address)
        elif what < 0.9:
            name, due = f"order {now:%j %H}", now + timedelta(hours=self.chance.randint(1, 20 * 24))
            self._post(address, Pend(name, points, due))
            diary.be_promised(name, points, due, now)
        else:
            born = self._some_birthday(now)
            self._identify(address, born)
            diary.say_birthday(born, now)
        return address

    def _some_birthday(self, now: datetime) -> date:
        """Any day, a leap day, or one that is about as close as a birthday may be when it becomes known."""
        chance = self.chance.random()
        if chance < 0.2:
            return date(1992, 2, 29)
        if chance < 0.6:
            soon = self.rules.day(now) + timedelta(days=self.chance.randint(28, 31))
            return soon.replace(year=1992)
        return date(1993, 1, 1) + timedelta(days=self.chance.randint(0, 364))

    def _post(self, address: Address, action: Earn | Spend | Pend) -> None:
        command = a_command(action, at=self.clock.now())
        outcome = self.ledger.post(self.program, address, command, newcomer=True)
        assert not isinstance(outcome, Refusal), outcome

    def _settle(self, address: Address) -> None:
        if self.ledger.find(self.program, address):
            self.ledger.settle(self.program, address)

    def _identify(self, address: Address, born: date) -> None:
        key, story = CommandKey("test", str(self.clock.time)), Narrative(Source("test"), "tester", self.clock.time)
        IdentifyMember(self.ledger)(self.program, address, {"birthday": born.isoformat()}, key=key, narrative=story)

    def _change_terms(self) -> None:
        """The merchant changes one thing, and has everybody looked at, as docs/scheduled-work.md asks for."""
        terms, rules, today = self.program.terms, self.rules, self.rules.day(self.clock.time)
        match self.chance.randrange(4):
            case 0:
                policy = self.chance.choice(POLICIES)
                if policy != rules.policy:
                    rules.policies.append((today, policy))
                terms = terms.with_expiry(policy, today)
            case 1:
                rules.thresholds = self.chance.choice(THRESHOLDS)
                terms = replace(terms, warning_days=rules.thresholds)
            case 2:
                rules.warned_first = not rules.warned_first
                terms = replace(terms, warned_first=rules.warned_first)
            case _:
                points = self.chance.choice([0, 20, 50])
                rules.give_presents(points, today)
                terms = replace(terms, birthday=terms.birthday.paying(points, today))
        self.program = self.programs.programs[self.program.slug] = replace(self.program, terms=terms)
        members = [member_id for _, member_id in list(self.store.stored)]
        assert not [each for each in SettleMembers(self.ledger, self.index)(self.program, members) if each.error]
        for diary in self.diaries.values():
            diary.be_swept(self.clock.time)

    def _go_down(self) -> None:
        fate = self.chance.random()
        if fate < 0.002:
            self.down_until = self.clock.time + timedelta(hours=self.chance.randint(2, 24 * 8))
        elif fate < 0.0021:
            self.down_until = self.clock.time + timedelta(days=self.chance.randint(60, 100))

    def _sweep(self) -> None:
        """A message that failed comes back, as from its queue; one that did not may come twice."""
        now = self.clock.time
        message = SweepShard(shard=0, until=now, begun=now).model_dump_json()
        self.store.mortal = self.chance.random() < 0.3
        left = 2 if self.chance.random() < 0.1 else 1
        while left:
            try:
                self.sweep(message, seconds=60)
            except Transient:
                continue
            left -= 1
        self.store.mortal = False
        for address, diary in self.diaries.items():
            if address in self.unseen or diary.promised:
                diary.be_swept(now)
        self.unseen.clear()

    def acts(self, address: Address) -> list[Act]:
        """What a member's journal says that time did."""
        found = self.ledger.find(self.program, address)
        journal = self.store.journal(self.program.slug, found.member_id) if found else ()
        return sorted(act for entry in journal for act in acts_of(entry, self.rules.zone))

    def points(self, address: Address) -> int:
        """What a member has in the real ledger."""
        found = self.ledger.find(self.program, address)
        return found.amounts.available if found else 0


def acts_of(entry: Entry, zone: str) -> list[Act]:
    """What an entry says, in a diary's words."""
    effect, on = entry.effect, local_date(entry.recorded_at, zone)
    if entry.kind is EntryKind.EXPIRE:
        return [("expired", day, -points, on) for day, points in effect.lots.items()]
    if entry.kind is EntryKind.ACTIVATE:
        return [("activated", name, points, on) for name, points in effect.closed.items()]
    if effect.birthday_done:
        return [("missed" if effect.topic else "birthday", effect.birthday_done, entry.points, on)]
    if effect.warned:
        assert entry.private is not None
        ((day, warned),) = effect.warned.items()
        return [(f"warned {warned.days}", day, int(entry.private.details["points"]), on)]
    return []


def is_nightly() -> bool:
    return settings().max_examples >= 2000


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ZONES)))
def test_two_years_of_sweeps_do_what_a_diary_says(number: int) -> None:
    """R67, R72, R165, R169, R175, R183: what happens, how often, when, and with how many points."""
    town = Town(number, members=200 if is_nightly() else 15)
    town.live(HOURS)
    assert town.failures == []
    kinds: Counter[str] = Counter()
    for address, diary in town.diaries.items():
        assert town.acts(address) == sorted(diary.acts)
        assert town.points(address) == diary.points
        kinds.update(act[0] for act in diary.acts)
    assert kinds.keys() >= {"expired", "activated", "birthday"}
    assert sum(kinds[kind] for kind in kinds if kind.startswith("warned")) > 20


class _NoQueue:
    def send(self, messages: object) -> None:
        raise AssertionError("no sweep runs out of time here")
