"""Put right by hand what went wrong: undo an entry (W8), make one member of two (W13)."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.contracts.corrections import MergeForm, UndoForm, UndoneDocument
from loyalty.domain.adjustments import Direction
from loyalty.domain.errors import NotFound, Rejected
from loyalty.domain.identity import Address, MemberId, split_entry_id
from loyalty.domain.ledger.commands import Command, CommandKey, Narrative, Reverse
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Entry, Source
from loyalty.domain.program import Program
from loyalty.ports import Receipt
from loyalty.review_ports import MergedReviews
from loyalty.services.merge_members import MergeMembers, merged_into
from loyalty.services.posting import Ledger


@dataclass(frozen=True, slots=True)
class CorrectMembers:
    """Corrections by people; the journal keeps what was, and what was done about it by whom."""

    ledger: Ledger
    reviews: MergedReviews

    def undo(
        self, program: Program, email: str, form: UndoForm, *, key: str, actor: str, source: Source
    ) -> UndoneDocument:
        """Reverse an entry of a member, all that is left of it or some of its points.

        Without a ``key`` the request is its own name: undoing as many points of the same entry again answers what it
        answered first. Points that were spent meanwhile are treated as the program's overdraft terms say.

        Raises:
            Invalid: this is no e-mail address.
            NotFound: ``unknown_member``, ``unknown_entry``.
            Rejected: the refusal's code, such as ``already_reversed`` or ``insufficient_points``.
            KeyReused: the key was used for another request.
        """
        original = self._entry(program, form.entry_id)
        outcome = self.ledger.post(
            program,
            Address("email", email),
            Command(
                CommandKey("undo", f"key|{key}") if key else _own_name(form),
                Reverse(original, form.points),
                Narrative(
                    source,
                    actor,
                    self.ledger.clock.now(),
                    reason=form.reason,
                    event_type=_undoing(original).event_type,
                ),
            ),
        )
        receipt = _done(outcome)
        return UndoneDocument(
            entry_id=receipt.entry_id,
            points=receipt.points,
            balance=receipt.after.available,
            replayed=receipt.replayed,
        )

    def merge(self, program: Program, email: str, form: MergeForm, *, actor: str) -> MemberId:
        """Let a member go on in another, with all points and both histories; the id of the one that goes on.

        Addresses that lead to one member already are no mistake: a repeat finds it done, or does what was left of it.

        Raises:
            Invalid: an e-mail address is malformed.
            NotFound: ``unknown_member``.
            Rejected: the merge is refused, with the refusal's code.
        """
        ending, staying = self._member_id(program, email), self._member_id(program, form.into)
        if ending != staying:
            _done(MergeMembers(self.ledger)(program, ending, staying, actor=actor))
        self.ledger.retrying(lambda: self._join_reviews(program, staying))
        return staying

    def _join_reviews(self, program: Program, staying: MemberId) -> None:
        """Let limits on reviews count the person, not the accounts that the person had (R105, R111)."""
        for merged in merged_into(self.ledger.store, program, staying):
            self.reviews.join(program.slug, merged, staying)

    def _entry(self, program: Program, entry_id: str) -> Entry:
        entry = self.ledger.store.entry(program.slug, *split_entry_id(entry_id))
        if entry is None:
            raise NotFound("This journal entry does not exist.", code="unknown_entry")
        return entry

    def _member_id(self, program: Program, email: str) -> MemberId:
        member = self.ledger.find(program, Address("email", email))
        if member is None:
            raise NotFound("Nobody in this program has this address.", code="unknown_member")
        return member.member_id


def _own_name(form: UndoForm) -> CommandKey:
    return CommandKey("undo", f"{form.entry_id}|{form.points or 'all'}", natural=True)


def _undoing(original: Entry) -> Direction:
    """What Klaviyo hears: whoever gets points taken back, or spent ones given back, has them adjusted."""
    return Direction.DECREASE if original.points > 0 else Direction.INCREASE


def _done(outcome: Receipt | Refusal) -> Receipt:
    if isinstance(outcome, Refusal):
        if outcome.code == "unknown_member":
            raise NotFound(outcome.message, code=outcome.code)
        raise Rejected(outcome.message, code=outcome.code)
    return outcome
