"""A program's ledger on the memory store, where anything may happen just before a commit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from loyalty.domain.identity import Address
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import (
    Action,
    CommandKey,
    Narrative,
)
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Entry, Source
from loyalty.ports import Plan, Receipt
from loyalty.services.erase_member import EraseMember
from loyalty.services.identify_member import IdentifyMember
from loyalty.services.merge_members import MergeMembers
from loyalty.services.posting import Ledger
from tests.builders import a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_ledger import MemoryLedger


class BusyLedger(MemoryLedger):
    """A store in which something happens just before a commit: an error, or somebody else's commit."""

    def __init__(self) -> None:
        super().__init__()
        self.before_commits: list[Callable[[], object]] = []
        self.commits = 0

    def commit(self, plan: Plan) -> None:
        if self.before_commits:
            self.before_commits.pop(0)()
        super().commit(plan)
        self.commits += 1


def fails_with(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


class RecordingClock(FixedClock):
    """A clock that remembers how long it was asked to wait, and may be handed times to show."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.shows: list[datetime] = []

    def now(self) -> datetime:
        return self.shows.pop(0) if self.shows else super().now()

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        super().sleep(seconds)


class LongestJitter(SeededRandomness):
    """Always the longest pause."""

    def jitter(self, most: float) -> float:
        return most


class World:
    """A program's ledger on the memory store."""

    def __init__(self) -> None:
        self.store = BusyLedger()
        self.clock = RecordingClock()
        self.ledger = Ledger(self.store, self.clock, LongestJitter())
        self.program = a_program()

    def post(self, address: Address, action: Action, *, newcomer: bool = True, **options: Any) -> Receipt | Refusal:
        command = a_command(action, at=self.clock.now(), **options)
        return self.ledger.post(self.program, address, command, newcomer=newcomer)

    def does(self, address: Address, action: Action, **options: Any) -> Receipt:
        outcome = self.post(address, action, **options)
        assert isinstance(outcome, Receipt), outcome
        return outcome

    def refuses(self, address: Address, action: Action, **options: Any) -> Refusal:
        before = repr(vars(self.store))
        outcome = self.post(address, action, **options)
        assert isinstance(outcome, Refusal), outcome
        assert repr(vars(self.store)) == before, "a refusal changed the store"
        return outcome

    def entry(self, receipt: Receipt) -> Entry:
        entry = self.store.entry(self.program.slug, receipt.member_id, receipt.seq)
        assert entry is not None
        return entry

    def amounts(self, address: Address) -> Amounts:
        member = self.ledger.find(self.program, address)
        assert member is not None
        return member.amounts

    def identify(self, address: Address, **profile: str) -> None:
        story = Narrative(Source("test"), "tester", self.clock.now())
        key = CommandKey("identify", f"{address.value}{profile}")
        outcome = IdentifyMember(self.ledger)(self.program, address, profile, key=key, narrative=story)
        assert isinstance(outcome, Receipt), outcome

    def erase(self, address: Address) -> None:
        member = self.ledger.find(self.program, address)
        assert member is not None
        outcome = EraseMember(self.ledger, MemoryDecisions())(self.program, member.member_id, actor="tester")
        assert isinstance(outcome, Receipt), outcome

    def merge(self, ending: Address, staying: Address) -> None:
        members = [self.ledger.find(self.program, address) for address in (ending, staying)]
        old, new = (member.member_id for member in members if member is not None)
        outcome = MergeMembers(self.ledger)(self.program, old, new, actor="tester")
        assert isinstance(outcome, Receipt), outcome
