"""Judge.me as a second source of reviews: signed deliveries, the merchant's secret, the same rule (R188)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.klaviyo_connection import app as klaviyo_connection
from functions.review_webhook import app as review_webhook
from loyalty.contracts.review_facts import product_key
from loyalty.contracts.review_messages import ReviewMessage, parse_message
from loyalty.domain.api_keys import Scope
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.review_rule import AwardOn, ReviewApp, ReviewRule
from loyalty.domain.reviews import ReviewSource
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.award_review import AwardReview, Decided
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.keep_review_feeds import KeepReviewFeeds
from loyalty.services.posting import Ledger
from loyalty.services.recent_programs import RecentPrograms
from tests.builders import a_program
from tests.deliveries import SECRET, TEXT, a_body, a_listening_program, a_review_event, signed
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_oauth import MemoryNotes
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue
from tests.fakes.memory_vault import MemoryVault
from tests.gateway import Answered, Context, a_request, answered
from tests.logs import written

SHOP = "private-api-token-of-the-shop"
PATH = "/programs/candles/review-apps/judgeme"


def a_judgeme_review(**changes: Any) -> dict[str, Any]:
    review: dict[str, Any] = {
        "id": 640313110,
        "title": "Lovely",
        "body": TEXT,
        "rating": 5,
        "product_external_id": 8641242349791,
        "product_title": "Candle",
        "product_handle": "candle",
        "reviewer": {"id": 111, "email": "Sarah.Mason@klaviyo-demo.com", "name": "Sarah M"},
        "source": "email",
        "curated": "ok",
        "hidden": False,
        "verified": "buyer",
        "created_at": (START + timedelta(hours=1)).isoformat(),
        "updated_at": (START + timedelta(hours=2)).isoformat(),
        "has_published_videos": False,
        "pictures": [],
    }
    return review | changes


def signature(body: str, secret: str = SHOP) -> str:
    return hmac.new(secret.encode(), body.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


class MemoryFeeds:
    """The feeds port on programs in memory."""

    def __init__(self, programs: MemoryPrograms) -> None:
        self.programs = programs

    def save_feed(self, program: ProgramSlug, feed: ReviewFeed) -> ReviewFeed:
        stored = self.programs.programs[program]
        before = stored.feed_of(feed.source)
        if feed.version != (before.version if before else 0):
            raise Conflict("changed", code="review_feed_changed")
        kept = replace(feed, version=feed.version + 1)
        self.programs.programs[program] = replace(stored, feeds=(kept,))
        return kept


class World:
    """Both functions on fakes: one program that listens to Klaviyo, and to Judge.me once the merchant says so."""

    def __init__(self) -> None:
        self.clock, self.vault, keys = FixedClock(), MemoryVault(), MemoryKeys()
        self.programs = MemoryPrograms(a_listening_program(self.vault), a_program(slug=ProgramSlug("soaps")))
        self.queue, self.notes, self.decisions = MemoryQueue(), MemoryNotes(), MemoryDecisions()
        recent = RecentPrograms(self.programs, self.vault, self.clock)
        review_webhook.intake.replace(IntakeReviews(recent, self.queue, self.notes, self.clock))
        admit = AdmitCaller(keys, self.programs, MemoryCounter(), self.clock)
        self.feeds = KeepReviewFeeds(admit, MemoryFeeds(self.programs), self.vault, self.clock)
        issued = KeepKeys(keys, self.clock, SeededRandomness())
        self.key = issued.create(ProgramSlug("candles"), "All", [Scope.ADMIN]).text
        self.weak_key = issued.create(ProgramSlug("candles"), "Flows", [Scope.REVIEWS_WRITE]).text

    def asks(self, method: str, body: object = None, key: str | None = None) -> Answered:
        klaviyo_connection.service.replace(_Feeds(self.feeds))  # type: ignore[arg-type]
        headers = {"api-key": self.key if key is None else key}
        answer = klaviyo_connection.lambda_handler(a_request(method, PATH, body, headers=headers), Context())  # type: ignore[arg-type]
        return answered(answer)

    def delivers(self, body: object, *, secret: str = SHOP, slug: str = "candles", **headers: str) -> Answered:
        text = body if isinstance(body, str) else json.dumps(body)
        sent = headers or {"JUDGEME-HMAC-SHA256": signature(text, secret)}
        event = a_request("POST", f"/webhooks/judgeme/{slug}", text, headers=sent)
        return answered(review_webhook.lambda_handler(event, Context()))  # type: ignore[arg-type]

    def obeys(self, rule: ReviewRule) -> None:
        programs = self.programs.programs
        programs[ProgramSlug("candles")] = replace(programs[ProgramSlug("candles")], review_rule=rule)

    @property
    def queued(self) -> list[Any]:
        return [parse_message(message.body) for message in self.queue.messages]

    @property
    def decided(self) -> list[Decided]:
        """What the rule makes of what is queued."""
        ledger = Ledger(MemoryLedger(), self.clock, SeededRandomness())
        award = AwardReview(self.programs, ledger, self.decisions, self.clock)
        return [award(message.body) for message in self.queue.messages]


class _Feeds:
    def __init__(self, feeds: KeepReviewFeeds) -> None:
        self.feeds = feeds


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    assert world.asks("PUT", {"secret": SHOP}).status == 200
    yield world
    review_webhook.intake.replace(None)
    klaviyo_connection.service.replace(None)


def test_a_signed_review_becomes_the_message_that_the_rule_knows(world: World) -> None:
    assert world.delivers({"review": a_judgeme_review()}).document == {"queued": 1, "unusable": 0, "ignored": 0}
    (message,) = world.queued
    assert isinstance(message, ReviewMessage)
    assert (message.source, message.review_key) == (ReviewSource.JUDGEME, "judgeme-640313110")
    assert (message.email, message.rating, message.verified) == ("sarah.mason@klaviyo-demo.com", 5, True)
    assert (message.status, message.text_length, message.product) == ("published", len(TEXT), "Candle")
    assert message.updated_at == START + timedelta(hours=2)
    assert message.product_key == product_key("https://shop.klaviyo-demo.com/products/candle", "", "")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"curated": "ok", "hidden": False}, "published"),
        ({"curated": "ok", "hidden": True}, "unpublished"),
        ({"curated": "spam", "hidden": True}, "rejected"),
        ({"curated": "not-yet"}, "pending"),
        ({"curated": None}, "pending"),
    ],
)
def test_moderation_comes_in_klaviyos_words(world: World, changes: dict[str, Any], status: str) -> None:
    world.delivers({"review": a_judgeme_review(**changes)})
    assert world.queued[0].status == status


@pytest.mark.parametrize(
    ("verified", "is_verified"),
    [("buyer", True), ("verified-purchase", True), ("reviewer", False), ("", False), (None, False), ("admin", False)],
)
def test_only_a_known_purchase_counts_as_verified(world: World, verified: Any, is_verified: bool) -> None:
    """R106."""
    world.delivers({"review": a_judgeme_review(verified=verified)})
    assert world.queued[0].verified is is_verified


def test_what_is_not_authentic_leaves_no_trace(world: World) -> None:
    """R120: a wrong secret, no signature, a changed body, another program, Klaviyo's secret."""
    text = json.dumps({"review": a_judgeme_review()})
    assert world.delivers(text, secret="another secret").status == 401
    assert world.delivers(text, secret=SECRET).status == 401
    assert world.delivers(text, **{"X-Other": "1"}).status == 401
    assert world.delivers(text + " ", **{"JUDGEME-HMAC-SHA256": signature(text)}).status == 401
    assert world.delivers(text, slug="soaps").status == 401
    assert world.delivers(text, slug="nobody").status == 404
    assert world.queue.messages == []


def test_neither_apps_secret_signs_for_the_other(world: World) -> None:
    body = a_body(a_review_event(1), webhook_id="judgeme")
    headers = signed(body, secret=SHOP, webhook_id="judgeme")
    event = a_request("POST", "/webhooks/klaviyo/candles", body.decode(), headers=headers)
    assert answered(review_webhook.lambda_handler(event, Context())).status == 401  # type: ignore[arg-type]
    assert world.queue.messages == []


def test_the_header_is_known_with_an_x_too_and_in_any_case(world: World) -> None:
    text = json.dumps({"review": a_judgeme_review()})
    for name, value in (("X-Judgeme-Hmac-Sha256", signature(text)), ("judgeme-hmac-sha256", signature(text).upper())):
        assert world.delivers(text, **{name: value}).status == 202


def test_klaviyos_webhook_is_not_taken_for_alive(world: World) -> None:
    """R9: its last delivery is Klaviyo's own."""
    world.delivers({"review": a_judgeme_review()})
    assert world.notes.last_seen(ProgramSlug("candles")).delivery_at is None


def test_what_was_written_before_the_app_was_connected_earns_nothing(world: World) -> None:
    """R112: by the rule, in its fixed order, so that the customer's list names the review too."""
    world.obeys(ReviewRule(app=ReviewApp.JUDGEME))
    for number, at in enumerate((START - timedelta(seconds=1), START)):
        world.delivers({"review": a_judgeme_review(id=number, created_at=at.isoformat())})
    assert [(each.outcome, each.code) for each in world.decided] == [("refused", "before_connection"), ("awarded", "")]
    decision = world.decisions.load(ProgramSlug("candles"), "judgeme-0")
    assert decision
    assert "connected to Judge.me" in decision.message
    assert decision.member_id


def test_a_review_of_another_app_than_the_rules_is_refused_by_name_first(world: World) -> None:
    """R113, R188: whenever it was written."""
    world.delivers({"review": a_judgeme_review(created_at=(START - timedelta(days=9)).isoformat())})
    assert [each.code for each in world.decided] == ["other_review_app"]
    decision = world.decisions.load(ProgramSlug("candles"), "judgeme-640313110")
    assert decision
    assert decision.message == "The review was written in Judge.me, and the rule pays reviews of Klaviyo Reviews."


def test_judgemes_reviews_go_through_the_same_rule(world: World) -> None:
    """R188: extras, publication and rejection, by its two webhooks, each once."""
    world.obeys(ReviewRule(app=ReviewApp.JUDGEME, media_points=10, award_on=AwardOn.PUBLICATION))
    later = (START + timedelta(hours=3)).isoformat()
    picture: dict[str, Any] = {"pictures": [{"urls": {}}]}
    told: list[dict[str, Any]] = [
        {**picture, "curated": "not-yet"},
        {**picture, "updated_at": later},
        {**picture, "updated_at": later},
        {"curated": "spam", "updated_at": (START + timedelta(hours=4)).isoformat()},
    ]
    for changes in told:
        world.delivers({"review": a_judgeme_review(**changes)})
    assert [(each.outcome, each.points) for each in world.decided] == [
        ("waiting", 0),
        ("awarded", 60),
        ("repeated", 0),
        ("taken_back", -60),
    ]


def test_a_new_secret_replaces_the_old_at_once_and_moves_no_date(world: World) -> None:
    world.clock.advance(seconds=timedelta(days=3).total_seconds())
    before = world.asks("GET").document
    assert world.asks("PUT", {"secret": "the new private token"}).document == before
    review = {"review": a_judgeme_review()}
    assert world.delivers(review).status == 401
    assert world.delivers(review, secret="the new private token").status == 202


def test_switched_off_it_delivers_nothing_and_on_again_counts_anew(world: World) -> None:
    assert world.asks("DELETE").document["enabled"] is False
    world.clock.advance(seconds=60)
    assert world.delivers({"review": a_judgeme_review()}).status == 401
    assert world.asks("DELETE").document["since"] is None
    later = world.asks("PUT", {"secret": SHOP}).document
    assert later["since"] > "2026"
    assert world.programs.programs[ProgramSlug("candles")].feeds[0].version == 3


def test_the_secret_is_taken_and_never_shown(world: World) -> None:
    with written() as out:
        shown = [world.asks("PUT", {"secret": SHOP}), world.asks("GET"), world.asks("PUT", {"secret": "short"})]
        world.delivers({"review": a_judgeme_review()})
    assert [answer.status for answer in shown] == [200, 200, 422]
    assert all(SHOP not in json.dumps(answer.document) for answer in shown)
    assert SHOP not in out.text
    assert "sarah" not in out.text.lower()
    (feed,) = world.programs.programs[ProgramSlug("candles")].feeds
    assert SHOP not in repr(feed)
    assert shown[0].document["webhook_url"].endswith("/v1/webhooks/judgeme/candles")


def test_only_the_merchant_may(world: World) -> None:
    for method in ("GET", "PUT", "DELETE"):
        body = {"secret": SHOP} if method == "PUT" else None
        assert world.asks(method, body, key=world.weak_key).document["code"] == "missing_scope"
        assert world.asks(method, body, key="").status == 401


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(list(a_judgeme_review())), JSON))
def test_whatever_a_signed_review_says_is_taken_in(changes: dict[str, Any]) -> None:
    """Never a 5xx: one that cannot be decided on is recorded with its reason."""
    world = World()
    assert world.asks("PUT", {"secret": SHOP}).status == 200
    assert world.delivers({"review": a_judgeme_review(**changes)}).status == 202
    assert len(world.queued) == 1


@given(JSON | st.text().map(str), st.booleans())
def test_whatever_comes_is_no_5xx_and_unsigned_without_effect(body: Any, is_signed: bool) -> None:
    world = World()
    assert world.asks("PUT", {"secret": SHOP}).status == 200
    answer = world.delivers(body, secret=SHOP if is_signed else "wrong")
    assert answer.status in ({202, 400} if is_signed else {401})
    assert world.queue.messages == []
