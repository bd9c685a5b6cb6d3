"""Item forms of review decisions, of their further names, and of what limits and checks remember."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.typed_json import Item
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.review_decisions import ReviewDecision
from loyalty.domain.review_tally import Counted, Tally

_TIMES = ("decided_at", "status_at", "submitted_at")
_LISTS = ("entries", "names", "joined")
_TEXTS = ("code", "message", "event_id", "member_id")


def decision_item(program: ProgramSlug, decision: ReviewDecision) -> Item:
    """A decision's whole item; what is as it would be anyway is left out."""
    key = keys.decision(program, decision.review_key)
    facts: Item = {}
    for field in fields(ReviewDecision):
        value = getattr(decision, field.name)
        if value not in (field.default, ""):
            facts[field.name] = _stored(value)
    return {"pk": key.pk, "sk": key.sk, "type": "decision", "program": program, **facts}


def decision_of(item: Item) -> ReviewDecision:
    """The decision an item describes."""
    facts = {field.name: item[field.name] for field in fields(ReviewDecision) if field.name in item}
    facts |= {name: parse_utc(facts[name]) for name in _TIMES if name in facts}
    facts |= {name: tuple(facts[name]) for name in _LISTS if name in facts}
    return ReviewDecision(**{**dict.fromkeys(_TEXTS, ""), **facts})


def name_item(program: ProgramSlug, name: str, review_key: str) -> Item:
    """A further name of a review."""
    key = keys.decision(program, name)
    return {"pk": key.pk, "sk": key.sk, "type": "review_name", "program": program, "review_key": review_key}


def listed_item(program: ProgramSlug, decision: ReviewDecision) -> Item:
    """A decision's place in the list of its member."""
    submitted_at = decision.submitted_at or decision.decided_at
    key = keys.review_listed(program, MemberId(decision.member_id), decision.review_key, submitted_at)
    return {"pk": key.pk, "sk": key.sk, "type": "review_listed", "program": program, "review_key": decision.review_key}


def text_item(program: ProgramSlug, text: str, review_key: str) -> Item:
    """Which review had a text first."""
    key = keys.review_text(program, text)
    return {"pk": key.pk, "sk": key.sk, "type": "review_text", "program": program, "review_key": review_key}


def tally_item(program: ProgramSlug, member_id: MemberId, tally: Tally) -> Item:
    """Which reviews of a member have earned: key -> milliseconds since 1970 and the product's mark."""
    key = keys.review_tally(program, member_id)
    reviews = {
        each.review_key: [int(each.submitted_at.timestamp() * 1000), *([each.product] if each.product else [])]
        for each in tally.reviews
    }
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": "review_tally",
        "program": program,
        "reviews": reviews,
        "older": tally.older,
        "version": tally.version,
    }


def tally_of(item: Item) -> Tally:
    """The tally an item describes."""
    reviews = (
        Counted(key, datetime.fromtimestamp(facts[0] / 1000, UTC), *facts[1:]) for key, facts in item["reviews"].items()
    )
    in_order = sorted(reviews, key=lambda each: (each.submitted_at, each.review_key))
    return Tally(tuple(in_order), item["older"], item["version"])


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return utc_text(value)
    return list(value) if isinstance(value, tuple) else value
