"""What a program's members will be warned of and lose until a day, without effects (W11)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from loyalty.domain.errors import Transient
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.forecast import Foreseen, foresee
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import end_of_day
from loyalty.domain.program import Program
from loyalty.ports import Clock, LedgerStore

_INSTANT = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class ForeseeExpiry:
    """Reads members and writes nothing. ``failed`` is told of each member that cannot be foreseen, and why."""

    store: LedgerStore
    clock: Clock
    failed: Callable[[MemberId, Exception], None]

    def __call__(
        self, program: Program, member_ids: Iterable[MemberId], until: date
    ) -> Iterator[tuple[Member, Foreseen]]:
        """Every warning and expiry up to the end of a local day, member by member.

        Raises:
            Transient: storage is out of reach.
        """
        now, end = self.clock.now(), end_of_day(until, program.terms.timezone) - _INSTANT
        for member_id in member_ids:
            try:
                member = self.store.find(program.slug, member_id)
                if not isinstance(member, Member):
                    continue
                foreseen = list(foresee(member, program.terms, now, end))
            except Transient:
                raise
            except Exception as error:  # noqa: BLE001 - one member must not hide what the others will lose; it is told
                self.failed(member_id, error)
            else:
                yield from ((member, each) for each in foreseen)
