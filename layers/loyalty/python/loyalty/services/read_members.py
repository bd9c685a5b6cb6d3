"""Members by e-mail address: their state, their activity, what they may see themselves, and changes of who they are."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from loyalty.contracts.members import LONGEST_PAGE, ActivityDocument, MemberDocument, MemberForm
from loyalty.contracts.summary import SummaryDocument
from loyalty.domain.errors import Invalid, NotFound, Rejected
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import CommandKey, Narrative
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Source
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.program import Program
from loyalty.services.identify_member import IdentifyMember
from loyalty.services.posting import Ledger


@dataclass(frozen=True, slots=True)
class Members:
    """Reads and changes members."""

    ledger: Ledger

    def state(self, program: Program, email: str) -> MemberDocument:
        """A member as a command would find it now.

        Raises:
            Invalid: this is no e-mail address.
            NotFound: ``unknown_member``.
        """
        return MemberDocument.of(self._settled(program, email))

    def found(self, program: Program, *, external_id: str | None, phone: str | None) -> MemberDocument:
        """A member by the store's own id or by phone number, one of which is given (W13).

        Raises:
            NotFound: ``unknown_member``.
        """
        address = Address("external_id", external_id) if external_id else Address("phone", phone or "")
        return MemberDocument.of(self.ledger.retrying(lambda: self._settled_once(program, address)))

    def summary(self, program: Program, email: str) -> SummaryDocument:
        """What a member may see; whoever has not joined, or takes no part, is not there (R164).

        Raises:
            Invalid: this is no e-mail address.
            NotFound: ``unknown_member``.
        """
        member = self._settled(program, email)
        if member.standing is not Standing.MEMBER:
            raise _unknown()
        return SummaryDocument.of(program, member)

    def activity(self, program: Program, email: str, *, cursor: str, limit: int) -> ActivityDocument:
        """A page of a member's journal, newest first (R182).

        Raises:
            Invalid: the address, cursor or limit is malformed.
            NotFound: ``unknown_member``.
        """
        if not 1 <= limit <= LONGEST_PAGE:
            raise Invalid(f"A page has 1 to {LONGEST_PAGE} entries.", code="invalid_limit")
        if cursor and not (cursor.isascii() and cursor.isdigit() and 0 < len(cursor) <= 10):
            raise Invalid("This is no cursor of an answer.", code="invalid_cursor")
        member = self._settled(program, email)
        before = int(cursor) if cursor else None
        entries = self.ledger.store.latest(program.slug, member.member_id, before=before, limit=limit)
        return ActivityDocument.of(entries, limit)

    def save(
        self, program: Program, email: str, form: MemberForm, *, key: str, actor: str
    ) -> tuple[bool, MemberDocument]:
        """Change a member, or bring one in; whether it is new, and its state then. No change leaves no trace.

        Raises:
            Invalid: an e-mail address is malformed.
            Rejected: the change is refused, with the refusal's code.
            KeyReused: the idempotency key was used for another change.
        """
        address = Address("email", email)
        before = self.ledger.find(program, address)
        profile, standing = form.profile(), Standing(form.state) if form.state else None
        if before is not None and _is_so(before, profile, standing):
            return False, self.state(program, email)
        outcome = IdentifyMember(self.ledger)(
            program,
            address,
            profile,
            key=CommandKey("identify", key or self.ledger.randomness.salt()),
            narrative=Narrative(Source("api"), actor, self.ledger.clock.now()),
            standing=standing,
        )
        if isinstance(outcome, Refusal):
            raise Rejected(outcome.message, code=outcome.code)
        return before is None, MemberDocument.of(self._by_id(program, outcome.member_id))

    def _settled(self, program: Program, email: str) -> Member:
        return self.ledger.retrying(lambda: self._settled_once(program, Address("email", email)))

    def _by_id(self, program: Program, member_id: str) -> Member:
        return self.ledger.retrying(lambda: self._settled_once(program, Address("member", member_id)))

    def _settled_once(self, program: Program, address: Address) -> Member:
        member = self.ledger.find(program, address)
        if member is None:
            raise _unknown()
        return self.ledger.settled(program, member)[0]


def _is_so(member: Member, profile: dict[str, str], standing: Standing | None) -> bool:
    known = asdict(member.profile)
    return standing in (None, member.standing) and all(known[name] == value for name, value in profile.items())


def _unknown() -> NotFound:
    return NotFound("Nobody in this program has this address or id.", code="unknown_member")
