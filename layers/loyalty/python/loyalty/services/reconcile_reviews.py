"""Find the reviews that never reached us, and what became of those that did (R112, R118).

A webhook that was disabled loses what happens meanwhile, a legacy key has none at all, and of a review that is
published or rejected later no webhook tells (docs/klaviyo.md 5, 6). So the account's reviews are looked through, the
newest change first, back to where the last look began. Whatever changed since goes to the reviews queue, where the
rule decides; what it knows already changes nothing there. When nothing changed, a look costs one call.

Nothing before the connection is looked for, and what changed since but was written before, the rule refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loyalty.connection_ports import Reconciliations, ReviewListing, ReviewPage
from loyalty.contracts.listed_reviews import changed_at, read_listed_review
from loyalty.contracts.review_facts import DigestText, digester
from loyalty.contracts.review_messages import QueuedReview
from loyalty.domain.connection import Connection, ConnectionMode
from loyalty.domain.errors import Conflict
from loyalty.domain.klaviyo_errors import KlaviyoForbidden, KlaviyoRefused
from loyalty.domain.program import Program
from loyalty.domain.reconciliation import SCOPE_MISSING, Reconciliation, mark_of
from loyalty.domain.reviews import ReviewWay
from loyalty.ports import Clock, MessageQueue
from loyalty.services.queue_reviews import queued

SCOPE = "reviews:read"

MOST_PAGES = 40
"""Pages of one look; Klaviyo allows 150 a minute, and other programs wait for their turn."""


@dataclass(slots=True)
class Reconciled:
    """What a look found. ``finished`` is False when it goes on with the next turn."""

    pages: int = 0
    reported: int = 0
    finished: bool = True


@dataclass(frozen=True, slots=True)
class ReconcileReviews:
    """Looks through the reviews of connected accounts."""

    states: Reconciliations
    queue: MessageQueue
    clock: Clock

    def __call__(self, program: Program, api: ReviewListing, *, until: datetime) -> Reconciled:
        """Report what changed since the last look, or go on with one that did not come to its end.

        Whatever was reported and not noted as such is reported again.

        Raises:
            Transient: Klaviyo, the queue or storage are out of reach; the next turn does it again.
            KlaviyoUnauthorized, KlaviyoAccessLost, KlaviyoIncompatible: as the port says.
        """
        connection = program.connection
        if connection is None:
            return Reconciled()
        state = self._state(program, connection)
        if connection.mode is ConnectionMode.OAUTH and SCOPE not in connection.scopes:
            return self._without_scope(program, state)
        done = Reconciled(finished=False)
        try:
            state = self._look(program, api, state, done, until)
        except KlaviyoForbidden:
            return self._without_scope(program, state)
        self._save(program, state)
        return done

    def _look(
        self, program: Program, api: ReviewListing, state: Reconciliation, done: Reconciled, until: datetime
    ) -> Reconciliation:
        digest_text = digester(program)
        while not done.finished and done.pages < MOST_PAGES and self.clock.now() < until:
            state, page = _page(api, state)
            done.pages += 1
            found: list[QueuedReview] = []
            known = False
            for review in page.reviews:
                state, known = self._one(program, review, state, found, digest_text)
                if known:
                    break
            self.queue.send([queued(message) for message in found])
            done.reported += len(found)
            done.finished = known or not page.following
            state = replace(state, cursor=page.following)
        return state.complete(self.clock.now()) if done.finished else state

    def _one(
        self,
        program: Program,
        review: Any,
        state: Reconciliation,
        found: list[QueuedReview],
        digest_text: DigestText,
    ) -> tuple[Reconciliation, bool]:
        """Take one review in; True once everything from here on is known."""
        changed = changed_at(review)
        if changed is None:
            return state, False
        mark = mark_of(str(review.get("id")), changed)
        state = state.seeing(mark, changed, self.clock.now())
        if changed < state.back_to:
            return state, True
        if mark not in state.marks:
            message = read_listed_review(program.slug, review, ReviewWay.POLL, digest_text)
            found += [message] if message else []
        return state, False

    def _state(self, program: Program, connection: Connection) -> Reconciliation:
        since = connection.connected_at.replace(microsecond=0)
        state = self.states.reconciliation(program.slug)
        if state is None:
            return Reconciliation(connection.account_id, since)
        if state.account_id != connection.account_id:
            return Reconciliation(connection.account_id, since, version=state.version)
        return replace(state, known_until=since) if state.known_until < since else state

    def _without_scope(self, program: Program, state: Reconciliation) -> Reconciled:
        self._save(program, replace(state.from_the_start(), problem=SCOPE_MISSING))
        return Reconciled()

    def _save(self, program: Program, state: Reconciliation) -> None:
        try:
            self.states.save_reconciliation(program.slug, state)
        except Conflict:
            # Another run looked at the same time: what both reported changes nothing the second time.
            return


def _page(api: ReviewListing, state: Reconciliation) -> tuple[Reconciliation, ReviewPage]:
    try:
        return state, api.changed_reviews(state.cursor)
    except KlaviyoRefused:
        if not state.cursor:
            raise
    # How long Klaviyo remembers a place in a listing is not documented.
    state = state.from_the_start()
    return state, api.changed_reviews("")
