"""Thousands of messages by every way in, doubled, reordered and moderated late, end where a simple model says."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.contracts.listed_reviews import read_listed_review
from loyalty.contracts.review_facts import digester
from loyalty.domain.api_keys import Scope
from loyalty.domain.identity import Address, ProgramSlug
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.review_rule import AwardOn, ReviewLimit, ReviewRule
from loyalty.domain.reviews import ReviewWay
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.award_review import AwardReview
from loyalty.services.intake_reviews import IntakeReviews
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.posting import Ledger
from loyalty.services.queue_reviews import queued
from loyalty.services.recent_programs import RecentPrograms
from loyalty.services.take_flow_review import TakeFlowReview
from tests.deliveries import RATING, a_body, a_listening_program, a_review_event, signed
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_oauth import MemoryNotes
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue
from tests.fakes.memory_vault import MemoryVault
from tests.integration.naive_reviews import Rules, Shop, Told

CONNECTED = datetime(2026, 1, 10, tzinfo=UTC)
PROGRAM = ProgramSlug("candles")
HISTORIES = ((), ("published",), ("rejected",), ("published", "rejected"), ("rejected", "published"), ("unpublished",))


@dataclass
class Review:
    """A review as it is in the world, with everything that will happen to it."""

    number: int
    email: str
    written: datetime
    product: int
    verified: bool
    has_media: bool
    status: str
    history: list[tuple[datetime, str]]

    @property
    def name(self) -> str:
        return f"{self.number:032x}"

    @property
    def url(self) -> str:
        return f"https://shop.klaviyo-demo.com/products/candle-{self.product}"

    def told(self, **changes: Any) -> Told:
        base = Told(
            review=self.name,
            member=self.email,
            written=self.written,
            product=str(self.product),
            has_text=True,
            has_media=self.has_media,
            verified=self.verified,
            status=self.status,
            status_at=self.written,
        )
        return replace(base, **changes)

    def event(self, *, rating: bool, nameless: bool, usable: bool) -> dict[str, Any]:
        said: dict[str, Any] = {
            "review_email": self.email if usable else "nobody",
            "review_content": None if rating else f"I like candle {self.number} very much.",
            "review_verified": self.verified,
            "review_has_media": False if rating else self.has_media,
            "review_status": self.status,
            "structured_product": {"product_name": f"Candle {self.product}", "url": self.url},
            "$event_id": f"{'rating' if rating else 'review'}-{self.name}",
        }
        if nameless:
            opaque = f"{'rating' if rating else 'review'} of {self.number}"
            said |= {"review_id": None, "$event_id": opaque if self.number % 2 else None}
        event = a_review_event(self.number, **({"topic": RATING} if rating else {}), **said)
        event["payload"]["data"]["attributes"]["datetime"] = self.written.isoformat()
        event["external_id"] = event["payload"]["data"]["id"] = f"evt-{self.number}{'r' if rating else ''}"
        return event

    def listed(self, status: str, at: datetime) -> dict[str, Any]:
        attributes = {
            "email": self.email.upper(),
            "status": {"value": status} | ({"rejection_reason": {"reason": "fake"}} if status == "rejected" else {}),
            "verified": self.verified,
            "review_type": "review",
            "created": self.written.isoformat(),
            "updated": at.isoformat(),
            "images": ["https://x/1.jpg"] if self.has_media else [],
            "rating": 5,
            "content": f"I like candle {self.number} very much.",
            "product": {"name": f"Candle {self.product}", "url": self.url + "?variant=1", "external_id": "1"},
        }
        events = [{"type": "event", "id": f"evt-{self.number}"}, {"type": "event", "id": f"evt-{self.number}r"}]
        return {"id": self.name, "attributes": attributes, "relationships": {"events": {"data": events}}}


@dataclass
class Mix:
    """The real services in memory, and a queue that doubles and reorders what they send."""

    rule: ReviewRule
    seed: int
    sent: list[tuple[str, Told]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random, self.clock, vault, keys = random.Random(self.seed), FixedClock(), MemoryVault(), MemoryKeys()
        program = a_listening_program(vault)
        assert program.connection
        connection = replace(program.connection, connected_at=CONNECTED)
        self.program = replace(program, connection=connection, review_rule=self.rule)
        programs = MemoryPrograms(self.program)
        self.clock.time = datetime(2026, 12, 31, tzinfo=UTC)
        self.queue = MemoryQueue()
        self.intake = IntakeReviews(RecentPrograms(programs, vault, self.clock), self.queue, MemoryNotes(), self.clock)
        self.key = KeepKeys(keys, self.clock, SeededRandomness()).create(PROGRAM, "Flow", [Scope.REVIEWS_WRITE])
        admit = AdmitCaller(keys, programs, MemoryCounter(), self.clock)
        self.flow = TakeFlowReview(admit, self.queue, self.clock)
        self.ledger, self.decisions = MemoryLedger(), MemoryDecisions()
        self.postings = Ledger(self.ledger, self.clock, SeededRandomness())
        self.award = AwardReview(programs, self.postings, self.decisions, self.clock)

    def review(self, number: int, members: int) -> Review:
        written = CONNECTED + timedelta(hours=self.random.randint(-24 * 9, 24 * 300), seconds=number)
        moments = sorted(self.random.sample(range(1, 2000), 2))
        history = self.random.choice(HISTORIES)
        return Review(
            number=number,
            email=f"customer-{self.random.randrange(members)}@klaviyo-demo.com",
            written=written,
            product=self.random.randrange(12),
            verified=self.random.random() < 0.85,
            has_media=self.random.random() < 0.3,
            status=self.random.choice(["pending", "published"]),
            history=[(written + timedelta(hours=at), status) for at, status in zip(moments, history, strict=False)],
        )

    def tells(self, review: Review, *, nameless: bool) -> None:
        """Everything that ever reaches us of a review, some of it more than once."""
        chance = self.random.random
        if chance() < 0.5:
            told = review.told(has_text=False, has_media=False)
            self.deliver((review.event(rating=True, nameless=nameless, usable=True), told))
        for _ in range(self.random.choice([0, 1, 1, 2])):
            usable = chance() > 0.03
            event = review.event(rating=False, nameless=nameless, usable=usable)
            self.deliver((event, review.told(is_usable=usable)))
        if chance() < 0.3:
            self.flows(review)
        states = [(review.written, review.status), *review.history]
        heard = states if chance() < 0.4 else states[-1:]
        for at, status in heard:
            self.lists(review, status, at, ReviewWay.POLL)
        if review.written < CONNECTED and chance() < 0.5:
            self.lists(review, states[-1][1], states[-1][0], ReviewWay.IMPORT)

    def deliver(self, *events: tuple[dict[str, Any], Told]) -> None:
        body = a_body(*[event for event, _ in events])
        self.intake(PROGRAM, signed(body), body, "")
        self.note([told for _, told in events])

    def flows(self, review: Review) -> None:
        sent = {
            "email": review.email,
            "review_id": review.name,
            "verified": str(review.verified),
            "has_media": str(review.has_media),
            "text_length": "31",
            "status": review.status,
            "product_url": review.url,
            "submitted_at": review.written.isoformat(),
        }
        self.flow(PROGRAM, {"api-key": self.key.text}, json.dumps(sent).encode(), "")
        self.note([review.told()])

    def lists(self, review: Review, status: str, at: datetime, way: ReviewWay) -> None:
        message = read_listed_review(PROGRAM, review.listed(status, at), way, digester(self.program))
        assert message
        self.queue.send([queued(message)])
        self.note([review.told(status=status, status_at=at, is_import=way is ReviewWay.IMPORT)])

    def note(self, told: list[Told]) -> None:
        bodies = [message.body for message in self.queue.messages]
        self.queue.messages.clear()
        self.sent += zip(bodies, told, strict=True)

    def plays(self, messages: int, members: int, *, nameless: float) -> Shop:
        number = 0
        while len(self.sent) < messages:
            number += 1
            self.tells(self.review(number, members), nameless=self.random.random() < nameless)
        repeated = self.random.sample(self.sent, len(self.sent) // 10)
        order = [*self.sent, *repeated]
        self.random.shuffle(order)
        shop = Shop(rules_of(self.rule))
        for body, told in order:
            self.award(body)
            shop.hears(told)
        return shop

    def balance(self, email: str) -> int:
        member = self.postings.find(self.program, Address("email", email))
        return member.amounts.available if member else 0


def rules_of(rule: ReviewRule) -> Rules:
    return Rules(
        connected_at=CONNECTED,
        points=rule.points,
        text_points=rule.text_points,
        media_points=rule.media_points,
        verified_only=rule.verified_only,
        on_publication=rule.award_on is AwardOn.PUBLICATION,
        a_month=rule.limit.reviews if rule.limit else None,
        a_product=rule.product_limit.reviews if rule.product_limit else None,
    )


def assert_as_predicted(mix: Mix, shop: Shop) -> None:
    """Review by review, and member by member."""
    owner = {told.review: told.member for _, told in mix.sent}
    expected: dict[str, int] = defaultdict(int)
    for name, known in shop.reviews.items():
        decision = mix.decisions.load(PROGRAM, name)
        assert decision, name
        assert decision.points == known.paid, (name, decision, known)
        expected[owner[name]] += known.paid
    members = {told.member for _, told in mix.sent}
    assert {email: mix.balance(email) for email in members} == {email: expected[email] for email in members}
    assert shop.awards > 100
    assert shop.taken_back > 10


def test_five_thousand_messages_of_five_hundred_members_end_as_predicted() -> None:
    """R108, R112, R118, R136: webhooks with and without ids, flows, listings, imports; moderated late; shuffled."""
    mix = Mix(ReviewRule(text_points=20, media_points=10), seed=2026)
    shop = mix.plays(5000, 500, nameless=0.1)
    assert_as_predicted(mix, shop)


@pytest.mark.parametrize(
    "rule",
    [
        ReviewRule(verified_only=False, award_on=AwardOn.PUBLICATION, text_points=5),
        ReviewRule(limit=ReviewLimit(2, CapPeriod.MONTH)),
        ReviewRule(product_limit=ReviewLimit(1, CapPeriod.EVER), award_on=AwardOn.PUBLICATION),
    ],
    ids=["on publication, unverified too", "two a month", "one a product, on publication"],
)
def test_other_rules_end_as_predicted(rule: ReviewRule) -> None:
    """R105, R106, R111: fewer members, so that limits are met."""
    mix = Mix(rule, seed=7)
    shop = mix.plays(1000, 40, nameless=0)
    assert_as_predicted(mix, shop)
