"""Tiers and rewards as a member meets them: where one stands, what comes next, and what is missing to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.rewards import Reward, reward_outlook
from loyalty.domain.tiers import Tier, tier_progress

BRONZE, GOLD = Tier(3, "Bronze", 100), Tier(9, "Gold", 1000, "Free delivery")
SMALL, MUG, LARGE = Reward("small", "5 EUR off", 500), Reward("mug", "Mug", 500), Reward("large", "20 EUR off", 1800)
SARAH = Member(ProgramSlug("candles"), MemberId("m"))

points = st.integers(0, 2_000)


def earned(total: int, **amounts: int) -> Member:
    return replace(SARAH, amounts=Amounts(available=total, earned=total, **amounts))


@pytest.mark.parametrize(
    ("total", "present", "following", "missing"),
    [
        (0, None, BRONZE, 100),
        (99, None, BRONZE, 1),
        (100, BRONZE, GOLD, 900),
        (999, BRONZE, GOLD, 1),
        (1000, GOLD, None, None),
        (5000, GOLD, None, None),
    ],
)
def test_a_tier_is_reached_with_its_points(
    total: int, present: Tier | None, following: Tier | None, missing: int | None
) -> None:
    """R41, R51, R162."""
    progress = tier_progress([GOLD, BRONZE], earned(total))
    assert progress is not None
    assert (progress.present, progress.next, progress.missing, progress.points) == (present, following, missing, total)


def test_spending_keeps_the_tier_and_giving_back_what_was_bought_does_not() -> None:
    spent = replace(SARAH, amounts=Amounts(available=0, earned=1000, spent=600, expired=300, deducted=100))
    given_back = replace(SARAH, amounts=Amounts(available=500, earned=1000, reversed=500))
    progresses = [tier_progress([BRONZE, GOLD], member) for member in (spent, given_back)]
    assert [progress and progress.present for progress in progresses] == [GOLD, BRONZE]


def test_the_best_reward_is_the_dearest_affordable_one_and_the_next_the_cheapest_beyond() -> None:
    """R161. Of two with one price the first one counts."""
    outlook = reward_outlook([LARGE, SMALL, MUG], earned(700))
    assert outlook is not None
    assert (outlook.best, outlook.next, outlook.missing) == (SMALL, LARGE, 1100)
    outlook = reward_outlook([LARGE, replace(SMALL, enabled=False)], earned(700))
    assert outlook is not None
    assert (outlook.best, outlook.next) == (None, LARGE)


def test_reserved_points_do_not_buy_rewards() -> None:
    outlook = reward_outlook([SMALL], replace(SARAH, amounts=Amounts(available=400, held=100, earned=500)))
    assert outlook is not None
    assert (outlook.best, outlook.missing) == (None, 100)


@pytest.mark.parametrize("standing", [each for each in Standing if each is not Standing.MEMBER])
def test_only_members_have_tiers_and_rewards(standing: Standing) -> None:
    """R164."""
    somebody = replace(earned(5000), standing=standing)
    assert tier_progress([BRONZE], somebody) is None
    assert reward_outlook([SMALL], somebody) is None


@given(thresholds=st.lists(points, unique=True, min_size=1, max_size=6), total=points)
def test_the_points_missing_to_a_tier_are_exactly_enough(thresholds: list[int], total: int) -> None:
    tiers = [Tier(number, str(number), threshold) for number, threshold in enumerate(thresholds, 1)]
    progress = tier_progress(tiers, earned(total))
    assert progress is not None
    if progress.missing is None:
        assert max(thresholds) <= total
        return
    there, nearly = (tier_progress(tiers, earned(total + progress.missing - short)) for short in (0, 1))
    assert there is not None
    assert nearly is not None
    assert progress.next == there.present != nearly.present == progress.present


@given(prices=st.lists(points.filter(bool), min_size=1, max_size=6), total=points)
def test_the_points_missing_to_a_reward_are_exactly_enough(prices: list[int], total: int) -> None:
    rewards = [Reward(str(number), str(number), price) for number, price in enumerate(prices, 1)]
    outlook = reward_outlook(rewards, earned(total))
    assert outlook is not None
    if outlook.missing is None:
        assert max(prices) <= total
        return
    there, nearly = (reward_outlook(rewards, earned(total + outlook.missing - short)) for short in (0, 1))
    assert there is not None
    assert nearly is not None
    assert outlook.next == there.best != nearly.best == outlook.best
