"""Who sends a program's e-mails: the merchant's own e-mail app, a Klaviyo flow, or nobody (R140, R151, R191).

The product sends no e-mail. It knows what the merchant says of both sides, and warns when customers would get the same
e-mail twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class EmailType(StrEnum):
    """The e-mails of a loyalty program (R142-R150)."""

    POINTS_EARNED = "points_earned"
    REWARD_REDEEMED = "reward_redeemed"
    BIRTHDAY_REWARD = "birthday_reward"
    POINTS_EXPIRY_WARNING = "points_expiry_warning"
    POINTS_EXPIRY_LAST_CHANCE = "points_expiry_last_chance"
    FRIEND_RECEIVED_REFERRAL = "friend_received_referral"
    REFERRAL_COMPLETED = "referral_completed"
    VIP_TIER_ACHIEVED = "vip_tier_achieved"
    REWARD_EXPIRY_REMINDER = "reward_expiry_reminder"


class Sender(StrEnum):
    """Who is to send e-mails of a type."""

    OWN = "own"
    KLAVIYO = "klaviyo"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """Who is to send e-mails of one type, and whether the merchant's own e-mail of that type is switched on."""

    sender: Sender
    own_email: bool


def duplicate_channels(channels: Mapping[EmailType, EmailChannel]) -> list[EmailType]:
    """Types that customers would get both from Klaviyo and from the merchant's own e-mail app (R151)."""
    return [kind for kind in EmailType if (it := channels.get(kind)) and it.sender is Sender.KLAVIYO and it.own_email]
