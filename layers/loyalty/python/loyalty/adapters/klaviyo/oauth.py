"""Klaviyo's OAuth server: authorize URL, code exchange, refresh, revocation.

Source: "Make API calls using OAuth" (docs/klaviyo.md 1): Basic with client id and secret, form bodies, tokens at
``a.klaviyo.com``. Whether a refresh comes back with a new refresh token is not promised, so both are expected.
"""

from __future__ import annotations

import json
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import requests
from requests.auth import HTTPBasicAuth

from loyalty.adapters.klaviyo.client import USER_AGENT, Timeouts
from loyalty.domain.errors import LoyaltyError, Misconfigured
from loyalty.domain.klaviyo_errors import GrantRefused, KlaviyoIncompatible, KlaviyoUnavailable
from loyalty.domain.oauth import REQUIRED_SCOPES, Tokens, scope_text

API_HOST, PEOPLE_HOST = "a.klaviyo.com", "www.klaviyo.com"
"""Klaviyo serves programs on one host and people on the other; any other endpoint serves both."""

_GRANT_IS_OVER = frozenset({"invalid_grant", "invalid_grant_type"})
"""Klaviyo says the latter, too, of a refresh token that is revoked or has expired."""

_OUR_FAULT = frozenset({"invalid_client", "unauthorized_client"})
_DEFAULT_SECONDS = 3600


class Client(Protocol):
    """Our app at Klaviyo."""

    def client(self) -> tuple[str, str]:
        """Client id and secret."""


class KlaviyoOAuth:
    """The OAuth server over HTTP."""

    def __init__(self, session: requests.Session, base_url: str, app: Client, timeouts: Timeouts | None = None) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._app = app
        self._timeouts = timeouts or Timeouts(read=10)

    def authorize_url(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        """Where the merchant agrees to what we ask for (R1, R5)."""
        client_id, _ = self._app.client()
        url = urlsplit(self._base_url)
        host = PEOPLE_HOST if url.netloc == API_HOST else url.netloc
        query = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": scope_text(REQUIRED_SCOPES),
            "state": state,
            "code_challenge_method": "S256",
            "code_challenge": challenge,
        }
        return f"{url.scheme}://{host}/oauth/authorize?{urlencode(query)}"

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """Tokens for an authorization code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        return _tokens_of(self._post("token", form))

    def refresh(self, refresh_token: str) -> Tokens:
        """A new access token. When the connection breaks it is asked for once more: the first answer may be lost."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        try:
            return self._renewed(form)
        except KlaviyoUnavailable as trouble:
            if not trouble.is_silence:
                raise
        return self._renewed(form)

    def revoke(self, refresh_token: str) -> None:
        """End a grant."""
        self._post("revoke", {"token_type_hint": "refresh_token", "token": refresh_token})

    def _renewed(self, form: dict[str, str]) -> Tokens:
        try:
            return _tokens_of(self._post("token", form))
        except GrantRefused as refused:
            if refused.facts["oauth_error"] in _GRANT_IS_OVER:
                raise
            raise KlaviyoIncompatible("Klaviyo does not know this refresh.", **refused.facts) from refused

    def _post(self, what: str, form: dict[str, str]) -> requests.Response:
        client_id, secret = self._app.client()
        try:
            response = self._session.post(
                f"{self._base_url}/oauth/{what}",
                data=form,
                headers={"Accept": "application/json", "User-Agent": USER_AGENT},
                auth=HTTPBasicAuth(client_id, secret),
                timeout=(self._timeouts.connect, self._timeouts.read),
                allow_redirects=False,
            )
        except requests.exceptions.RequestException as error:
            raise KlaviyoUnavailable(
                "Klaviyo is out of reach.", operation=f"oauth_{what}", cause=type(error).__name__
            ) from None
        if response.status_code != 200:
            raise _error_of(what, response)
        return response


def _error_of(what: str, response: requests.Response) -> LoyaltyError:
    """What an answer other than 200 means. A 403 with a page is some proxy's and proves nothing (docs/klaviyo.md 1)."""
    try:
        code = str(json.loads(response.content)["error"])
    except (ValueError, KeyError, TypeError):
        code = ""
    facts: dict[str, Any] = {"operation": f"oauth_{what}", "status": response.status_code, "oauth_error": code[:60]}
    if code in _OUR_FAULT:
        return Misconfigured("Klaviyo does not accept our client id and secret.", code="klaviyo_app_refused", **facts)
    if code and response.status_code == 400:
        return GrantRefused("Klaviyo does not accept this grant.", **facts)
    retry_after = response.headers.get("Retry-After", "")
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
    return KlaviyoUnavailable("Klaviyo's login is out of order.", retry_after=seconds, **facts)


def _tokens_of(response: requests.Response) -> Tokens:
    """Read an answer of the token endpoint.

    Raises:
        KlaviyoUnavailable: it cannot be read; whatever it granted is unknown.
    """
    try:
        said = json.loads(response.content)
        access = str(said["access_token"])
        seconds = int(said.get("expires_in") or _DEFAULT_SECONDS)
        scopes = tuple(sorted(set(str(said.get("scope") or "").split())))
        refresh = str(said.get("refresh_token") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KlaviyoUnavailable(
            "Klaviyo's answer could not be read.", operation="oauth_token", cause="MalformedAnswer"
        ) from None
    return Tokens(access, refresh, seconds, scopes)
