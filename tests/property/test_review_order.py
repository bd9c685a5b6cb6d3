"""Laws of review decisions: order, repeats and crashes never change what stands in the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.terms import Overdraft, Terms
from loyalty.domain.review_rule import AwardOn, ReviewLimit, ReviewRule
from loyalty.domain.reviews import ReviewWay, SubmissionKind
from loyalty.ports import Plan
from loyalty.review_ports import ReviewChange
from tests.builders import SARAH
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_ledger import MemoryLedger
from tests.review_world import ReviewWorld
from tests.reviews import KEY, WRITTEN

STARS: dict[str, Any] = {"kind": SubmissionKind.RATING, "text_length": 0, "text_digest": ""}
STATUSES = ("pending", "published", "featured", "unpublished", "rejected", "")

rules = st.builds(
    ReviewRule,
    text_points=st.sampled_from([0, 20]),
    media_points=st.sampled_from([0, 5]),
    stars_only=st.booleans(),
    award_on=st.sampled_from(AwardOn),
    take_back_rejected=st.booleans(),
    take_back_unpublished=st.booleans(),
)
messages = st.builds(
    lambda stars, verified, media, status, hour, name: {
        **(STARS if stars else {}),
        **name,
        "verified": verified,
        "has_media": media,
        "status": status,
        **({"updated_at": WRITTEN + timedelta(hours=hour), "way": ReviewWay.POLL} if hour else {}),
    },
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(STATUSES),
    st.integers(0, 4),
    st.sampled_from([{}, {"review_key": "evt1"}, {"other_keys": ("evt1",)}]),
)
BOTH_NAMES: dict[str, Any] = {"other_keys": ("evt1",), "verified": False, "status": ""}


def expected(rule: ReviewRule, told: list[dict[str, Any]]) -> int:
    """What stands in the end, from everything that was told at once."""
    worth = max(
        (
            rule.points + (0 if "kind" in said else rule.text_points) + (rule.media_points if said["has_media"] else 0)
            for said in told
            if said["verified"] and (rule.stars_only or "kind" not in said or said["has_media"])
        ),
        default=0,
    )
    weight = {"rejected": 3, "unpublished": 2, "featured": 1, "published": 1}
    known = [said for said in told if said["status"]]
    newest = max(
        ((said.get("updated_at", WRITTEN), weight.get(said["status"], 0), said["status"]) for said in known),
        default=(WRITTEN, 0, ""),
    )[2]
    was_public = any(said["status"] in {"published", "featured"} for said in known)
    if rule.award_on is AwardOn.PUBLICATION and not was_public:
        return 0
    withdrawn = (newest == "rejected" and rule.take_back_rejected) or (
        newest == "unpublished" and rule.take_back_unpublished
    )
    return 0 if withdrawn else worth


@given(rules, st.lists(messages, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_stands_follows_from_what_was_told_and_not_from_its_order(
    rule: ReviewRule, told: list[dict[str, Any]], random: Any
) -> None:
    """R106, R108: repeated, shuffled, under either name, before anybody knew that both are one."""
    shuffled = [*told, *told]
    random.shuffle(shuffled)
    world = ReviewWorld(rule, terms=Terms(overdraft=Overdraft.ALLOW_NEGATIVE))
    for said in [*shuffled, BOTH_NAMES]:
        world.hears(**said)
    again = world.moved()
    assert world.balance() == expected(rule, told)
    assert world.decision().points == world.balance()
    for said in told:
        world.hears(**said)
    assert world.moved() == again
    assert world.decision() == world.decision("evt1")


class Crashing:
    """Counts writes, and kills the worker before or after the one that is due."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.left, self.after = at, after
        self.crashed = False

    def write(self, carry_out: Callable[[], Any]) -> Any:
        """Carry a write out, or die."""
        self.left -= 1
        if self.left == 0 and not self.after:
            self.crashed = True
            raise RuntimeError("killed before a write")
        done = carry_out()
        if self.left == 0:
            self.crashed = True
            raise RuntimeError("killed after a write")
        return done


class CrashingDecisions(MemoryDecisions):
    """Decisions whose writes may be a worker's last."""

    def __init__(self, crash: Crashing) -> None:
        super().__init__()
        self.crash = crash

    def commit(self, change: ReviewChange) -> Any:
        return self.crash.write(lambda: super(CrashingDecisions, self).commit(change))


class CrashingLedger(MemoryLedger):
    """A ledger whose transactions may be a worker's last."""

    def __init__(self, crash: Crashing) -> None:
        super().__init__()
        self.crash = crash

    def commit(self, plan: Plan) -> None:
        self.crash.write(lambda: super(CrashingLedger, self).commit(plan))


LIFE: tuple[dict[str, Any], ...] = (
    STARS,
    {"review_key": "evt1", "text_digest": "another"},
    {},
    {"other_keys": ("evt1",)},
    {"status": "rejected", "updated_at": WRITTEN + timedelta(hours=1)},
    {"status": "published", "updated_at": WRITTEN + timedelta(hours=2)},
    {"review_key": f"{2:032x}", "text_digest": "third"},
    {"review_key": f"{3:032x}", "text_digest": "fourth"},
)
"""A rating, its review under two names that turn out to be one, rejected, published; another, one above the limit."""

RULE = ReviewRule(
    text_points=20,
    limit=ReviewLimit(2, CapPeriod.EVER),
    product_limit=ReviewLimit(2, CapPeriod.EVER),
    refuse_duplicates=True,
)
WRITES = 22


def lived(crash: Crashing) -> tuple[Any, ...]:
    """What stands after a life in which a worker was killed at one write, and its message came again."""
    world = ReviewWorld(
        RULE,
        decisions=CrashingDecisions(crash),
        store=CrashingLedger(crash),
        terms=Terms(overdraft=Overdraft.ALLOW_NEGATIVE),
    )
    for said in LIFE:
        try:
            world.hears(**said)
        except RuntimeError:
            world.hears(**said)
    decision, other = world.decision(KEY), world.decision(f"{3:032x}")
    tally = world.decisions.tally(world.program.slug, world.ledger.locate(world.program, SARAH).member_id)
    facts = (decision.outcome, decision.points, decision.turn, decision.names, len(decision.entries), other.code)
    return (world.balance(), sum(world.moved()), facts, [each.review_key for each in tally.reviews])


def test_the_life_of_a_review_takes_as_many_writes_as_are_tried() -> None:
    crash = Crashing(10_000, after=False)
    lived(crash)
    assert 10_000 - crash.left == WRITES


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, WRITES + 1))
def test_a_worker_that_is_killed_at_any_write_leaves_the_same_in_the_end(write: int, *, after: bool) -> None:
    """Before it or after it; the message comes again."""
    crash = Crashing(write, after=after)
    undisturbed = lived(Crashing(10_000, after=False))
    assert lived(crash) == undisturbed
    assert crash.crashed
