"""The port of review decisions in memory, with the isolation that DynamoDB transactions have."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace

from loyalty.domain.errors import Conflict
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.moments import utc_text
from loyalty.domain.review_decisions import ReviewDecision, forgotten
from loyalty.domain.review_tally import Tally
from loyalty.review_ports import ReviewChange

NameKey = tuple[ProgramSlug, str]


class MemoryDecisions:
    """Decisions, names, tallies and texts in dictionaries; a change applies whole or not at all."""

    def __init__(self) -> None:
        self.decisions: dict[NameKey, ReviewDecision] = {}
        self.names: dict[NameKey, str] = {}
        self.tallies: dict[tuple[ProgramSlug, MemberId], Tally] = {}
        self.texts: dict[NameKey, str] = {}
        self.listed: dict[tuple[ProgramSlug, MemberId], dict[str, str]] = {}
        self._lock = threading.Lock()

    def find(self, program: ProgramSlug, names: Iterable[str]) -> Mapping[str, ReviewDecision]:
        found = ((name, self.load(program, name)) for name in dict.fromkeys(names))
        return {name: decision for name, decision in found if decision is not None}

    def load(self, program: ProgramSlug, name: str) -> ReviewDecision | None:
        while (program, name) in self.names:
            name = self.names[(program, name)]
        return self.decisions.get((program, name))

    def tally(self, program: ProgramSlug, member_id: MemberId) -> Tally:
        return self.tallies.get((program, member_id), Tally())

    def first_with_text(self, program: ProgramSlug, text: str) -> str:
        return self.texts.get((program, text), "")

    def commit(self, change: ReviewChange) -> ReviewDecision:
        with self._lock:
            self._check(change)
            return self._apply(change)

    def of_member(
        self, program: ProgramSlug, member_id: MemberId, *, before: str, limit: int
    ) -> tuple[list[ReviewDecision], str]:
        listed = self.listed.get((program, member_id), {})
        page = sorted((place for place in listed if not before or place < before), reverse=True)[:limit]
        found = [self.load(program, listed[place]) for place in page]
        decisions = {decision.review_key: decision for decision in found if decision}
        return list(decisions.values()), page[-1] if len(page) == limit else ""

    def join(self, program: ProgramSlug, merged: MemberId, staying: MemberId) -> None:
        with self._lock:
            self.listed.setdefault((program, staying), {}).update(self.listed.get((program, merged), {}))
            theirs, ours = self.tally(program, merged), self.tally(program, staying)
            if theirs.ever():
                self.tallies[(program, staying)] = replace(ours.joined(theirs), version=ours.version + 1)
                self.tallies[(program, merged)] = Tally(version=theirs.version + 1)

    def forget(self, program: ProgramSlug, member_id: MemberId) -> None:
        for review_key in self.listed.pop((program, member_id), {}).values():
            decision = self.load(program, review_key)
            if decision is not None:
                self.texts.pop((program, decision.text), None)
                self.decisions[(program, decision.review_key)] = forgotten(decision)
        self.tallies.pop((program, member_id), None)

    def _check(self, change: ReviewChange) -> None:
        program, decision = change.program, change.decision
        for read in (decision, *change.replaced):
            stored = self.decisions.get((program, read.review_key))
            if (stored.version if stored else 0) != read.version or (program, read.review_key) in self.names:
                raise Conflict("Somebody else decided on this review first.")
        if any((program, name) in self.names or (program, name) in self.decisions for name in change.new_names):
            raise Conflict("Somebody else decided on this review first.")
        tally = self.tallies.get((program, MemberId(decision.member_id)), Tally())
        if change.tally is not None and change.tally.version != tally.version:
            raise Conflict("Somebody else decided for this member first.")
        if change.text and (program, change.text) in self.texts:
            raise Conflict("Somebody else had this text first.")

    def _apply(self, change: ReviewChange) -> ReviewDecision:
        program = change.program
        stored = replace(change.decision, version=change.decision.version + 1)
        member_id = MemberId(stored.member_id)
        for old in change.replaced:
            del self.decisions[(program, old.review_key)]
        for name in (*(old.review_key for old in change.replaced), *change.new_names):
            self.names[(program, name)] = stored.review_key
        self.decisions[(program, stored.review_key)] = stored
        if member_id and (stored.version == 1 or change.lists):
            at = stored.submitted_at or stored.decided_at
            self.listed.setdefault((program, member_id), {})[f"{utc_text(at)}#{stored.review_key}"] = stored.review_key
        if change.tally is not None:
            self.tallies[(program, member_id)] = replace(change.tally, version=change.tally.version + 1)
        if change.text:
            self.texts[(program, change.text)] = stored.review_key
        return stored
