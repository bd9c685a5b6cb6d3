"""The webhook builder: what it fills in, and that its flows are ones Klaviyo would take (R132-R138)."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from local.fake_klaviyo.contract import Contract
from loyalty.contracts.adjustments import read_adjustments
from loyalty.contracts.builder import PLACEHOLDER, BuilderForm, BuiltWebhook, IdeaName, build_webhook
from loyalty.contracts.flow_reviews import FlowReviewForm
from loyalty.contracts.forms import filled_in
from loyalty.domain.adjustments import Direction
from loyalty.domain.errors import Rejected
from loyalty.domain.review_rule import ReviewRule
from tests.builders import a_program

DOCS = os.environ.get("TALLYHOOK_KLAVIYO_DOCS", "")
IDEAS: tuple[IdeaName, ...] = ("bonus", "welcome", "review", "win_back", "birthday")
ROOT = "https://loyalty.klaviyo-demo.com/v1"

each_idea = pytest.mark.parametrize("idea", IDEAS)
each_direction = pytest.mark.parametrize("direction", Direction)


def built(
    idea: IdeaName = "bonus", direction: Direction = Direction.INCREASE, key: str = "tk_x", step: str = ""
) -> BuiltWebhook:
    return build_webhook(a_program(), ROOT, key, direction=direction, idea=idea, amount=50, step=step)


@each_idea
@each_direction
def test_url_headers_and_body_are_jeris(idea: IdeaName, direction: Direction) -> None:
    webhook = built(idea, direction)
    assert webhook.url == f"{ROOT}/programs/candles/balance/{direction.value}"
    assert webhook.headers["api-key"] == "tk_x"
    (item,) = json.loads(webhook.body)
    assert (item["email"], item["amount"]) == ("{{ person.email }}", 50)
    assert item["reason"]


@each_idea
def test_a_body_that_klaviyo_did_not_render_is_refused_and_a_rendered_one_is_taken(idea: IdeaName) -> None:
    body = built(idea).body
    with pytest.raises(Exception, match="nothing of it was done"):
        read_adjustments(body.encode())
    rendered = body.replace("{{ person.email }}", "a@x.com").replace("{{ person.KlaviyoID }}", "01G")
    assert len(read_adjustments(rendered.replace("{{ event.review_id }}", "r1").encode())) == 1


def test_a_review_goes_to_the_review_rule_and_holds_nothing_that_could_break_the_json() -> None:
    """R14, R136: texts and titles may hold quotation marks, so their length and the product's id go instead."""
    webhook = built("submit_review")
    assert webhook.url == f"{ROOT}/programs/candles/reviews"
    sent = json.loads(webhook.body)
    assert set(sent) <= set(FlowReviewForm.model_fields)
    assert {"email", "review_id", "event_id", "verified"} <= set(sent)
    assert not {"content", "product"} & set(sent)
    assert [warning.code for warning in webhook.warnings] == ["key_scope"]
    assert "reviews:write" in built("submit_review", key="").warnings[0].message


def test_no_two_ideas_or_directions_share_a_key() -> None:
    """A welcome bonus does not keep a birthday bonus from being paid."""
    keys = {json.loads(built(idea, way).body)[0]["idempotency_key"] for idea in IDEAS for way in Direction}
    assert len(keys) == len(IDEAS) * len(Direction)
    assert not [key for key in keys if "now" in key or "today" in key], "a key must not change between tries"


def test_steps_of_one_idea_that_reach_the_same_customers_each_have_a_key_and_a_flow() -> None:
    """Two bonus flows, or a second try to win somebody back, are not a repeat of the first."""
    steps = ("", "survey", "second")
    webhooks = [built(idea, way, step=step) for idea in ("bonus", "win_back") for way in Direction for step in steps]
    assert len({json.loads(webhook.body)[0]["idempotency_key"] for webhook in webhooks}) == len(webhooks)
    assert len({webhook.flow.data["attributes"]["name"] for webhook in webhooks}) == 2 * len(steps)


@pytest.mark.parametrize("idea", ["review", "submit_review"])
def test_a_review_has_no_steps_for_it_pays_once(idea: str) -> None:
    """R136."""
    with pytest.raises(Rejected) as refused:
        filled_in(BuilderForm, {"idea": idea, "step": "second"}, "query")
    assert [(error["where"], error["code"]) for error in refused.value.facts["errors"]] == [
        ("step", "step_of_a_review")
    ]


def test_a_welcome_bonus_is_for_a_profile_once() -> None:
    """R135: the flow lets nobody in twice."""
    definition = built("welcome").flow.data["attributes"]["definition"]
    assert definition["reentry_criteria"] == {"duration": 1, "unit": "alltime"}
    assert definition["triggers"][0]["type"] == "list"


def test_a_birthday_comes_every_year() -> None:
    (trigger,) = built("birthday").flow.data["attributes"]["definition"]["triggers"]
    assert (trigger["type"], trigger["recurrence_frequency"]) == ("date", "annually")


def test_a_missing_key_and_a_double_reward_are_warned_of() -> None:
    assert built("review", key="").headers["api-key"] == PLACEHOLDER
    assert [warning.code for warning in built("review", key="").warnings] == ["review_rule_is_on", "key_missing"]
    quiet = replace(a_program(), review_rule=ReviewRule(enabled=False))
    assert build_webhook(quiet, ROOT, "k", direction=Direction.INCREASE, idea="review", amount=1).warnings == ()


def test_a_query_is_read_with_its_numbers_as_numbers() -> None:
    assert BuilderForm.facts({"amount": "5", "idea": "review", "other": "x"}) == {"amount": 5, "idea": "review"}
    assert BuilderForm.facts({"step": "survey"}) == {"step": "survey"}
    assert BuilderForm.facts({"amount": "5.0"}) == {"amount": "5.0"}
    assert BuilderForm.facts({}) == {}


@pytest.mark.skipif(not DOCS, reason="TALLYHOOK_KLAVIYO_DOCS names no folder with Klaviyo's openapi.json")
@pytest.mark.parametrize("idea", get_args(IdeaName))
@each_direction
def test_every_flow_fits_klaviyos_own_description(idea: IdeaName, direction: Direction) -> None:
    """R137: valid for create_flow, once the ids are filled in."""
    contract = Contract.read(Path(DOCS) / "openapi.json")
    document = built(idea, direction).flow.model_dump()
    problems = contract.request_problems("create_flow", document)
    assert [f"{problem.pointer}: {problem.detail}" for problem in problems] == []
    document["data"]["attributes"]["definition"]["triggers"][0]["type"] = "nonsense"
    assert contract.request_problems("create_flow", document)
