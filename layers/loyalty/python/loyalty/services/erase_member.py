"""Forget who a member is and keep what happened (R25)."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.domain.identity import MemberId, normalise_email
from loyalty.domain.ledger.commands import Command, CommandKey, Erase, Narrative
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Entry, Source
from loyalty.domain.ledger.member import Standing
from loyalty.domain.program import Program
from loyalty.ports import Claim, Receipt, Redirect
from loyalty.review_ports import DecisionStore
from loyalty.services.identify_member import CLAIMED
from loyalty.services.merge_members import merged_into
from loyalty.services.posting import Ledger


@dataclass(frozen=True, slots=True)
class EraseMember:
    """Removes personal data of a member and of all members merged into it.

    What goes: profile, every reason and detail in the journal, whatever led from an address to the member, and what
    decisions on reviews said of them. What stays: points, times, sources, that a review was decided on, and the hash
    chain, which covers the erased words by a salted digest only.
    Every step can be repeated, so an erasure that broke off is finished by running it again.
    """

    ledger: Ledger
    decisions: DecisionStore

    def __call__(self, program: Program, member_id: MemberId, *, actor: str) -> Receipt | Refusal:
        """Erase a member; the answer is the notice that says so.

        Raises:
            Conflict: others kept changing the member; trying again is safe.
        """
        for merged in merged_into(self.ledger.store, program, member_id):
            self._erase(program, merged, actor)
        return self._erase(program, member_id, actor)

    def _erase(self, program: Program, member_id: MemberId, actor: str) -> Receipt | Refusal:
        self.decisions.forget(program.slug, member_id)
        store = self.ledger.store
        journal = list(store.journal(program.slug, member_id))
        store.forget_addresses(program, _claims(journal, member_id), self._redirects(program, journal, member_id))
        key = CommandKey("erase", member_id, natural=True)
        narrative = Narrative(Source("erasure"), actor, self.ledger.clock.now())
        receipt = self.ledger.post_here(program, member_id, Command(key, Erase(), narrative))
        if isinstance(receipt, Refusal):
            return receipt
        for entry in store.journal(program.slug, member_id):
            if entry.private is not None:
                store.forget_words(entry)
        return receipt

    def _redirects(self, program: Program, journal: list[Entry], member_id: MemberId) -> list[MemberId]:
        """The derived ids of former addresses that lead to this member."""
        found = []
        for email in sorted({normalise_email(email) for entry in journal if (email := _told(entry, "email"))}):
            generation = 0
            while stored := self.ledger.store.find(program.slug, program.member_id(email, generation)):
                if isinstance(stored, Redirect):
                    if stored.member_id == member_id:
                        found.append(program.member_id(email, generation))
                    break
                if stored.standing is not Standing.ERASED:
                    break
                generation += 1
        return found


def _claims(journal: list[Entry], member_id: MemberId) -> list[Claim]:
    known = {(kind, value) for entry in journal for kind in CLAIMED if (value := _told(entry, kind))}
    return [Claim(kind, value, member_id) for kind, value in sorted(known)]


def _told(entry: Entry, field: str) -> str:
    return entry.private.profile.get(field, "") if entry.private else ""
