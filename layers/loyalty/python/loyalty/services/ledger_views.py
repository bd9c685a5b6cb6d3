"""Views of the ledger's storage for what is no ordinary posting: a rehearsal, and history that sets off no flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import CommandKey
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.domain.telling import BACKFILL
from loyalty.ports import Claim, KeyRecord, LedgerStore, Plan, Redirect


class LedgerView:
    """The storage behind it, as it is."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        """The member stored under an id, or where it points."""
        return self._store.find(program, member_id)

    def claimed_by(self, program: Program, kind: str, value: str) -> MemberId | None:
        """The member an external id or phone number points at."""
        return self._store.claimed_by(program, kind, value)

    def entry(self, program: ProgramSlug, member_id: MemberId, seq: int) -> Entry | None:
        """One entry of a journal."""
        return self._store.entry(program, member_id, seq)

    def journal(self, program: ProgramSlug, member_id: MemberId, *, after: int = 0) -> Iterator[Entry]:
        """A member's entries, oldest first."""
        return self._store.journal(program, member_id, after=after)

    def latest(self, program: ProgramSlug, member_id: MemberId, *, before: int | None, limit: int) -> list[Entry]:
        """A member's entries, newest first."""
        return self._store.latest(program, member_id, before=before, limit=limit)

    def record(self, program: ProgramSlug, key: CommandKey) -> KeyRecord | None:
        """The record of a command carried out before."""
        return self._store.record(program, key)

    def forget_addresses(self, program: Program, claims: Iterable[Claim], redirects: Iterable[MemberId]) -> None:
        """Let addresses lead nowhere."""
        self._store.forget_addresses(program, claims, redirects)

    def forget_words(self, entry: Entry) -> None:
        """Remove an entry's erasable words."""
        self._store.forget_words(entry)

    def commit(self, plan: Plan) -> None:
        """Carry out a plan."""
        self._store.commit(plan)


class History(LedgerView):
    """Whose events Klaviyo records as back-fill, so that they set off no flow."""

    def commit(self, plan: Plan) -> None:
        """Carry out a plan; an event that is owed is owed as back-fill."""
        self._store.commit(replace(plan, deliveries=tuple(map(_as_history, plan.deliveries))))


class Rehearsal(LedgerView):
    """Where plans are carried out in memory only; the storage behind it is read and never written."""

    def __init__(self, store: LedgerStore) -> None:
        super().__init__(store)
        self._members: dict[tuple[ProgramSlug, MemberId], Member] = {}
        self._entries: dict[tuple[ProgramSlug, MemberId, int], Entry] = {}
        self._records: dict[tuple[ProgramSlug, str], KeyRecord] = {}

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        """The member as the rehearsal left it."""
        return self._members.get((program, member_id)) or self._store.find(program, member_id)

    def entry(self, program: ProgramSlug, member_id: MemberId, seq: int) -> Entry | None:
        """One entry, rehearsed ones included."""
        return self._entries.get((program, member_id, seq)) or self._store.entry(program, member_id, seq)

    def record(self, program: ProgramSlug, key: CommandKey) -> KeyRecord | None:
        """The record of a command carried out before, or rehearsed."""
        return self._records.get((program, key.text)) or self._store.record(program, key)

    def commit(self, plan: Plan) -> None:
        """Remember what the plan would have left."""
        slug = plan.program.slug
        for posting in plan.postings:
            self._members[(slug, posting.after.member_id)] = posting.after
            self._entries[(slug, posting.entry.member_id, posting.entry.seq)] = posting.entry
        if plan.record:
            self._records[(slug, plan.record.key)] = plan.record


def _as_history(delivery: Delivery) -> Delivery:
    return replace(delivery, why=BACKFILL) if delivery.state is DeliveryState.OWED else delivery
