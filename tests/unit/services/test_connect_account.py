"""Connecting with a private key: what it gives, what it refuses, and that a failure changes nothing."""

from dataclasses import replace

import pytest

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, SeedKey
from loyalty.domain.connection import ConnectionMode, ConnectionStatus, FirstSync
from loyalty.domain.errors import NotFound, Rejected, StateForbids, Transient
from loyalty.domain.identity import ProgramSlug
from tests.builders import a_connection
from tests.connection_world import CANDLES, SOAPS, Office
from tests.fakes.klaviyo_wire import START


def test_a_good_key_connects_and_is_kept_encrypted() -> None:
    """R8, R11."""
    office = Office()
    outcome = office.by_key(CANDLES, f" {DEFAULT_PRIVATE_KEY}\n")
    connection = office.connection()
    assert (connection.mode, connection.status) == (ConnectionMode.API_KEY, ConnectionStatus.CONNECTED)
    assert (connection.account_id, connection.connected_at) == ("AbC123", START)
    assert office.vault.decrypt(CANDLES, connection.credential) == DEFAULT_PRIVATE_KEY
    assert DEFAULT_PRIVATE_KEY.encode() not in connection.credential
    assert DEFAULT_PRIVATE_KEY not in repr(connection)
    assert outcome.ids == {"program": CANDLES, "account_id": "AbC123"}


def test_a_key_gets_no_webhook_and_the_way_to_one_is_named() -> None:
    """R12, R15: review rewards need OAuth."""
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert (office.connection().needs_upgrade, office.connection().webhooks_allowed) == (True, False)
    assert office.webhooks() == []


@pytest.mark.parametrize(("key", "code"), [("pk_unknown", "key_not_accepted"), ("pk_narrow", "key_lacks_scope")])
def test_a_bad_key_changes_nothing(key: str, code: str) -> None:
    keys = [SeedKey(key=DEFAULT_PRIVATE_KEY), SeedKey(key="pk_narrow", scopes=["events:write"])]
    before = a_connection()
    office = Office(before, private_keys=keys)
    with pytest.raises(Rejected) as refused:
        office.by_key(CANDLES, key)
    assert refused.value.code == code
    assert key not in str(refused.value.facts) + refused.value.message
    assert (office.connection(), office.records.claims) == (before, {})


@pytest.mark.parametrize("status", [s for s in ConnectionStatus if s is not ConnectionStatus.DISCONNECTED])
def test_another_account_is_refused_while_one_is_connected(status: ConnectionStatus) -> None:
    """R10: the first credential stays untouched."""
    before = a_connection(account_id="XyZ789", status=status)
    office = Office(before)
    with pytest.raises(StateForbids) as refused:
        office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert refused.value.code == "another_account_connected"
    assert (office.connection(), office.records.claims) == (before, {})


def test_an_account_belongs_to_one_program() -> None:
    """R10."""
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    office.clock.sleep(2)
    with pytest.raises(StateForbids) as refused:
        office.by_key(SOAPS, DEFAULT_PRIVATE_KEY)
    assert refused.value.code == "account_of_another_program"
    assert office.programs.programs[SOAPS].connection is None


def test_of_two_programs_that_connect_one_account_at_once_one_gets_it() -> None:
    """R10: soaps comes in while candles, which was first to ask, is still setting its webhook up."""
    office = Office()
    office.meanwhile("get_accounts", lambda: office.by_key(SOAPS, DEFAULT_PRIVATE_KEY))
    with pytest.raises(StateForbids) as refused:
        office.connects(CANDLES)
    assert refused.value.code == "account_of_another_program"
    assert office.connection(SOAPS).account_id == "AbC123"
    assert (office.programs.programs[CANDLES].connection, office.webhooks()) == (None, [])


def test_an_attempt_that_fails_does_not_give_up_what_another_one_got() -> None:
    """R10: the merchant opened the link twice, and the first way back met trouble after the second had ended."""
    office = Office()

    def meanwhile() -> None:
        office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
        office.account.goes_wrong(operation="get_webhook_topics", kind="status", status=503)

    office.meanwhile("get_accounts", meanwhile)
    with pytest.raises(Transient):
        office.connects(CANDLES)
    office.clock.sleep(2)
    with pytest.raises(StateForbids) as refused:
        office.by_key(SOAPS, DEFAULT_PRIVATE_KEY)
    assert refused.value.code == "account_of_another_program"


def test_an_account_that_its_program_left_is_free() -> None:
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    office.disconnect(CANDLES, confirmed=True)
    office.clock.sleep(2)
    office.by_key(SOAPS, DEFAULT_PRIVATE_KEY)
    office.clock.sleep(2)
    with pytest.raises(StateForbids) as refused:
        office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert refused.value.code == "account_of_another_program"


def test_after_a_disconnect_another_account_may_follow_and_starts_anew() -> None:
    before = a_connection(account_id="XyZ789", status=ConnectionStatus.DISCONNECTED, first_sync=FirstSync.DONE)
    office = Office(before)
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert (office.connection().account_id, office.connection().first_sync) == ("AbC123", FirstSync.NOT_STARTED)


def test_a_new_key_of_the_same_account_keeps_sync_and_date_and_ends_a_loss() -> None:
    """R13, R19."""
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    office.changes(first_sync=FirstSync.DONE, status=ConnectionStatus.ACCESS_LOST)
    office.clock.sleep(60)
    office.by_key(CANDLES, "pk_other")
    after = office.connection()
    assert (after.status, after.first_sync, after.connected_at) == (ConnectionStatus.CONNECTED, FirstSync.DONE, START)
    assert office.vault.decrypt(CANDLES, after.credential) == "pk_other"


def test_klaviyo_out_of_order_changes_nothing() -> None:
    office = Office()
    office.account.goes_wrong(operation="get_accounts", kind="status", status=503)
    with pytest.raises(Transient):
        office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert office.programs.programs[CANDLES].connection is None
    office.clock.sleep(60)
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert office.connection().status is ConnectionStatus.CONNECTED


def test_a_change_in_between_is_not_overwritten() -> None:
    """The first sync ended while Klaviyo was asked whose the key is."""
    office = Office(a_connection(first_sync=FirstSync.RUNNING))
    register, holding = office.programs.save_connection, office.klaviyo.clients.holding
    first = office.connection()

    def meanwhile(*args: object, **named: object) -> object:
        register(CANDLES, replace(first, first_sync=FirstSync.DONE))
        return holding(*args, **named)  # type: ignore[arg-type]

    office.klaviyo.clients.holding = meanwhile  # type: ignore[method-assign, assignment]
    office.by_key(CANDLES, "pk_other")
    assert (office.connection().first_sync, office.connection().version) == (FirstSync.DONE, 2)


def test_a_key_does_not_replace_oauth() -> None:
    """Klaviyo wants everything of an account that installed the app to go through it."""
    office = Office()
    office.connects()
    before = office.connection()
    with pytest.raises(StateForbids, match="OAuth"):
        office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert office.connection() == before


def test_a_program_that_is_not_there_cannot_be_connected() -> None:
    with pytest.raises(NotFound):
        Office().by_key(ProgramSlug("nobody"), DEFAULT_PRIVATE_KEY)
