"""What a member may see of the own account: balance, tier and rewards (R159-R164)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from loyalty.contracts.forms import Told
from loyalty.contracts.members import ExpiringDocument, expiry_of
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.domain.rewards import Reward, reward_outlook
from loyalty.domain.tiers import Tier, tier_progress


class TierDocument(Told):
    """A member's present tier."""

    id: int
    name: str
    from_points: int
    benefits: str


class NextTierDocument(TierDocument):
    """The tier above the present one."""

    missing_points: Annotated[int, Field(description="Points to be earned until then.")]


class RewardDocument(Told):
    """A reward that the balance suffices for."""

    id: str
    name: str
    points: int


class NextRewardDocument(RewardDocument):
    """The next reward that the balance does not suffice for yet."""

    missing_points: int


class SummaryDocument(Told):
    """What a member may see of the own account in a storefront or in Klaviyo's Customer Hub (R160-R162)."""

    member_id: str
    points_balance: int
    points_pending: int
    next_expiry: ExpiringDocument | None
    tier: Annotated[TierDocument | None, Field(description="null in a program without tiers, or below the lowest.")]
    next_tier: Annotated[NextTierDocument | None, Field(description="null at the top.")]
    best_reward: Annotated[RewardDocument | None, Field(description="The dearest reward the balance suffices for.")]
    next_reward: Annotated[NextRewardDocument | None, Field(description="The cheapest one it does not suffice for.")]

    @classmethod
    def of(cls, program: Program, member: Member) -> SummaryDocument:
        """Show a member to itself."""
        soonest = expiry_of(member)
        progress, outlook = tier_progress(program.tiers, member), reward_outlook(program.rewards, member)
        return cls(
            member_id=member.member_id,
            points_balance=member.amounts.available,
            points_pending=member.amounts.pending,
            next_expiry=soonest[0] if soonest else None,
            tier=TierDocument(**_tier(progress.present)) if progress and progress.present else None,
            next_tier=NextTierDocument(
                **_tier(progress.next), missing_points=progress.next.from_points - progress.points
            )
            if progress and progress.next
            else None,
            best_reward=RewardDocument(**_reward(outlook.best)) if outlook and outlook.best else None,
            next_reward=NextRewardDocument(**_reward(outlook.next), missing_points=outlook.next.points - outlook.points)
            if outlook and outlook.next
            else None,
        )


def _tier(tier: Tier) -> dict[str, Any]:
    return {"id": tier.id, "name": tier.name, "from_points": tier.from_points, "benefits": tier.benefits}


def _reward(reward: Reward) -> dict[str, Any]:
    return {"id": reward.id, "name": reward.name, "points": reward.points}
