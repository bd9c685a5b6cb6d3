"""The profile fields Klaviyo can hold of a member (R38-R55, W4), by neutral id.

Names come from a naming preset. A field that nothing fills yet is neither sent nor removed: a store that comes from
another app may still have that app's value in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loyalty.domain.catalogue import ValueType


@dataclass(frozen=True, slots=True)
class ProfileField:
    """One property of a profile: its id, its type in Klaviyo and what it says."""

    id: str
    type: ValueType
    description: str

    @property
    def name(self) -> str:
        """The name by default: one prefix for all, so that they stand together in Klaviyo."""
        return f"loyalty_{self.id}"


_FIELDS = (
    ProfileField("points_balance", ValueType.INTEGER, "Points the member can spend (R38, R43)."),
    ProfileField("points_pending", ValueType.INTEGER, "Points waiting for their activation (R44)."),
    ProfileField("points_lifetime_earned", ValueType.INTEGER, "Points ever earned; never falls (R45)."),
    ProfileField("points_lifetime_spent", ValueType.INTEGER, "Points ever spent, less what was given back (R46)."),
    ProfileField("state", ValueType.TEXT, "What the customer is to the program: member, candidate, excluded (R40)."),
    ProfileField("next_expiry_date", ValueType.DATE, "Last day of the points that expire next (W4)."),
    ProfileField("next_expiry_points", ValueType.INTEGER, "How many points expire then (W4)."),
    ProfileField("expiry_schedule", ValueType.TEXTS, "The next expiries, soonest first, as 'date: points' (W4)."),
    ProfileField("birthday", ValueType.DATE, "The member's birthday (R59)."),
    ProfileField("vip_tier", ValueType.TEXT, "Name of the present tier (R41, R47)."),
    ProfileField("vip_tier_id", ValueType.INTEGER, "Number of the present tier (R42)."),
    ProfileField("vip_progress_current", ValueType.NUMBER, "Progress in the present cycle (R48)."),
    ProfileField("vip_progress_required", ValueType.NUMBER, "What the next tier asks for (R49)."),
    ProfileField("vip_upgraded_at", ValueType.TIMESTAMP, "When the member last rose (R50)."),
    ProfileField("vip_next_tier", ValueType.TEXT, "Name of the next tier (R51)."),
    ProfileField("vip_deadline", ValueType.DATE, "Last day of the present cycle (W4)."),
    ProfileField("referral_url", ValueType.TEXT, "The member's referral link (R39, R52)."),
    ProfileField("referral_registrations", ValueType.INTEGER, "Friends who signed up (R53)."),
    ProfileField("referral_first_orders", ValueType.INTEGER, "Friends who ordered (R54)."),
    ProfileField("referred_by", ValueType.TEXT, "E-mail address of the advocate (R55)."),
    ProfileField("best_reward", ValueType.TEXT, "The best reward the points suffice for (W4, R161)."),
    ProfileField("next_reward", ValueType.TEXT, "The next reward (W4, R161)."),
    ProfileField("points_to_next_reward", ValueType.INTEGER, "Points missing to the next reward (W4, R161)."),
)

PROFILE_FIELDS: Mapping[str, ProfileField] = {each.id: each for each in _FIELDS}
"""All profile fields by id."""

RESERVED = frozenset(
    {
        "vip_upgraded_at",
        "vip_deadline",
        "referral_url",
        "referral_registrations",
        "referral_first_orders",
        "referred_by",
    }
)
"""The fields that nothing fills yet; their names are fixed."""
