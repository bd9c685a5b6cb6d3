"""What Klaviyo calls things: naming presets over the catalogue.

``tallyhook`` is the default. ``smile`` and ``rijoy`` give events and profile fields the names those apps gave them, so
that a store which leaves one of them keeps its segments and templates. What an app had no name for keeps the default.
A program's own names stand above those of its preset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.domain.catalogue import EVENT_TYPES, EventType
from loyalty.domain.errors import Invalid
from loyalty.domain.ledger.member import Standing
from loyalty.domain.profile_fields import PROFILE_FIELDS, ProfileField


@dataclass(frozen=True, slots=True)
class Naming:
    """Names that differ from the default, by catalogue id.

    ``states`` are words for a member's standing, ``properties`` the names of event properties by event type.
    """

    metrics: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[Standing, str] = field(default_factory=dict)
    properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def metric(self, event_type: EventType) -> str:
        """Name of an event type's metric. Klaviyo can neither rename nor delete a metric once it has an event (R74)."""
        return self.metrics.get(event_type.id, event_type.name)

    def event_property(self, event_type: EventType, name: str) -> str:
        """Name of a property of an event."""
        return self.properties.get(event_type.id, {}).get(name, name)

    def property(self, profile_field: ProfileField) -> str:
        """Name of a profile property."""
        return self.fields.get(profile_field.id, profile_field.name)

    def state(self, standing: Standing) -> str:
        """Word for a member's standing."""
        return self.states.get(standing, standing.value)


_SMILE = Naming(
    metrics={
        "birthday_reward_issued": "Birthday Reward Issued",
        "points_earned_order": "Points Earned on Order",
        "points_redeemed": "Points Redeemed",
        "points_expiring": "Points Expiring",
        "referral_started": "Referral Started",
        "referral_completed": "Referral Completed",
        "reward_expiring": "Reward Expiring",
        "tier_upgraded": "VIP Tier Achieved",
    },
    fields={
        "points_balance": "Smile Points Balance",
        "referral_url": "Smile Referral URL",
        "state": "Smile State",
        "vip_tier": "Smile VIP Tier Name",
        "vip_tier_id": "Smile VIP Tier ID",
    },
    states={Standing.EXCLUDED: "disabled"},
)

_RIJOY = Naming(
    metrics={
        "points_pending_order": "rijoy_points_earned_order_pending",
        "points_earned_order": "rijoy_points_earned_order",
        "points_earned_signup": "rijoy_points_earned_signup",
        "points_adjusted_up": "rijoy_points_earned_manual",
        "points_earned_birthday": "rijoy_points_earned_birthday",
        "points_earned_campaign": "rijoy_points_earned_campaign_bonus",
        "points_cancelled": "rijoy_points_canceled",
        "points_adjusted_down": "rijoy_points_deducted_manual",
        "points_deducted_refund": "rijoy_points_deducted",
        "points_redeemed": "rijoy_points_redeemed_discount",
        "reward_used": "rijoy_reward_discount_used",
        "tier_upgraded": "rijoy_vip_upgraded",
        "tier_downgraded": "rijoy_vip_downgraded",
        "tier_progressed": "rijoy_vip_progress_update",
        "referral_registered": "rijoy_referral_invitee_registered",
        "referral_first_order": "rijoy_referral_invitee_first_order",
    },
    fields={
        "points_balance": "rijoy_points_available",
        "points_pending": "rijoy_points_pending",
        "points_lifetime_earned": "rijoy_points_lifetime_earned",
        "points_lifetime_spent": "rijoy_points_lifetime_spent",
        "vip_tier": "rijoy_vip_tier",
        "vip_progress_current": "rijoy_vip_progress_current",
        "vip_progress_required": "rijoy_vip_progress_required",
        "vip_upgraded_at": "rijoy_vip_upgrade_at",
        "vip_next_tier": "rijoy_vip_next_tier",
        "referral_url": "rijoy_referral_url",
        "referral_registrations": "rijoy_referral_registration_count",
        "referral_first_orders": "rijoy_referral_first_order_count",
        "referred_by": "rijoy_referred_by",
    },
)

PRESETS: Mapping[str, Naming] = {"tallyhook": Naming(), "smile": _SMILE, "rijoy": _RIJOY}
"""The presets by name."""


def naming_preset(name: str) -> Naming:
    """Look a preset up.

    Raises:
        Invalid: there is no such preset.
    """
    try:
        return PRESETS[name]
    except KeyError:
        message = f"There is no naming preset {name!r}; use one of {', '.join(sorted(PRESETS))}."
        raise Invalid(message, code="unknown_naming", naming=name) from None


NAMES_TO_KEEP = frozenset({"ledger_entry_id"})
"""Event properties that nobody can rename: webhooks of flows name our entries by them (docs/klaviyo.md 7)."""


def naming_of(preset: str, names: Naming) -> Naming:
    """A program's names: its own, and for everything else those of its preset.

    Raises:
        Invalid: there is no such preset.
    """
    base = naming_preset(preset)
    return Naming(
        metrics={**base.metrics, **names.metrics},
        fields={**base.fields, **names.fields},
        states={**base.states, **names.states},
        properties={**base.properties, **names.properties},
    )


def doubled_names(preset: str, names: Naming) -> list[str]:
    """Names that two event types, two properties of one event, or two profile fields would share.

    Two types in one metric would set off each other's flows, and of two properties only one would arrive.
    """
    naming = naming_of(preset, names)
    groups = [
        [naming.metric(kind) for kind in EVENT_TYPES.values()],
        [naming.property(each) for each in PROFILE_FIELDS.values()],
        *([naming.event_property(kind, each.name) for each in kind.properties] for kind in EVENT_TYPES.values()),
    ]
    return [name for group in groups for name, times in Counter(group).items() if times > 1]
