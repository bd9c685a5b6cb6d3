"""Decisions on reviews made in memory over those that are stored, for a rehearsal that changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.domain.review_tally import Tally
from loyalty.review_ports import DecisionStore, ReviewChange


class RehearsedDecisions:
    """The port of decisions; what is decided stays in memory."""

    def __init__(self, store: DecisionStore) -> None:
        self._store = store
        self._decisions: dict[tuple[ProgramSlug, str], ReviewDecision] = {}
        self._names: dict[tuple[ProgramSlug, str], str] = {}
        self._tallies: dict[tuple[ProgramSlug, MemberId], Tally] = {}
        self._texts: dict[tuple[ProgramSlug, str], str] = {}

    def find(self, program: ProgramSlug, names: Iterable[str]) -> Mapping[str, ReviewDecision]:
        """The decisions that names lead to."""
        found = ((name, self.load(program, name)) for name in dict.fromkeys(names))
        return {name: decision for name, decision in found if decision is not None}

    def load(self, program: ProgramSlug, name: str) -> ReviewDecision | None:
        """The decision on a review, rehearsed or stored."""
        while (program, name) in self._names:
            name = self._names[(program, name)]
        return self._decisions.get((program, name)) or self._store.load(program, name)

    def tally(self, program: ProgramSlug, member_id: MemberId) -> Tally:
        """Which reviews of a member have earned, or would."""
        return self._tallies.get((program, member_id)) or self._store.tally(program, member_id)

    def first_with_text(self, program: ProgramSlug, text: str) -> str:
        """The review that had a text first, or would."""
        return self._texts.get((program, text)) or self._store.first_with_text(program, text)

    def commit(self, change: ReviewChange) -> ReviewDecision:
        """Remember a change."""
        program, stored = change.program, replace(change.decision, version=change.decision.version + 1)
        self._decisions[(program, stored.review_key)] = stored
        for name in (*(old.review_key for old in change.replaced), *change.new_names):
            self._names[(program, name)] = stored.review_key
        if change.tally is not None:
            self._tallies[(program, MemberId(stored.member_id))] = change.tally
        if change.text:
            self._texts[(program, change.text)] = stored.review_key
        return stored

    def of_member(
        self, program: ProgramSlug, member_id: MemberId, *, before: str, limit: int
    ) -> tuple[list[ReviewDecision], str]:
        """A page of a member's stored decisions."""
        return self._store.of_member(program, member_id, before=before, limit=limit)

    def forget(self, program: ProgramSlug, member_id: MemberId) -> None:
        """Nothing: a rehearsal erases nobody."""
