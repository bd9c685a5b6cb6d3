"""What sending many profiles at a time needs from the outside world, beside what ``ports`` has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.member import Member


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A member as it is now; ``owed`` says that its profile stands in the outbox."""

    member: Member
    owed: bool


class Roster(Protocol):
    """All members of a program, by id: what a walk over everybody goes by. Eventually complete, newest states."""

    def count(self, program: ProgramSlug) -> int:
        """How many members a program has, erased and merged ones too. Costs by their number."""

    def page(self, program: ProgramSlug, *, after: str, limit: int) -> tuple[list[Enrolled], str]:
        """Members in the order of their ids, from behind the id ``after`` on, and what the next page is after.

        The last page is after "".
        """
