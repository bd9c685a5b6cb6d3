"""The earning rule ``Review a product (Klaviyo)``: what a review earns, which ones do, and since when (R99-R111)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.reviews import ReviewSource, ReviewSubmission

RULE_NAME = "Review a product (Klaviyo)"
"""The rule's name in lists of earning rules (R119)."""

KEPT_VERSIONS = 10
"""How many earlier versions of a rule are remembered; a review from before all of them is judged by the oldest."""

MOST_COUNTED = 100
"""The highest limit there is, because each counted review is kept by name with its member."""


class ReviewApp(StrEnum):
    """The review app that reviews come from (R100)."""

    KLAVIYO_REVIEWS = "klaviyo_reviews"
    KLAVIYO_FLOW = "klaviyo_flow"
    JUDGEME = "judgeme"

    @property
    def source(self) -> ReviewSource:
        """Whose reviews earn under this choice; Klaviyo's count however they are told of."""
        return ReviewSource.JUDGEME if self is ReviewApp.JUDGEME else ReviewSource.KLAVIYO


class AwardOn(StrEnum):
    """When a review earns: when it is submitted, or only once it is published."""

    SUBMISSION = "submission"
    PUBLICATION = "publication"


@dataclass(frozen=True, slots=True)
class ReviewLimit:
    """At most ``reviews`` reviews earn within a calendar ``period`` of the program's time zone (R105, R111)."""

    reviews: int
    period: CapPeriod


@dataclass(frozen=True, slots=True)
class Burst:
    """At most ``reviews`` reviews earn that were written within any ``minutes`` minutes (R110)."""

    reviews: int
    minutes: int


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """The rule. Defaults follow Smile: every verified review earns, without further conditions.

    ``text_points`` and ``media_points`` come on top of ``points`` for a review with text, with an image or video.
    ``min_characters`` counts code points, 0 is no minimum; ``min_rating`` is 1-5 stars, 0 is no minimum.
    ``limit`` counts all reviews of a member, ``product_limit`` those of one product, ``member_limit`` is for ever.
    ``disposable_domains`` are the merchant's own, beside the known ones. ``staff`` are addresses and domains, lower
    case. ``since`` is when this version came into force, None for the first one; ``past`` are earlier versions,
    oldest first.
    """

    enabled: bool = True
    points: int = 50
    verified_only: bool = True
    version: int = 1
    app: ReviewApp = ReviewApp.KLAVIYO_REVIEWS
    text_points: int = 0
    media_points: int = 0
    stars_only: bool = True
    min_characters: int = 0
    min_rating: int = 0
    award_on: AwardOn = AwardOn.SUBMISSION
    take_back_rejected: bool = True
    take_back_unpublished: bool = False
    limit: ReviewLimit | None = None
    product_limit: ReviewLimit | None = None
    member_limit: int | None = None
    refuse_duplicates: bool = False
    burst: Burst | None = None
    refuse_disposable: bool = False
    disposable_domains: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    since: datetime | None = None
    past: tuple[ReviewRule, ...] = ()

    @property
    def counts_reviews(self) -> bool:
        """Whether it has to be known what else a member was paid for."""
        return any(limit is not None for limit in (self.limit, self.product_limit, self.member_limit, self.burst))

    def worth(self, submission: ReviewSubmission) -> int:
        """The points of a review that fulfils every condition."""
        return self.points + sum(self.extras(submission).values())

    def extras(self, submission: ReviewSubmission) -> dict[str, int]:
        """What of that is for its text, and for its image or video; nothing where there is none."""
        text = self.text_points if submission.text_length else 0
        media = self.media_points if submission.has_media else 0
        return {name: points for name, points in (("text_points", text), ("media_points", media)) if points}

    def in_force_at(self, moment: datetime) -> ReviewRule:
        """The version that judges a review submitted then: edits apply to later reviews only (R99).

        Lists of people and domains are always the present ones: they say who somebody is, not what is paid.
        """
        versions = (self, *reversed(self.past))
        found = next((each for each in versions if each.since is None or each.since <= moment), versions[-1])
        return replace(found, staff=self.staff, disposable_domains=self.disposable_domains)

    def edited(self, to: ReviewRule, now: datetime) -> ReviewRule:
        """This rule with the conditions of another from now on; the same one when nothing differs."""
        changed = replace(to, version=self.version, since=self.since, past=self.past)
        if changed == self:
            return self
        ended = replace(self, past=(), staff=(), disposable_domains=())
        past = (*self.past, ended)[-KEPT_VERSIONS:]
        return replace(changed, version=self.version + 1, since=now, past=past)
