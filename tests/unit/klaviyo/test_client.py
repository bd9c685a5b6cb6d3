"""The client, with the fake Klaviyo at the other end of a wire without sockets."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from requests.adapters import BaseAdapter
from typing_extensions import override

from local.fake_klaviyo.seed import Seed, SeedAccount, SeedKey
from loyalty.adapters.klaviyo.connections import KlaviyoClients, new_session
from loyalty.domain.connection import ConnectionMode
from loyalty.domain.errors import Misconfigured
from loyalty.domain.klaviyo_errors import (
    KlaviyoForbidden,
    KlaviyoIncompatible,
    KlaviyoRefused,
    KlaviyoUnauthorized,
    KlaviyoUnavailable,
)
from loyalty.domain.telling import MetricEvent, ProfileState
from loyalty.ports import KlaviyoApi
from tests.builders import a_program
from tests.fakes.clocks import FixedClock
from tests.fakes.klaviyo_wire import BASE_URL, FakeAccount
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_vault import MemoryVault

EMAIL = "sarah.mason@klaviyo-demo.com"
PROFILE = ProfileState(EMAIL, {"loyalty_points_balance": 0}, ("loyalty_birthday",))


def an_event(number: int = 1, email: str = EMAIL) -> MetricEvent:
    happened = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)
    return MetricEvent(email, f"m-{number:010d}", "Points Added", happened, {"points": 5})


def opened(account: FakeAccount, key: str = "", mode: ConnectionMode = ConnectionMode.API_KEY) -> KlaviyoApi:
    return account.clients.holding(a_program().slug, mode, key or account.key)


@pytest.fixture
def account() -> FakeAccount:
    return FakeAccount()


def test_calls_carry_revision_media_type_and_who_calls(account: FakeAccount) -> None:
    opened(account).send_event(an_event())
    headers = account.wire.headers[0]
    assert headers["revision"] == "2026-07-15"
    assert headers["Content-Type"] == headers["Accept"] == "application/vnd.api+json"
    assert headers["User-Agent"] == "Tallyhook"
    assert headers["Authorization"] == f"Klaviyo-API-Key {account.key}"


def test_an_oauth_connection_sends_its_token_as_bearer(account: FakeAccount) -> None:
    with pytest.raises(KlaviyoUnauthorized):
        opened(account, key="token", mode=ConnectionMode.OAUTH).account_id()
    assert account.wire.headers[0]["Authorization"] == "Bearer token"


def test_no_netrc_replaces_the_credential(
    account: FakeAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine klaviyo.test login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    opened(account).account_id()
    assert account.wire.headers[0]["Authorization"].startswith("Klaviyo-API-Key ")


def test_it_tells_whose_the_credential_is_and_which_topics_there_are(account: FakeAccount) -> None:
    api = opened(account)
    assert api.account_id() == "AbC123"
    assert "event:klaviyo.submitted_review" in api.webhook_topics()


def test_a_webhook_is_registered(account: FakeAccount) -> None:
    """R102."""
    topics = ("event:klaviyo.submitted_review", "event:klaviyo.submitted_rating")
    webhook_id = opened(account).create_webhook(
        name="Reviews", url="https://loyalty.example.com/v1/webhooks/klaviyo/candles", secret="s" * 44, topics=topics
    )
    stored = account.fake.services.world.accounts["AbC123"].webhooks[webhook_id]
    assert (sorted(stored.topics), stored.secret_key) == (sorted(topics), "s" * 44)


def test_events_and_profiles_arrive(account: FakeAccount) -> None:
    api = opened(account)
    assert api.send_events([an_event(1), an_event(2)]) == 2
    api.send_event(an_event(3))
    api.import_profile(PROFILE)
    assert [unique_id for unique_id, _, _ in account.events()] == ["m-0000000001", "m-0000000002", "m-0000000003"]
    assert account.profiles()[EMAIL] == {"loyalty_points_balance": 0}


def test_a_refused_bulk_request_names_the_event_at_fault(account: FakeAccount) -> None:
    events = [an_event(1), an_event(2, "bill"), an_event(3)]
    with pytest.raises(KlaviyoRefused) as refused:
        opened(account).send_events(events)
    assert (refused.value.considered, refused.value.items) == (3, (1,))
    assert account.events() == []


@pytest.mark.parametrize(("status", "code"), [(429, "klaviyo_throttled"), (503, "klaviyo_unavailable")])
def test_trouble_that_passes_is_not_tried_again_here(account: FakeAccount, status: int, code: str) -> None:
    """Waiting is the queue's work; a function that sleeps costs money and loses its time."""
    account.goes_wrong(kind="status", status=status, retry_after=7)
    with pytest.raises(KlaviyoUnavailable) as trouble:
        opened(account).send_events([an_event()])
    assert (trouble.value.code, trouble.value.retry_after) == (code, 7)
    assert account.calls("bulk_create_events") == 1


def test_silence_ends_at_the_time_limit(account: FakeAccount) -> None:
    account.goes_wrong(kind="hang", seconds=60)
    with pytest.raises(KlaviyoUnavailable, match="out of reach"):
        opened(account).import_profile(PROFILE)
    assert account.calls("create_or_update_profile") == 1


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_broken_connection_is_opened_once_more(account: FakeAccount, kind: str) -> None:
    """A connection kept while the function was frozen is often dead; the repeat changes nothing."""
    account.goes_wrong(kind=kind)
    opened(account).send_event(an_event())
    assert account.calls("create_event") == 2
    assert len(account.events()) == 1


def test_a_connection_that_breaks_again_is_trouble(account: FakeAccount) -> None:
    account.goes_wrong(kind="reset_before", times=2)
    with pytest.raises(KlaviyoUnavailable, match="out of reach"):
        opened(account).send_event(an_event())


def test_what_must_not_happen_twice_is_not_repeated(account: FakeAccount) -> None:
    """Klaviyo has no idempotency key for webhooks."""
    account.goes_wrong(kind="reset_after", operation="create_webhook")
    with pytest.raises(KlaviyoUnavailable):
        opened(account).create_webhook(
            name="x", url="https://loyalty.example.com/x", secret="s" * 44, topics=["event:klaviyo.submitted_review"]
        )
    assert len(account.fake.services.world.accounts["AbC123"].webhooks) == 1


def test_an_answer_that_cannot_be_read_is_trouble_where_it_is_needed(account: FakeAccount) -> None:
    account.goes_wrong(kind="malformed_body", times=2)
    api = opened(account)
    with pytest.raises(KlaviyoUnavailable, match="could not be read"):
        api.account_id()
    api.import_profile(PROFILE)
    assert EMAIL in account.profiles()


def test_a_bad_key_and_a_missing_scope_are_told_apart() -> None:
    narrow = SeedAccount(id="AbC123", private_keys=[SeedKey(key="pk_narrow", scopes=["profiles:write"])])
    account = FakeAccount(Seed(accounts=[narrow]))
    with pytest.raises(KlaviyoUnauthorized):
        opened(account, "pk_wrong").account_id()
    with pytest.raises(KlaviyoForbidden):
        opened(account, "pk_narrow").account_id()


def test_a_retired_revision_is_not_the_events_fault(account: FakeAccount) -> None:
    account.goes_wrong(kind="status", status=410)
    with pytest.raises(KlaviyoIncompatible):
        opened(account).send_events([an_event()])


def test_a_short_wait_for_the_limit_is_waited_out(account: FakeAccount) -> None:
    """Eleven calls where ten a second are allowed."""
    api = opened(account)
    for number in range(11):
        api.send_events([an_event(number)])
    assert 0 < account.clock.slept <= 1
    assert account.exceeded() == []


def test_a_long_wait_for_the_limit_is_given_back(account: FakeAccount) -> None:
    """150 bulk calls a minute, and not one more."""
    api = opened(account)
    for number in range(150):
        api.send_events([an_event(number)])
    with pytest.raises(KlaviyoUnavailable) as full:
        api.send_events([an_event(151)])
    assert full.value.code == "klaviyo_throttled"
    assert full.value.retry_after is not None
    assert 1 < full.value.retry_after <= 60
    assert account.calls("bulk_create_events") == 150
    assert account.exceeded() == []


class Elsewhere(BaseAdapter):
    """Answers every request with a redirect."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    @override
    def send(self, request: requests.PreparedRequest, *args: object, **options: object) -> requests.Response:
        self.asked.append(request.url or "")
        response = requests.Response()
        response.request, response.url = request, request.url or ""
        response.status_code = 302
        response.headers["Location"] = "https://elsewhere.example.com/"
        response._content = b""
        return response

    @override
    def close(self) -> None:
        """There is nothing to close."""


def test_a_redirect_is_not_followed() -> None:
    """The credential goes to Klaviyo and nowhere else."""
    elsewhere = Elsewhere()
    clients = KlaviyoClients(BASE_URL, FixedClock(), session=new_session(elsewhere))
    with pytest.raises(KlaviyoIncompatible):
        clients.holding(a_program().slug, ConnectionMode.API_KEY, "pk_x").send_event(an_event())
    assert elsewhere.asked == [f"{BASE_URL}/api/events"]


def test_a_program_without_a_connection_cannot_be_opened(account: FakeAccount) -> None:
    with pytest.raises(Misconfigured, match="no connection"):
        account.connections(MemoryPrograms(), MemoryVault()).open(a_program(connection=None))


def test_no_error_shows_the_credential(account: FakeAccount) -> None:
    for fault in ({"kind": "status", "status": 401}, {"kind": "hang"}, {"kind": "status", "status": 400}):
        account.goes_wrong(**fault)
        with pytest.raises((KlaviyoUnauthorized, KlaviyoUnavailable, KlaviyoRefused)) as error:
            opened(account).send_event(an_event())
        assert account.key not in f"{error.value!r} {error.value.facts} {error.value.__cause__!r}"
