"""OAuth 2.0 with PKCE: codes, tokens, refresh and revocation.

Sources: "Make API calls using OAuth", "Troubleshoot OAuth errors", official sample code: PKCE with S256 is
mandatory, codes live five minutes and work once, access tokens about an hour, refresh tokens until 90 days unused.
"""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass, field

from local.fake_klaviyo.accounts import App, World
from local.fake_klaviyo.clock import Clock, client_seconds
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.rate_limits import Limits, QuotaKey, RateLimiter
from local.fake_klaviyo.switches import Switches

_CODE_SECONDS = 300.0
_UNUSED_REFRESH_SECONDS = 90 * 86_400.0
_VERIFIER = re.compile(r"[a-zA-Z0-9\-._~]{43,128}")
_REFRESHES = Limits(10, 10)


class OAuthError(Exception):
    """A refused token or revoke request, in the form RFC 6749 gives it."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        self.error = error
        self.description = description
        self.status = status
        super().__init__(f"{error}: {description}")


@dataclass
class Install:
    """One account's grant to one app; `refresh_token` is None once uninstalled or revoked."""

    account: str
    client_id: str
    scopes: frozenset[str]
    refresh_token: str | None
    refreshed: float
    access_tokens: dict[str, float] = field(default_factory=dict)
    """Token to the elapsed second at which it expires."""
    former: str | None = None
    """The refresh token before the last rotation, while it still works because nobody has used the new tokens."""


@dataclass
class _Code:
    install: Install
    redirect_uri: str
    challenge: str
    expires: float


class OAuth:
    """Issues and checks tokens; the caller holds the world's lock."""

    def __init__(self, world: World, clock: Clock, switches: Switches, limiter: RateLimiter) -> None:
        self._world = world
        self._clock = clock
        self._switches = switches
        self._limiter = limiter
        self._codes: dict[str, _Code] = {}
        self.installs: list[Install] = []

    def clear(self) -> None:
        """Forget every grant."""
        self._codes.clear()
        self.installs.clear()

    def issue_code(self, app: App, scopes: frozenset[str], redirect_uri: str, challenge: str) -> str:
        """The authorization code for a merchant who agreed; scopes the app lacks are left out."""
        account = self._switches.authorize_account or next(iter(self._world.accounts))
        granted = (scopes & app.scopes) | {"accounts:read"}
        if self._switches.granted_scopes is not None:
            granted &= frozenset(self._switches.granted_scopes)
        install = Install(account, app.client_id, granted, None, self._clock.elapsed())
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(install, redirect_uri, challenge, self._clock.elapsed() + _CODE_SECONDS)
        return code

    def exchange_code(self, app: App, form: JsonObject) -> JsonObject:
        """Tokens for a code; raises OAuthError when it is spent, late, foreign or fails PKCE."""
        verifier = form.get("code_verifier", "")
        if _VERIFIER.fullmatch(verifier) is None:
            raise OAuthError("invalid_request", 'Invalid "code_verifier".')
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.expires < self._clock.elapsed() or code.install.client_id != app.client_id:
            raise OAuthError("invalid_grant", "The authorization code is invalid, expired or already used.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri differs from the one that was authorized.")
        if challenge_of(verifier) != code.challenge:
            raise OAuthError("invalid_grant", "Code challenge failed.")
        install = code.install
        install.refresh_token = new_token()
        self.installs.append(install)
        return self._tokens(install, install.refresh_token)

    def refresh(self, app: App, form: JsonObject) -> JsonObject:
        """A new access token; at most ten refreshes a minute per install."""
        install = self._by_refresh_token(app, form.get("refresh_token", ""))
        now = self._clock.elapsed()
        if install is None or now - install.refreshed > _UNUSED_REFRESH_SECONDS:
            raise OAuthError("invalid_grant", "The refresh token is invalid, expired or revoked.")
        self._limiter.take(QuotaKey(install.account, install.client_id, "oauth_refresh"), _REFRESHES)
        install.refreshed = now
        used = form.get("refresh_token")
        if used == install.refresh_token:
            install.former = None
        if self._switches.refresh_token_mode in ("rotate", "rotate_with_grace"):
            install.former = used if self._switches.refresh_token_mode == "rotate_with_grace" else None
            install.refresh_token = new_token()
        returned = None if self._switches.refresh_token_mode == "omit" else install.refresh_token
        return self._tokens(install, returned)

    def revoke(self, app: App, token: str) -> None:
        """End the grant the token belongs to; an unknown token is not an error (RFC 7009)."""
        for install in self.installs:
            if install.client_id == app.client_id and token in (install.refresh_token, *install.access_tokens):
                _end(install)

    def uninstall(self, account: str, client_id: str) -> int:
        """End every grant of an account to an app, as the merchant's Uninstall does; returns how many."""
        ended = [i for i in self.installs if (i.account, i.client_id) == (account, client_id) and i.refresh_token]
        for install in ended:
            _end(install)
        return len(ended)

    def expire_access_tokens(self, account: str | None) -> int:
        """Let every access token (of an account) expire now; returns how many."""
        count = 0
        for install in self.installs:
            if account in (None, install.account):
                count += len(install.access_tokens)
                install.access_tokens.clear()
        return count

    def install_of(self, access_token: str) -> Install | None:
        """The grant of a live access token."""
        now = self._clock.elapsed()
        install = next((i for i in self.installs if i.access_tokens.get(access_token, -1.0) > now), None)
        if install is not None and access_token == next(reversed(install.access_tokens)):
            install.former = None
        return install

    def seed_install(
        self, account: str, app: App, scopes: frozenset[str], access_token: str | None, refresh_token: str | None
    ) -> tuple[str, str]:
        """A ready grant with given or new tokens; returns (access token, refresh token)."""
        install = Install(account, app.client_id, scopes, refresh_token or new_token(), self._clock.elapsed())
        token = access_token or new_token()
        install.access_tokens[token] = self._clock.elapsed() + self._switches.access_token_seconds
        self.installs.append(install)
        return token, str(install.refresh_token)

    def _by_refresh_token(self, app: App, token: str) -> Install | None:
        mine = (i for i in self.installs if i.client_id == app.client_id and i.refresh_token is not None)
        return next((i for i in mine if token in (i.refresh_token, i.former)), None)

    def _tokens(self, install: Install, refresh_token: str | None) -> JsonObject:
        token = new_token()
        life = self._switches.access_token_seconds
        install.access_tokens[token] = self._clock.elapsed() + life
        document = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": client_seconds(self._clock, life),
            "scope": " ".join(sorted(install.scopes)),
        }
        return document if refresh_token is None else {**document, "refresh_token": refresh_token}


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def new_token() -> str:
    """A token as long as Klaviyo's (about 536 characters, JWT-like)."""
    return f"eyJ{secrets.token_urlsafe(400)[:533]}"


def _end(install: Install) -> None:
    install.refresh_token = install.former = None
    install.access_tokens.clear()
