"""The webhook builder: what to paste into a Klaviyo flow's webhook action (R132-R138).

Keys are made of what stays the same while Klaviyo sends a step again, and never of the time. A caller's key is
remembered for 35 days: a yearly bonus comes again, a step of a few days does not. Two steps of one idea that reach the
same customers are told apart by a name that the merchant gives them. A review's key is the one that the review rule
uses, so whichever of the two comes first is the only one that pays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from loyalty.contracts.adjustments import REVIEW_KEY, Warned
from loyalty.contracts.forms import Form, Refused, Told
from loyalty.domain.adjustments import Direction
from loyalty.domain.ledger.amounts import MAX_POINTS
from loyalty.domain.program import Program

PLACEHOLDER = "<your API key>"

IdeaName = Literal["bonus", "welcome", "review", "submit_review", "win_back", "birthday"]

_OF_A_REVIEW = frozenset({"review", "submit_review"})


class BuilderForm(Form):
    """What is to be built."""

    direction: Literal["increase", "decrease"] = "increase"
    idea: Annotated[IdeaName, Field(description="What the flow is for.")] = "bonus"
    amount: Annotated[int, Field(gt=0, le=MAX_POINTS, description="Points.")] = 100
    step: Annotated[
        str | None,
        Field(
            pattern="^[a-z0-9-]{1,40}$",
            description="Tells this step from others of its idea that reach the same customers; each pays for itself.",
            examples=["survey"],
        ),
    ] = None

    @field_validator("step")
    @classmethod
    def _no_step_of_a_review(cls, step: str | None, info: ValidationInfo) -> str | None:
        if step and info.data.get("idea") in _OF_A_REVIEW:
            raise Refused("step_of_a_review", "A review pays once, whatever asks for it; leave step out")
        return step

    @classmethod
    def facts(cls, query: Mapping[str, str]) -> dict[str, Any]:
        """A query as the form takes it: its numbers as numbers."""
        amount = query.get("amount", "")
        known = {name: query[name] for name in ("direction", "idea", "step") if name in query}
        if not amount:
            return known
        return known | {"amount": int(amount) if amount.isascii() and amount.isdigit() and len(amount) < 12 else amount}


class FlowExample(Told):
    """A flow for Klaviyo's API (create_flow), as a draft; ids in angle brackets are yours to fill in."""

    data: dict[str, Any]


class BuiltWebhook(Told):
    """A webhook action, ready to paste."""

    direction: Literal["increase", "decrease"]
    idea: IdeaName
    url: Annotated[str, Field(description="Destination URL.")]
    headers: Annotated[dict[str, str], Field(description="Headers to add.")]
    body: Annotated[str, Field(description="JSON body with Klaviyo's template tags, to be pasted as it stands.")]
    flow: Annotated[FlowExample, Field(description="The whole flow as an example.")]
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True)
class _Idea:
    """One use of the webhook: its words, and the flow around it."""

    flow_name: str
    added: str
    taken: str
    trigger: Mapping[str, Any]
    once: bool


_METRIC = {"type": "metric", "id": "<metric id>"}

_IDEAS: Mapping[str, _Idea] = {
    "bonus": _Idea(
        "Loyalty - adjust points",
        "Bonus points from Klaviyo flow",
        "Points deducted by Klaviyo flow",
        _METRIC,
        once=True,
    ),
    "welcome": _Idea(
        "Loyalty - welcome bonus",
        "Welcome bonus",
        "Welcome bonus taken back",
        {"type": "list", "id": "<list id>"},
        once=True,
    ),
    "review": _Idea(
        "Loyalty - review reward",
        "Bonus for your product review",
        "Review bonus taken back",
        _METRIC,
        once=False,
    ),
    "submit_review": _Idea("Loyalty - submit review to the review rule", "", "", _METRIC, once=False),
    "win_back": _Idea(
        "Loyalty - win-back bonus",
        "We miss you: bonus points",
        "Win-back bonus taken back",
        {"type": "segment", "id": "<segment id>"},
        once=False,
    ),
    "birthday": _Idea(
        "Loyalty - birthday bonus",
        "Extra birthday bonus",
        "Birthday bonus taken back",
        {
            "type": "date",
            "date_field_type": "profile-property",
            "date_profile_property": "loyalty_birthday",
            "timedelta_unit_before_date": "days",
            "timedelta_value_before_date": 0,
            "recurrence_frequency": "annually",
            "timezone": "profile",
            "trigger_time": "09:00:00",
        },
        once=False,
    ),
}


_SUBMITTED_REVIEW = {
    "email": "{{ person.email }}",
    "review_id": "{{ event.review_id }}",
    "event_id": "{{ event|lookup:'$event_id' }}",
    "rating": "{{ event.review_rating }}",
    "verified": "{{ event.review_verified }}",
    "has_media": "{{ event.review_has_media }}",
    "status": "{{ event.review_status }}",
    "text_length": "{{ event.review_content|length }}",
    "product_url": "{{ event.structured_product.url }}",
    "product_id": "{{ event.product.id }}",
}
"""What a flow tells of a review: nothing that a customer or a product can put a quotation mark into."""


def build_webhook(
    program: Program, base_url: str, api_key: str, *, direction: Direction, idea: IdeaName, amount: int, step: str = ""
) -> BuiltWebhook:
    """Fill a webhook action in; ``base_url`` is the API's root, ``api_key`` empty for a placeholder.

    ``step`` tells it from others of the same idea; empty where there is one.
    """
    chosen = _IDEAS[idea]
    url = f"{base_url}/programs/{program.slug}/balance/{direction.value}"
    headers = {"api-key": api_key or PLACEHOLDER, "Content-Type": "application/json"}
    reason = chosen.added if direction is Direction.INCREASE else chosen.taken
    key = _key(idea, direction, step)
    item = {"email": "{{ person.email }}", "amount": amount, "reason": reason, "idempotency_key": key}
    body = json.dumps([item], indent=2)
    if idea == "submit_review":
        url, body = f"{base_url}/programs/{program.slug}/reviews", json.dumps(_SUBMITTED_REVIEW, indent=2)
    return BuiltWebhook(
        direction=direction.value,
        idea=idea,
        url=url,
        headers=headers,
        body=body,
        flow=FlowExample(data=_flow(chosen, step, url, headers, body)),
        warnings=tuple(_warnings(program, idea, api_key)),
    )


def trigger_of(idea: IdeaName) -> Literal["metric", "list", "segment", "date"]:
    """What starts an idea's flow."""
    kind: Literal["metric", "list", "segment", "date"] = _IDEAS[idea].trigger["type"]
    return kind


def draft_of(built: BuiltWebhook, name: str, trigger_id: str) -> dict[str, Any]:
    """A built webhook's flow under a name, started by what has this id; "" where nothing has to be named."""
    attributes = built.flow.data["attributes"]
    definition = attributes["definition"]
    (trigger,) = definition["triggers"]
    started = {**trigger, "id": trigger_id} if trigger_id else trigger
    return {**built.flow.data, "attributes": {"name": name, "definition": {**definition, "triggers": [started]}}}


def _key(idea: IdeaName, direction: Direction, step: str) -> str:
    key = "-".join(filter(None, (idea.replace("_", "-"), step, "{{ person.KlaviyoID }}")))
    if idea == "review":
        key = f"{REVIEW_KEY}{{{{ event.review_id }}}}"
    return key if direction is Direction.INCREASE else f"take-{key}"


def _flow(idea: _Idea, step: str, url: str, headers: Mapping[str, str], body: str) -> dict[str, Any]:
    name = f"{idea.flow_name} ({step})" if step else idea.flow_name
    message = {"name": name, "url": url, "headers": dict(headers), "body": body}
    action = {
        "temporary_id": "webhook-1",
        "type": "send-webhook",
        "links": {"next": None},
        "data": {"status": "draft", "message": message},
    }
    definition = {
        "triggers": [dict(idea.trigger)],
        "actions": [action],
        "entry_action_id": "webhook-1",
        "reentry_criteria": {"duration": 1 if idea.once else 0, "unit": "alltime"},
    }
    return {"type": "flow", "attributes": {"name": name, "definition": definition}}


def _warnings(program: Program, idea: IdeaName, api_key: str) -> list[Warned]:
    warnings: list[Warned] = []
    if idea == "review" and program.review_rule.enabled:
        message = "The program's review rule is on; each review pays once, by the rule or by this flow."
        warnings.append(Warned(code="review_rule_is_on", message=message))
    scope = "reviews:write" if idea == "submit_review" else "balance:write"
    if idea == "submit_review" and api_key:
        message = f"The flow's API key needs the scope {scope}; put another one in its place if this one lacks it."
        warnings.append(Warned(code="key_scope", message=message))
    if not api_key:
        message = f"Put an API key with the scope {scope} in the place of {PLACEHOLDER}."
        warnings.append(Warned(code="key_missing", message=message))
    return warnings
