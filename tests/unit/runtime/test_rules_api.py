"""Earning rules and "why no points?" over HTTP: documents, refusals with a way out, what stands in a review's way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest
from openapi_schema_validator import OAS31Validator

from loyalty.adapters.dynamodb.review_rule_item import review_rule_facts, review_rule_of
from loyalty.contracts.openapi import openapi
from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, Webhook
from loyalty.domain.oauth import REQUIRED_SCOPES
from loyalty.domain.program import Program
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.review_rule import ReviewApp, ReviewRule
from loyalty.domain.reviews import ReviewSource
from loyalty.runtime import http, program_api
from loyalty.runtime.rules_api import RulesApi
from loyalty.services.admit_caller import AdmitCaller, Admitted
from loyalty.services.explain_reviews import ExplainReviews
from loyalty.services.keep_settings import KeepSettings
from tests.builders import SARAH, a_connection
from tests.fakes.memory_oauth import MemoryNotes
from tests.fakes.memory_queues import MemoryQueue
from tests.gateway import HOST, Answered, Context, a_request, answered
from tests.review_world import ReviewWorld
from tests.reviews import KEY, WRITTEN

DESCRIPTION = openapi("/v1")
CONNECT = f"https://{HOST}/v1/programs/candles/klaviyo/connect"
WEBHOOK = Webhook("wh", ("event:klaviyo.submitted_review",), (b"sealed",))
HEALTHY = a_connection(
    mode=ConnectionMode.OAUTH,
    scopes=tuple(sorted(REQUIRED_SCOPES)),
    reviews_detected=True,
    webhooks=(WEBHOOK,),
    connected_at=WRITTEN.replace(year=2020),
)


class Desk:
    """The routes, before a program in memory; whoever calls is admitted, and the scope is noted."""

    def __init__(self, connection: Connection | None = HEALTHY, rule: ReviewRule | None = None) -> None:
        self.world = ReviewWorld(rule, connection=connection)
        self.notes = MemoryNotes()
        self.scopes: list[Scope] = []
        explain = ExplainReviews(self.world.decisions, self.notes, self.world.ledger)
        keep = KeepSettings(self, self.world.clock, MemoryQueue())
        rules = RulesApi(cast("AdmitCaller", self._admit), keep, explain)
        self.resolver = program_api.resolver(lambda: cast("Any", SimpleNamespace(rules=rules)))

    @property
    def program(self) -> Program:
        program = self.world.programs.load(self.world.program.slug)
        assert program
        return program

    def replace(self, program: Program) -> None:
        """Keep changed settings, as the store of settings does, through the form in which they are stored."""
        stored = review_rule_of(review_rule_facts(program.review_rule))
        self.world.programs.programs[program.slug] = replace(program, review_rule=stored)

    def call(
        self, method: str, path: str, body: object = None, *, version: int | None = None, **query: str
    ) -> Answered:
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        event = a_request(method, f"/programs/candles{path}", body, headers=headers, query=query)
        answer = answered(http.answer(self.resolver, event, Context()))  # type: ignore[arg-type]
        self._is_described(method, path, answer)
        return answer

    def why(self, review_id: str = KEY) -> Mapping[str, Any]:
        """The decision on a review, as a merchant reads it."""
        document: Mapping[str, Any] = self.call("GET", f"/reviews/{review_id}/decision").document
        return document

    def _admit(self, caller: object, slug: str, scope: Scope) -> Admitted:
        self.scopes.append(scope)
        return Admitted(self.program, "key")

    def _is_described(self, method: str, path: str, answer: Answered) -> None:
        for template in ("/earning-rules", "/earning-rules/review", "/reviews/{review_id}/decision"):
            if path == template or ("{" in template and path.endswith("/decision")):
                break
        else:
            template = "/members/{email}/reviews"
        described = DESCRIPTION["paths"][f"/programs/{{slug}}{template}"][method.lower()]["responses"]
        ((_, content),) = described[str(answer.status)]["content"].items()
        OAS31Validator({**content["schema"], "components": DESCRIPTION["components"]}).validate(answer.document)


def test_the_list_of_earning_rules_names_the_review_rule_and_what_it_needs() -> None:
    """R119, R101."""
    desk = Desk(connection=None)
    review, birthday = desk.call("GET", "/earning-rules").document["earning_rules"]
    assert (review["id"], review["name"], review["enabled"]) == ("review", "Review a product (Klaviyo)", True)
    assert [(need["code"], need["met"], need["link"]) for need in review["requires"]] == [
        ("klaviyo_connected", False, CONNECT),
        ("klaviyo_oauth", False, CONNECT),
    ]
    assert (birthday["id"], birthday["enabled"]) == ("birthday", False)
    assert desk.scopes == [Scope.ADMIN]


def test_the_review_rule_is_created_read_edited_and_removed() -> None:
    """R99: each edit is a version; conditions that are not given are as they begin."""
    desk = Desk()
    shown = desk.call("GET", "/earning-rules/review")
    assert (shown.headers["etag"], shown.document["version"], shown.document["since"]) == ('"1"', 1, None)
    rule = {"enabled": True, "points": 70, "verified_only": False, "limit": {"reviews": 2, "period": "month"}}
    rule |= {"staff": ["Example.com ", "BILL@example.org", "example.com"], "burst": {"reviews": 3, "minutes": 10}}
    changed = desk.call("PUT", "/earning-rules/review", rule, version=1)
    assert (changed.status, changed.headers["etag"], changed.document["version"]) == (200, '"2"', 2)
    assert changed.document["rule"] == desk.call("GET", "/earning-rules/review").document["rule"]
    assert changed.document["rule"]["limit"] == {"reviews": 2, "period": "month"}
    assert changed.document["rule"]["staff"] == ["bill@example.org", "example.com"]
    removed = desk.call("DELETE", "/earning-rules/review", version=2)
    assert (removed.document["version"], removed.document["rule"]["enabled"]) == (3, False)
    assert removed.document["rule"]["limit"] is None
    assert [version.points for version in desk.program.review_rule.past] == [50, 70]


def test_an_edit_names_the_version_it_is_based_on() -> None:
    desk = Desk()
    rule = {"enabled": True, "points": 70, "verified_only": False}
    assert desk.call("PUT", "/earning-rules/review", rule).document["code"] == "version_missing"
    assert desk.call("PUT", "/earning-rules/review", rule, version=7).document["code"] == "version_outdated"
    assert desk.program.review_rule.version == 1


@pytest.mark.parametrize(
    ("connection", "code"),
    [
        (None, "klaviyo_not_connected"),
        (replace(HEALTHY, status=ConnectionStatus.ACCESS_LOST), "klaviyo_not_connected"),
        (a_connection(), "oauth_required"),
    ],
    ids=["none", "lost", "private key"],
)
def test_a_rule_whose_review_app_is_out_of_reach_is_refused_with_the_link(
    connection: Connection | None, code: str
) -> None:
    """R15, R100, R101; another review app needs no connection."""
    desk = Desk(connection)
    rule = {"enabled": True, "points": 70, "verified_only": True}
    refused = desk.call("PUT", "/earning-rules/review", rule, version=1)
    assert (refused.status, refused.document["code"], refused.document["connect_url"]) == (409, code, CONNECT)
    assert desk.program.review_rule.points == 50
    by_flow = desk.call("PUT", "/earning-rules/review", {**rule, "app": "klaviyo_flow"}, version=1)
    assert (by_flow.status, by_flow.document["requires"]) == (200, [])


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"points": 0}, "points"),
        ({"min_rating": 6}, "min_rating"),
        ({"limit": {"reviews": 101, "period": "month"}}, "limit.reviews"),
        ({"limit": {"reviews": 2, "period": "hour"}}, "limit.period"),
        ({"burst": {"reviews": 2, "minutes": 0}}, "burst.minutes"),
        ({"staff": ["no domain"]}, "staff.0"),
        ({"disposable_domains": ["a@b.example"]}, "disposable_domains.0"),
        ({"app": "yotpo"}, "app"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named_and_changes_nothing(wrong: dict[str, Any], where: str) -> None:
    desk = Desk()
    rule = {"enabled": True, "points": 70, "verified_only": False, **wrong}
    refused = desk.call("PUT", "/earning-rules/review", rule, version=1)
    assert refused.status == 422
    assert [error["where"] for error in refused.document["errors"]] == [where]
    assert desk.program.review_rule == ReviewRule()


def test_an_awarded_review_says_what_it_earned() -> None:
    """R113."""
    desk = Desk()
    awarded = desk.world.hears(other_keys=("evt1",), status="published")
    said = desk.why()
    assert (said["outcome"], said["points"], said["entry_id"]) == ("awarded", 50, awarded.entry_id)
    assert (said["code"], said["status"], said["came_by"], said["rule_version"]) == ("", "published", "webhook", 1)
    assert said["submitted_at"] == "2026-08-20T14:03:11.000Z"
    assert desk.why("evt1") == desk.why(f"review-{KEY}") == desk.why(KEY.upper()) == said
    assert set(desk.scopes) == {Scope.MEMBERS_READ}


def test_a_refused_review_says_the_first_condition_that_failed_and_what_helps() -> None:
    """R106, R113."""
    desk = Desk()
    desk.world.hears(verified=False)
    said = desk.why()
    assert (said["outcome"], said["code"], said["points"], said["entry_id"]) == ("refused", "not_verified", 0, None)
    assert said["message"]
    assert said["fix"]
    assert "sarah" not in str(said)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (None, "not_connected"),
        ({"status": ConnectionStatus.DISCONNECTED}, "not_connected"),
        ({"status": ConnectionStatus.ACCESS_LOST, "scopes": ()}, "access_lost"),
        ({"scopes": (), "reviews_detected": False}, "missing_scopes"),
        ({"webhooks_allowed": False, "reviews_detected": False, "webhooks": ()}, "webhooks_not_allowed"),
        ({"reviews_detected": False, "webhooks": ()}, "not_installed"),
        ({"webhooks": (), "webhook_problem": "No room."}, "webhook_missing"),
        ({"webhooks": (replace(WEBHOOK, enabled=False),)}, "webhook_disabled"),
        ({}, "nothing_received"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_review_that_never_arrived_says_what_stands_in_its_way(changes: dict[str, Any] | None, code: str) -> None:
    """R113-R118: the first that does not hold, in a fixed order."""
    said = Desk(None if changes is None else replace(HEALTHY, **changes)).why("unknown")
    assert (said["outcome"], said["code"], said["review_id"]) == ("unheard", code, "unknown")
    assert said["message"]
    assert said["fix"]
    order = [condition["code"] for condition in said["conditions"]]
    assert said["code"] in order
    before = said["conditions"][: order.index(code)]
    assert all(condition["holds"] for condition in before)


def test_where_everything_works_the_answer_names_what_cannot_be_seen_from_here() -> None:
    """R112: also that nothing from before the connection is told of."""
    desk = Desk()
    desk.notes.delivered(desk.program.slug, WRITTEN + timedelta(days=1))
    said = desk.why("unknown")
    assert said["code"] == "never_heard"
    assert "2026-08-21T14:03:11.000Z" in said["fix"]
    assert [each["code"] for each in said["conditions"] if each["holds"] is None] == [
        "before_connection",
        "never_heard",
    ]


def test_what_an_earlier_connection_delivered_says_nothing_of_this_one() -> None:
    """R113: after a disconnect and a new connection, until the first delivery."""
    desk = Desk()
    desk.notes.delivered(desk.program.slug, HEALTHY.connected_at - timedelta(seconds=1))
    assert desk.why("unknown")["code"] == "nothing_received"


def test_for_a_flow_the_connection_is_not_to_blame() -> None:
    said = Desk(None, ReviewRule(app=ReviewApp.KLAVIYO_FLOW)).why("unknown")
    assert [(each["code"], each["holds"]) for each in said["conditions"]] == [("never_heard", None)]


@pytest.mark.parametrize(
    ("feeds", "code"),
    [
        ((), "review_app_off"),
        ((ReviewFeed(ReviewSource.JUDGEME, WRITTEN),), "review_app_off"),
        ((ReviewFeed(ReviewSource.JUDGEME, WRITTEN, (b"sealed",)),), "never_heard"),
    ],
    ids=["never on", "off again", "on"],
)
def test_for_judgeme_its_own_access_is_to_blame(feeds: tuple[ReviewFeed, ...], code: str) -> None:
    """R113, R188."""
    desk = Desk(None, ReviewRule(app=ReviewApp.JUDGEME))
    desk.world.programs.programs[desk.program.slug] = replace(desk.program, feeds=feeds)
    said = desk.why("unknown")
    assert said["code"] == code
    assert [each["code"] for each in said["conditions"]] == ["review_app_off", "never_heard"]


def test_a_review_of_judgeme_is_found_by_the_number_that_judgeme_shows() -> None:
    """R113, R188."""
    desk = Desk(None, ReviewRule(app=ReviewApp.JUDGEME))
    desk.world.hears(review_key="judgeme-640313110", source=ReviewSource.JUDGEME)
    assert desk.why("640313110") == desk.why("judgeme-640313110")
    assert desk.why("640313110")["outcome"] == "awarded"


@pytest.mark.parametrize("review_id", ["%20", "x" * 201])
def test_what_can_be_no_id_is_a_400(review_id: str) -> None:
    answer = Desk().call("GET", f"/reviews/{review_id}/decision")
    assert (answer.status, answer.document["code"]) == (400, "invalid_review_id")


def test_a_members_reviews_come_newest_first_in_pages() -> None:
    """R113."""
    desk = Desk()
    for number in range(3):
        desk.world.hears(review_key=f"r{number}", submitted_at=WRITTEN + timedelta(days=number), verified=number != 1)
    path = f"/members/{quote(SARAH.value)}/reviews"
    first = desk.call("GET", path, limit="2").document
    assert [(each["review_id"], each["outcome"]) for each in first["reviews"]] == [("r2", "awarded"), ("r1", "refused")]
    rest = desk.call("GET", path, limit="2", cursor=first["next_cursor"]).document
    assert ([each["review_id"] for each in rest["reviews"]], rest["next_cursor"]) == (["r0"], None)
    assert rest["unheard"] is None


def test_somebody_whose_reviews_were_all_refused_is_answered_and_somebody_without_any_too() -> None:
    """Whether the ledger knows them or not: this is where a merchant asks."""
    desk = Desk()
    desk.world.hears(verified=False)
    known = desk.call("GET", f"/members/{quote(SARAH.value)}/reviews").document
    assert [each["code"] for each in known["reviews"]] == ["not_verified"]
    unknown = desk.call("GET", f"/members/{quote('bill.joel@klaviyo-demo.com')}/reviews").document
    assert (unknown["reviews"], unknown["unheard"]["code"]) == ([], "nothing_received")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": "0"}, 422),
        ({"limit": "x"}, 400),
        ({"cursor": "'"}, 422),
        ({"cursor": "~z"}, 422),
        ({"limit": "51"}, 422),
    ],
)
def test_a_page_that_is_none_is_refused(query: dict[str, str], status: int) -> None:
    asked: dict[str, Any] = dict(query)
    assert Desk().call("GET", f"/members/{quote(SARAH.value)}/reviews", **asked).status == status
