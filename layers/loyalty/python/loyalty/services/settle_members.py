"""Attend to members whether or not the due index lists them.

The index knows members by the terms of their last change. After a change of terms that gives points a date, or a
birthday its points, members nobody changed since are not in it; this puts them there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loyalty.domain.errors import Transient
from loyalty.domain.identity import MemberId
from loyalty.domain.program import Program
from loyalty.ports import DueIndex
from loyalty.services.posting import Ledger


@dataclass(frozen=True, slots=True)
class Settled:
    """How many due acts a member took, and why it could not be attended to, if it could not."""

    member_id: MemberId
    acts: int = 0
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class SettleMembers:
    """Does for any member what the sweep does for those it finds in the index. Running it again does no harm."""

    ledger: Ledger
    index: DueIndex

    def __call__(self, program: Program, member_ids: Iterable[MemberId]) -> Iterator[Settled]:
        """Post what is due, and note in the index when the next thing is; a member that fails is passed over.

        Raises:
            Transient: storage is out of reach; what was settled stays so.
        """
        for member_id in member_ids:
            try:
                acts = self.ledger.attend(program, member_id) or self.index.correct(program, member_id)
            except Transient:
                raise
            except Exception as error:  # noqa: BLE001 - one member must not hold up the others; it is told
                yield Settled(member_id, error=error)
            else:
                yield Settled(member_id, acts)
