"""Say who a member is: e-mail, external id, phone, name, birthday, standing (W13, R181)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from loyalty.domain.errors import Duplicate, Invalid
from loyalty.domain.identity import Address, MemberId, normalise_email
from loyalty.domain.ledger.birthdays import valid_birthday
from loyalty.domain.ledger.commands import Command, CommandKey, Identify, Narrative
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.member import Member, Profile, Standing
from loyalty.domain.program import Program
from loyalty.ports import Claim, Receipt
from loyalty.services.posting import Ledger, addressed

CLAIMED: tuple[Literal["external_id", "phone"], ...] = ("external_id", "phone")
"""Profile fields that find a member, kept as aliases; e-mail addresses are kept as redirects of their derived id."""


@dataclass(frozen=True, slots=True)
class IdentifyMember:
    """Changes a member's profile and keeps every way of finding it pointing at it."""

    ledger: Ledger

    def __call__(
        self,
        program: Program,
        address: Address,
        profile: Mapping[str, str],
        *,
        key: CommandKey,
        narrative: Narrative,
        standing: Standing | None = None,
    ) -> Receipt | Refusal:
        """Set profile fields (``""`` clears one) of the member an address names.

        An unknown e-mail address becomes a new member. A former e-mail address goes on finding its member, so late
        messages about it are not lost. An identity that belongs to somebody else is refused with
        ``identity_taken``: merge the two members instead.

        Raises:
            Invalid: a field does not exist, or an e-mail address or birthday is malformed.
            KeyReused: the key was used for another request.
            Conflict: others kept changing the member; trying again is safe.
        """
        unknown = set(profile) - set(Profile.__dataclass_fields__)
        if unknown:
            raise Invalid(f"There is no profile field {min(unknown)!r}.", code="unknown_profile_field")
        changes = dict(profile)
        if changes.get("email"):
            changes["email"] = normalise_email(changes["email"])
        if "birthday" in changes:
            changes["birthday"] = valid_birthday(changes["birthday"])
        command = addressed(program, address, Command(key, Identify(changes, standing), narrative))
        return self.ledger.retrying(lambda: self._attempt(program, address, command, changes))

    def _attempt(
        self, program: Program, address: Address, command: Command, changes: Mapping[str, str]
    ) -> Receipt | Refusal:
        member = self.ledger.locate(program, address)
        if not member.version and address.kind != "email":
            return self.ledger.first(program, command) or Refusal(
                "unknown_member", "Nobody in this program has this address."
            )
        introduction = self.ledger.introduction(program, address)
        posting = self.ledger.decide(program, member, command, introduction)
        if isinstance(posting, Refusal):
            return self.ledger.first(program, command) or posting
        claims = self._claims(program, member, changes)
        if isinstance(claims, Refusal):
            return self.ledger.first(program, command) or claims
        redirects = self._redirects(program, member, changes.get("email", ""))
        if isinstance(redirects, Refusal):
            return self.ledger.first(program, command) or redirects
        try:
            return self.ledger.commit(program, command, posting, claims=claims, redirects=redirects)
        except Duplicate as duplicate:
            return self.ledger.replayed(command, duplicate.first)

    def _claims(self, program: Program, member: Member, changes: Mapping[str, str]) -> list[Claim] | Refusal:
        before = asdict(member.profile)
        claims: list[Claim] = []
        for kind in CLAIMED:
            if kind not in changes or changes[kind] == before[kind]:
                continue
            if value := changes[kind]:
                holder = self.ledger.locate(program, Address(kind, value))
                if holder.version and holder.member_id != member.member_id:
                    return _taken(kind)
                if not holder.version:
                    claims.append(Claim(kind, value, member.member_id))
            if before[kind]:
                claims.append(Claim(kind, before[kind], ""))
        return claims

    def _redirects(self, program: Program, member: Member, email: str) -> list[tuple[MemberId, MemberId]] | Refusal:
        if not email or email == member.profile.email:
            return []
        holder = self.ledger.locate(program, Address("email", email))
        if holder.version and holder.member_id != member.member_id:
            return _taken("email")
        if holder.version or holder.member_id == member.member_id:
            return []
        return [(holder.member_id, member.member_id)]


def _taken(kind: str) -> Refusal:
    return Refusal(
        "identity_taken", f"Another member has this {kind.replace('_', ' ')}; merge the two members.", {"kind": kind}
    )
