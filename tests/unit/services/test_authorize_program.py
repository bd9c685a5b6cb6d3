"""Connecting by OAuth: the way to Klaviyo and back, what is kept of it, and everything that is turned away."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from local.fake_klaviyo.topics import REVIEW_TOPICS as OFFERED
from loyalty.domain.connection import ConnectionMode, ConnectionStatus, FirstSync
from loyalty.domain.errors import Forbidden, LoyaltyError, Rejected, StateForbids, Transient
from loyalty.domain.oauth import REQUIRED_SCOPES, challenge_of
from loyalty.services.review_webhook_registration import REVIEW_TOPICS
from tests.connection_world import CANDLES, SOAPS, Browser, Office, query_of


def refusal(office: Office, browser: Browser, query: dict[str, str]) -> str:
    """The code with which a way back is refused."""
    with pytest.raises(LoyaltyError) as refused:
        browser.returns(query)
    return refused.value.code


def test_the_way_there_asks_for_every_scope_with_a_proof_key_and_a_random_state() -> None:
    """R1, R5."""
    office = Office()
    browser = Browser(office)
    browser.opens(office.authorize.start_link(CANDLES))
    asked = query_of(browser.authorize_url)
    assert urlsplit(browser.authorize_url).path == "/oauth/authorize"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["client_id"] == office.account.app.client_id
    assert asked["redirect_uri"] == f"{office.account.app.url}/klaviyo/oauth/callback"
    assert set(asked["scope"].split()) == REQUIRED_SCOPES
    assert {"webhooks:read", "webhooks:write", "reviews:read", "events:read"} <= REQUIRED_SCOPES
    assert len(asked["state"]) >= 43
    (attempt, _), *_ = office.records.attempts.values()
    verifier = office.vault.decrypt(CANDLES, attempt.verifier)
    assert asked["code_challenge"] == challenge_of(verifier)
    assert 43 <= len(verifier) <= 128
    stored = repr(office.records.__dict__)
    assert not [secret for secret in (asked["state"], browser.cookie, verifier) if secret in stored]


def test_every_attempt_has_a_state_and_a_proof_key_of_its_own() -> None:
    office = Office()
    link, browser = office.authorize.start_link(CANDLES), Browser(office)
    urls = []
    for _ in range(2):
        browser.opens(link)
        urls.append(query_of(browser.authorize_url))
    assert urls[0]["state"] != urls[1]["state"]
    assert urls[0]["code_challenge"] != urls[1]["code_challenge"]


def test_coming_back_connects_and_registers_the_webhook() -> None:
    """R3, R8, R102, R118."""
    office = Office()
    connected = office.connects().connection
    assert connected == office.connection()
    assert (connected.mode, connected.state) == (ConnectionMode.OAUTH, ConnectionStatus.CONNECTED)
    assert (connected.account_id, connected.missing_scopes) == ("AbC123", ())
    assert connected.granted_at == connected.connected_at
    assert (connected.reviews_detected, connected.detected_at is not None) == (True, True)
    (webhook,) = connected.webhooks
    stored = office.account.fake.services.world.accounts["AbC123"].webhooks[webhook.id]
    assert sorted(stored.topics) == sorted(webhook.topics) == sorted(REVIEW_TOPICS)
    assert stored.endpoint_url == f"{office.account.app.url}/webhooks/klaviyo/candles"
    assert stored.secret_key == office.vault.decrypt(CANDLES, webhook.secrets[0])
    assert len(stored.secret_key) >= 32


def test_no_token_is_readable_in_what_is_stored() -> None:
    office = Office()
    office.connects()
    (install,) = office.account.fake.services.oauth.installs
    stored = repr(office.programs.programs)
    assert install.refresh_token is not None
    assert install.refresh_token not in stored
    assert not [token for token in install.access_tokens if token in stored]


def test_a_merchant_who_takes_a_while_to_log_in_comes_back_once() -> None:
    """R2: Klaviyo's code begins to age when it is issued, ours when the link was opened."""
    office, browser = Office(), None
    browser = Browser(office)
    departure = office.authorize.depart(query_of(office.authorize.start_link(CANDLES))["ticket"])
    browser.cookie = departure.cookie
    office.clock.sleep(20 * 60)
    query = office.asks_klaviyo(departure.url)
    assert browser.returns(query).connection.account_id == "AbC123"
    assert refusal(office, browser, query) == "attempt_used"


def test_after_half_an_hour_the_attempt_is_over() -> None:
    office, browser = Office(), None
    browser = Browser(office)
    query = browser.opens(office.authorize.start_link(CANDLES))
    office.clock.sleep(31 * 60)
    assert refusal(office, browser, query) == "attempt_expired"
    assert office.programs.programs[CANDLES].connection is None


def test_an_old_start_link_opens_nothing() -> None:
    office = Office()
    link = office.authorize.start_link(CANDLES)
    office.clock.sleep(61 * 60)
    with pytest.raises(Rejected) as refused:
        Browser(office).opens(link)
    assert refused.value.code == "link_expired"


def test_a_state_that_was_made_up_is_refused() -> None:
    office = Office()
    browser = Browser(office)
    query = browser.opens(office.authorize.start_link(CANDLES))
    calls = office.calls()
    assert refusal(office, browser, {**query, "state": "made-up"}) == "unknown_attempt"
    assert refusal(office, browser, {"code": query["code"]}) == "incomplete_callback"
    assert refusal(office, browser, {"state": query["state"]}) == "incomplete_callback"
    assert office.calls() == calls


@pytest.mark.parametrize("cookie", ["", "another"])
def test_another_browser_is_refused_and_uses_nothing_up(cookie: str) -> None:
    """A forged callback in a merchant's browser, or a stolen one in a thief's."""
    office = Office()
    browser = Browser(office)
    query = browser.opens(office.authorize.start_link(CANDLES))
    assert refusal(office, Browser(office, cookie), query) == "another_browser"
    assert browser.returns(query).connection.account_id == "AbC123"


def test_a_code_from_another_programs_attempt_is_refused() -> None:
    """Code injection: the proof key belongs to the attempt that the code was issued for."""
    office = Office()
    thief, merchant = Browser(office), Browser(office)
    stolen = thief.opens(office.authorize.start_link(SOAPS))["code"]
    query = merchant.opens(office.authorize.start_link(CANDLES))
    assert refusal(office, merchant, {**query, "code": stolen}) == "grant_refused"
    assert office.programs.programs[CANDLES].connection is None
    assert office.programs.programs[SOAPS].connection is None


@pytest.mark.parametrize(("decision", "code"), [("deny", "authorization_denied"), ("role_missing", "role_missing")])
def test_a_refusal_at_klaviyo_changes_nothing(decision: str, code: str) -> None:
    """R3, R4."""
    office = Office()
    office.connects()
    before = office.connection()
    office.account.fake.services.switches.authorize_decision = decision  # type: ignore[assignment]
    browser = Browser(office)
    assert refusal(office, browser, browser.opens(office.authorize.start_link(CANDLES))) == code
    assert office.connection() == before


def test_another_account_is_refused_and_its_grant_given_back() -> None:
    """R10: the first credential stays untouched and works."""
    office = Office()
    office.connects()
    before = office.connection()
    office.account.fake.services.switches.authorize_account = "XyZ789"
    browser = Browser(office)
    with pytest.raises(StateForbids) as refused:
        browser.returns(browser.opens(office.authorize.start_link(CANDLES)))
    assert refused.value.code == "another_account_connected"
    assert (office.connection(), office.grants("XyZ789"), office.grants()) == (before, 0, 1)
    assert office.klaviyo.open(office.programs.programs[CANDLES]).webhooks()


def test_the_account_of_another_program_is_refused_and_that_program_goes_on() -> None:
    """R10."""
    office = Office()
    office.connects(CANDLES)
    with pytest.raises(StateForbids) as refused:
        office.connects(SOAPS)
    assert refused.value.code == "account_of_another_program"
    assert office.programs.programs[SOAPS].connection is None
    office.clock.sleep(2)
    assert office.klaviyo.open(office.programs.programs[CANDLES]).account_id() == "AbC123"
    assert len(office.webhooks()) == 1


def test_connecting_again_leaves_one_webhook_and_the_history() -> None:
    """R7, R112."""
    office = Office()
    first = office.connects().connection
    office.clock.sleep(60)
    again = office.connects().connection
    assert [webhook.id for webhook in again.webhooks] == office.webhooks() == [first.webhooks[0].id]
    assert again.connected_at == first.connected_at
    assert again.credential != first.credential


@pytest.mark.parametrize(
    "operation", ["oauth_token", "get_accounts", "get_webhook_topics", "get_webhooks", "create_webhook"]
)
def test_klaviyo_out_of_order_at_any_step_changes_nothing(operation: str) -> None:
    office = Office()
    office.account.goes_wrong(operation=operation, kind="status", status=503)
    with pytest.raises(Transient):
        office.connects()
    assert (office.programs.programs[CANDLES].connection, office.records.claims) == (None, {})
    office.clock.sleep(60)
    office.connects()
    assert len(office.webhooks()) == 1


def test_scopes_that_were_not_granted_are_named_until_a_reconnect_grants_them() -> None:
    """R6."""
    office = Office()
    office.account.fake.services.switches.granted_scopes = sorted(REQUIRED_SCOPES - {"reviews:read", "flows:write"})
    connection = office.connects().connection
    assert connection.state is ConnectionStatus.RECONNECT_REQUIRED
    assert connection.missing_scopes == ("flows:write", "reviews:read")
    office.account.fake.services.switches.granted_scopes = None
    office.clock.sleep(60)
    assert office.connects().connection.state is ConnectionStatus.CONNECTED


def test_without_reviews_there_is_no_webhook() -> None:
    """R114, R117."""
    office = Office(review_topics=False)
    connection = office.connects().connection
    assert (connection.reviews_detected, connection.webhooks, office.webhooks()) == (False, (), [])
    assert connection.state is ConnectionStatus.CONNECTED


def test_connecting_again_after_reviews_was_switched_on_registers_the_webhook() -> None:
    """R22, R117."""
    office = Office(review_topics=False)
    office.connects()
    office.account.fake.services.world.accounts["AbC123"].topics.extend(OFFERED)
    office.clock.sleep(60)
    assert len(office.connects().connection.webhooks) == len(office.webhooks()) == 1


def test_an_account_full_of_webhooks_is_connected_and_says_so() -> None:
    """Klaviyo allows ten webhooks in an account."""
    office = Office()
    api = office.account.clients.holding(CANDLES, ConnectionMode.API_KEY, DEFAULT_PRIVATE_KEY)
    for number in range(10):
        api.create_webhook(name=f"Other {number}", url="https://x.klaviyo-demo.com/", secret="s" * 32, topics=OFFERED)
        office.clock.sleep(5)
    connection = office.connects().connection
    assert (connection.webhooks, connection.state) == ((), ConnectionStatus.CONNECTED)
    assert "10" in connection.webhook_problem
    assert len(office.webhooks()) == 10


def test_an_upgrade_from_a_key_changes_nothing_but_the_credential() -> None:
    """R13: and the key is not used any more."""
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    office.synced()
    settings, before = office.programs.programs[CANDLES], office.connection()
    office.clock.sleep(60)
    after = office.connects().connection
    assert (after.mode, after.first_sync, after.connected_at) == (
        ConnectionMode.OAUTH,
        FirstSync.DONE,
        before.connected_at,
    )
    assert {name: getattr(office.programs.programs[CANDLES], name) for name in type(settings).__slots__} | {
        "connection": None
    } == {name: getattr(settings, name) for name in type(settings).__slots__} | {"connection": None}
    office.klaviyo.open(office.programs.programs[CANDLES]).webhooks()
    assert office.account.wire.headers[-1]["Authorization"].startswith("Bearer ")


def test_a_program_whose_plan_lacks_klaviyo_is_not_connected_and_its_grant_is_given_back() -> None:
    """R24: 403; self-hosted, every program may by default."""
    office = Office()
    browser = Browser(office)
    query = browser.opens(office.authorize.start_link(CANDLES))
    office.programs.programs[CANDLES] = replace(office.programs.programs[CANDLES], klaviyo_included=False)
    with pytest.raises(Forbidden) as refused:
        browser.returns(query)
    assert refused.value.code == "klaviyo_not_included"
    with pytest.raises(Forbidden):
        office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert office.programs.programs[CANDLES].connection is None
    assert (office.grants(), office.webhooks()) == (0, [])
    office.programs.programs[CANDLES] = replace(office.programs.programs[CANDLES], klaviyo_included=True)
    office.clock.sleep(2)
    assert office.connects().connection.account_id == "AbC123"
