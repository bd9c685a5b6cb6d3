"""The upkeep: tokens kept alive, webhooks enabled again, Reviews found later, lost access noticed."""

from datetime import timedelta

import pytest

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from local.fake_klaviyo.topics import REVIEW_TOPICS as OFFERED
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.identity import ProgramSlug
from loyalty.services.look_after_connections import LookedAfter
from tests.connection_world import CANDLES, SOAPS, Office


@pytest.fixture
def office() -> Office:
    connected = Office()
    connected.connects()
    return connected


def turn(office: Office, *, hours: float = 1.1) -> list[LookedAfter]:
    """Let time pass and have a run."""
    office.clock.sleep(hours * 3600)
    return office.upkeep(until=office.clock.now() + timedelta(seconds=60))


def test_each_connection_has_its_turn_once_an_hour(office: Office) -> None:
    assert [work.program for work in turn(office)] == [CANDLES]
    assert turn(office, hours=0.5) == []
    assert [work.program for work in turn(office, hours=0.6)] == [CANDLES]


def test_a_token_that_nobody_uses_outlives_ninety_days(office: Office) -> None:
    """docs/klaviyo.md 1: Klaviyo revokes what was not used for so long."""
    for _ in range(20):
        (work,) = turn(office, hours=24 * 7)
        assert (work.kept_alive, work.trouble) == (True, None)
    assert office.connection().status is ConnectionStatus.CONNECTED


def test_a_disabled_webhook_is_enabled_again(office: Office) -> None:
    """R118: Klaviyo disables one that failed for two days."""
    (webhook,) = office.account.fake.services.world.accounts["AbC123"].webhooks.values()
    webhook.enabled = False
    (work,) = turn(office)
    assert (work.webhook_enabled_again, work.webhook_registered) == (True, False)
    assert webhook.enabled
    assert office.webhooks() == [webhook.id]
    assert turn(office)[0].webhook_enabled_again is False


def test_a_webhook_that_cannot_be_enabled_again_just_now_is_said_to_be_disabled(office: Office) -> None:
    """R9, R118: until it can be."""
    (webhook,) = office.account.fake.services.world.accounts["AbC123"].webhooks.values()
    webhook.enabled = False
    office.account.goes_wrong(operation="update_webhook", kind="status", status=503)
    for enabled in (False, True):
        turn(office)
        told = office.health(office.programs.programs[CANDLES])["webhook"]
        assert (told["id"], told["enabled"], webhook.enabled) == (webhook.id, enabled, enabled)


@pytest.mark.parametrize("operation", ["get_webhook_topics", "get_webhooks", "delete_webhook"])
def test_a_webhook_is_listened_to_although_klaviyo_lets_nobody_look_after_it(office: Office, operation: str) -> None:
    """A 403 says nothing of the webhook; should it be there, what it delivers is authentic."""
    known = office.connection().webhooks
    account = office.account.fake.services.world.accounts["AbC123"]
    if operation == "delete_webhook":
        account.webhooks[known[0].id].enabled = False
        office.account.goes_wrong(operation="update_webhook", kind="status", status=403, times=None)
    office.account.goes_wrong(operation=operation, kind="status", status=403, times=None)
    assert turn(office)[0].trouble is None
    assert (office.connection().webhooks, office.connection().webhooks_allowed) == (known, False)
    office.account.fake.services.faults.clear()
    turn(office)
    assert (office.webhooks(), office.connection().webhooks_allowed) == ([known[0].id], True)
    assert office.connection().webhooks == known


def test_a_webhook_that_somebody_deleted_is_registered_again(office: Office) -> None:
    office.account.fake.services.world.accounts["AbC123"].webhooks.clear()
    (work,) = turn(office)
    assert work.webhook_registered
    assert office.webhooks() == [webhook.id for webhook in office.connection().webhooks]


def test_reviews_installed_later_are_found() -> None:
    """R22, R117."""
    office = Office(review_topics=False)
    office.connects()
    assert turn(office)[0].webhook_registered is False
    office.account.fake.services.world.accounts["AbC123"].topics.extend(OFFERED)
    (work,) = turn(office)
    assert (work.webhook_registered, office.connection().reviews_detected) == (True, True)
    assert len(office.webhooks()) == 1


def test_a_removed_app_is_noticed_although_nothing_is_sent(office: Office) -> None:
    """R16, R18."""
    office.account.fake.services.oauth.uninstall("AbC123", office.account.app.client_id)
    (work,) = turn(office)
    assert (work.lost, work.trouble) == (True, None)
    assert office.connection().status is ConnectionStatus.ACCESS_LOST
    calls = office.calls()
    assert turn(office)[0].lost
    assert (office.calls(), len(office.account.notices.told)) == (calls, 1)


def test_a_removed_key_is_noticed_too() -> None:
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    office.account.fake.services.world.accounts["AbC123"].private_keys.clear()
    assert turn(office)[0].lost
    assert len(office.account.notices.told) == 1


def test_one_programs_trouble_is_not_anothers(office: Office) -> None:
    office.account.fake.services.switches.authorize_account = "XyZ789"
    office.clock.sleep(60)
    office.connects(SOAPS)
    office.account.goes_wrong(operation="get_webhook_topics", account="AbC123", kind="status", status=500, times=None)
    done = {work.program: work.trouble for work in turn(office)}
    assert (done[CANDLES] is None, done[SOAPS] is None) == (False, True)


def test_setup_calls_keep_klaviyos_limits(office: Office) -> None:
    """One call a second and fifteen a minute for each of these endpoints."""
    for number in range(6):
        turn(office, hours=1.1)
        office.account.fake.services.world.accounts["AbC123"].webhooks.clear() if number % 2 else None
    assert office.account.exceeded() == []


def test_a_disconnected_program_has_no_turn(office: Office) -> None:
    office.disconnect(CANDLES, confirmed=True)
    assert turn(office) == []


def test_two_runs_at_the_same_time_share_the_work(office: Office) -> None:
    office.clock.sleep(4000)
    due = office.programs.connections_due(office.clock.now(), limit=10)
    office.upkeep(until=office.clock.now() + timedelta(seconds=60))
    calls = office.calls()
    office.programs.connections_due = lambda now, *, limit: due  # type: ignore[method-assign]
    office.upkeep(until=office.clock.now() + timedelta(seconds=60))
    assert (due, office.calls()) == ([ProgramSlug("candles")], calls)
