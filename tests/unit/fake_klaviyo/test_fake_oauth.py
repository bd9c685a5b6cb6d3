"""OAuth with PKCE as Klaviyo does it: codes, tokens, refresh, revocation, restricted grants."""

import base64
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from local.fake_klaviyo.oauth import challenge_of
from local.fake_klaviyo.seed import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from tests.unit.fake_klaviyo.driving import Driver, Seen

CALLBACK = "http://localhost:5001/oauth/callback"
VERIFIER = "v" * 64
BASIC = "Basic " + base64.b64encode(f"{DEFAULT_CLIENT_ID}:{DEFAULT_CLIENT_SECRET}".encode()).decode()


def authorize_query(**changes: str) -> dict[str, str]:
    """A right authorize request, with changes; an empty value leaves the parameter out."""
    query = {
        "response_type": "code",
        "client_id": DEFAULT_CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "accounts:read events:write",
        "state": "some state",
        "code_challenge_method": "S256",
        "code_challenge": challenge_of(VERIFIER),
        **changes,
    }
    return {name: value for name, value in query.items() if value}


def authorize(klaviyo: Driver, **changes: str) -> dict[str, str]:
    """Send the browser to the authorize page; returns what the redirect carries."""
    seen = klaviyo.get("/oauth/authorize", authorize_query(**changes))
    assert seen.status == 302, seen.answer.body
    location = urlsplit(seen.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
    return dict(parse_qsl(location.query))


def exchange(klaviyo: Driver, code: str, authorization: str = BASIC, **changes: str) -> Seen:
    """Exchange a code for tokens."""
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "redirect_uri": CALLBACK}
    return klaviyo.form("/oauth/token", authorization, {**form, **changes})


def refresh(klaviyo: Driver, refresh_token: str) -> Seen:
    """Refresh an access token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return klaviyo.form("/oauth/token", BASIC, form)


def connect(klaviyo: Driver, **changes: str) -> Any:
    """The tokens of a new grant."""
    seen = exchange(klaviyo, authorize(klaviyo, **changes)["code"])
    assert seen.status == 200, seen.body
    return seen.body


def use(klaviyo: Driver, access_token: str) -> int:
    """The status of a call with that token."""
    klaviyo.fake.advance(1)
    klaviyo.authorization = f"Bearer {access_token}"
    return klaviyo.get("/api/accounts").status


def test_a_merchant_who_agrees_is_sent_back_with_a_code_for_tokens(klaviyo: Driver) -> None:
    back = authorize(klaviyo)
    assert back["state"] == "some state"
    seen = exchange(klaviyo, back["code"])
    assert seen.status == 200
    assert seen.body["token_type"] == "Bearer"
    assert seen.body["expires_in"] == 3_600
    assert seen.body["scope"] == "accounts:read events:write"
    assert seen.body["access_token"].startswith("eyJ")
    assert len(seen.body["refresh_token"]) > 500
    assert use(klaviyo, seen.body["access_token"]) == 200


@pytest.mark.parametrize(
    "changes", [{"client_id": "unknown"}, {"redirect_uri": "https://evil.klaviyo-demo.com/cb"}, {"redirect_uri": ""}]
)
def test_a_wrong_client_or_address_never_redirects(klaviyo: Driver, changes: dict[str, str]) -> None:
    assert klaviyo.get("/oauth/authorize", authorize_query(**changes)).status == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": "token"},
        {"scope": ""},
        {"state": ""},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
    ],
)
def test_other_trouble_comes_back_as_an_error(klaviyo: Driver, changes: dict[str, str]) -> None:
    back = authorize(klaviyo, **changes)
    assert back["error"]
    assert "code" not in back


@pytest.mark.parametrize("decision", ["deny", "role_missing"])
def test_a_merchant_who_does_not_or_may_not_agree_comes_back_with_an_error(klaviyo: Driver, decision: str) -> None:
    klaviyo.switch(authorize_decision=decision)
    back = authorize(klaviyo)
    assert (back["error"], back["state"]) == ("access_denied", "some state")
    assert back["error_description"]


def test_unconfigured_scopes_are_ignored_and_accounts_read_is_always_granted(klaviyo: Driver) -> None:
    assert connect(klaviyo, scope="campaigns:write events:write")["scope"] == "accounts:read events:write"


def test_granted_scopes_can_be_restricted(klaviyo: Driver) -> None:
    klaviyo.switch(granted_scopes=["accounts:read"])
    tokens = connect(klaviyo)
    assert tokens["scope"] == "accounts:read"
    klaviyo.authorization = f"Bearer {tokens['access_token']}"
    assert klaviyo.post("/api/events", {}).status == 403


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "unknown"}, "invalid_grant"),
        ({"redirect_uri": "http://localhost:5001/other"}, "invalid_grant"),
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"code_verifier": "v" * 42}, "invalid_request"),
        ({"grant_type": "password"}, "invalid_grant_type"),
    ],
)
def test_a_wrong_exchange_is_refused(klaviyo: Driver, changes: dict[str, str], error: str) -> None:
    given = {"code": authorize(klaviyo)["code"], **changes}
    seen = exchange(klaviyo, **given)
    assert (seen.status, seen.body["error"]) == (400, error)
    assert seen.body["error_description"]


def test_a_code_works_once_and_for_five_minutes(klaviyo: Driver) -> None:
    first, second, third = (authorize(klaviyo)["code"] for _ in range(3))
    assert exchange(klaviyo, first).status == 200
    assert exchange(klaviyo, first).body["error"] == "invalid_grant"
    klaviyo.fake.advance(300)
    assert exchange(klaviyo, second).status == 200
    klaviyo.fake.advance(1)
    assert exchange(klaviyo, third).body["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer x", "Basic !!!", "Basic " + base64.b64encode(f"{DEFAULT_CLIENT_ID}:wrong".encode()).decode()],
)
def test_a_wrong_client_is_invalid_client(klaviyo: Driver, authorization: str) -> None:
    seen = exchange(klaviyo, "code", authorization)
    assert (seen.status, seen.body["error"]) == (401, "invalid_client")


def test_a_token_request_must_be_form_encoded(klaviyo: Driver) -> None:
    headers = {"authorization": BASIC, "content-type": "application/json"}
    seen = klaviyo.send("POST", "/oauth/token", {"grant_type": "refresh_token"}, headers=headers)
    assert seen.body["error"] == "invalid_grant_type"


def test_an_access_token_expires_and_a_refresh_brings_another(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    klaviyo.fake.advance(3_600)
    assert use(klaviyo, tokens["access_token"]) == 401
    fresh = refresh(klaviyo, tokens["refresh_token"]).body
    assert fresh["refresh_token"] == tokens["refresh_token"]
    assert use(klaviyo, fresh["access_token"]) == 200


def test_a_refresh_leaves_the_former_access_token_alive(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    refresh(klaviyo, tokens["refresh_token"])
    assert use(klaviyo, tokens["access_token"]) == 200


def test_a_rotated_refresh_token_ends_the_old_one(klaviyo: Driver) -> None:
    klaviyo.switch(refresh_token_mode="rotate")
    tokens = connect(klaviyo)
    fresh = refresh(klaviyo, tokens["refresh_token"]).body
    assert fresh["refresh_token"] != tokens["refresh_token"]
    assert refresh(klaviyo, tokens["refresh_token"]).body["error"] == "invalid_grant"
    assert refresh(klaviyo, fresh["refresh_token"]).status == 200


def test_a_refresh_may_come_without_a_refresh_token(klaviyo: Driver) -> None:
    klaviyo.switch(refresh_token_mode="omit")
    tokens = connect(klaviyo)
    assert "refresh_token" not in refresh(klaviyo, tokens["refresh_token"]).body
    assert refresh(klaviyo, tokens["refresh_token"]).status == 200


def test_ninety_idle_days_end_a_refresh_token_and_use_keeps_it(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    klaviyo.fake.advance(89 * 86_400)
    assert refresh(klaviyo, tokens["refresh_token"]).status == 200
    klaviyo.fake.advance(90 * 86_400 + 1)
    assert refresh(klaviyo, tokens["refresh_token"]).body["error"] == "invalid_grant"


def test_ten_refreshes_a_minute_are_the_most(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    statuses = [refresh(klaviyo, tokens["refresh_token"]).status for _ in range(11)]
    assert statuses == [200] * 10 + [429]


def test_revocation_ends_the_grant_and_is_not_an_error_twice(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    form = {"token_type_hint": "refresh_token", "token": tokens["refresh_token"]}
    first, second = (klaviyo.form("/oauth/revoke", BASIC, form) for _ in range(2))
    assert (first.status, first.answer.body, second.status) == (200, b"", 200)
    assert use(klaviyo, tokens["access_token"]) == 401
    assert refresh(klaviyo, tokens["refresh_token"]).body["error"] == "invalid_grant"


def test_an_uninstall_ends_the_grant(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    assert klaviyo.inspect("POST", "/uninstall", {"client_id": DEFAULT_CLIENT_ID}) == {"ended": 1}
    assert use(klaviyo, tokens["access_token"]) == 401
    assert refresh(klaviyo, tokens["refresh_token"]).body["error"] == "invalid_grant"


def test_tokens_can_be_expired_on_demand(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    assert klaviyo.inspect("POST", "/tokens/expire", {}) == {"expired": 1}
    assert use(klaviyo, tokens["access_token"]) == 401
    assert refresh(klaviyo, tokens["refresh_token"]).status == 200


def test_an_app_has_a_quota_apart_from_private_keys(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    key = klaviyo.authorization
    assert use(klaviyo, tokens["access_token"]) == 200
    klaviyo.authorization = key
    assert klaviyo.get("/api/accounts").status == 200
    assert klaviyo.get("/api/accounts").status == 429


def test_faults_hit_the_token_endpoint_too(klaviyo: Driver) -> None:
    tokens = connect(klaviyo)
    klaviyo.inspect("POST", "/faults", {"operation": "oauth_token", "kind": "status", "status": 503})
    assert refresh(klaviyo, tokens["refresh_token"]).status == 503
    assert refresh(klaviyo, tokens["refresh_token"]).status == 200
