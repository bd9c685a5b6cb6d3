"""OAuth with Klaviyo from the merchant's side: a start link, the way there, the way back (R1-R4, R8).

The start link carries a ticket that the program's admin or the operator asked for. Opening it makes an attempt: a
random state and proof key, bound to the browser by a cookie. The way back works once, in that browser, within half an
hour. Of ticket, state and cookie only digests are stored, and the proof key only encrypted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

from loyalty.connection_ports import KlaviyoApp, OAuthServer
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus
from loyalty.domain.errors import Forbidden, Invalid, LoyaltyError, Rejected, StateForbids
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.oauth import (
    ATTEMPT_LIFE,
    TICKET_LIFE,
    Attempt,
    SealedTokens,
    Ticket,
    Tokens,
    challenge_of,
    digest,
)
from loyalty.ports import Clock, Randomness, Vault
from loyalty.services.connect_account import Connected, EstablishConnection

CALLBACK_PATH = "/klaviyo/oauth/callback"
START_PATH = "/klaviyo/oauth/start"

_ROLES = re.compile(r"\b(owner|admin|manager|role)\b", re.IGNORECASE)
_MOST_PARAMETER = 4096


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what it has to bring back in its cookie."""

    url: str = field(repr=False)
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizeProgram:
    """The steps of connecting by OAuth."""

    establish: EstablishConnection
    oauth: OAuthServer
    app: KlaviyoApp
    vault: Vault
    clock: Clock
    randomness: Randomness

    def start_link(self, slug: ProgramSlug) -> str:
        """A link that its bearer can connect the program with, for an hour.

        Raises:
            Misconfigured: our app at Klaviyo is not set up.
            Transient: storage is out of reach.
        """
        secret, now = self._secret(), self.clock.now()
        link = f"{self.app.public_url()}{START_PATH}?{urlencode({'ticket': secret})}"
        self.establish.records.keep_ticket(Ticket(digest(secret), slug, now), now + TICKET_LIFE)
        return link

    def depart(self, ticket_secret: str) -> Departure:
        """Begin an attempt in the browser that opened a start link.

        Raises:
            Rejected: ``link_expired``, the link is unknown or too old.
            Misconfigured, Transient: as ``start_link``.
        """
        now = self.clock.now()
        ticket = self.establish.records.ticket(digest(ticket_secret[:_MOST_PARAMETER]), now)
        if ticket is None:
            raise Rejected("This link is not valid any more.", code="link_expired")
        state, verifier, cookie = self._secret(), self._secret() + self._secret(), self._secret()
        url = self.oauth.authorize_url(redirect_uri=self._redirect_uri(), state=state, challenge=challenge_of(verifier))
        attempt = Attempt(digest(state), ticket.program, digest(cookie), self._seal(ticket.program, verifier), now)
        self.establish.records.keep_attempt(attempt, now + ATTEMPT_LIFE)
        return Departure(url, cookie)

    def arrive(self, query: Mapping[str, str], cookie: str) -> Connected:
        """Finish an attempt with what Klaviyo sent the browser back with.

        Raises:
            Invalid: ``incomplete_callback``.
            Rejected: ``unknown_attempt``, ``attempt_expired``, ``attempt_used``, ``another_browser``,
                ``authorization_denied``, ``role_missing``, ``grant_refused``.
            Forbidden: ``klaviyo_not_included`` (R24).
            StateForbids: ``another_account_connected`` or ``account_of_another_program`` (R10).
            Misconfigured, Transient: nothing was changed; beginning anew is safe.
        """
        state = query.get("state", "")
        if not state or not (query.get("code") or query.get("error")):
            raise Invalid("Klaviyo's answer is not complete.", code="incomplete_callback")
        now = self.clock.now()
        attempt = self.establish.records.take_attempt(
            digest(state[:_MOST_PARAMETER]), digest(cookie[:_MOST_PARAMETER]), now
        )
        if query.get("error") or not query.get("code"):
            raise _denial(query)
        tokens = self.oauth.exchange(
            code=query["code"][:_MOST_PARAMETER],
            verifier=self.vault.decrypt(attempt.program, attempt.verifier),
            redirect_uri=self._redirect_uri(),
        )
        url = f"{self.app.public_url()}/webhooks/klaviyo/{attempt.program}"
        try:
            return self.establish(attempt.program, self._connection(attempt.program, tokens), tokens.access, url)
        except (StateForbids, Forbidden) as refused:
            self._discard(tokens, refused)
            raise

    def _connection(self, slug: ProgramSlug, tokens: Tokens) -> Connection:
        now = self.clock.now()
        return Connection(
            mode=ConnectionMode.OAUTH,
            status=ConnectionStatus.CONNECTED,
            account_id="",
            credential=self._seal(slug, tokens.access),
            connected_at=now,
            tokens=SealedTokens(self._seal(slug, tokens.refresh), now + timedelta(seconds=tokens.seconds), now),
            scopes=tokens.scopes,
            granted_at=now,
        )

    def _discard(self, tokens: Tokens, refused: StateForbids | Forbidden) -> None:
        """Give back a grant that nobody here uses; that of another program's account must not be touched."""
        if refused.code in {"another_account_connected", "klaviyo_not_included"}:
            with suppress(LoyaltyError):
                self.oauth.revoke(tokens.refresh)

    def _seal(self, slug: ProgramSlug, secret: str) -> bytes:
        return self.vault.encrypt(slug, secret)

    def _redirect_uri(self) -> str:
        return self.app.public_url() + CALLBACK_PATH

    def _secret(self) -> str:
        return self.randomness.salt() + self.randomness.salt()


def _denial(query: Mapping[str, str]) -> Rejected:
    """The merchant said no, or may not say yes (R3, R4). Klaviyo's words are read and never repeated."""
    if _ROLES.search(query.get("error_description", "")):
        return Rejected("Only an Owner, Admin or Manager in Klaviyo can connect an app.", code="role_missing")
    return Rejected("The access was not granted.", code="authorization_denied")
