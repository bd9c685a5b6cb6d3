"""Connecting with a private key, and the first sync of a program without members."""

from dataclasses import replace

import pytest

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, Seed, SeedAccount, SeedKey
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync
from loyalty.domain.errors import NotFound, Rejected, Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.services.connect_account import REVIEW_TOPICS, ConnectAccount
from tests.builders import a_connection, a_program
from tests.fakes.clocks import SeededRandomness
from tests.fakes.klaviyo_wire import START, FakeAccount
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_vault import MemoryVault

SLUG = ProgramSlug("candles")
URL = "https://loyalty.example.com/v1/webhooks/klaviyo/candles"


class Office:
    """A program to connect, and the account to connect it to."""

    def __init__(self, connection: Connection | None = None, **account: object) -> None:
        keys = [SeedKey(key=DEFAULT_PRIVATE_KEY), SeedKey(key="pk_other")]
        seeded = SeedAccount.model_validate({"id": "AbC123", "private_keys": keys, **account})
        self.account = FakeAccount(Seed(accounts=[seeded]))
        self.vault = MemoryVault()
        self.programs = MemoryPrograms(a_program(connection=connection))
        self.connect = ConnectAccount(
            self.programs, self.account.connections(self.vault), self.vault, self.account.clock, SeededRandomness()
        )

    @property
    def connection(self) -> Connection | None:
        return self.programs.programs[SLUG].connection

    def connected(self) -> Connection:
        assert self.connection is not None
        return self.connection

    def webhooks(self) -> int:
        return len(self.account.fake.services.world.accounts["AbC123"].webhooks)


def test_a_good_key_connects_and_is_kept_encrypted() -> None:
    """R8, R11."""
    office = Office()
    outcome = office.connect(SLUG, f" {DEFAULT_PRIVATE_KEY}\n", URL)
    connection = office.connected()
    assert (connection.mode, connection.status) == (ConnectionMode.API_KEY, ConnectionStatus.CONNECTED)
    assert (connection.account_id, connection.connected_at) == ("AbC123", START)
    assert office.vault.decrypt(SLUG, connection.credential) == DEFAULT_PRIVATE_KEY
    assert DEFAULT_PRIVATE_KEY.encode() not in connection.credential
    assert DEFAULT_PRIVATE_KEY not in repr(connection)
    assert outcome.ids == {"program": SLUG, "account_id": "AbC123"}


def test_reviews_are_detected_and_their_webhook_is_registered() -> None:
    """R102, R118."""
    office = Office()
    outcome = office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    (webhook,) = office.connected().webhooks
    stored = office.account.fake.services.world.accounts["AbC123"].webhooks[webhook.id]
    (sealed,) = webhook.secrets
    secret = office.vault.decrypt(SLUG, sealed)
    assert (outcome.reviews_detected, outcome.receives_reviews) == (True, True)
    assert office.connected().reviews_detected
    assert sorted(stored.topics) == sorted(webhook.topics) == sorted(REVIEW_TOPICS)
    assert (stored.secret_key, stored.endpoint_url) == (secret, URL)
    assert len(secret) >= 32


def test_two_programs_get_different_secrets() -> None:
    office = Office()
    office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    (first,) = office.connected().webhooks
    office.programs.save_connection(SLUG, replace(office.connected(), webhooks=()))
    office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    (second,) = office.connected().webhooks
    assert office.vault.decrypt(SLUG, first.secrets[0]) != office.vault.decrypt(SLUG, second.secrets[0])


def test_without_reviews_the_program_is_connected_without_a_webhook() -> None:
    """R114, R117."""
    office = Office(review_topics=False)
    outcome = office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    assert (outcome.reviews_detected, outcome.receives_reviews, office.webhooks()) == (False, False, 0)
    assert office.connected().status is ConnectionStatus.CONNECTED


def test_connecting_again_after_reviews_was_switched_on_registers_the_webhook() -> None:
    """R22, R117."""
    office = Office(review_topics=False)
    office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    office.account.fake.services.world.accounts["AbC123"].topics.extend(REVIEW_TOPICS)
    office.account.clock.sleep(60)
    assert office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL).receives_reviews
    assert office.connected().connected_at == START


def test_a_key_without_advanced_kdp_connects_without_webhooks() -> None:
    """System webhooks are for OAuth apps and Advanced KDP; profiles and events need neither."""
    office = Office(advanced_kdp=False)
    outcome = office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    assert (outcome.reviews_detected, outcome.receives_reviews) == (False, False)
    assert office.connected().webhooks == ()


def test_a_key_that_may_read_topics_but_not_register_connects_without_webhooks() -> None:
    keys = [SeedKey(key=DEFAULT_PRIVATE_KEY, scopes=["accounts:read", "webhooks:read"])]
    office = Office(private_keys=keys)
    outcome = office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    assert (outcome.reviews_detected, outcome.receives_reviews) == (True, False)


@pytest.mark.parametrize(("key", "code"), [("pk_unknown", "key_not_accepted"), ("pk_narrow", "key_lacks_scope")])
def test_a_bad_key_changes_nothing(key: str, code: str) -> None:
    keys = [SeedKey(key=DEFAULT_PRIVATE_KEY), SeedKey(key="pk_narrow", scopes=["events:write"])]
    before = a_connection()
    office = Office(before, private_keys=keys)
    with pytest.raises(Rejected) as refused:
        office.connect(SLUG, key, URL)
    assert refused.value.code == code
    assert key not in str(refused.value.facts) + refused.value.message
    assert office.connection == before


@pytest.mark.parametrize("status", [s for s in ConnectionStatus if s is not ConnectionStatus.DISCONNECTED])
def test_another_account_is_refused_while_one_is_connected(status: ConnectionStatus) -> None:
    """R10: the first credential stays untouched."""
    before = a_connection(account_id="XyZ789", status=status)
    office = Office(before)
    with pytest.raises(Rejected) as refused:
        office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    assert refused.value.code == "another_account_connected"
    assert (office.connection, office.webhooks()) == (before, 0)


def test_after_a_disconnect_another_account_may_follow_and_starts_anew() -> None:
    before = a_connection(account_id="XyZ789", status=ConnectionStatus.DISCONNECTED, first_sync=FirstSync.DONE)
    office = Office(before)
    office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    assert (office.connected().account_id, office.connected().first_sync) == ("AbC123", FirstSync.NOT_STARTED)


def test_a_new_key_of_the_same_account_keeps_webhook_sync_and_date() -> None:
    """R7, R13: exactly one webhook, and no second sync."""
    office = Office()
    office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    before = replace(office.connected(), first_sync=FirstSync.DONE, status=ConnectionStatus.ACCESS_LOST)
    office.programs.save_connection(SLUG, before)
    office.account.clock.sleep(60)
    office.connect(SLUG, "pk_other", URL)
    after = office.connected()
    assert (after.status, after.first_sync, after.connected_at) == (
        ConnectionStatus.CONNECTED,
        FirstSync.DONE,
        START,
    )
    assert after.webhooks == before.webhooks
    assert office.webhooks() == 1
    assert office.vault.decrypt(SLUG, after.credential) == "pk_other"


@pytest.mark.parametrize("operation", ["get_accounts", "get_webhook_topics", "create_webhook"])
def test_klaviyo_out_of_order_changes_nothing(operation: str) -> None:
    """A connection is stored whole or not at all; trying again is safe."""
    office = Office()
    office.account.goes_wrong(operation=operation, kind="status", status=503)
    with pytest.raises(Transient):
        office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    assert office.connection is None
    office.account.clock.sleep(60)
    office.connect(SLUG, DEFAULT_PRIVATE_KEY, URL)
    assert (office.connected().status, office.webhooks()) == (ConnectionStatus.CONNECTED, 1)


def test_a_program_that_is_not_there_cannot_be_connected() -> None:
    with pytest.raises(NotFound):
        Office().connect(ProgramSlug("nobody"), DEFAULT_PRIVATE_KEY, URL)
