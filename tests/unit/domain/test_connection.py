"""A connection's states: what a merchant is told, what may be sent, and what survives each change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.domain.connection import (
    ConnectionMode,
    ConnectionStatus,
    FirstSync,
    Webhook,
    leaving,
    losing,
    succeeding,
)
from loyalty.domain.oauth import REQUIRED_SCOPES, SENDING_SCOPES, SealedTokens
from tests.builders import a_connection
from tests.fakes.clocks import START

BY_OAUTH = a_connection(
    mode=ConnectionMode.OAUTH,
    scopes=tuple(sorted(REQUIRED_SCOPES)),
    tokens=SealedTokens(b"refresh", START, START),
    webhooks=(Webhook("01", (), (b"secret",)),),
    version=7,
    upkeep_at=START,
)
LATER = START + timedelta(days=3)


def without(*scopes: str) -> tuple[str, ...]:
    return tuple(sorted(REQUIRED_SCOPES - set(scopes)))


def test_missing_scopes_ask_for_a_reconnect_and_are_named() -> None:
    """R6."""
    older = replace(BY_OAUTH, scopes=without("reviews:read", "webhooks:write"))
    assert (older.state, older.missing_scopes) == (
        ConnectionStatus.RECONNECT_REQUIRED,
        ("reviews:read", "webhooks:write"),
    )
    assert (BY_OAUTH.state, BY_OAUTH.missing_scopes) == (ConnectionStatus.CONNECTED, ())


@pytest.mark.parametrize("status", [ConnectionStatus.ACCESS_LOST, ConnectionStatus.DISCONNECTED])
def test_what_is_worse_than_a_missing_scope_is_told_first(status: ConnectionStatus) -> None:
    assert replace(BY_OAUTH, status=status, scopes=()).state is status


def test_a_private_keys_scopes_are_not_known_and_an_upgrade_is_offered() -> None:
    """R12."""
    by_key = a_connection()
    assert (by_key.missing_scopes, by_key.needs_upgrade, BY_OAUTH.needs_upgrade) == ((), True, False)
    assert not leaving(by_key).needs_upgrade


@pytest.mark.parametrize("scope", sorted(REQUIRED_SCOPES))
def test_only_the_scopes_of_sending_stop_sending(scope: str) -> None:
    assert replace(BY_OAUTH, scopes=without(scope)).is_sending is (scope not in SENDING_SCOPES)


@pytest.mark.parametrize("status", ConnectionStatus)
def test_nothing_is_sent_unless_connected_and_synced(status: ConnectionStatus) -> None:
    """R17, R27."""
    assert replace(BY_OAUTH, status=status).is_sending is (status is ConnectionStatus.CONNECTED)
    assert not replace(BY_OAUTH, status=status, first_sync=FirstSync.RUNNING).is_sending


def test_a_loss_pauses_and_changes_nothing_else() -> None:
    """R17."""
    lost = losing(replace(BY_OAUTH, leased_until=LATER), ConnectionStatus.ACCESS_LOST, "removed", LATER)
    assert (lost.is_usable, lost.is_sending, lost.is_owed, lost.leased_until) == (False, False, True, None)
    assert replace(lost, status=BY_OAUTH.status, loss=None) == BY_OAUTH


def test_leaving_keeps_no_credential_and_has_no_turn() -> None:
    gone = leaving(BY_OAUTH)
    assert (gone.credential, gone.tokens, gone.scopes, gone.upkeep_at) == (b"", None, (), None)
    assert (gone.is_owed, gone.is_usable) == (False, False)
    assert (gone.account_id, gone.connected_at, gone.webhooks) == ("AbC123", START, BY_OAUTH.webhooks)


def test_the_same_account_goes_on_where_it_was() -> None:
    """R13, R112."""
    attempt = replace(BY_OAUTH, version=0, connected_at=LATER, first_sync=FirstSync.NOT_STARTED)
    for before in (BY_OAUTH, a_connection(version=7), losing(BY_OAUTH, ConnectionStatus.ACCESS_LOST, "", START)):
        after = succeeding(before, attempt)
        assert (after.version, after.connected_at, after.first_sync) == (7, START, FirstSync.DONE)


def test_after_a_disconnect_or_with_another_account_everything_begins_anew() -> None:
    attempt = replace(BY_OAUTH, version=0, connected_at=LATER, first_sync=FirstSync.NOT_STARTED)
    for before in (leaving(BY_OAUTH), replace(leaving(BY_OAUTH), account_id="XyZ789")):
        after = succeeding(before, attempt)
        assert (after.version, after.connected_at, after.first_sync) == (7, LATER, FirstSync.NOT_STARTED)
    assert succeeding(None, attempt) == attempt


def test_nothing_secret_is_shown_by_accident() -> None:
    shown = repr(replace(BY_OAUTH, credential=b"access-token"))
    assert not [secret for secret in ("access-token", "refresh", "b'secret'") if secret in shown]
