"""The review rule as part of a program's settings item, with its earlier versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from loyalty.adapters.dynamodb.typed_json import Item
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.review_rule import AwardOn, Burst, ReviewApp, ReviewLimit, ReviewRule

_ALWAYS = ("enabled", "points", "verified_only", "version")


def review_rule_facts(rule: ReviewRule) -> Item:
    """The rule as attributes; conditions that are as they would be anyway are left out."""
    facts: Item = {}
    for field in fields(ReviewRule):
        value = getattr(rule, field.name)
        if field.name in _ALWAYS or value != field.default:
            facts[field.name] = _stored(value)
    return facts


def review_rule_of(facts: Mapping[str, Any]) -> ReviewRule:
    """The rule that attributes describe."""
    return ReviewRule(**{name: _READ[name](value) if name in _READ else value for name, value in facts.items()})


def _stored(value: object) -> object:
    match value:
        case ReviewRule():
            return review_rule_facts(value)
        case ReviewLimit(reviews, period):
            return [reviews, period.value]
        case Burst(reviews, minutes):
            return [reviews, minutes]
        case datetime():
            return utc_text(value)
        case tuple():
            return [_stored(part) for part in value]
        case ReviewApp() | AwardOn():
            return value.value
        case _:
            return value


def _limit_of(facts: list[Any]) -> ReviewLimit:
    return ReviewLimit(facts[0], CapPeriod(facts[1]))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "app": ReviewApp,
    "award_on": AwardOn,
    "limit": _limit_of,
    "product_limit": _limit_of,
    "burst": lambda facts: Burst(*facts),
    "disposable_domains": tuple,
    "staff": tuple,
    "since": parse_utc,
    "past": lambda versions: tuple(map(review_rule_of, versions)),
}
