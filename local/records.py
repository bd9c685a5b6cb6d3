"""What a stack's table says about the people of its demo program, read the way the product reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.processes import StackError
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.domain.identity import MemberId, ProgramSlug, normalise_email
from loyalty.domain.ledger.member import Member

if TYPE_CHECKING:
    from typing import Any

    from loyalty.domain.ledger.entry import Entry
    from loyalty.domain.program import Program
    from loyalty.domain.review_decisions import ReviewDecision


@dataclass(frozen=True)
class Records:
    """A program's members, journals and decisions; ``dynamodb`` is a boto3 client."""

    dynamodb: Any
    table: str
    slug: ProgramSlug

    def program(self) -> Program:
        """The program with its connection."""
        program = DynamoPrograms(self.dynamodb, self.table).load(self.slug)
        if program is None:
            raise StackError(f"There is no program {self.slug!r}.")
        return program

    def member_id(self, email: str) -> MemberId:
        """The id under which the program stores, or would store, who has this address."""
        return self.program().member_id(normalise_email(email))

    def member(self, email: str) -> Member | None:
        """Who has this address."""
        found = DynamoLedger(self.dynamodb, self.table).find(self.slug, self.member_id(email))
        return found if isinstance(found, Member) else None

    def journal(self, email: str) -> list[Entry]:
        """A member's entries, oldest first; none for somebody unknown."""
        return list(DynamoLedger(self.dynamodb, self.table).journal(self.slug, self.member_id(email)))

    def decision(self, review_key: str) -> ReviewDecision | None:
        """Why a review earned nothing."""
        return DynamoDecisions(self.dynamodb, self.table).load(self.slug, review_key)
