"""Items as they really are stay below 1 KB, where a write begins to cost double (ADR 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import entry_item, member_item
from loyalty.adapters.dynamodb.key_record_item import record_item
from loyalty.contracts.klaviyo_reviews import read_review
from loyalty.domain.identity import Email, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import (
    Action,
    Adjust,
    Capture,
    Command,
    CommandKey,
    Earn,
    Expire,
    Narrative,
    Pend,
    PlaceHold,
    Spend,
)
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry, Reversal, Scalar, Source
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Hold, Member, Profile
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.review_rule import ReviewRule
from loyalty.ports import KeyRecord, Receipt
from loyalty.services.award_review import AwardReview
from loyalty.services.posting import Ledger
from tests.builders import a_program
from tests.deliveries import a_review_event
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms
from tests.item_size import WRITE_UNIT, item_size

PROGRAM = a_program(
    slug=ProgramSlug("northwind-candles"),
    terms=Terms(expiry=AfterEarning(Period(months=12))),
    review_rule=ReviewRule(points=250),
)
EMAIL = Email("sarah.mason@klaviyo-demo.com")
REASON = "Sorry for the parcel that arrived late with one broken candle, as agreed on the phone."
ORDER: dict[str, Scalar] = {"order_number": "#100482", "campaign_name": "Double points weekend", "multiplier": 2.0}
REWARD: dict[str, Scalar] = {"reward_name": "10 € off your next order", "discount_code": "NW-7HX2-K9PQ-33"}
IN_TWO_WEEKS = START + timedelta(days=14)
DOZEN = {f"2026-{month:02d}-{day:02d}": 1250 for month in (4, 6, 8, 10) for day in (3, 14, 27)}
REGULAR = Member(
    PROGRAM.slug,
    PROGRAM.member_id(EMAIL),
    version=1_482,
    last_hash="cfnoucdf51joCQQdhcWkgCSlKVEFuwXfzdRqjDg4G-0",
    amounts=Amounts(15_000, 320, 500, 48_250, 29_750, 2_600, 150, 250),
    lots=DOZEN,
    holds={"cart-5544332211": Hold(500, {"2026-04-03": 500}, IN_TWO_WEEKS)},
    profile=Profile(EMAIL, "7712345678901", "+4915112345678", "Sarah", "Mason", "1990-02-28"),
    created_at=START - timedelta(days=900),
    last_activity_at=START,
)
"""A member of some years: every amount in use, a dozen lots, a full profile."""


def reviewed() -> Entry:
    """The entry of a review, written by the service that awards them."""
    store, clock = MemoryLedger(), FixedClock()
    store.stored[(PROGRAM.slug, REGULAR.member_id)] = REGULAR
    award = AwardReview(MemoryPrograms(PROGRAM), Ledger(store, clock, SeededRandomness()), MemoryDecisions(), clock)
    product = {
        "product_name": "Lavender & Sea Salt Soy Candle, 220 g",
        "url": "https://northwind-candles.example/products/lavender-sea-salt",
    }
    event = a_review_event(7, structured_product=product, review_has_media=True)
    message = read_review(PROGRAM.slug, event, lambda _: "digest")
    assert message is not None
    award(message.to_json())
    (entry,) = store.written.values()
    return entry


def posted(action: Action, **story: Any) -> Entry:
    """The entry of an order's step or of a hand's work on the regular member."""
    narrative = Narrative(Source("order", "5544332211009"), "commerce", START, **story)
    command = Command(CommandKey("order", "5544332211009|paid", natural=True), action, narrative)
    posting = decide(REGULAR, command, PROGRAM.terms, START, SeededRandomness().salt())
    assert isinstance(posting, Posting), posting
    return posting.entry


ENTRIES: Mapping[str, Entry] = {
    "review": reviewed(),
    "order": posted(Earn(1_240, "order"), details=ORDER, event_type="points_earned_order"),
    "pending order": posted(
        Pend("5544332211009", 1_240, IN_TWO_WEEKS), details=ORDER, event_type="points_pending_order"
    ),
    "reward": posted(Spend(2_500), details=REWARD, event_type="reward_redeemed"),
    "hold": posted(PlaceHold("cart-99887766", 2_500, IN_TWO_WEEKS), details=REWARD),
    "capture": posted(Capture("cart-5544332211"), details=REWARD, event_type="reward_redeemed"),
    "adjustment": posted(Adjust(-500), reason=REASON, event_type="points_adjusted_down"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_delivered_and_once_reversed_entry_is_below_a_kilobyte(name: str) -> None:
    """Product, link, order, campaign, code, or a reason of more than 80 characters: whatever belongs to it."""
    entry = ENTRIES[name]
    mark = Reversal(entry.member_id, entry.seq + 1, abs(entry.points), "q0C7d6Yb-3kMZsQe1mUoXw")
    key = CommandKey("refund", "5544332211009|17", natural=True).text
    delivered = replace(entry, delivery=Delivery(DeliveryState.SENT, START), reversals={key: mark})
    assert 500 < item_size(entry_item(delivered)) <= WRITE_UNIT


def test_the_expiry_of_a_dozen_lots_is_below_a_kilobyte() -> None:
    overdue = replace(REGULAR, lots={f"2025-{key[5:]}": points for key, points in DOZEN.items()})
    narrative = Narrative(Source("schedule"), "tallyhook", START, event_type="points_expired")
    command = Command(CommandKey("expire", "2025-12-31", natural=True), Expire(date(2025, 12, 31)), narrative)
    posting = decide(overdue, command, PROGRAM.terms, START, SeededRandomness().salt())
    assert isinstance(posting, Posting)
    assert len(posting.entry.effect.lots) == 12
    assert item_size(entry_item(posting.entry)) <= WRITE_UNIT


@pytest.mark.parametrize("name", ENTRIES)
def test_a_record_is_below_half_a_kilobyte(name: str) -> None:
    entry = ENTRIES[name]
    record = KeyRecord(entry.key, False, entry.request_digest, Receipt.of(entry))
    assert item_size(record_item(PROGRAM.slug, record)) <= WRITE_UNIT / 2


def test_a_regular_member_is_below_a_kilobyte() -> None:
    """With its place in both indexes."""
    key = keys.member(PROGRAM.slug, REGULAR.member_id)
    marks = {
        "profile_owed_since": "2026-03-02T12:00:00.000Z",
        "feed_pk": keys.owed_profile_pk(PROGRAM.slug, REGULAR.member_id),
        "feed_sk": keys.profile_feed_sk(REGULAR.member_id, START),
        "due_pk": keys.due_pk(REGULAR.member_id),
        "due_sk": keys.due_sk(PROGRAM.slug, REGULAR.member_id, START),
    }
    assert 700 < item_size({"pk": key.pk, "sk": key.sk, **member_item(REGULAR), **marks}) <= WRITE_UNIT


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"pk": "ab"}, 4),
        ({"n": 0}, 2),
        ({"n": 7}, 3),
        ({"n": 100}, 3),
        ({"n": 1234}, 4),
        ({"n": -1234}, 5),
        ({"b": bytes(32), "t": True}, 35),
        ({"m": {"2026-03-02": 50}}, 17),
        ({"l": [1, "ab"]}, 10),
        ({"ü": "ü"}, 4),
    ],
)
def test_sizes_are_counted_as_dynamodb_documents_it(item: dict[str, Any], size: int) -> None:
    assert item_size(item) == size
