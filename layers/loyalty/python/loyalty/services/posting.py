"""The one way to change a member: find it, settle what is due, decide, commit; again when somebody was first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from loyalty.domain.errors import Conflict, Duplicate, KeyReused, NotFound
from loyalty.domain.identity import Address, MemberId, alias_digest, normalise_email
from loyalty.domain.ledger.commands import Command, Introduction, Reverse
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Posting, Refusal
from loyalty.domain.ledger.due import next_act, next_notice
from loyalty.domain.ledger.entry import Entry, Reversal
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.program import Program
from loyalty.ports import Claim, Clock, KeyRecord, LedgerStore, Plan, Randomness, Receipt, Redirect, ReversalMark

Outcome = TypeVar("Outcome")

ATTEMPTS = 10
"""Tries before a conflict is handed to the caller as retryable."""

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.6
"""Seconds between tries: doubling, with full jitter."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Posts commands to the journal."""

    store: LedgerStore
    clock: Clock
    randomness: Randomness

    def post(
        self, program: Program, address: Address, command: Command, *, newcomer: bool = False
    ) -> Receipt | Refusal:
        """Carry out a command on the member an address names.

        A repeat of the command's key answers what the first one answered, marked ``replayed``, whatever has happened
        since. ``newcomer`` lets a command on an unknown e-mail address bring that customer in. A refusal changes
        nothing and is not remembered.

        Raises:
            Invalid: the address is malformed.
            NotFound: the entry to reverse does not exist.
            KeyReused: a caller's key was used for another request.
            Conflict: others kept changing the member; trying again later is safe.
            Transient: storage is out of reach; trying again is safe.
        """
        command = addressed(program, address, command)
        return self.retrying(lambda: self._attempt(program, address, command, newcomer=newcomer))

    def post_here(self, program: Program, member_id: MemberId, command: Command) -> Receipt | Refusal:
        """Carry out a command on exactly this member, even one that was merged away, without settling what is due.

        Raises:
            NotFound: there is no such member.
            Conflict: others kept changing the member; trying again later is safe.
        """
        return self.retrying(lambda: self._post_here(program, member_id, command))

    def settle(self, program: Program, address: Address) -> int:
        """Post whatever is due on a member by now; how many acts that took.

        Raises:
            NotFound: nobody has this address.
        """
        return self.retrying(lambda: self._settle_once(program, address))

    def attend(self, program: Program, member_id: MemberId) -> int:
        """Post everything that is due on exactly this member by now; how many acts that took.

        Raises:
            NotFound: there is no such member.
            Conflict: others kept changing the member; it stays due.
        """
        return self.retrying(lambda: self._attend_once(program, member_id))

    def retrying(self, attempt: Callable[[], Outcome]) -> Outcome:
        """Run an attempt that reads, decides and commits, again and again while somebody else is first.

        Raises:
            Conflict: it did not get through in ``ATTEMPTS`` tries.
        """
        for pause in self._pauses():
            try:
                return attempt()
            except Conflict:
                self.clock.sleep(self.randomness.jitter(pause))
        return attempt()

    def find(self, program: Program, address: Address) -> Member | None:
        """The member an address names, merged members followed to where they went; None when there is none."""
        member = self.locate(program, address)
        return member if member.version else None

    def settled(self, program: Program, member: Member) -> tuple[Member, int]:
        """A member after everything due has been posted, and how many acts that took.

        Raises:
            Conflict: somebody else changed the member meanwhile.
        """
        acts = 0
        while act := next_act(member, program.terms, self.clock.now()):
            member = self._posted(program, member, act)
            acts += 1
        return member, acts

    def decide(
        self, program: Program, member: Member, command: Command, introduction: Introduction | None = None
    ) -> Posting | Refusal:
        """Decide a command under the program's terms, now."""
        return decide(member, command, program.terms, self.clock.now(), self.randomness.salt(), introduction)

    def commit(
        self,
        program: Program,
        command: Command,
        posting: Posting,
        *,
        claims: Sequence[Claim] = (),
        redirects: Sequence[tuple[MemberId, MemberId]] = (),
    ) -> Receipt:
        """Store a decided posting together with its idempotency and, for an identity, what points at the member.

        Raises:
            Conflict: the member changed since it was read.
            Duplicate: the key was used before.
        """
        receipt = Receipt.of(posting.entry)
        record, reversal = None, None
        if isinstance(command.action, Reverse):
            points = -posting.entry.points if posting.entry.points < 0 else posting.entry.points
            mark = Reversal(
                posting.entry.member_id,
                posting.entry.seq,
                points + posting.entry.effect.shortfall,
                command.request_digest,
            )
            reversal = ReversalMark(command.action.original, command.key.text, mark)
        else:
            record = KeyRecord(command.key.text, command.key.natural, command.request_digest, receipt)
        delivery = program.delivery_of(posting.entry.event_type)
        self.store.commit(Plan(program, (posting,), (delivery,), record, reversal, tuple(claims), tuple(redirects)))
        return receipt

    def _attempt(self, program: Program, address: Address, command: Command, *, newcomer: bool) -> Receipt | Refusal:
        command = self._refreshed(program, command)
        if first := self._reversed_before(program, command):
            return first
        member = self.locate(program, address)
        if not member.version and not (newcomer and address.kind == "email"):
            return self.first(program, command) or Refusal("unknown_member", "Nobody in this program has this address.")
        if isinstance(command.action, Reverse) and not self._has_written(program, member, command.action.original):
            return Refusal("entry_of_another_member", "This entry is not in the journal of this member.")
        member, _ = self.settled(program, member)
        posting = self.decide(program, member, command, self.introduction(program, address))
        if isinstance(posting, Refusal):
            return self.first(program, command) or posting
        try:
            return self.commit(program, command, posting)
        except Duplicate as duplicate:
            return self.replayed(command, duplicate.first)

    def _post_here(self, program: Program, member_id: MemberId, command: Command) -> Receipt | Refusal:
        member = self.store.find(program.slug, member_id)
        if not isinstance(member, Member):
            raise NotFound("There is no member with this id.", code="unknown_member")
        posting = self.decide(program, member, command)
        if isinstance(posting, Refusal):
            return self.first(program, command) or posting
        try:
            return self.commit(program, command, posting)
        except Duplicate as duplicate:
            return self.replayed(command, duplicate.first)

    def _attend_once(self, program: Program, member_id: MemberId) -> int:
        member = self.store.find(program.slug, member_id)
        if not isinstance(member, Member):
            raise NotFound("There is no member with this id.", code="unknown_member")
        member, acts = self.settled(program, member)
        while notice := next_notice(member, program.terms, self.clock.now()):
            member = self._posted(program, member, notice)
            acts += 1
        return acts

    def _posted(self, program: Program, member: Member, act: Command) -> Member:
        posting = self.decide(program, member, act)
        if isinstance(posting, Refusal):
            raise Conflict(f"A due act was refused: {posting.message}", refusal=posting.code)
        try:
            self.commit(program, act, posting)
        except Duplicate as done:
            raise Conflict("Somebody else posted this due act first.") from done
        return posting.after

    def _settle_once(self, program: Program, address: Address) -> int:
        member = self.locate(program, address)
        if not member.version:
            raise NotFound("Nobody in this program has this address.", code="unknown_member")
        return self.settled(program, member)[1]

    def first(self, program: Program, command: Command) -> Receipt | None:
        """What a command answered when it was carried out before, or None.

        Raises:
            KeyReused: a caller's key was used for another request.
        """
        record = self.store.record(program.slug, command.key)
        return self.replayed(command, record) if record else None

    def _refreshed(self, program: Program, command: Command) -> Command:
        if not isinstance(command.action, Reverse):
            return command
        stale = command.action.original
        original = self.store.entry(program.slug, stale.member_id, stale.seq)
        if original is None:
            raise NotFound("This journal entry does not exist.", code="unknown_entry")
        return replace(command, action=replace(command.action, original=original))

    def _has_written(self, program: Program, member: Member, entry: Entry) -> bool:
        """Whether an entry is in a member's journal, or in that of one merged into it."""
        if entry.member_id == member.member_id:
            return True
        writer = self._follow(program, entry.member_id)
        return writer is not None and writer.member_id == member.member_id

    def _reversed_before(self, program: Program, command: Command) -> Receipt | None:
        if not isinstance(command.action, Reverse):
            return None
        mark = command.action.original.reversals.get(command.key.text)
        if mark is None:
            return None
        _same_request(command, mark.request_digest)
        entry = self.store.entry(program.slug, mark.member_id, mark.seq)
        if entry is None:
            raise Conflict("A reversal is noted whose entry is missing; run verify on this member.")
        return replace(Receipt.of(entry), replayed=True)

    def replayed(self, command: Command, record: KeyRecord) -> Receipt:
        """The first answer again, for a command whose key has a record.

        Raises:
            KeyReused: the record is of another request.
        """
        _same_request(command, record.request_digest)
        return replace(record.receipt, replayed=True)

    def introduction(self, program: Program, address: Address) -> Introduction | None:
        """How a customer who is only known by this address enters the program."""
        if address.kind != "email":
            return None
        return Introduction({"email": normalise_email(address.value)}, program.newcomers)

    def locate(self, program: Program, address: Address) -> Member:
        """The member an address names; one without entries, under the id it would get, when there is none."""
        if address.kind == "email":
            return self._by_email(program, address.value)
        member_id: MemberId | None = MemberId(address.value)
        if address.kind != "member":
            member_id = self.store.claimed_by(program, address.kind, address.value)
        found = self._follow(program, member_id) if member_id else None
        return found or Member(program.slug, MemberId(""))

    def _by_email(self, program: Program, text: str) -> Member:
        email = normalise_email(text)
        generation = 0
        while True:
            member_id = program.member_id(email, generation)
            member = self._follow(program, member_id)
            if member is None:
                return Member(program.slug, member_id)
            if member.standing is not Standing.ERASED:
                return member
            generation += 1

    def _follow(self, program: Program, member_id: MemberId) -> Member | None:
        seen = {member_id}
        while True:
            found = self.store.find(program.slug, member_id)
            if isinstance(found, Redirect):
                member_id = found.member_id
            elif found is not None and found.standing is Standing.MERGED:
                member_id = MemberId(found.merged_into)
            else:
                return found
            if member_id in seen:
                raise Conflict("Members point at each other; run verify on them.", member_id=member_id)
            seen.add(member_id)

    def _pauses(self) -> Iterator[float]:
        pause = FIRST_PAUSE
        for _ in range(ATTEMPTS - 1):
            yield pause
            pause = min(LONGEST_PAUSE, pause * 2)


def addressed(program: Program, address: Address, command: Command) -> Command:
    """The command with whom it was sent to: the same key for somebody else is another request.

    Raises:
        Invalid: the address is malformed.
    """
    match address.kind:
        case "email":
            addressee: str = program.member_id(normalise_email(address.value))
        case "member":
            addressee = address.value
        case _:
            addressee = alias_digest(program.id_key, address.kind, address.value)
    return replace(command, addressee=addressee)


def _same_request(command: Command, request_digest: str) -> None:
    if not command.key.natural and command.request_digest != request_digest:
        raise KeyReused("This idempotency key was used for another request; use a new key for a new request.")
