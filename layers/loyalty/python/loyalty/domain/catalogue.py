"""The catalogue: every kind of event Klaviyo can hear of, and what each one says (R64-R91).

Ids are neutral and stable; the names Klaviyo sees come from a naming preset (``naming``). Types that nothing
produces yet stand here with their schema, so that flows can be planned for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from loyalty.domain.errors import Invalid


class ValueType(StrEnum):
    """The type a property has in Klaviyo, always the same for one property (R61)."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TEXTS = "texts"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of a value of this type. A date is sent as its noon, see ``moments.noon``."""
        match self:
            case ValueType.INTEGER | ValueType.NUMBER:
                return {"type": self.value}
            case ValueType.TEXT:
                return {"type": "string", "minLength": 1}
            case ValueType.FLAG:
                return {"type": "boolean"}
            case ValueType.DATE:
                return {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T12:00:00Z$"}
            case ValueType.TIMESTAMP:
                return {"type": "string", "format": "date-time"}
            case ValueType.TEXTS:
                return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an event. Optional ones are left out when there is nothing to say."""

    name: str
    type: ValueType
    description: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: its id, its default metric name, when it is sent, and its properties."""

    id: str
    name: str
    description: str
    properties: tuple[Property, ...]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the event's properties."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.name,
            "description": self.description,
            "type": "object",
            "properties": {
                each.name: {**each.type.schema, "description": each.description} for each in self.properties
            },
            "required": [each.name for each in self.properties if each.required],
            "additionalProperties": {"type": ["string", "number", "boolean"]},
        }


def _text(name: str, description: str, *, required: bool = True) -> Property:
    return Property(name, ValueType.TEXT, description, required)


def _integer(name: str, description: str, *, required: bool = True) -> Property:
    return Property(name, ValueType.INTEGER, description, required)


def _date(name: str, description: str, *, required: bool = True) -> Property:
    return Property(name, ValueType.DATE, description, required)


_EVERY_EVENT = (
    _text("ledger_entry_id", "Id of the journal entry; use it as the idempotency key of a flow's webhook."),
    _integer("balance_after", "Points the member can spend afterwards. Absent when 0.", required=False),
    _text("balance_after_text", "The same as text, so that 0 arrives: Klaviyo drops a property that is 0."),
    _text("source", "Kind of thing that caused it, such as klaviyo_review, order, flow, staff, schedule."),
    _text("source_id", "Id of that thing where it came from.", required=False),
    _text("reason", "The reason given, in the words of the activity log.", required=False),
)
_POINTS = _integer("points", "Points this is about, a positive number.")
_ORDER = _text("order_number", "The order's number in the store.")
_REWARD = _text("reward_name", "Name of the reward.")
_CODE = _text("discount_code", "The discount code.")


def _moving(name: str, title: str, description: str, *properties: Property) -> EventType:
    return EventType(name, title, description, (*_EVERY_EVENT, _POINTS, *properties))


def _notice(name: str, title: str, description: str, *properties: Property) -> EventType:
    return EventType(name, title, description, (*_EVERY_EVENT, *properties))


_EARNING = (
    _moving(
        "points_earned_review",
        "Points Earned on Review",
        "A review or rating submitted through Klaviyo Reviews earned points (R103).",
        _text("review_id", "The key of the review, the same for everything Klaviyo tells of one submission."),
        _text("review_kind", "What was submitted: review, or rating for stars alone."),
        Property("verified", ValueType.FLAG, "Whether Klaviyo marks the review as verified.", required=False),
        Property("has_media", ValueType.FLAG, "Whether it has an image or a video.", required=False),
        _integer("rating", "Stars given, 1 to 5.", required=False),
        _text("product", "Title of the reviewed product.", required=False),
        _text("product_url", "The product's page.", required=False),
        _integer("text_points", "Points among these for the review's text.", required=False),
        _integer("media_points", "Points among these for its image or video.", required=False),
    ),
    _moving(
        "points_pending_order",
        "Points Pending on Order",
        "An order was placed; its points wait for their activation (R76).",
        _ORDER,
        _date("activates_on", "Day on which the points are expected to become available."),
    ),
    _moving("points_earned_order", "Points Earned on Order", "An order's points became available (R65, R77).", _ORDER),
    _moving(
        "points_earned_signup",
        "Points Earned on Sign-up",
        "Points for joining the program (R78).",
        Property("registered_at", ValueType.TIMESTAMP, "When the customer joined."),
    ),
    _moving("points_earned_birthday", "Points Earned on Birthday", "Points for a birthday (R80)."),
    _moving(
        "points_earned_campaign",
        "Campaign Bonus Points Earned",
        "An order earned extra points in a campaign, beside its normal ones (R81).",
        _ORDER,
        _text("campaign_name", "Name of the campaign."),
        Property("multiplier", ValueType.NUMBER, "What the campaign multiplies points with."),
    ),
    _moving("points_adjusted_up", "Points Added", "Staff or a flow added points (R79, R121)."),
)

_LOSING = (
    _moving("points_adjusted_down", "Points Deducted", "Staff or a flow took points (R83, R122)."),
    _moving(
        "points_cancelled",
        "Pending Points Cancelled",
        "An order was cancelled before its points counted (R82).",
        _ORDER,
    ),
    _moving(
        "points_deducted_refund",
        "Points Deducted on Refund",
        "An order was refunded and its points were taken back (R84).",
        _ORDER,
        Property("proportion", ValueType.NUMBER, "Part of the order that was refunded, above 0 and up to 1."),
    ),
    _moving(
        "points_deducted_review",
        "Points Deducted on Review",
        "A review that had earned points was rejected or taken off the store, and they were taken back.",
        _text("review_id", "The key of the review, as when it earned."),
        _text("review_status", "The review's status, such as rejected.", required=False),
        _text("rejection_reason", "Why it was rejected, where the review app says.", required=False),
    ),
    _moving("points_expired", "Points Expired", "Points reached the end of their last day (R175)."),
    _moving(
        "points_expiring",
        "Points Expiring",
        "Points are about to expire; sent at the warning and at the last-chance threshold (R67, R72).",
        _date("expires_on", "Last day on which the points can be spent."),
        _integer("days_left", "The threshold that was reached, in days."),
        Property("last_chance", ValueType.FLAG, "Whether this is the last warning of these points.", required=False),
        _text("kept_by", "What would keep the points: spending, or earning or spending.", required=False),
    ),
)

_REWARDS = (
    _moving(
        "points_redeemed",
        "Points Redeemed",
        "Points were exchanged for a reward (R66, R85).",
        _REWARD,
        _text("discount_code", "The discount code, where the reward is one.", required=False),
        _date("expires_on", "Last day on which the reward can be used.", required=False),
    ),
    _notice(
        "reward_used",
        "Reward Used",
        "An order was placed with a redeemed code (R86).",
        _CODE,
        _ORDER,
        Property("discount_amount", ValueType.NUMBER, "Discount in the store's currency.", required=False),
    ),
    _notice(
        "reward_expiring",
        "Reward Expiring",
        "A reward that was not used yet is about to expire (R70).",
        _REWARD,
        _text("discount_code", "The discount code, where the reward is one.", required=False),
        _date("expires_on", "Last day on which the reward can be used."),
    ),
    _notice(
        "birthday_reward_issued",
        "Birthday Reward Issued",
        "A birthday brought a reward (R64).",
        _REWARD,
        _text("discount_code", "The discount code, where the reward is one.", required=False),
        _date("expires_on", "Last day on which the reward can be used.", required=False),
    ),
)

_TIERS = (
    _notice(
        "tier_upgraded",
        "VIP Tier Achieved",
        "The member reached, or was put into, a higher tier (R71, R87).",
        _text("tier", "The new tier."),
        _text("previous_tier", "The tier before.", required=False),
        _text("benefits", "What the new tier brings.", required=False),
    ),
    _notice(
        "tier_downgraded",
        "VIP Tier Lost",
        "The member fell to a lower tier (R88).",
        _text("tier", "The new tier.", required=False),
        _text("previous_tier", "The tier before."),
        _text("requirements", "What the next cycle asks for.", required=False),
        _text("downgrade_reason", "Why the tier was lost."),
    ),
    _notice(
        "tier_progressed",
        "VIP Tier Progress",
        "The member came closer to the next tier (R89).",
        _text("tier", "The present tier.", required=False),
        Property("missing", ValueType.NUMBER, "What is missing to the next tier, in the program's measure."),
    ),
)

_REFERRALS = (
    _notice(
        "referral_started",
        "Referral Started",
        "A referred friend claimed the friend's reward (R68).",
        _text("referrer_id", "Member id of the advocate."),
        _text("reward_name", "Name of the friend's reward.", required=False),
    ),
    _notice(
        "referral_completed",
        "Referral Completed",
        "The advocate got the reward for a referral (R69).",
        _text("reward_name", "Name of the advocate's reward.", required=False),
        _integer("points", "Points the advocate got, where the reward is points.", required=False),
    ),
    _notice(
        "referral_registered",
        "Referred Friend Registered",
        "An invited friend signed up (R90).",
        _text("referrer_id", "Member id of the advocate."),
        _integer("points", "Points granted for it.", required=False),
    ),
    _notice(
        "referral_first_order",
        "Referred Friend Ordered",
        "An invited friend placed the first order (R91).",
        _ORDER,
        _integer("points", "Points granted for it.", required=False),
    ),
)

EVENT_TYPES: Mapping[str, EventType] = {
    each.id: each for each in (*_EARNING, *_LOSING, *_REWARDS, *_TIERS, *_REFERRALS)
}
"""All event types by id."""


def event_type(name: str) -> EventType:
    """Look an event type up.

    Raises:
        Invalid: the catalogue has no such type (R92).
    """
    try:
        return EVENT_TYPES[name]
    except KeyError:
        raise Invalid(f"There is no event type {name!r}.", code="unknown_event_type", event_type=name) from None
