"""The conditions of the review rule, in their fixed order: the first one that fails decides (R113). Pure.

A refusal says what is so and what the merchant can do about it; its ``code`` is stable.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loyalty.domain.disposable_domains import DISPOSABLE_DOMAINS
from loyalty.domain.review_rule import ReviewRule
from loyalty.domain.review_tally import Counted, Tally
from loyalty.domain.reviews import ReviewSource, ReviewSubmission, ReviewWay

DUPLICATE_FROM = 20
"""Code points from which equal texts are no coincidence; many honest people write "Great product!"."""


@dataclass(frozen=True, slots=True)
class Award:
    """The review earns ``points``."""

    points: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The review earns nothing: a stable ``code``, and in the merchant's words what is so and what would help."""

    code: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a judgement needs to know beside the review and the rule.

    ``connected_at`` is since when the review's app is connected to the program. ``first_text`` is the key of the review
    that had this text first, empty where that is this one. ``tally`` is what else the member was paid for.
    """

    timezone: str = "UTC"
    connected_at: datetime | None = None
    first_text: str = ""
    tally: Tally = field(default_factory=Tally)


Check = Callable[[ReviewSubmission, ReviewRule, Surroundings], Refused | None]


def judge(submission: ReviewSubmission, rule: ReviewRule, surroundings: Surroundings) -> Award | Refused:
    """What a review is worth by what is said of it, before moderation and limits have their say."""
    for check in ON_THE_REVIEW:
        if refused := check(submission, rule, surroundings):
            return refused
    return Award(rule.worth(submission))


def limited(submission: ReviewSubmission, rule: ReviewRule, surroundings: Surroundings) -> Refused | None:
    """Why a review that fulfils every other condition still earns nothing: the member has had enough."""
    for check in ON_THE_MEMBER:
        if refused := check(submission, rule, surroundings):
            return refused
    return None


def rank(code: str) -> int:
    """How many conditions held before the one with this code failed; those of the ledger come last of all."""
    return CODES.index(code) if code in CODES else len(CODES)


def _enabled(_: ReviewSubmission, rule: ReviewRule, __: Surroundings) -> Refused | None:
    if rule.enabled:
        return None
    return Refused(
        "rule_disabled",
        "The review rule was switched off when this review was written.",
        "Switch the rule on; reviews written from then on earn.",
    )


def _from_chosen_app(submission: ReviewSubmission, rule: ReviewRule, _: Surroundings) -> Refused | None:
    if submission.source is rule.app.source:
        return None
    return Refused(
        "other_review_app",
        f"The review was written in {submission.source.app}, and the rule pays reviews of {rule.app.source.app}.",
        "Choose this review app in the rule; reviews written from then on earn.",
    )


def _since_connection(submission: ReviewSubmission, _: ReviewRule, around: Surroundings) -> Refused | None:
    if around.connected_at is None or submission.way is ReviewWay.IMPORT:
        return None
    # Review apps tell times in whole seconds.
    if submission.submitted_at >= around.connected_at.replace(microsecond=0):
        return None
    is_klaviyo = submission.source is ReviewSource.KLAVIYO
    way_out = "import them" if is_klaviyo else "add their points by hand"
    return Refused(
        "before_connection",
        f"The review was written before the program was connected to {submission.source.app}.",
        f"Nothing is paid retroactively; to pay older reviews all the same, {way_out}.",
    )


def _verified(submission: ReviewSubmission, rule: ReviewRule, _: Surroundings) -> Refused | None:
    if submission.verified or not rule.verified_only:
        return None
    return Refused(
        "not_verified",
        "The review app does not mark this review as verified, and only verified ones earn.",
        "Ask for reviews by Klaviyo's review request messages, which makes them verified, "
        "or let the rule pay unverified reviews.",
    )


def _more_than_stars(submission: ReviewSubmission, rule: ReviewRule, _: Surroundings) -> Refused | None:
    if rule.stars_only or not submission.is_stars_only:
        return None
    return Refused(
        "stars_only",
        "The customer gave stars without a text, an image or a video, and stars alone do not earn.",
        "Let stars alone earn in the rule, or ask the customer to add a text; it earns then.",
    )


def _long_enough(submission: ReviewSubmission, rule: ReviewRule, _: Surroundings) -> Refused | None:
    if submission.text_length >= rule.min_characters:
        return None
    return Refused(
        "too_short",
        f"The text has {submission.text_length} characters, and at least {rule.min_characters} are asked for.",
        "Lower the rule's minimum of characters, or tell customers of it in the review request.",
    )


def _stars_enough(submission: ReviewSubmission, rule: ReviewRule, _: Surroundings) -> Refused | None:
    if (submission.rating or 0) >= rule.min_rating:
        return None
    given = f"{submission.rating} stars" if submission.rating else "no stars"
    return Refused(
        "rating_too_low",
        f"The review gives {given}, and at least {rule.min_rating} are asked for.",
        "Lower the rule's minimum rating; paying for good reviews only is forbidden in many countries.",
    )


def _not_staff(submission: ReviewSubmission, rule: ReviewRule, _: Surroundings) -> Refused | None:
    if not is_listed(submission.email, rule.staff):
        return None
    return Refused(
        "staff",
        "The review was written by somebody on the rule's staff list.",
        "Take the address or its domain off the rule's staff list.",
    )


def _lasting_address(submission: ReviewSubmission, rule: ReviewRule, _: Surroundings) -> Refused | None:
    if not rule.refuse_disposable:
        return None
    if not is_listed(submission.email, DISPOSABLE_DOMAINS.union(rule.disposable_domains)):
        return None
    return Refused(
        "disposable_address",
        "The reviewer's address belongs to a service of throw-away addresses.",
        "Ask the customer for a lasting address, or let the rule pay such addresses.",
    )


def _own_text(submission: ReviewSubmission, rule: ReviewRule, around: Surroundings) -> Refused | None:
    if not rule.refuse_duplicates or not around.first_text or not may_be_duplicate(submission):
        return None
    return Refused(
        "duplicate_text",
        f"The review {around.first_text} had the same text before.",
        "Look at both reviews; if they are honest, add points by hand, or let the rule pay repeated texts.",
    )


def _no_burst(submission: ReviewSubmission, rule: ReviewRule, around: Surroundings) -> Refused | None:
    burst = rule.burst
    if burst is None:
        return None
    others = around.tally.without(submission.review_key)
    if others.most_within(timedelta(minutes=burst.minutes), submission.submitted_at) <= burst.reviews:
        return None
    return Refused(
        "burst",
        f"More than {burst.reviews} reviews of this customer were written within {burst.minutes} minutes.",
        "Look at the customer's reviews; if they are honest, add points by hand, or widen the rule's burst check.",
    )


def _product_has_room(submission: ReviewSubmission, rule: ReviewRule, around: Surroundings) -> Refused | None:
    limit, product = rule.product_limit, submission.product_mark
    if limit is None or not product:
        return None
    others = around.tally.without(submission.review_key)
    counted = others.of_product(product, limit.period, submission.submitted_at, around.timezone)
    if len(counted) < limit.reviews:
        return None
    return Refused(
        "product_limit",
        f"The customer was paid for {len(counted)} reviews of this product{_in(limit.period.value)}; "
        f"the limit is {limit.reviews}: {_keys(counted)}.",
        "Raise the rule's limit for one product; reviews written from then on earn.",
    )


def _period_has_room(submission: ReviewSubmission, rule: ReviewRule, around: Surroundings) -> Refused | None:
    limit = rule.limit
    if limit is None:
        return None
    others = around.tally.without(submission.review_key)
    counted = others.within(limit.period, submission.submitted_at, around.timezone)
    if len(counted) < limit.reviews:
        return None
    return Refused(
        "period_limit",
        f"The customer was paid for {len(counted)} reviews{_in(limit.period.value)}; "
        f"the limit is {limit.reviews}: {_keys(counted)}.",
        "Raise the rule's limit; reviews written from then on earn. The next period earns again.",
    )


def _member_has_room(submission: ReviewSubmission, rule: ReviewRule, around: Surroundings) -> Refused | None:
    counted = around.tally.without(submission.review_key).ever()
    if rule.member_limit is None or counted < rule.member_limit:
        return None
    return Refused(
        "member_limit",
        f"The customer was paid for {counted} reviews; no more than {rule.member_limit} are paid to one customer.",
        "Raise the rule's limit for one customer; reviews written from then on earn.",
    )


ON_THE_REVIEW: tuple[Check, ...] = (
    _enabled,
    _from_chosen_app,
    _since_connection,
    _verified,
    _more_than_stars,
    _long_enough,
    _stars_enough,
    _not_staff,
    _lasting_address,
    _own_text,
)
ON_THE_MEMBER: tuple[Check, ...] = (_no_burst, _product_has_room, _period_has_room, _member_has_room)

CODES = (
    "rule_disabled",
    "other_review_app",
    "before_connection",
    "not_verified",
    "stars_only",
    "too_short",
    "rating_too_low",
    "staff",
    "disposable_address",
    "duplicate_text",
    "review_rejected",
    "review_unpublished",
    "awaiting_publication",
    "burst",
    "product_limit",
    "period_limit",
    "member_limit",
)
"""The code of every condition, in the order they are looked at."""


def may_be_duplicate(submission: ReviewSubmission) -> bool:
    """Whether a text is long enough for its repetition to mean something."""
    return bool(submission.text_digest) and submission.text_length >= DUPLICATE_FROM


def is_listed(email: str, listed: Collection[str]) -> bool:
    """Whether an address, its domain or a domain above that is in a list of addresses and domains."""
    labels = email.rpartition("@")[2].split(".")
    domains = {".".join(labels[start:]) for start in range(len(labels))}
    return not domains.isdisjoint(listed) or email in listed


def _in(period: str) -> str:
    return "" if period == "ever" else f" in the same {period}"


def _keys(counted: list[Counted]) -> str:
    shown = ", ".join(each.review_key for each in counted[-3:])
    return shown if len(counted) <= 3 else f"{shown} and {len(counted) - 3} before them"
