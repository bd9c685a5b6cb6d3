"""Disconnecting: on request only, sending stops, our webhook and grant go, and nothing else does."""

from typing import Any

import pytest

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.errors import Invalid, StateForbids
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost
from loyalty.domain.reviews import ReviewSource
from tests.connection_world import CANDLES, Office


@pytest.fixture
def office() -> Office:
    connected = Office()
    connected.connects()
    return connected


def test_without_confirmation_nothing_happens(office: Office) -> None:
    """R20."""
    before, calls = office.connection(), office.calls()
    with pytest.raises(Invalid) as refused:
        office.disconnect(CANDLES, confirmed=False)
    assert refused.value.code == "confirmation_missing"
    assert (office.connection(), office.calls()) == (before, calls)


def test_webhook_and_grant_go_and_nothing_else_is_touched_at_klaviyo(office: Office) -> None:
    """R20, R21."""
    office.account.fake.services.recorder.clear()
    done = office.disconnect(CANDLES, confirmed=True)
    assert (done.webhooks_deleted, done.access_revoked) == (True, True)
    seen = [(call.operation, call.method) for call in office.account.fake.services.recorder.calls()]
    assert seen == [("delete_webhook", "DELETE"), ("oauth_revoke", "POST")]
    assert (office.webhooks(), office.grants()) == ([], 0)
    after = office.connection()
    assert (after.status, after.credential, after.tokens) == (ConnectionStatus.DISCONNECTED, b"", None)
    with pytest.raises(KlaviyoAccessLost):
        office.klaviyo.open(office.programs.programs[CANDLES])


@pytest.mark.parametrize("hours", [0, 2], ids=["token good", "token over"])
def test_sending_stops_before_klaviyo_is_asked_anything(office: Office, hours: int) -> None:
    """R20: so however long Klaviyo takes, the program is disconnected."""
    office.clock.sleep(hours * 3600)
    states: list[ConnectionStatus] = []
    office.account.wire.before = lambda: states.append(office.connection().status)
    done = office.disconnect(CANDLES, confirmed=True)
    assert set(states) == {ConnectionStatus.DISCONNECTED}
    assert (done.webhooks_deleted, done.access_revoked) == (True, True)
    assert (office.webhooks(), office.grants()) == ([], 0)


@pytest.mark.parametrize(("hours", "calls"), [(0, 1), (2, 2)], ids=["token good", "token over"])
def test_a_klaviyo_that_says_nothing_is_not_waited_for_again_and_again(office: Office, hours: int, calls: int) -> None:
    """Each silence takes up to 18 seconds, and the request has 28."""
    office.clock.sleep(hours * 3600)
    office.account.goes_wrong(kind="hang", times=None)
    before = len(office.account.wire.headers)
    done = office.disconnect(CANDLES, confirmed=True)
    assert (done.webhooks_deleted, done.access_revoked) == (False, False)
    assert len(office.account.wire.headers) - before == calls


def test_a_webhook_that_stayed_behind_is_not_listened_to(office: Office) -> None:
    """R20, R112: until the program is connected again."""
    (webhook,) = office.connection().webhooks
    office.account.goes_wrong(operation="delete_webhook", kind="status", status=500, times=None)
    office.disconnect(CANDLES, confirmed=True)
    program = office.programs.programs[CANDLES]
    assert (office.webhooks(), office.connection().webhooks) == ([webhook.id], (webhook,))
    assert (program.review_secrets(ReviewSource.KLAVIYO, webhook.id), program.all_review_secrets) == ((), frozenset())
    office.clock.sleep(60)
    office.connects()
    assert office.programs.programs[CANDLES].review_secrets(ReviewSource.KLAVIYO, webhook.id) == webhook.secrets


def test_connecting_again_leaves_one_credential_and_one_webhook(office: Office) -> None:
    """R7."""
    office.disconnect(CANDLES, confirmed=True)
    office.clock.sleep(60)
    connection = office.connects().connection
    assert office.webhooks() == [webhook.id for webhook in connection.webhooks]
    assert (len(office.webhooks()), office.grants()) == (1, 1)


TROUBLE: dict[str, list[dict[str, Any]]] = {
    "everything is out of order": [{"kind": "status", "status": 503, "times": None}],
    "everything is out of reach": [{"kind": "reset_before", "times": None}],
    "the webhook cannot be deleted": [{"operation": "delete_webhook", "kind": "status", "status": 500, "times": None}],
    "the grant cannot be revoked": [{"operation": "oauth_revoke", "kind": "status", "status": 403, "times": None}],
}


@pytest.mark.parametrize("faults", TROUBLE.values(), ids=TROUBLE.keys())
def test_klaviyos_trouble_does_not_hold_a_merchant_back(office: Office, faults: list[dict[str, Any]]) -> None:
    """And a webhook that stayed behind is used, or replaced, by the next connection: there is one in the end."""
    for fault in faults:
        office.account.goes_wrong(**fault)
    done = office.disconnect(CANDLES, confirmed=True)
    assert not (done.webhooks_deleted and done.access_revoked)
    assert office.connection().status is ConnectionStatus.DISCONNECTED
    office.account.fake.services.faults.clear()
    office.clock.sleep(60)
    connection = office.connects().connection
    assert office.webhooks() == [webhook.id for webhook in connection.webhooks]
    assert len(office.webhooks()) == 1


def test_lost_access_can_be_given_up(office: Office) -> None:
    office.account.fake.services.oauth.uninstall("AbC123", office.account.app.client_id)
    office.clock.sleep(3600)
    assert office.disconnect(CANDLES, confirmed=True).webhooks_deleted is False
    assert office.connection().status is ConnectionStatus.DISCONNECTED


def test_a_private_key_is_forgotten() -> None:
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    done = office.disconnect(CANDLES, confirmed=True)
    assert (done.access_revoked, office.connection().credential) == (False, b"")


def test_what_is_not_connected_cannot_be_disconnected(office: Office) -> None:
    office.disconnect(CANDLES, confirmed=True)
    with pytest.raises(StateForbids) as refused:
        office.disconnect(CANDLES, confirmed=True)
    assert refused.value.code == "not_connected"
