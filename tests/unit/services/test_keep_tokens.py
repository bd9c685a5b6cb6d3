"""Tokens: refreshed early and once, kept through rotation and lost answers, and lost only on proof."""

from dataclasses import replace
from typing import Any

import pytest

from loyalty.domain.connection import Connection, ConnectionStatus
from loyalty.domain.errors import Misconfigured, Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost, KlaviyoUnavailable
from loyalty.services.keep_tokens import FORCED_EVERY
from tests.connection_world import CANDLES, Office


@pytest.fixture
def office() -> Office:
    connected = Office()
    connected.connects()
    return connected


def use(office: Office) -> None:
    """Make a call that needs a good token."""
    office.klaviyo.open(office.programs.programs[CANDLES]).webhook_topics()
    office.clock.sleep(5)


def refreshes(office: Office) -> int:
    return office.account.calls("oauth_token") - 1


def switch(office: Office, **values: Any) -> None:
    for name, value in values.items():
        setattr(office.account.fake.services.switches, name, value)


def test_a_token_that_lives_for_a_while_is_used_as_it_is(office: Office) -> None:
    office.clock.sleep(50 * 60)
    use(office)
    assert refreshes(office) == 0


@pytest.mark.parametrize("minutes", [56, 61, 600])
def test_a_token_near_or_past_its_end_is_refreshed_before_the_call(office: Office, minutes: int) -> None:
    office.clock.sleep(minutes * 60)
    use(office)
    use(office)
    assert refreshes(office) == 1
    assert office.account.calls("get_webhook_topics") == 3


@pytest.mark.parametrize("mode", ["same", "rotate", "omit"])
def test_whatever_a_refresh_returns_the_next_one_works(office: Office, mode: str) -> None:
    switch(office, refresh_token_mode=mode)
    for _ in range(3):
        office.clock.sleep(3600)
        use(office)
    assert refreshes(office) == 3


def test_a_401_is_answered_by_one_refresh_and_one_more_try(office: Office) -> None:
    """R16."""
    office.account.fake.services.oauth.expire_access_tokens(None)
    use(office)
    assert refreshes(office) == 1
    assert office.connection().status is ConnectionStatus.CONNECTED


def test_days_of_false_401s_neither_disconnect_nor_use_up_the_refreshes(office: Office) -> None:
    """R16: in May 2026 Klaviyo refused tokens that it had just issued."""
    office.account.goes_wrong(operation="get_webhook_topics", kind="status", status=401, times=None)
    for _ in range(5):
        with pytest.raises(KlaviyoUnavailable):
            use(office)
        office.clock.sleep(1)
    assert refreshes(office) == 1
    office.clock.sleep(FORCED_EVERY.total_seconds())
    with pytest.raises(KlaviyoUnavailable):
        use(office)
    assert refreshes(office) == 2
    assert office.connection().status is ConnectionStatus.CONNECTED
    assert office.account.notices.told == []


@pytest.mark.parametrize(
    "fault", [{"kind": "reset_after"}, {"kind": "delay", "seconds": 60}, {"kind": "malformed_body"}]
)
@pytest.mark.parametrize("mode", ["same", "rotate_with_grace"])
def test_a_refresh_whose_answer_is_lost_recovers(office: Office, mode: str, fault: dict[str, Any]) -> None:
    """With rotation too, as long as the server lets a lost answer be asked for again."""
    switch(office, refresh_token_mode=mode)
    office.clock.sleep(3600)
    office.account.goes_wrong(operation="oauth_token", **fault)
    use(office)
    office.clock.sleep(3600)
    use(office)
    assert office.connection().status is ConnectionStatus.CONNECTED


@pytest.mark.parametrize("stored", [False, True], ids=["write refused", "answer lost"])
def test_a_rotated_token_is_kept_through_trouble_with_storage(office: Office, stored: bool) -> None:
    """The old one is worth nothing any more: whoever drops the new one has lost the access."""
    switch(office, refresh_token_mode="rotate")
    office.clock.sleep(3600)
    save, trouble = office.programs.save_connection, [1, 2]

    def hiccup(slug: ProgramSlug, connection: Connection) -> Connection:
        refreshed = connection.leased_until is None
        if refreshed and trouble:
            trouble.pop()
            if stored:
                save(slug, connection)
            raise Transient("Storage is busy.")
        return save(slug, connection)

    office.programs.save_connection = hiccup  # type: ignore[method-assign]
    use(office)
    office.clock.sleep(3600)
    use(office)
    assert (refreshes(office), office.connection().status) == (2, ConnectionStatus.CONNECTED)


def test_while_the_token_is_good_a_failing_refresh_stops_nothing(office: Office) -> None:
    office.clock.sleep(57 * 60)
    office.account.goes_wrong(operation="oauth_token", kind="status", status=503)
    use(office)
    assert office.connection().leased_until is None
    use(office)
    assert refreshes(office) == 2


@pytest.mark.parametrize("status", [429, 500, 503, 403])
def test_trouble_with_a_needed_refresh_is_temporary(office: Office, status: int) -> None:
    """A 403 page of some proxy proves nothing either."""
    office.clock.sleep(3600)
    office.account.goes_wrong(operation="oauth_token", kind="status", status=status)
    with pytest.raises(KlaviyoUnavailable):
        use(office)
    assert office.connection().status is ConnectionStatus.CONNECTED
    use(office)


def test_a_wrong_client_secret_is_the_operators_and_loses_nothing(office: Office) -> None:
    office.clock.sleep(3600)
    app = office.account.fake.services.world.apps[office.account.app.client_id]
    office.account.fake.services.world.apps[app.client_id] = replace(app, client_secret="rotated")
    with pytest.raises(Misconfigured) as raised:
        use(office)
    assert raised.value.code == "klaviyo_app_refused"
    assert office.connection().status is ConnectionStatus.CONNECTED


def test_invalid_grant_is_not_believed_when_a_newer_token_is_stored(office: Office) -> None:
    """Another worker refreshed, or the merchant reconnected, while this one asked."""
    stale = office.programs.programs[CANDLES]
    switch(office, refresh_token_mode="rotate")
    office.clock.sleep(3600)
    use(office)
    newest = office.programs.programs[CANDLES]
    refused = office.account.oauth.refresh

    def as_if_it_were_old(token: str) -> Any:
        office.programs.programs[CANDLES] = newest
        return refused(token)

    office.programs.programs[CANDLES] = stale
    keeper = replace(office.keeper, oauth=_Refreshing(as_if_it_were_old))
    assert keeper.current(stale) == office.vault.decrypt(CANDLES, newest.connection.credential)  # type: ignore[union-attr]
    assert office.connection().status is ConnectionStatus.CONNECTED
    assert office.account.notices.told == []


class _Refreshing:
    """An OAuth server of which only the refresh is asked for."""

    def __init__(self, refresh: Any) -> None:
        self.refresh = refresh

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for")


def test_a_worker_that_was_left_behind_does_not_overwrite_a_newer_connection(office: Office) -> None:
    """Its refresh was under way while the merchant connected again."""
    office.clock.sleep(3600)
    stale = office.programs.programs[CANDLES]
    refresh = office.account.oauth.refresh
    reconnected = []

    def slow(token: str) -> Any:
        tokens = refresh(token)
        reconnected.append(office.connects().connection)
        return tokens

    replace(office.keeper, oauth=_Refreshing(slow)).current(stale)
    assert office.connection().credential == reconnected[0].credential


def test_the_lease_of_a_worker_that_died_runs_out(office: Office) -> None:
    office.clock.sleep(3600)
    office.changes(leased_until=office.clock.now())
    use(office)
    assert refreshes(office) == 1


def test_a_worker_does_not_wait_for_ever_for_another(office: Office) -> None:
    office.clock.sleep(3600)
    office.changes(leased_until=office.clock.now().replace(year=2030))
    with pytest.raises(KlaviyoUnavailable) as raised:
        use(office)
    assert raised.value.code == "token_refresh_pending"
    assert refreshes(office) == 0


def test_an_uninstalled_app_loses_access_and_says_so_once(office: Office) -> None:
    """R16, R18."""
    office.account.fake.services.oauth.uninstall("AbC123", office.account.app.client_id)
    for _ in range(3):
        with pytest.raises(KlaviyoAccessLost):
            use(office)
    connection = office.connection()
    assert (connection.status, connection.loss is not None) == (ConnectionStatus.ACCESS_LOST, True)
    assert len(office.account.notices.told) == 1
    assert connection.loss is not None
    assert connection.loss.notified_at == office.clock.now()
