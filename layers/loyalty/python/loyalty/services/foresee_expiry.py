"""What a program's members will be warned of and lose until a day, without effects (W11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.forecast import Foreseen, foresee
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import end_of_day
from loyalty.domain.program import Program
from loyalty.ports import Clock, LedgerStore

_INSTANT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class ForeseeExpiry:
    """Reads members and writes nothing."""

    store: LedgerStore
    clock: Clock

    def __call__(
        self, program: Program, member_ids: Iterable[MemberId], until: date
    ) -> Iterator[tuple[Member, Foreseen]]:
        """Every warning and expiry up to the end of a local day, member by member.

        Raises:
            Conflict: something due on a member is refused.
        """
        now, end = self.clock.now(), end_of_day(until, program.terms.timezone) - _INSTANT
        for member_id in member_ids:
            member = self.store.find(program.slug, member_id)
            if isinstance(member, Member):
                yield from ((member, each) for each in foresee(member, program.terms, now, end))
