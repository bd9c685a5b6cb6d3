"""VIP tiers: which one a member is in, and what the next one asks for (R47-R51, R162)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.domain.ledger.member import Member, Standing


@dataclass(frozen=True, slots=True)
class Tier:
    """A tier of a program. ``id`` is the program's own number for it; ``from_points`` is what it takes to be in it."""

    id: int
    name: str
    from_points: int
    benefits: str = ""


@dataclass(frozen=True, slots=True)
class TierProgress:
    """A member's way through the tiers: ``points`` gathered, the present tier and the next, each None without one."""

    points: int
    present: Tier | None
    next: Tier | None

    @property
    def missing(self) -> int | None:
        """Points missing to the next tier."""
        return self.next.from_points - self.points if self.next else None


def tier_points(member: Member) -> int:
    """What tiers are measured by: points ever earned, less earnings that were taken back.

    Spending, expiry and deductions by hand do not count, so nobody falls by using points; a refunded order does, so
    nobody rises by buying and giving back.
    """
    return member.amounts.earned - member.amounts.reversed


def tier_progress(tiers: Sequence[Tier], member: Member) -> TierProgress | None:
    """A member's way through a program's tiers; None where there are none, or for whoever has not joined (R164)."""
    if not tiers or member.standing is not Standing.MEMBER:
        return None
    points = tier_points(member)
    reached = [tier for tier in tiers if tier.from_points <= points]
    ahead = [tier for tier in tiers if tier.from_points > points]
    return TierProgress(
        points,
        max(reached, key=lambda tier: tier.from_points, default=None),
        min(ahead, key=lambda tier: tier.from_points, default=None),
    )
