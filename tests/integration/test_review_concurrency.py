"""Reviews of one member decided at the same time, on the emulator: limits hold, and one review pays once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.errors import Conflict, Transient
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.review_rule import Burst, ReviewLimit, ReviewRule
from loyalty.domain.reviews import ReviewWay
from loyalty.services.award_review import AwardReview, Decided
from loyalty.services.posting import Ledger
from tests.builders import SARAH, a_connection, a_program
from tests.fakes.memory_programs import MemoryPrograms
from tests.integration.chain import replay
from tests.metering import MeteredClient
from tests.reviews import KEY, WRITTEN, a_message, moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.emulator

AT_ONCE = 20
COMINGS = 20
"""How often the queue brings a message again."""

ALL_LIMITS = ReviewRule(
    limit=ReviewLimit(2, CapPeriod.MONTH),
    product_limit=ReviewLimit(2, CapPeriod.EVER),
    member_limit=50,
    burst=Burst(20, 5),
    refuse_duplicates=True,
)


class Storm:
    """One program's workers on one table."""

    def __init__(self, client: Any, table: str, rule: ReviewRule) -> None:
        connection = a_connection(connected_at=WRITTEN.replace(year=2020))
        self.client, self.table = client, table
        self.program = a_program(connection=connection, review_rule=rule, terms=Terms(timezone="Europe/Berlin"))
        self.ledger = Ledger(DynamoLedger(client, table), SystemClock(), SystemRandomness())
        self.decisions = DynamoDecisions(client, table)
        self.award = AwardReview(MemoryPrograms(self.program), self.ledger, self.decisions, SystemClock())

    def hears(self, **said: Any) -> Decided:
        return self.award(a_message(**said).to_json())

    def together(self, *told: dict[str, Any]) -> list[Decided]:
        """Workers that begin at the same moment, each with one message that comes again until it is decided on."""
        start = Barrier(len(told))

        def worker(call: Callable[[], Decided]) -> Decided:
            start.wait()
            for _ in range(COMINGS):
                try:
                    return call()
                except (Conflict, Transient):
                    continue
            raise AssertionError("a message was turned away every time")

        with ThreadPoolExecutor(len(told)) as pool:
            return list(pool.map(worker, [partial(self.hears, **said) for said in told]))

    def balance(self) -> int:
        member = self.ledger.find(self.program, SARAH)
        assert member is not None
        replay(self.client, self.table, member.member_id)
        return member.amounts.available

    @property
    def member_id(self) -> MemberId:
        return self.ledger.locate(self.program, SARAH).member_id


def numbered(number: int, **said: Any) -> dict[str, Any]:
    """One of many reviews of one member, each with a text and product of its own unless said otherwise."""
    key = f"{number:032x}"
    return {"review_key": key, "text_digest": key, "product_key": key, **said}


@pytest.fixture
def storm(emulated_dynamodb: DynamoDBClient, new_table: str) -> Callable[[ReviewRule], Storm]:
    return partial(Storm, emulated_dynamodb, new_table)


def test_of_twenty_reviews_at_once_a_limit_of_two_pays_two(storm: Callable[[ReviewRule], Storm]) -> None:
    """R105: and each refusal says why."""
    world = storm(ReviewRule(limit=ReviewLimit(2, CapPeriod.MONTH)))
    outcomes = Counter((each.outcome, each.code) for each in world.together(*map(numbered, range(AT_ONCE))))
    assert outcomes == {("awarded", ""): 2, ("refused", "period_limit"): AT_ONCE - 2}
    assert world.balance() == 100
    assert world.decisions.tally(world.program.slug, world.member_id).ever() == 2


def test_of_reviews_on_both_sides_of_a_period_each_side_pays_two(storm: Callable[[ReviewRule], Storm]) -> None:
    """R105: midnight of the month's end in the program's time zone, all at once."""
    world = storm(ReviewRule(limit=ReviewLimit(2, CapPeriod.MONTH)))
    midnight = moment("2026-08-31T22:00")
    sides = [timedelta(seconds=-1), timedelta(0)]
    told = [numbered(n, submitted_at=midnight + sides[n % 2]) for n in range(AT_ONCE)]
    awarded = [each.review_key for each in world.together(*told) if each.outcome == "awarded"]
    assert Counter(int(key, 16) % 2 for key in awarded) == {0: 2, 1: 2}
    assert world.balance() == 200


def test_of_twenty_reviews_of_two_products_each_product_pays_once(storm: Callable[[ReviewRule], Storm]) -> None:
    """R111."""
    world = storm(ReviewRule(product_limit=ReviewLimit(1, CapPeriod.EVER)))
    told = [numbered(n, product_key=("candle", "soap")[n % 2]) for n in range(AT_ONCE)]
    outcomes = Counter((each.outcome, each.code) for each in world.together(*told))
    assert outcomes == {("awarded", ""): 2, ("refused", "product_limit"): AT_ONCE - 2}
    assert world.balance() == 100


def test_of_one_text_sent_by_many_one_earns(storm: Callable[[ReviewRule], Storm]) -> None:
    """R110: anybody's, at once."""
    world = storm(ReviewRule(refuse_duplicates=True))
    told = [numbered(n, text_digest="same", email=f"customer-{n}@klaviyo-demo.com") for n in range(8)]
    outcomes = Counter((each.outcome, each.code) for each in world.together(*told))
    assert outcomes == {("awarded", ""): 1, ("refused", "duplicate_text"): 7}


@pytest.mark.parametrize(
    ("newest", "points", "outcome"), [("rejected", 0, "taken_back"), ("published", 60, "awarded")], ids=str
)
def test_one_review_told_of_in_every_way_under_both_names_at_once_pays_once(
    storm: Callable[[ReviewRule], Storm], newest: str, points: int, outcome: str
) -> None:
    """R108: webhook, flow and polling, with and without the review's id, while it is rejected, or published again."""
    world = storm(ReviewRule(text_points=10))
    by_event = {"review_key": "evt1"}
    by_both = {"other_keys": ("evt1",), "way": ReviewWay.POLL}
    stars = {"text_length": 0, "text_digest": ""}
    rejected = {**by_both, "status": "rejected", "updated_at": WRITTEN + timedelta(hours=1)}
    moderated = {**by_both, "status": newest, "updated_at": WRITTEN + timedelta(hours=2)}
    redelivered = {**by_event, "status": "published"}
    world.hears(**stars)
    world.together(
        {}, stars, by_event, rejected, {**by_event, **stars}, {"way": ReviewWay.FLOW}, moderated, redelivered
    )
    world.hears(**by_both)
    assert world.balance() == points
    decision = world.decisions.load(world.program.slug, "evt1")
    assert decision
    assert decision == world.decisions.load(world.program.slug, KEY)
    assert (decision.points, decision.outcome, decision.is_settled) == (points, outcome, True)


def test_what_a_decision_costs(emulated_dynamodb: DynamoDBClient, new_table: str) -> None:
    """The figures of docs/reviews.md, with every limit and check on."""
    client = MeteredClient(emulated_dynamodb)
    world = Storm(client, new_table, ALL_LIMITS)
    world.hears(**numbered(0, submitted_at=WRITTEN - timedelta(days=90)))
    costs: dict[str, tuple[float, float]] = {}
    for name, said in (
        ("award", numbered(1)),
        ("repeat", numbered(1)),
        ("award again", numbered(2)),
        ("refusal by a limit", numbered(3)),
        ("refusal by the review", numbered(4, verified=False)),
        ("taking back", {**numbered(1), "status": "rejected", "updated_at": WRITTEN + timedelta(days=1)}),
    ):
        before = client.used
        world.hears(**said)
        spent = client.used - before
        costs[name] = (spent.writes, spent.reads)
    assert costs == {
        "award": (16, 6),
        "repeat": (0, 1),
        "award again": (16, 6),
        "refusal by a limit": (6, 5),
        "refusal by the review": (6, 5),
        "taking back": (9, 4),
    }
