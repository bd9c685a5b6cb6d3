"""Settings as a document: what is shown can be set, and setting it changes what it says and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from loyalty.contracts.forms import filled_in
from loyalty.contracts.settings import SettingsForm, settings_form, with_settings
from loyalty.domain.adjustments import AdjustmentRule, UnknownMember
from loyalty.domain.email_channels import EmailChannel, EmailType, Sender
from loyalty.domain.errors import Rejected
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Overdraft, PolicyChange, Terms
from loyalty.domain.naming import Naming
from loyalty.domain.program import Program
from loyalty.domain.review_rule import ReviewRule
from loyalty.domain.rewards import Reward
from loyalty.domain.tiers import Tier
from tests.builders import a_program

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = date(2026, 3, 2)
POLICIES: tuple[ExpiryPolicy, ...] = (
    NoExpiry(),
    AfterEarning(Period(months=12)),
    Inactivity(Period(days=90)),
    Calendar(month=2, day=29, keep_days=30),
)

EXPIRED_NAME = "names.events.points_expired.name"
OUR_NAMES = Naming(
    metrics={"points_expired": "Punkte verfallen"},
    fields={"points_balance": "Punkte"},
    properties={"points_expired": {"points": "Anzahl"}},
)
OUR_NAMES_SAID = {
    "events": {"points_expired": {"name": "Punkte verfallen", "properties": {"points": "Anzahl"}}},
    "profile_fields": {"points_balance": "Punkte"},
}
FIVE_OFF = {"id": "five-off", "name": "5 € off", "points": 500}


def changed(program: Program, **changes: Any) -> Program:
    form: SettingsForm = filled_in(SettingsForm, settings_form(program).model_dump() | changes, "settings")
    return with_settings(program, form, NOW)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_setting_what_is_shown_changes_nothing(policy: ExpiryPolicy) -> None:
    program = a_program(
        terms=Terms(
            timezone="Europe/Berlin",
            expiry=policy,
            expiry_revision=3,
            expiry_since=date(2026, 1, 1),
            balance_cap=10,
            overdraft=Overdraft.FLOOR_AT_ZERO,
            restored_days=14,
            warning_days=(30, 3),
            warned_first=True,
        ),
        review_rule=ReviewRule(enabled=False, points=75, verified_only=False, version=3),
        naming="rijoy",
        names=OUR_NAMES,
        events_off=frozenset({"points_expired"}),
        newcomers=Standing.CANDIDATE,
        adjustment_rule=AdjustmentRule(UnknownMember.REFUSE, derived_keys=True),
        rewards=(Reward("mug", "Mug", 900, enabled=False),),
        tiers=(Tier(1, "Bronze", 0, "Free delivery"), Tier(7, "Gold", 1000)),
        channels={EmailType.VIP_TIER_ACHIEVED: EmailChannel(Sender.NONE, own_email=False)},
        shows_in_customer_hub=True,
    )
    assert changed(program) is program


@pytest.mark.parametrize(
    ("changes", "attributes"),
    [
        ({"name": "Wax"}, {"name": "Wax"}),
        ({"naming": "smile"}, {"naming": "smile"}),
        ({"names": OUR_NAMES_SAID}, {"names": OUR_NAMES}),
        ({"newcomers": "candidate"}, {"newcomers": Standing.CANDIDATE}),
        ({"events_off": ["points_expired"]}, {"events_off": frozenset({"points_expired"})}),
        (
            {"adjustment_rule": {"unknown_member": "member", "derived_keys": True}},
            {"adjustment_rule": AdjustmentRule(UnknownMember.MEMBER, derived_keys=True)},
        ),
        (
            {"review_rule": {"enabled": True, "points": 10, "verified_only": False}},
            {"review_rule": ReviewRule(points=10, verified_only=False, version=2, since=NOW, past=(ReviewRule(),))},
        ),
        ({"balance_cap": 5, "timezone": "Asia/Tokyo"}, {"terms": Terms(timezone="Asia/Tokyo", balance_cap=5)}),
        ({"warning_days": [3, 30]}, {"terms": Terms(warning_days=(30, 3))}),
        (
            {"rewards": [{"id": "mug", "name": "Mug", "points": 900, "enabled": False}, {**FIVE_OFF}]},
            {"rewards": (Reward("mug", "Mug", 900, enabled=False), Reward("five-off", "5 € off", 500))},
        ),
        (
            {"tiers": [{"id": 2, "name": "Gold", "from_points": 1000}, {"id": 1, "name": "All", "from_points": 0}]},
            {"tiers": (Tier(1, "All", 0), Tier(2, "Gold", 1000))},
        ),
        # R140: who sends an e-mail
        (
            {"channels": {"points_earned": {"sender": "klaviyo", "own_email": True}}},
            {"channels": {EmailType.POINTS_EARNED: EmailChannel(Sender.KLAVIYO, own_email=True)}},
        ),
        ({"shows_in_customer_hub": True}, {"shows_in_customer_hub": True}),
    ],
)
def test_a_change_is_exactly_that(changes: dict[str, Any], attributes: dict[str, Any]) -> None:
    program = a_program()
    assert changed(program, **changes) == replace(program, version=2, **attributes)


def test_policies_follow_each_other_as_revisions() -> None:
    """Members that nobody looked at meanwhile follow them one by one."""
    program = changed(a_program(), expiry={"policy": "after_earning", "months": 6})
    program = changed(program, expiry={"policy": "none"})
    assert (program.version, program.terms.expiry_revision, program.terms.expiry_since) == (3, 2, TODAY)
    assert program.terms.expiry_past == (
        PolicyChange(0, NoExpiry(), date(1970, 1, 1)),
        PolicyChange(1, AfterEarning(Period(months=6)), TODAY),
    )


@pytest.mark.parametrize(
    ("changes", "where", "code"),
    [
        ({"names": {"events": {"points_earnt": {"name": "x"}}}}, "names.events", "unknown_event_type"),
        (
            {"names": {"events": {"points_expired": {"name": "$points"}}}},
            EXPIRED_NAME,
            "reserved_name",
        ),
        ({"names": {"events": {"points_expired": {"name": " x"}}}}, EXPIRED_NAME, "invalid_name"),
        (
            {"names": {"events": {"points_expired": {"name": ""}}}},
            EXPIRED_NAME,
            "string_too_short",
        ),
        (
            {"names": {"events": {"points_expired": {"name": "x" * 128}}}},
            EXPIRED_NAME,
            "string_too_long",
        ),
        ({"names": {"events": {"points_expired": {"name": "Points Added"}}}}, "", "doubled_name"),
        ({"names": {"events": {"points_expired": {"properties": {"points": "source"}}}}}, "", "doubled_name"),
        ({"names": {"events": {"points_expired": {"properties": {"tier": "x"}}}}}, "", "unknown_property"),
        ({"names": {"events": {"points_expired": {"properties": {"ledger_entry_id": "x"}}}}}, "", "fixed_property"),
        ({"names": {"profile_fields": {"points": "x"}}}, "names.profile_fields", "unknown_profile_field"),
        ({"names": {"profile_fields": {"state": "loyalty_points_balance"}}}, "", "doubled_name"),
        ({"rewards": [FIVE_OFF, FIVE_OFF]}, "rewards", "repeated"),
        ({"rewards": [FIVE_OFF | {"points": 0}]}, "rewards.0.points", "greater_than"),
        ({"rewards": [FIVE_OFF | {"id": "Five off"}]}, "rewards.0.id", "string_pattern_mismatch"),
        ({"tiers": [{"id": 1, "name": name, "from_points": len(name)} for name in ("A", "BB")]}, "tiers", "repeated"),
        ({"tiers": [{"id": n, "name": "Gold", "from_points": 5} for n in (1, 2)]}, "tiers", "repeated"),
        ({"tiers": [{"id": 1, "name": " ", "from_points": 0}]}, "tiers.0.name", "blank"),
        ({"channels": {"newsletter": {"sender": "own", "own_email": True}}}, "channels.newsletter", "extra_forbidden"),
        ({"channels": {"points_earned": {"sender": "post", "own_email": True}}}, "sender", "literal_error"),
    ],
)
def test_offers_and_channels_that_cannot_be_are_named(changes: dict[str, Any], where: str, code: str) -> None:
    with pytest.raises(Rejected) as refused:
        changed(a_program(), **changes)
    assert [(error["where"].endswith(where), error["code"]) for error in refused.value.facts["errors"]] == [
        (True, code)
    ]
