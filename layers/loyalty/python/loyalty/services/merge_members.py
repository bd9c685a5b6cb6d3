"""Two members that turn out to be one person become one (W13)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from loyalty.domain.errors import Duplicate
from loyalty.domain.identity import Address, MemberId
from loyalty.domain.ledger.commands import Command, CommandKey, MergeIn, MergeOut, Narrative
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import EntryKind, Source
from loyalty.domain.program import Program
from loyalty.ports import KeyRecord, LedgerStore, Plan, Receipt
from loyalty.services.posting import Ledger


@dataclass(frozen=True, slots=True)
class MergeMembers:
    """Moves everything one member has to another, in one transaction; both journals stay as they are.

    Whoever finds the member that ended, by any of its addresses, finds the one that goes on.
    """

    ledger: Ledger

    def __call__(self, program: Program, ending: MemberId, staying: MemberId, *, actor: str) -> Receipt | Refusal:
        """Merge ``ending`` into ``staying``; the answer is the entry that took everything over.

        Merging the same two again is a replay.

        Raises:
            Conflict: others kept changing the members; trying again is safe.
        """
        return self.ledger.retrying(lambda: self._attempt(program, ending, staying, actor))

    def _attempt(self, program: Program, ending: MemberId, staying: MemberId, actor: str) -> Receipt | Refusal:
        key = CommandKey("merge", f"{ending}|{staying}", natural=True)
        outcome = self._merged(program, ending, staying, key, actor)
        if isinstance(outcome, Refusal) and (record := self.ledger.store.record(program.slug, key)):
            return replace(record.receipt, replayed=True)
        return outcome

    def _merged(
        self, program: Program, ending: MemberId, staying: MemberId, key: CommandKey, actor: str
    ) -> Receipt | Refusal:
        old = self.ledger.locate(program, Address("member", ending))
        new = self.ledger.locate(program, Address("member", staying))
        if not (old.version and new.version):
            return Refusal("unknown_member", "Both members must exist.")
        if old.member_id == new.member_id:
            return Refusal("same_member", "These are one member already.")
        old, _ = self.ledger.settled(program, old)
        new, _ = self.ledger.settled(program, new)
        now = self.ledger.clock.now()
        out = Command(key, MergeOut(new.member_id), Narrative(Source("merge", new.member_id), actor, now))
        into = Command(key, MergeIn(old), Narrative(Source("merge", old.member_id), actor, now))
        leaving, joining = self.ledger.decide(program, old, out), self.ledger.decide(program, new, into)
        if isinstance(leaving, Refusal):
            return leaving
        if isinstance(joining, Refusal):
            return joining
        receipt = Receipt.of(joining.entry)
        record = KeyRecord(key.text, key.natural, into.request_digest, receipt)
        deliveries = (program.delivery_of(""), program.delivery_of(""))
        try:
            self.ledger.store.commit(Plan(program, (leaving, joining), deliveries, record))
        except Duplicate as duplicate:
            return self.ledger.replayed(into, duplicate.first)
        return receipt


def merged_into(store: LedgerStore, program: Program, member_id: MemberId) -> Iterator[MemberId]:
    """The members that went on in this one, directly or over others."""
    for entry in store.journal(program.slug, member_id):
        if entry.kind is EntryKind.MERGE and not entry.effect.merged_into:
            merged = MemberId(entry.source.id)
            yield from merged_into(store, program, merged)
            yield merged
