"""Let another review app deliver to a program, with the merchant's secret, or stop it (R188)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loyalty.connection_ports import ReviewFeeds
from loyalty.domain.api_keys import Scope
from loyalty.domain.program import Program
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.reviews import ReviewSource
from loyalty.ports import Clock, Vault
from loyalty.services.admit_caller import AdmitCaller, Caller


@dataclass(frozen=True, slots=True)
class FeedKept:
    """A program and what it has of a review app now."""

    program: Program
    feed: ReviewFeed | None

    @property
    def message(self) -> str:
        """What happened."""
        return "review app kept"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {}

    @property
    def ids(self) -> Mapping[str, str]:
        """Where it happened."""
        return {"program": self.program.slug}


@dataclass(frozen=True, slots=True)
class KeepReviewFeeds:
    """Keeps the access of review apps."""

    admit: AdmitCaller
    feeds: ReviewFeeds
    vault: Vault
    clock: Clock

    def show(self, slug: str, headers: Mapping[str, str], source: ReviewSource) -> FeedKept:
        """What a program has of a review app.

        Raises:
            Unauthenticated, Forbidden, NotFound, TooManyRequests: see ``AdmitCaller``.
        """
        program = self._admitted(slug, headers)
        return FeedKept(program, program.feed_of(source))

    def switch_on(self, slug: str, headers: Mapping[str, str], source: ReviewSource, secret: str) -> FeedKept:
        """Let a review app deliver what it signs with ``secret``, in the place of an earlier one.

        A new secret for an app that is on changes nothing about since when its reviews count.

        Raises:
            Conflict: somebody else changed it meanwhile.
        """
        program = self._admitted(slug, headers)
        before = program.feed_of(source)
        feed = before if before and before.is_on else ReviewFeed(source, self.clock.now())
        sealed = self.vault.encrypt(program.slug, secret)
        return self._kept(program, replace(feed, secrets=(sealed,), version=before.version if before else 0))

    def switch_off(self, slug: str, headers: Mapping[str, str], source: ReviewSource) -> FeedKept:
        """Let a review app deliver nothing any more; points that its reviews brought stay.

        Raises:
            Conflict: somebody else changed it meanwhile.
        """
        program = self._admitted(slug, headers)
        before = program.feed_of(source)
        if before is None or not before.is_on:
            return FeedKept(program, before)
        return self._kept(program, replace(before, secrets=()))

    def _kept(self, program: Program, feed: ReviewFeed) -> FeedKept:
        return FeedKept(program, self.feeds.save_feed(program.slug, feed))

    def _admitted(self, slug: str, headers: Mapping[str, str]) -> Program:
        return self.admit(Caller.of(headers), slug, Scope.ADMIN).program
