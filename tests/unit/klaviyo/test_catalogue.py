"""The catalogue, its schemas and its names."""

import pytest
from jsonschema import Draft202012Validator

from loyalty.domain.catalogue import EVENT_TYPES, event_type
from loyalty.domain.errors import Invalid
from loyalty.domain.ledger.member import Standing
from loyalty.domain.naming import PRESETS, naming_preset
from loyalty.domain.profile_fields import PROFILE_FIELDS

SMILE_EVENTS = {
    "Birthday Reward Issued",
    "Points Earned on Order",
    "Points Redeemed",
    "Points Expiring",
    "Referral Started",
    "Referral Completed",
    "Reward Expiring",
    "VIP Tier Achieved",
}
RIJOY_EVENTS = {
    "rijoy_points_earned_order_pending",
    "rijoy_points_earned_order",
    "rijoy_points_earned_signup",
    "rijoy_points_earned_manual",
    "rijoy_points_earned_birthday",
    "rijoy_points_earned_campaign_bonus",
    "rijoy_points_canceled",
    "rijoy_points_deducted_manual",
    "rijoy_points_deducted",
    "rijoy_points_redeemed_discount",
    "rijoy_reward_discount_used",
    "rijoy_vip_upgraded",
    "rijoy_vip_downgraded",
    "rijoy_vip_progress_update",
    "rijoy_referral_invitee_registered",
    "rijoy_referral_invitee_first_order",
}
SMILE_FIELDS = {
    "Smile Points Balance",
    "Smile Referral URL",
    "Smile State",
    "Smile VIP Tier Name",
    "Smile VIP Tier ID",
}
RIJOY_FIELDS = {
    "rijoy_points_available",
    "rijoy_points_pending",
    "rijoy_points_lifetime_earned",
    "rijoy_points_lifetime_spent",
    "rijoy_vip_tier",
    "rijoy_vip_progress_current",
    "rijoy_vip_progress_required",
    "rijoy_vip_upgrade_at",
    "rijoy_vip_next_tier",
    "rijoy_referral_url",
    "rijoy_referral_registration_count",
    "rijoy_referral_first_order_count",
    "rijoy_referred_by",
}
PRODUCED = {"points_earned_review", "points_expired", "points_adjusted_up", "points_adjusted_down"}


def metrics(preset: str) -> list[str]:
    return [PRESETS[preset].metric(each) for each in EVENT_TYPES.values()]


def fields(preset: str) -> list[str]:
    return [PRESETS[preset].property(each) for each in PROFILE_FIELDS.values()]


def test_the_smile_preset_has_smiles_events_and_fields_by_their_exact_names() -> None:
    """R38-R42, R64-R71."""
    assert set(metrics("smile")) >= SMILE_EVENTS
    assert set(fields("smile")) >= SMILE_FIELDS


def test_the_rijoy_preset_has_rijoys_events_and_fields_by_their_exact_names() -> None:
    """R43-R55, R76-R91."""
    assert set(metrics("rijoy")) >= RIJOY_EVENTS
    assert set(fields("rijoy")) >= RIJOY_FIELDS


def test_what_the_product_produces_is_in_the_catalogue() -> None:
    assert set(EVENT_TYPES) >= PRODUCED


def test_default_names_are_what_the_documentation_says() -> None:
    """R74: a metric cannot be renamed in Klaviyo, so a changed name here breaks every flow that uses it."""
    naming = naming_preset("tallyhook")
    assert naming.metric(event_type("points_earned_review")) == "Points Earned on Review"
    assert naming.metric(event_type("points_expired")) == "Points Expired"
    assert naming.metric(event_type("points_adjusted_up")) == "Points Added"
    assert naming.metric(event_type("points_adjusted_down")) == "Points Deducted"
    assert set(fields("tallyhook")) >= {
        "loyalty_points_balance",
        "loyalty_points_pending",
        "loyalty_points_lifetime_earned",
        "loyalty_points_lifetime_spent",
        "loyalty_state",
        "loyalty_next_expiry_date",
        "loyalty_next_expiry_points",
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_no_two_things_share_a_name(preset: str) -> None:
    """Two event types in one metric would set off each other's flows."""
    assert len(set(metrics(preset))) == len(EVENT_TYPES)
    assert len(set(fields(preset))) == len(PROFILE_FIELDS)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_name_is_one_that_klaviyo_takes(preset: str) -> None:
    """Metric names stay under 128 characters; keys that start with $ are reserved."""
    assert all(0 < len(name) < 128 for name in metrics(preset))
    assert not [name for name in fields(preset) if name.startswith("$")]
    properties = {each.name for kind in EVENT_TYPES.values() for each in kind.properties}
    assert not [name for name in properties if name.startswith("$") or name == "value"]


@pytest.mark.parametrize("preset", ["smile", "rijoy"])
def test_a_preset_renames_only_what_the_catalogue_has(preset: str) -> None:
    """A misspelt id would leave the default name in place without a word."""
    assert set(PRESETS[preset].metrics) <= set(EVENT_TYPES)
    assert set(PRESETS[preset].fields) <= set(PROFILE_FIELDS)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_event_type_has_a_valid_schema_that_asks_for_the_entry_id(name: str) -> None:
    schema = event_type(name).schema
    Draft202012Validator.check_schema(schema)
    assert "ledger_entry_id" in schema["required"]
    assert len(schema["properties"]) == len(event_type(name).properties)


def test_one_property_has_one_type_in_all_events() -> None:
    """R61: a segment on a property must not meet numbers here and texts there."""
    types: dict[str, set[str]] = {}
    for kind in EVENT_TYPES.values():
        for each in kind.properties:
            types.setdefault(each.name, set()).add(each.type)
    assert {name: kinds for name, kinds in types.items() if len(kinds) > 1} == {}


def test_smile_calls_excluded_members_disabled() -> None:
    """R40."""
    assert naming_preset("smile").state(Standing.EXCLUDED) == "disabled"
    assert naming_preset("tallyhook").state(Standing.EXCLUDED) == "excluded"


def test_unknown_names_are_refused() -> None:
    """R92: an event type or preset that does not exist is an error, not silence."""
    with pytest.raises(Invalid, match="no event type 'points_earnt'"):
        event_type("points_earnt")
    with pytest.raises(Invalid, match="rijoy, smile, tallyhook"):
        naming_preset("yotpo")
