"""Rewards: what points can be exchanged for, as far as members are told of it (R161)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.domain.ledger.member import Member, Standing


@dataclass(frozen=True, slots=True)
class Reward:
    """A reward of a program and its price. One that is not ``enabled`` is kept, and told to nobody."""

    id: str
    name: str
    points: int
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RewardOutlook:
    """What a member's points suffice for at best, and what comes next; each None without one."""

    points: int
    best: Reward | None
    next: Reward | None

    @property
    def missing(self) -> int | None:
        """Points missing to the next reward."""
        return self.next.points - self.points if self.next else None


def reward_outlook(rewards: Sequence[Reward], member: Member) -> RewardOutlook | None:
    """What a member can have of a program's rewards; None where there are none, or for whoever has not joined (R164).

    Of rewards with one price the first in the program's order counts.
    """
    if not rewards or member.standing is not Standing.MEMBER:
        return None
    points = member.amounts.available
    offered = [reward for reward in rewards if reward.enabled]
    affordable = [reward for reward in offered if reward.points <= points]
    ahead = [reward for reward in offered if reward.points > points]
    return RewardOutlook(
        points,
        max(affordable, key=lambda reward: reward.points, default=None),
        min(ahead, key=lambda reward: reward.points, default=None),
    )
