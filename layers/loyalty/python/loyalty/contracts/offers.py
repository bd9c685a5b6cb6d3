"""Rewards and tiers of a program as its settings show them (R159-R164)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from loyalty.contracts.forms import Form, Refused, Text, Words
from loyalty.domain.ledger.amounts import MAX_POINTS
from loyalty.domain.rewards import Reward
from loyalty.domain.tiers import Tier

MOST_REWARDS = 50
MOST_TIERS = 20


class RewardForm(Form):
    """What points can be exchanged for."""

    id: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,62}$", description="The program's own name for it.")]
    name: Annotated[Words, Field(max_length=100, examples=["5 EUR off"])]
    points: Annotated[int, Field(gt=0, le=MAX_POINTS, description="Its price.", examples=[500])]
    enabled: Annotated[bool, Field(description="Whether members are told of it.")] = True


class TierForm(Form):
    """A VIP tier. It is measured by the points a member ever earned, less earnings that were taken back."""

    id: Annotated[int, Field(ge=1, le=1_000_000, description="The program's own number for it.", examples=[1])]
    name: Annotated[Words, Field(max_length=100, examples=["Gold"])]
    from_points: Annotated[int, Field(ge=0, le=MAX_POINTS, description="Points it takes.", examples=[1000])]
    benefits: Annotated[Text, Field(max_length=500, description="What it brings, in words.")] = ""


def _different(values: Iterable[object], what: str) -> None:
    listed = list(values)
    if len(set(listed)) != len(listed):
        raise Refused("repeated", f"Each {what} once")


def _distinct_rewards(rewards: list[RewardForm]) -> list[RewardForm]:
    _different((reward.id for reward in rewards), "id")
    return rewards


def _distinct_tiers(tiers: list[TierForm]) -> list[TierForm]:
    _different((tier.id for tier in tiers), "id")
    _different((tier.from_points for tier in tiers), "number of points")
    return tiers


RewardForms = Annotated[
    list[RewardForm],
    AfterValidator(_distinct_rewards),
    Field(
        max_length=MOST_REWARDS,
        description="What points can be exchanged for. Members' profiles in Klaviyo learn of a change of rewards or "
        "tiers with each member's next change, or with the next full sync.",
    ),
]

TierForms = Annotated[
    list[TierForm],
    AfterValidator(_distinct_tiers),
    Field(max_length=MOST_TIERS, description="VIP tiers; a member is in the highest whose points are reached."),
]


def rewards_of(forms: Sequence[RewardForm]) -> tuple[Reward, ...]:
    """Rewards in the order in which they were given."""
    return tuple(Reward(**form.model_dump()) for form in forms)


def tiers_of(forms: Sequence[TierForm]) -> tuple[Tier, ...]:
    """Tiers, the lowest first."""
    return tuple(sorted((Tier(**form.model_dump()) for form in forms), key=lambda tier: tier.from_points))


def facts_of(offers: Sequence[Reward] | Sequence[Tier]) -> list[dict[str, Any]]:
    """Rewards or tiers as their forms show them."""
    return [asdict(offer) for offer in offers]
