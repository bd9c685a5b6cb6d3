"""Settings as a document: what is shown can be set, and setting it changes what it says and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from loyalty.contracts.forms import filled_in
from loyalty.contracts.settings import SettingsForm, settings_form, with_settings
from loyalty.domain.adjustments import AdjustmentRule, UnknownMember
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Overdraft, PolicyChange, Terms
from loyalty.domain.program import Program
from loyalty.domain.reviews import ReviewRule
from tests.builders import a_program

TODAY = date(2026, 3, 2)
POLICIES: tuple[ExpiryPolicy, ...] = (
    NoExpiry(),
    AfterEarning(Period(months=12)),
    Inactivity(Period(days=90)),
    Calendar(month=2, day=29, keep_days=30),
)


def changed(program: Program, **changes: Any) -> Program:
    form: SettingsForm = filled_in(SettingsForm, settings_form(program).model_dump() | changes, "settings")
    return with_settings(program, form, TODAY)


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
        events_off=frozenset({"points_expired"}),
        newcomers=Standing.CANDIDATE,
        adjustment_rule=AdjustmentRule(UnknownMember.REFUSE, derived_keys=True),
    )
    assert changed(program) is program


@pytest.mark.parametrize(
    ("changes", "attributes"),
    [
        ({"name": "Wax"}, {"name": "Wax"}),
        ({"naming": "smile"}, {"naming": "smile"}),
        ({"newcomers": "candidate"}, {"newcomers": Standing.CANDIDATE}),
        ({"events_off": ["points_expired"]}, {"events_off": frozenset({"points_expired"})}),
        (
            {"adjustment_rule": {"unknown_member": "member", "derived_keys": True}},
            {"adjustment_rule": AdjustmentRule(UnknownMember.MEMBER, derived_keys=True)},
        ),
        (
            {"review_rule": {"enabled": True, "points": 10, "verified_only": False}},
            {"review_rule": ReviewRule(points=10, verified_only=False, version=2)},
        ),
        ({"balance_cap": 5, "timezone": "Asia/Tokyo"}, {"terms": Terms(timezone="Asia/Tokyo", balance_cap=5)}),
        ({"warning_days": [3, 30]}, {"terms": Terms(warning_days=(30, 3))}),
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
