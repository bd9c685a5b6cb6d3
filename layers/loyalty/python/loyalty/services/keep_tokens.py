"""Keep a program's credential usable: refresh it early and once, however many workers ask; notice when access is lost.

Who wants to refresh takes a lease on the connection by a conditional write. Everybody else goes on with the token
that is still good, or waits a few seconds for the new one. A refresh whose answer got lost is tried again when its
lease has run out. ``invalid_grant`` is believed only if the stored refresh token is still the one that was refused:
somebody may have stored a newer one meanwhile (docs/klaviyo.md 1).

A 401 proves nothing by itself: Klaviyo has refused good tokens for days. It makes for one refresh and one more try.
Access is lost when a refresh is refused for good, or a private key is refused twice in a row (R16).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.connection_ports import Notices, OAuthServer
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, losing
from loyalty.domain.errors import Conflict, LoyaltyError, Misconfigured, Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import (
    GrantRefused,
    KlaviyoAccessLost,
    KlaviyoForbidden,
    KlaviyoUnauthorized,
    KlaviyoUnavailable,
)
from loyalty.domain.oauth import REFRESH_BEFORE, SealedTokens, Tokens
from loyalty.domain.program import Program
from loyalty.ports import Clock, ProgramStore, Vault

LEASE = timedelta(seconds=40)
"""Longer than a refresh can take, its repeat included."""

PATIENCE = timedelta(seconds=8)
"""How long to wait for somebody else's refresh before the work is given back to its queue."""

POLL_SECONDS = 0.2

FORCED_EVERY = timedelta(seconds=30)
"""How often a 401 may ask for a refresh: Klaviyo takes ten refreshes a minute."""

WRITES = 10
"""How often a change is tried anew when others change the connection at the same time."""


@dataclass(frozen=True, slots=True)
class TokenKeeper:
    """The credentials of all programs; implements ``Credentials``."""

    programs: ProgramStore
    vault: Vault
    oauth: OAuthServer
    notices: Notices
    clock: Clock

    def current(self, program: Program) -> str:
        """The secret to use now: the private key, or an access token that lives for a while yet.

        Raises:
            KlaviyoAccessLost: access is lost or was given up.
            KlaviyoUnavailable: the token is over and a new one cannot be had just now.
            Misconfigured, Transient: as the vault and the store say.
        """
        connection = _usable(program)
        if connection.mode is ConnectionMode.API_KEY or not self._ends_soon(connection):
            return self._open(program.slug, connection)
        return self._refreshed(program.slug, connection, forced=False)

    def after_refusal(self, program: Program, refused: str) -> str:
        """The secret to try once more with after a 401 or 403; the same one where there is no other."""
        stored = self._load(program.slug)
        connection = _usable(stored)
        secret = self._open(program.slug, connection)
        if secret != refused or connection.mode is ConnectionMode.API_KEY:
            return secret
        forced_at = connection.tokens.forced_at if connection.tokens else None
        if forced_at and self.clock.now() - forced_at < FORCED_EVERY:
            raise KlaviyoUnavailable(
                "Klaviyo does not accept a token that it has just issued.", code="fresh_token_refused", retry_after=30
            )
        return self._refreshed(program.slug, connection, forced=True)

    def given_up(self, program: Program, refused: str, error: KlaviyoUnauthorized | KlaviyoForbidden) -> LoyaltyError:
        """Draw the conclusion from a second refusal in a row; the error to raise."""
        connection = self._load(program.slug).connection
        if connection is None or not connection.is_usable:
            return _lost()
        if self._open(program.slug, connection) != refused:
            return error
        if connection.mode is ConnectionMode.API_KEY:
            why = "Klaviyo does not accept the private API key any more."
            return self._lose(program.slug, connection, ConnectionStatus.ACCESS_LOST, why)
        if isinstance(error, KlaviyoForbidden):
            why = "Klaviyo does not allow sending with the scopes that were granted."
            return self._lose(program.slug, connection, ConnectionStatus.RECONNECT_REQUIRED, why)
        return KlaviyoUnavailable("Klaviyo does not accept a token that it has just issued.", retry_after=30)

    def keep_alive(self, program: Program) -> None:
        """Refresh although there is no need yet: a token that is not used for 90 days dies.

        Raises:
            KlaviyoAccessLost, KlaviyoUnavailable: as ``current`` does.
        """
        connection = _usable(program)
        if connection.mode is ConnectionMode.OAUTH:
            self._refreshed(program.slug, connection, forced=False, anyway=True)

    def notify(self, program: Program) -> None:
        """Send the notification of a loss, if it has not gone out.

        Raises:
            Transient: it was not taken.
        """
        loss = program.connection.loss if program.connection else None
        if loss is None or loss.notified_at is not None:
            return
        self.notices.access_lost(program, loss.why)
        told = replace(loss, notified_at=self.clock.now())
        for _ in range(WRITES):
            connection = program.connection
            if connection is None or connection.loss != loss:
                return
            try:
                self.programs.save_connection(program.slug, replace(connection, loss=told))
            except Conflict:
                program = self._load(program.slug)
            else:
                return

    def _refreshed(self, slug: ProgramSlug, stale: Connection, *, forced: bool, anyway: bool = False) -> str:
        """A token newer than the stale one, refreshed by whoever gets the lease."""
        connection = stale
        give_up_at = self.clock.now() + PATIENCE
        while True:
            now = self.clock.now()
            if connection.credential != stale.credential:
                return self._open(slug, connection)
            if connection.leased_until is not None and connection.leased_until > now:
                if not forced and not self._is_over(connection, now):
                    return self._open(slug, connection)
                if now >= give_up_at:
                    raise KlaviyoUnavailable(
                        "Another worker is getting a new token.", code="token_refresh_pending", retry_after=5
                    )
                self.clock.sleep(POLL_SECONDS)
            elif leased := self._leased(slug, connection, now):
                return self._refresh(slug, leased, forced=forced, needed=forced or anyway)
            connection = _usable(self._load(slug))

    def _leased(self, slug: ProgramSlug, connection: Connection, now: datetime) -> Connection | None:
        try:
            return self.programs.save_connection(slug, replace(connection, leased_until=now + LEASE))
        except Conflict:
            return None

    def _refresh(self, slug: ProgramSlug, leased: Connection, *, forced: bool, needed: bool) -> str:
        if leased.tokens is None:
            raise Misconfigured("An OAuth connection without a refresh token.", program=slug)
        try:
            tokens = self.oauth.refresh(self.vault.decrypt(slug, leased.tokens.refresh))
        except GrantRefused:
            why = "Klaviyo refuses to renew the access: the app was removed there, or not used for 90 days."
            error = self._lose(slug, leased, ConnectionStatus.ACCESS_LOST, why)
            if isinstance(error, KlaviyoAccessLost):
                raise error from None
            return self._open(slug, _usable(self._load(slug)))
        except (Transient, Misconfigured):
            self._free(slug, leased)
            if needed or self._is_over(leased, self.clock.now()):
                raise
            return self._open(slug, leased)
        self._store(slug, leased, tokens, forced=forced)
        return tokens.access

    def _store(self, slug: ProgramSlug, leased: Connection, tokens: Tokens, *, forced: bool) -> None:
        """Keep what a refresh answered, unless the connection was made anew meanwhile.

        Klaviyo may have ended the old token with it, so trouble with the key service or the store is waited out.
        """
        old = leased.tokens
        if old is None:
            return
        connection = leased
        for _ in range(WRITES):
            try:
                self.programs.save_connection(slug, self._renewed(slug, connection, old, tokens, forced=forced))
            except Conflict:
                newest = self._load(slug).connection
                if newest is None or newest.tokens is None or newest.tokens.refresh != old.refresh:
                    return
                connection = newest
            except Transient:
                self.clock.sleep(POLL_SECONDS)
            else:
                return

    def _renewed(
        self, slug: ProgramSlug, connection: Connection, old: SealedTokens, tokens: Tokens, *, forced: bool
    ) -> Connection:
        now = self.clock.now()
        refresh = self.vault.encrypt(slug, tokens.refresh) if tokens.refresh else old.refresh
        expires_at = now + timedelta(seconds=tokens.seconds)
        return replace(
            connection,
            credential=self.vault.encrypt(slug, tokens.access),
            tokens=SealedTokens(refresh, expires_at, now, now if forced else old.forced_at),
            scopes=tokens.scopes or connection.scopes,
            leased_until=None,
        )

    def _free(self, slug: ProgramSlug, leased: Connection) -> None:
        """Let others try at once; should this fail, the lease runs out by itself."""
        try:
            self.programs.save_connection(slug, replace(leased, leased_until=None))
        except (Conflict, Transient):
            return

    def _lose(self, slug: ProgramSlug, refused: Connection, status: ConnectionStatus, why: str) -> LoyaltyError:
        """Mark access as lost, once, unless the credential that was refused is not the stored one any more."""
        for _ in range(WRITES):
            program = self._load(slug)
            connection = program.connection
            if connection is None or not connection.is_usable:
                return _lost()
            if _proof_of(connection) != _proof_of(refused):
                return KlaviyoUnavailable("The credential was replaced meanwhile.", retry_after=1)
            try:
                stored = self.programs.save_connection(slug, losing(connection, status, why, self.clock.now()))
            except Conflict:
                continue
            self._tell(replace(program, connection=stored))
            return _lost()
        return KlaviyoUnavailable("The connection keeps changing.", retry_after=1)

    def _tell(self, program: Program) -> None:
        try:
            self.notify(program)
        except (Transient, Misconfigured):
            # The upkeep tells what could not be told now; the pause must not wait for it.
            return

    def _open(self, slug: ProgramSlug, connection: Connection) -> str:
        return self.vault.decrypt(slug, connection.credential)

    def _load(self, slug: ProgramSlug) -> Program:
        program = self.programs.load(slug)
        if program is None:
            raise Misconfigured("The program is gone.", program=slug)
        return program

    def _ends_soon(self, connection: Connection) -> bool:
        return connection.tokens is not None and self.clock.now() >= connection.tokens.expires_at - REFRESH_BEFORE

    def _is_over(self, connection: Connection, now: datetime) -> bool:
        return connection.tokens is None or now >= connection.tokens.expires_at


def _usable(program: Program) -> Connection:
    connection = program.connection
    if connection is None:
        raise Misconfigured("The program has no connection to Klaviyo.", program=program.slug)
    if not connection.is_usable:
        raise _lost()
    return connection


def _proof_of(connection: Connection) -> bytes:
    """What tells one grant from the next: the refresh token as it is stored, or the private key."""
    return connection.tokens.refresh if connection.tokens else connection.credential


def _lost() -> KlaviyoAccessLost:
    return KlaviyoAccessLost("Access to Klaviyo is lost or was given up; what is owed waits for a reconnect.")
