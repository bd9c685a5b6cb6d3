"""The review rule as a document (R99), and the list of earning rules it stands in (R119)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from loyalty.contracts.forms import Form, Refused, Told
from loyalty.domain.errors import Invalid
from loyalty.domain.identity import normalise_email
from loyalty.domain.ledger.amounts import MAX_POINTS
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.review_rule import MOST_COUNTED, AwardOn, Burst, ReviewApp, ReviewLimit, ReviewRule

_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def _domain(text: str) -> str:
    domain = text.strip().lower()
    if not _DOMAIN.fullmatch(domain):
        raise Refused("no_domain", "Write a domain, such as example.com")
    return domain


def _address_or_domain(text: str) -> str:
    try:
        return normalise_email(text) if "@" in text else _domain(text)
    except Invalid as error:
        raise Refused(error.code, error.message) from None


More = Annotated[int, Field(ge=0, le=MAX_POINTS)]
Counted = Annotated[int, Field(ge=1, le=MOST_COUNTED)]


class LimitForm(Form):
    """At most so many reviews within a calendar period of the program's time zone; weeks begin on Monday."""

    reviews: Counted
    period: Literal["day", "week", "month", "year", "ever"]


class BurstForm(Form):
    """At most so many reviews that were written within any so many minutes."""

    reviews: Counted
    minutes: Annotated[int, Field(ge=1, le=1440)]


class ReviewRuleForm(Form):
    """What a review earns, and which reviews do. An edit holds for reviews written from then on."""

    enabled: bool
    points: Annotated[int, Field(gt=0, le=MAX_POINTS)]
    verified_only: Annotated[bool, Field(description="Whether only reviews that are marked as verified earn.")]
    app: Annotated[
        Literal["klaviyo_reviews", "klaviyo_flow", "judgeme"],
        Field(
            description="Where reviews come from: Klaviyo Reviews over the connection, Klaviyo Reviews by a flow's "
            "webhook, or Judge.me."
        ),
    ] = "klaviyo_reviews"
    text_points: Annotated[More, Field(description="On top, for a review with a text.")] = 0
    media_points: Annotated[More, Field(description="On top, for a review with an image or a video.")] = 0
    stars_only: Annotated[bool, Field(description="Whether stars without text, image or video earn.")] = True
    min_characters: Annotated[
        int, Field(ge=0, le=10_000, description="Characters a text needs, spaces around it not counted; 0 for none.")
    ] = 0
    min_rating: Annotated[int, Field(ge=0, le=5, description="Stars a review needs; 0 for none.")] = 0
    award_on: Annotated[Literal["submission", "publication"], Field(description="When a review earns.")] = "submission"
    take_back_rejected: Annotated[
        bool, Field(description="Whether points are taken back when the review is rejected.")
    ] = True
    take_back_unpublished: Annotated[
        bool, Field(description="Whether points are taken back when the review is taken off the store.")
    ] = False
    limit: Annotated[LimitForm | None, Field(description="For one customer; null is no limit.")] = None
    product_limit: Annotated[LimitForm | None, Field(description="For one customer and product.")] = None
    member_limit: Annotated[Counted | None, Field(description="For one customer, for ever.")] = None
    refuse_duplicates: Annotated[
        bool, Field(description="Whether a text that an earlier review had, anybody's, earns nothing.")
    ] = False
    burst: Annotated[BurstForm | None, Field(description="For one customer; null is no check.")] = None
    refuse_disposable: Annotated[
        bool, Field(description="Whether throw-away addresses earn nothing: known services and disposable_domains.")
    ] = False
    disposable_domains: Annotated[
        list[Annotated[str, AfterValidator(_domain)]],
        Field(default_factory=list, max_length=100, examples=[["throwaway.example"]]),
    ]
    staff: Annotated[
        list[Annotated[str, AfterValidator(_address_or_domain)]],
        Field(
            default_factory=list,
            max_length=100,
            description="Addresses and domains that earn nothing.",
            examples=[["example.com"]],
        ),
    ]

    def rule(self) -> ReviewRule:
        """The rule it describes, in its first version."""
        facts: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        limits = {
            name: ReviewLimit(form.reviews, CapPeriod(form.period)) if form else None
            for name, form in (("limit", self.limit), ("product_limit", self.product_limit))
        }
        return ReviewRule(
            **facts
            | limits
            | {
                "app": ReviewApp(self.app),
                "award_on": AwardOn(self.award_on),
                "burst": Burst(self.burst.reviews, self.burst.minutes) if self.burst else None,
                "disposable_domains": tuple(sorted(set(self.disposable_domains))),
                "staff": tuple(sorted(set(self.staff))),
            }
        )


def review_rule_form(rule: ReviewRule) -> ReviewRuleForm:
    """A rule as it is shown."""
    facts: dict[str, Any] = {name: getattr(rule, name) for name in ReviewRuleForm.model_fields}
    limits = {
        name: {"reviews": limit.reviews, "period": limit.period.value} if limit else None
        for name, limit in (("limit", rule.limit), ("product_limit", rule.product_limit))
    }
    burst = {"reviews": rule.burst.reviews, "minutes": rule.burst.minutes} if rule.burst else None
    lists = {"disposable_domains": list(rule.disposable_domains), "staff": list(rule.staff)}
    chosen = {"app": rule.app.value, "award_on": rule.award_on.value}
    return ReviewRuleForm.model_validate(facts | limits | lists | chosen | {"burst": burst})


class Requirement(Told):
    """What an earning rule needs to work."""

    code: Annotated[str, Field(examples=["klaviyo_connected"])]
    met: bool
    text: str
    link: Annotated[str, Field(description="Where that is put right.")]


class EarningRuleDocument(Told):
    """An earning rule in the list."""

    id: Annotated[str, Field(examples=["review"])]
    name: Annotated[str, Field(examples=["Review a product (Klaviyo)"])]
    enabled: bool
    points: int
    requires: tuple[Requirement, ...]


class EarningRulesDocument(Told):
    """Every way to earn that the program has a rule for."""

    earning_rules: tuple[EarningRuleDocument, ...]


class ReviewRuleDocument(Told):
    """The review rule; the answer's ETag is the version of the program's settings, which a change names."""

    id: Literal["review"] = "review"
    name: str
    version: Annotated[int, Field(description="Counts edits of this rule; decisions say which one judged them.")]
    since: Annotated[str | None, Field(description="When this version came into force; null for the first.")]
    requires: tuple[Requirement, ...]
    rule: ReviewRuleForm
