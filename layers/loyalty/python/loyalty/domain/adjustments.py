"""How a program takes balance adjustments that its systems and Klaviyo's flows ask for (R121, R122, R126)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """Which way an adjustment goes; the endpoint alone says so, amounts are positive (R127)."""

    INCREASE = "increase"
    DECREASE = "decrease"

    def signed(self, amount: int) -> int:
        """The points to move for an amount."""
        return amount if self is Direction.INCREASE else -amount

    @property
    def event_type(self) -> str:
        """What Klaviyo hears of."""
        return "points_adjusted_up" if self is Direction.INCREASE else "points_adjusted_down"


class UnknownMember(StrEnum):
    """What an increase for an unknown address does: bring the customer in, with this standing, or refuse."""

    CANDIDATE = "candidate"
    MEMBER = "member"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class AdjustmentRule:
    """A program's rule.

    ``derived_keys`` lets an item that a flow sends without an idempotency key count once in 24 hours for the same
    flow, member, amount and reason.
    """

    unknown_member: UnknownMember = UnknownMember.CANDIDATE
    derived_keys: bool = False
