"""What Klaviyo is told of tiers and rewards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.member import Member, Profile, Standing
from loyalty.domain.naming import naming_preset
from loyalty.domain.profile_fields import PROFILE_FIELDS, RESERVED
from loyalty.domain.rewards import Reward
from loyalty.domain.telling import profile_of
from loyalty.domain.tiers import Tier
from tests.builders import SARAH, a_program

PROGRAM = a_program()
OFFERING = replace(
    PROGRAM,
    tiers=(Tier(1, "Bronze", 100), Tier(2, "Gold", 1000)),
    rewards=(Reward("small", "5 EUR off", 500), Reward("large", "20 EUR off", 1800)),
)
ON_THE_WAY = Amounts(available=700, earned=900, spent=200)


def a_member(amounts: Amounts, standing: Standing = Standing.MEMBER) -> Member:
    profile = Profile(email=SARAH.value)
    return Member(PROGRAM.slug, MemberId("m"), standing=standing, amounts=amounts, profile=profile)


@pytest.mark.parametrize(
    ("naming", "told"),
    [
        (
            "tallyhook",
            {
                "loyalty_vip_tier": "Bronze",
                "loyalty_vip_tier_id": 1,
                "loyalty_vip_next_tier": "Gold",
                "loyalty_vip_progress_current": 900,
                "loyalty_vip_progress_required": 1000,
                "loyalty_best_reward": "5 EUR off",
                "loyalty_next_reward": "20 EUR off",
                "loyalty_points_to_next_reward": 1100,
            },
        ),
        ("smile", {"Smile VIP Tier Name": "Bronze", "Smile VIP Tier ID": 1, "loyalty_vip_next_tier": "Gold"}),
        (
            "rijoy",
            {
                "rijoy_vip_tier": "Bronze",
                "rijoy_vip_next_tier": "Gold",
                "rijoy_vip_progress_current": 900,
                "rijoy_vip_progress_required": 1000,
            },
        ),
    ],
)
def test_tier_and_rewards_are_told(naming: str, told: dict[str, Any]) -> None:
    """R41, R42, R47-R49, R51, R161, W4."""
    profile = profile_of(replace(OFFERING, naming=naming), a_member(amounts=ON_THE_WAY))
    assert profile is not None
    assert told.items() <= profile.properties.items()


def test_every_field_is_told_or_reserved() -> None:
    """What ``docs/events.md`` lists as not filled yet is neither sent nor removed, and all else is one of both."""
    profile = profile_of(OFFERING, a_member(amounts=ON_THE_WAY))
    assert profile is not None
    told = {each.id for each in PROFILE_FIELDS.values() if each.name in {*profile.properties, *profile.unset}}
    assert told == PROFILE_FIELDS.keys() - RESERVED


def test_at_the_top_nothing_comes_next_and_a_candidate_has_no_tier() -> None:
    """R164. What a profile said before is removed."""
    top = profile_of(OFFERING, a_member(amounts=Amounts(available=2000, earned=2000)))
    assert top is not None
    assert top.properties["loyalty_vip_tier"] == "Gold"
    following = {"loyalty_vip_next_tier", "loyalty_vip_progress_required", "loyalty_next_reward"}
    assert following | {"loyalty_points_to_next_reward"} <= set(top.unset)
    candidate = profile_of(OFFERING, a_member(amounts=ON_THE_WAY, standing=Standing.CANDIDATE))
    assert candidate is not None
    assert {"loyalty_vip_tier", "loyalty_vip_progress_current", "loyalty_best_reward"} <= set(candidate.unset)


def test_a_program_without_tiers_and_rewards_leaves_their_properties_alone() -> None:
    """Another app may still be filling them."""
    profile = profile_of(PROGRAM, a_member(amounts=ON_THE_WAY))
    assert profile is not None
    assert not {name for name in (*profile.properties, *profile.unset) if "vip" in name or "reward" in name}


def test_the_documented_property_names_are_those_of_the_presets() -> None:
    """R163: what custom content blocks look up, the referral URL among it."""
    text = (Path(__file__).parents[3] / "docs" / "customer-hub.md").read_text(encoding="utf-8")
    lines = [line.split("|")[2:-1] for line in text.splitlines() if line.startswith("|")]
    presets, rows = [name.strip(" `") for name in lines[0]], [[cell.strip(" `") for cell in row] for row in lines[2:]]
    fields = {field.name: field for field in PROFILE_FIELDS.values()}
    assert presets == ["tallyhook", "smile", "rijoy"]
    assert "loyalty_referral_url" in {row[0] for row in rows}
    for row in rows:
        assert row == [naming_preset(preset).property(fields[row[0]]) for preset in presets]
