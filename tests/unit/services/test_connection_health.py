"""The health document: everything a merchant may know about the connection, and nothing secret."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from loyalty.domain.catalogue import EVENT_TYPES
from loyalty.domain.email_channels import EmailChannel, EmailType, Sender
from loyalty.domain.oauth import REQUIRED_SCOPES
from loyalty.services.connection_health import CUSTOMER_HUB_SETUP
from tests.connection_world import CANDLES, Office
from tests.fakes.klaviyo_wire import START


def health(office: Office) -> dict[str, Any]:
    return office.health(office.programs.programs[CANDLES])


def settings_say(office: Office, **changes: Any) -> dict[str, Any]:
    """The document after a change of the settings."""
    office.programs.programs[CANDLES] = replace(office.programs.programs[CANDLES], **changes)
    return health(office)


def test_before_the_first_connect_there_is_little_to_say() -> None:
    document = health(Office())
    assert all(each == {"selected": True, "sent": 0, "last_sent_at": None} for each in document.pop("events").values())
    assert document == {
        "program": CANDLES,
        "status": "not_connected",
        "owed": {"events": 0, "profiles": 0, "counted_to": 10_000},
        "customer_hub": {"status": "unknown", "setup_url": CUSTOMER_HUB_SETUP},
        "warnings": [],
    }


def test_what_the_merchant_says_of_the_customer_hub_is_told() -> None:
    """R159."""
    office = Office()
    assert settings_say(office, shows_in_customer_hub=True)["customer_hub"]["status"] == "enabled"
    office.connects()
    assert settings_say(office, shows_in_customer_hub=False)["customer_hub"]["status"] == "unknown"


@pytest.mark.parametrize("connected", [False, True])
def test_an_e_mail_that_would_come_twice_is_named_until_one_side_is_switched_off(connected: bool) -> None:
    """R151, R191."""
    office = Office()
    if connected:
        office.connects()
    twice = {
        EmailType.POINTS_EARNED: EmailChannel(Sender.KLAVIYO, own_email=True),
        EmailType.REFERRAL_COMPLETED: EmailChannel(Sender.KLAVIYO, own_email=False),
        EmailType.BIRTHDAY_REWARD: EmailChannel(Sender.OWN, own_email=True),
    }
    assert settings_say(office, channels=twice)["warnings"] == ["duplicate_channel:points_earned"]
    for once in (EmailChannel(Sender.KLAVIYO, own_email=False), EmailChannel(Sender.NONE, own_email=True)):
        assert settings_say(office, channels=twice | {EmailType.POINTS_EARNED: once})["warnings"] == []


def test_a_connection_by_oauth_is_described_in_full() -> None:
    """R8, R9, R114-R118."""
    office = Office()
    office.connects()
    office.notes.succeeded(CANDLES, START)
    office.notes.delivered(CANDLES, START)
    said = health(office)
    assert (said["status"], said["mode"], said["account_id"]) == ("connected", "oauth", "AbC123")
    assert (said["missing_scopes"], said["upgrade_available"], said["last_error"]) == ([], False, None)
    assert said["capabilities"] == {"reviews": True, "reviews_detected_at": said["granted_at"], "webhooks": True}
    (webhook_id,) = office.webhooks()
    assert (said["webhook"]["id"], said["webhook"]["enabled"]) == (webhook_id, True)
    assert said["last_success_at"] == said["webhook"]["last_delivery_at"] == "2026-08-20T14:00:00.000Z"
    assert [point["item"] for point in said["checklist"]] == [
        "reviews_installed",
        "review_widget",
        "review_request_flow",
    ]
    assert [point["seen"] for point in said["checklist"]] == [True, None, None]


def test_missing_scopes_are_named_until_they_are_granted() -> None:
    """R6."""
    office = Office()
    office.account.fake.services.switches.granted_scopes = sorted(REQUIRED_SCOPES - {"reviews:read"})
    office.connects()
    said = health(office)
    assert (said["status"], said["missing_scopes"]) == ("reconnect_required", ["reviews:read"])
    assert said["reconnect_reason"] == "missing_scopes[reviews:read]"


def test_a_private_key_hints_at_the_upgrade_and_oauth_does_not() -> None:
    """R12."""
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    said = health(office)
    assert (said["mode"], said["upgrade_available"], "upgrade_hint" in said) == ("api_key", True, True)
    assert any(warning.startswith("webhooks_not_allowed") for warning in said["warnings"])
    office.clock.sleep(2)
    office.connects()
    said = health(office)
    assert (said["upgrade_available"], "upgrade_hint" in said, said["warnings"]) == (False, False, [])


def test_a_loss_says_since_when_and_why() -> None:
    """R16."""
    office = Office()
    office.connects()
    office.account.fake.services.oauth.uninstall("AbC123", office.account.app.client_id)
    office.clock.sleep(3600)
    (work,) = office.upkeep(until=office.clock.now().replace(year=2030))
    said = health(office)
    assert (work.lost, said["status"]) == (True, "access_lost")
    assert said["last_error"]["notified_at"]


def test_nothing_secret_is_in_it() -> None:
    office = Office()
    office.connects()
    (install,) = office.account.fake.services.oauth.installs
    (webhook,) = office.account.fake.services.world.accounts["AbC123"].webhooks.values()
    said = json.dumps(health(office))
    assert not [
        each for each in (webhook.secret_key, install.refresh_token, *install.access_tokens) if str(each) in said
    ]


def test_it_says_of_each_event_type_how_many_were_sent_and_when() -> None:
    """R96: what a merchant needs to review the selection."""
    office = Office()
    office.sent.add(CANDLES, {"points_earned_review": 3}, START)
    events = settings_say(office, events_off=frozenset({"points_expired"}))["events"]
    assert set(events) == set(EVENT_TYPES)
    assert events["points_earned_review"] == {"selected": True, "sent": 3, "last_sent_at": "2026-08-20T14:00:00.000Z"}
    assert events["points_expired"] == {"selected": False, "sent": 0, "last_sent_at": None}
