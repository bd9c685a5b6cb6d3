"""The product's own pure core: decide and apply, hashes and all, with dictionaries where the table would be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.operations import Operation
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Action, Command, CommandKey, Earn, Narrative, Reverse, Spend
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.entry import Entry, Reversal, Source
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms

PROGRAM = ProgramSlug("candles")
TERMS = Terms(expiry=AfterEarning(Period(months=12)))


class Core:
    """Members and entries of one program, in memory."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._entries: dict[str, Entry] = {}
        self._now = datetime(2026, 3, 2, tzinfo=UTC)

    def apply(self, operation: Operation) -> None:
        """Decide, and keep what was decided; a repeat finds its entry."""
        self._now += timedelta(hours=1)
        number = operation.target if operation.kind == "repeat" else operation.number
        action = self._action(operation)
        story = Narrative(Source("order", str(number)), "benchmark", self._now, event_type="points_earned_order")
        command = Command(CommandKey("order", str(number), natural=True), action, story)
        if command.key.text in self._entries:
            return
        member = self._members.get(operation.member) or Member(PROGRAM, MemberId(operation.member))
        posting = decide(member, command, TERMS, self._now, "benchmarkbenchmarkbenc")
        if not isinstance(posting, Posting):
            raise TypeError(posting)
        self._members[operation.member] = posting.after
        self._entries[command.key.text] = posting.entry
        if isinstance(action, Reverse):
            mark = Reversal(member.member_id, posting.entry.seq, operation.points, command.request_digest)
            original = replace(action.original, reversals={command.key.text: mark})
            self._entries[original.key] = original

    def balances(self) -> dict[str, int]:
        """Available points."""
        return {name: member.amounts.available for name, member in self._members.items()}

    def _action(self, operation: Operation) -> Action:
        if operation.kind == "spend":
            return Spend(operation.points)
        if operation.kind == "reverse":
            return Reverse(self._entries[CommandKey("order", str(operation.target), natural=True).text])
        return Earn(operation.points, "order")
