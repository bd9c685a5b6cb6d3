"""The ledger and outbox ports in memory, with the isolation that DynamoDB transactions have."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from loyalty.domain.errors import Conflict, Duplicate
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import CommandKey
from loyalty.domain.ledger.due import next_due
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import utc_text
from loyalty.domain.program import Program
from loyalty.ports import Claim, KeyRecord, Plan, Redirect
from loyalty.profile_ports import Enrolled

MemberKey = tuple[ProgramSlug, MemberId]
EntryKey = tuple[ProgramSlug, MemberId, int]


class MemoryLedger:
    """Members, entries, records, aliases and outbox marks in dictionaries; a plan applies whole or not at all."""

    def __init__(self) -> None:
        self.stored: dict[MemberKey, Member | Redirect] = {}
        self.written: dict[EntryKey, Entry] = {}
        self.records: dict[tuple[ProgramSlug, str], KeyRecord] = {}
        self.aliases: dict[tuple[ProgramSlug, str, str], MemberId] = {}
        self.owed_since: dict[MemberKey, datetime] = {}
        self.refused: dict[MemberKey, str] = {}
        self.due: dict[MemberKey, datetime] = {}
        self._lock = threading.Lock()

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        return self.stored.get((program, member_id))

    def claimed_by(self, program: Program, kind: str, value: str) -> MemberId | None:
        return self.aliases.get((program.slug, kind, value))

    def entry(self, program: ProgramSlug, member_id: MemberId, seq: int) -> Entry | None:
        return self.written.get((program, member_id, seq))

    def journal(self, program: ProgramSlug, member_id: MemberId, *, after: int = 0) -> Iterator[Entry]:
        seq = after + 1
        while entry := self.written.get((program, member_id, seq)):
            yield entry
            seq += 1

    def latest(self, program: ProgramSlug, member_id: MemberId, *, before: int | None, limit: int) -> list[Entry]:
        entries = [entry for entry in self.journal(program, member_id) if before is None or entry.seq < before]
        return entries[::-1][:limit]

    def record(self, program: ProgramSlug, key: CommandKey) -> KeyRecord | None:
        return self.records.get((program, key.text))

    def commit(self, plan: Plan) -> None:
        with self._lock:
            self._check(plan)
            self._apply(plan)

    def forget_addresses(self, program: Program, claims: Iterable[Claim], redirects: Iterable[MemberId]) -> None:
        for claim in claims:
            key = (program.slug, claim.kind, claim.value)
            if self.aliases.get(key) == claim.member_id:
                del self.aliases[key]
        for member_id in redirects:
            if isinstance(self.stored.get((program.slug, member_id)), Redirect):
                del self.stored[(program.slug, member_id)]

    def forget_words(self, entry: Entry) -> None:
        key = (entry.program, entry.member_id, entry.seq)
        self.written[key] = replace(self.written[key], private=None)

    def due_times(self) -> list[tuple[MemberKey, datetime]]:
        """When members are due, as of one instant."""
        with self._lock:
            return list(self.due.items())

    def members(self, program: ProgramSlug, member_ids: Iterable[MemberId]) -> dict[MemberId, Member]:
        found = {member_id: self.stored.get((program, member_id)) for member_id in member_ids}
        return {member_id: member for member_id, member in found.items() if isinstance(member, Member)}

    def entries(self, program: ProgramSlug, entry_keys: Iterable[tuple[MemberId, int]]) -> list[Entry]:
        found = [self.written.get((program, *key)) for key in dict.fromkeys(entry_keys)]
        return [entry for entry in found if entry]

    def owed_profiles(self, program: ProgramSlug, *, limit: int) -> list[MemberId]:
        owed = sorted((since, member_id) for (slug, member_id), since in self.owed_since.items() if slug == program)
        return [member_id for _, member_id in owed[:limit]]

    def owed_events(
        self, program: ProgramSlug, *, before: datetime, after: str = "", limit: int
    ) -> tuple[list[tuple[MemberId, int]], str]:
        owed = sorted(
            (member_id, seq)
            for (slug, member_id, seq), entry in self.written.items()
            if slug == program and entry.delivery.state is DeliveryState.OWED and entry.recorded_at <= before
        )
        start = int(after or 0)
        page = owed[start : start + limit]
        return page, str(start + limit) if start + limit < len(owed) else ""

    def count(self, program: ProgramSlug) -> int:
        return sum(slug == program and isinstance(found, Member) for (slug, _), found in self.stored.items())

    def page(self, program: ProgramSlug, *, after: str, limit: int) -> tuple[list[Enrolled], str]:
        ids = sorted(each for (slug, each), found in self.stored.items() if slug == program and each > after)
        members = [each for each in map(self.stored.get, ((program, each) for each in ids)) if isinstance(each, Member)]
        page = [Enrolled(each, (program, each.member_id) in self.owed_since) for each in members[:limit]]
        return page, page[-1].member.member_id if len(members) > limit else ""

    def ids(self, program: ProgramSlug, *, after: str, limit: int) -> list[MemberId]:
        stored = [(each, found) for (slug, each), found in self.stored.items() if slug == program and each > after]
        return sorted(each for each, found in stored if isinstance(found, Member))[:limit]

    def owed_counts(self, program: ProgramSlug, *, most: int) -> tuple[int, int]:
        events, _ = self.owed_events(program, before=datetime.max.replace(tzinfo=UTC), limit=most)
        return len(events), len(self.owed_profiles(program, limit=most))

    def mark_event(self, entry: Entry, delivery: Delivery) -> bool:
        with self._lock:
            key = (entry.program, entry.member_id, entry.seq)
            stored = self.written.get(key)
            if stored is None or stored.delivery.state is not DeliveryState.OWED:
                return False
            self.written[key] = replace(stored, delivery=delivery)
            return True

    def mark_events(self, marks: Sequence[tuple[Entry, Delivery]]) -> None:
        for entry, delivery in marks:
            self.mark_event(entry, delivery)

    def of_day(
        self, program: ProgramSlug, day: date, *, after: str, limit: int
    ) -> tuple[list[tuple[MemberId, int]], str]:
        found = {
            f"{utc_text(entry.recorded_at)}#{entry.id}": entry
            for (slug, _, _), entry in self.written.items()
            if slug == program and entry.recorded_at.date() == day and entry.delivery.state is not DeliveryState.OWED
        }
        page = [(place, found[place]) for place in sorted(found) if place > after]
        more = page[limit - 1][0] if len(page) > limit else ""
        return [(entry.member_id, entry.seq) for _, entry in page[:limit]], more

    def owe_again(self, entries: Sequence[Entry], delivery: Delivery) -> None:
        with self._lock:
            for entry in entries:
                key = (entry.program, entry.member_id, entry.seq)
                if self.written[key].delivery.state in {DeliveryState.SKIPPED, DeliveryState.FAILED}:
                    self.written[key] = replace(self.written[key], delivery=delivery)

    def clear_profile(self, program: ProgramSlug, member_id: MemberId, version: int) -> bool:
        return self._unmark(program, member_id, version, None)

    def refuse_profile(self, program: ProgramSlug, member_id: MemberId, version: int, why: str) -> bool:
        return self._unmark(program, member_id, version, why)

    def _unmark(self, program: ProgramSlug, member_id: MemberId, version: int, why: str | None) -> bool:
        with self._lock:
            key = (program, member_id)
            member = self.stored.get(key)
            if not isinstance(member, Member) or member.version != version:
                return False
            self.owed_since.pop(key, None)
            self.refused.pop(key, None)
            if why is not None:
                self.refused[key] = why
            return True

    def _check(self, plan: Plan) -> None:
        slug = plan.program.slug
        if plan.record and (first := self.records.get((slug, plan.record.key))):
            raise Duplicate("This command was carried out before.", first)
        self._check_members(plan)
        if plan.reversal:
            original = plan.reversal.original
            stored_entry = self.written.get((slug, original.member_id, original.seq))
            if stored_entry is None or stored_entry.reversals != original.reversals:
                raise Conflict("The entry was reversed meanwhile.")
        for claim in plan.claims:
            holder = self.aliases.get((slug, claim.kind, claim.value))
            if claim.member_id and holder not in (None, claim.member_id):
                raise Conflict("Somebody else has this identity.")
        for source, target in plan.redirects:
            if self.stored.get((slug, source)) not in (None, Redirect(target)):
                raise Conflict("Somebody else has this address.")

    def _check_members(self, plan: Plan) -> None:
        slug = plan.program.slug
        for posting in plan.postings:
            member_id = posting.before.member_id
            stored = self.stored.get((slug, member_id))
            version = stored.version if isinstance(stored, Member) else None
            if version != (posting.before.version or None) or (isinstance(stored, Redirect)):
                raise Conflict("The member changed meanwhile.")
            if (slug, member_id, posting.entry.seq) in self.written:
                raise Conflict("The member changed meanwhile.")

    def _apply(self, plan: Plan) -> None:
        slug = plan.program.slug
        for posting, delivery in zip(plan.postings, plan.deliveries, strict=True):
            key = (slug, posting.after.member_id)
            self.stored[key] = posting.after
            self.written[(*key, posting.entry.seq)] = replace(posting.entry, delivery=delivery)
            self._mark(plan.program, posting.after, posting.entry.recorded_at)
        if plan.record:
            self.records[(slug, plan.record.key)] = plan.record
        if plan.reversal:
            mark = plan.reversal
            entry_key = (slug, mark.original.member_id, mark.original.seq)
            original = self.written[entry_key]
            marks = {**original.reversals, mark.key: mark.reversal}
            self.written[entry_key] = replace(original, reversals=marks)
        for claim in plan.claims:
            self._claim(slug, claim)
        for source, target in plan.redirects:
            self.stored[(slug, source)] = Redirect(target)

    def _mark(self, program: Program, member: Member, now: datetime) -> None:
        key = (program.slug, member.member_id)
        if program.is_connected and member.profile.email:
            self.owed_since.setdefault(key, now)
        else:
            self.owed_since.pop(key, None)
        if due := next_due(member, program.terms):
            self.due[key] = due
        else:
            self.due.pop(key, None)

    def _claim(self, slug: ProgramSlug, claim: Claim) -> None:
        key = (slug, claim.kind, claim.value)
        if claim.member_id:
            self.aliases[key] = MemberId(claim.member_id)
        else:
            self.aliases.pop(key, None)
