"""A program that decides on reviews, in memory: tell it of reviews, and see what stands in the ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loyalty.domain.identity import Address, Email, ProgramSlug
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.domain.review_rule import ReviewRule
from loyalty.services.award_review import AwardReview, Decided
from loyalty.services.posting import Ledger
from tests.builders import SARAH, a_connection, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms
from tests.reviews import KEY, WRITTEN, a_message


class ReviewWorld:
    """One program with a review rule."""

    def __init__(
        self, rule: ReviewRule | None = None, *, decisions: Any = None, store: Any = None, **changes: Any
    ) -> None:
        self.clock = FixedClock()
        connection = a_connection(connected_at=WRITTEN.replace(year=2020))
        self.program = replace(a_program(connection=connection, review_rule=rule or ReviewRule()), **changes)
        self.store = store or MemoryLedger()
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())
        self.decisions = decisions or MemoryDecisions()
        self.programs = MemoryPrograms(self.program)
        self.award = AwardReview(self.programs, self.ledger, self.decisions, self.clock)

    def hears(self, **said: Any) -> Decided:
        """A message of a review, by default of the same one."""
        return self.award(a_message(**said).to_json())

    def decision(self, review_key: str = KEY) -> ReviewDecision:
        found = self.decisions.load(ProgramSlug("candles"), review_key)
        assert found is not None
        return found

    def balance(self, email: str = SARAH.value) -> int:
        member = self.ledger.find(self.program, Address("email", email))
        return member.amounts.available if member else 0

    def entries(self, email: str = SARAH.value) -> list[Entry]:
        member_id = self.program.member_id(Email(email))
        return list(self.store.journal(self.program.slug, member_id))

    def moved(self, email: str = SARAH.value) -> list[int]:
        """The points of every entry, in the journal's order."""
        return [entry.points for entry in self.entries(email)]
