"""One member's life, told by commands: every state a test looks at came about by posting, as in production."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.apply import apply
from loyalty.domain.ledger.commands import Action, Command, Introduction
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Posting, Refusal
from loyalty.domain.ledger.due import next_act
from loyalty.domain.ledger.entry import Entry, Reversal
from loyalty.domain.ledger.expiry import ExpiryPolicy
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import local_date
from tests.builders import a_command
from tests.fakes.clocks import START

ENDLESS = 500
"""More acts than are ever due at once, or within a test."""


def at(text: str) -> datetime:
    """A UTC time, from a day or a day with a time of day."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Journey:
    """A member, the terms it lives under, and the time. What is due is posted only when a test says so."""

    def __init__(self, terms: Terms | None = None, *, now: datetime = START, name: str = "sarah") -> None:
        self.terms = terms or Terms()
        self.now = now
        self.member = Member(ProgramSlug("candles"), MemberId(name))
        self.entries: list[Entry] = []

    @property
    def lots(self) -> dict[str, int]:
        return dict(self.member.lots)

    @property
    def amounts(self) -> Amounts:
        return self.member.amounts

    @property
    def today(self) -> date:
        return local_date(self.now, self.terms.timezone)

    def waits(self, **units: float) -> Journey:
        self.now += timedelta(**units)
        return self

    def under(self, **changes: Any) -> Journey:
        """Live on under changed terms; ``expiry`` is changed as a program changes it."""
        expiry: ExpiryPolicy | None = changes.pop("expiry", None)
        self.terms = replace(self.terms, **changes)
        if expiry is not None:
            self.terms = self.terms.with_expiry(expiry, self.today)
        return self

    def decide(self, action: Action, *, introduction: Introduction | None = None, **options: Any) -> Posting | Refusal:
        options.setdefault("at", self.now)
        command = a_command(action, **options)
        return self.decides(command, introduction)

    def decides(self, command: Command, introduction: Introduction | None = None) -> Posting | Refusal:
        return decide(self.member, command, self.terms, self.now, "salt", introduction)

    def does(self, action: Action, **options: Any) -> Entry:
        """Post an action; what every posting promises is checked on the way."""
        outcome = self.decide(action, **options)
        assert isinstance(outcome, Posting), outcome
        return self._takes(outcome)

    def refuses(self, action: Action, **options: Any) -> Refusal:
        outcome = self.decide(action, **options)
        assert isinstance(outcome, Refusal), outcome
        return outcome

    def settles(self) -> list[Entry]:
        """Post everything that is due."""
        posted = []
        while act := next_act(self.member, self.terms, self.now):
            outcome = self.decides(act)
            assert isinstance(outcome, Posting), outcome
            posted.append(self._takes(outcome))
            assert len(posted) < ENDLESS, "what was done is still due"
        return posted

    def reversed(self, original: Entry, reversing: Entry) -> Entry:
        """The original as it is stored after this reversal: with a mark of it."""
        points = abs(reversing.points) + reversing.effect.shortfall
        mark = Reversal(reversing.member_id, reversing.seq, points, reversing.request_digest)
        return replace(original, reversals={**original.reversals, reversing.key: mark})

    def _takes(self, posting: Posting) -> Entry:
        before, entry, after = posting.before, posting.entry, posting.after
        assert before is self.member
        assert after == apply(before, entry)
        assert (entry.seq, entry.previous_hash) == (before.version + 1, before.last_hash)
        assert (after.version, after.last_hash, after.amounts) == (entry.seq, entry.hash, entry.after)
        assert after.amounts.is_conserved
        assert sum(after.lots.values()) == max(0, after.amounts.available)
        assert sum(pending.points for pending in after.pendings.values()) == after.amounts.pending
        assert sum(hold.points for hold in after.holds.values()) == after.amounts.held
        self.member = after
        self.entries.append(entry)
        return entry
