"""What sweeps will tell a member of and let expire until a time, if nothing else happens (W11).

Nothing is foreseen by rules of its own: the member lives on through the same due acts and decisions, on a clock that
jumps to whatever is due next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from loyalty.domain.errors import Conflict
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.due import next_act, next_due, next_notice
from loyalty.domain.ledger.entry import Entry, EntryKind
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import local_date


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Points that expire on the local day ``on``, or that the member is warned of then.

    ``days_left`` is the warning's threshold and None when the points expire; ``expires_on`` is their last day.
    """

    on: date
    days_left: int | None
    expires_on: date
    points: int


def foresee(member: Member, terms: Terms, now: datetime, until: datetime) -> Iterator[Foreseen]:
    """Everything from ``now`` to ``until`` (aware), in the order it will happen.

    Raises:
        Conflict: something due is refused; a sweep would fail on this member too.
    """
    while True:
        while command := next_act(member, terms, now) or next_notice(member, terms, now):
            posting = decide(member, command, terms, now, "")
            if isinstance(posting, Refusal):
                raise Conflict(f"A due act would be refused: {posting.message}", refusal=posting.code)
            yield from _told(member, posting.entry, local_date(now, terms.timezone))
            member = posting.after
        due = next_due(member, terms)
        if due is None or not now < due <= until:
            return
        now = due


def _told(before: Member, entry: Entry, today: date) -> Iterator[Foreseen]:
    if entry.kind is EntryKind.EXPIRE:
        for day, points in sorted(entry.effect.lots.items()):
            if day != NEVER:
                yield Foreseen(today, None, date.fromisoformat(day), -points)
    for day, warned in entry.effect.warned.items():
        yield Foreseen(today, warned.days, date.fromisoformat(day), before.lots[day])
