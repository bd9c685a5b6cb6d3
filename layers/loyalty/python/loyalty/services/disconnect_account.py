"""Disconnect a program from Klaviyo (R20, R21).

Sending stops first, by one conditional write. Then, with the access that still works, our webhook is deleted and the
grant revoked; both as far as Klaviyo plays along. Nothing else is deleted there, and nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from loyalty.connection_ports import OAuthServer
from loyalty.domain.connection import Connection, Webhook, leaving
from loyalty.domain.errors import Conflict, Invalid, LoyaltyError, NotFound, StateForbids
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost, KlaviyoUnavailable
from loyalty.domain.program import Program
from loyalty.ports import Clock, Klaviyo, KlaviyoApi, ProgramStore, Vault

TRIES = 5


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What a disconnect led to; both may be False when Klaviyo was out of reach or access was lost."""

    program: ProgramSlug
    webhooks_deleted: bool
    access_revoked: bool

    @property
    def message(self) -> str:
        """What happened."""
        return "klaviyo disconnected"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {"ProgramsDisconnected": 1}

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Where it happened."""
        return {"program": self.program}


@dataclass(frozen=True, slots=True)
class DisconnectAccount:
    """Disconnects programs."""

    programs: ProgramStore
    klaviyo: Klaviyo
    oauth: OAuthServer
    vault: Vault
    clock: Clock

    def __call__(self, slug: ProgramSlug, *, confirmed: bool) -> Disconnected:
        """Disconnect a program.

        Raises:
            Invalid: ``confirmation_missing``.
            NotFound: there is no such program.
            StateForbids: ``not_connected``.
            Conflict, Transient: nothing was changed; trying again is safe.
        """
        if not confirmed:
            raise Invalid('Say {"confirm": true}: Klaviyo will hear of nothing any more.', code="confirmation_missing")
        before, stored = self._leave(self._program(slug))
        left, revoked = self._clear_up(slug, before)
        with suppress(LoyaltyError):
            if left != stored.webhooks:
                self.programs.save_connection(slug, replace(stored, webhooks=left))
        return Disconnected(slug, not left, revoked)

    def _leave(self, program: Program) -> tuple[Connection, Connection]:
        """Stop sending; the connection before, with the newest tokens, and after."""
        for _ in range(TRIES):
            before = _connection_of(program)
            try:
                return before, self.programs.save_connection(program.slug, leaving(before))
            except Conflict:
                program = self._program(program.slug)
        raise Conflict("The connection keeps changing.", code="connection_changed")

    def _clear_up(self, slug: ProgramSlug, before: Connection) -> tuple[tuple[Webhook, ...], bool]:
        """Delete the webhooks and revoke the grant; webhooks that may still be there, and whether it is revoked.

        Once Klaviyo says nothing at all it is left alone, since every further call would wait as long.
        """
        left = before.webhooks
        try:
            secret, refresh = self._access(slug, before)
            api = self.klaviyo.holding(slug, before.mode, secret)
            for webhook in before.webhooks:
                if _is_deleted(api, webhook):
                    left = tuple(each for each in left if each != webhook)
            if refresh:
                self.oauth.revoke(refresh)
        except LoyaltyError:
            return left, False
        return left, bool(refresh)

    def _access(self, slug: ProgramSlug, before: Connection) -> tuple[str, str]:
        """A secret that still works, and the refresh token to revoke; a private key has none.

        Nobody else uses the grant any more, so a token that is over is refreshed without further ado.

        Raises:
            KlaviyoAccessLost, GrantRefused: there is no access any more.
            KlaviyoUnavailable, Misconfigured, Transient: it cannot be had now.
        """
        if not before.is_usable:
            raise KlaviyoAccessLost("Access to Klaviyo was lost before the disconnect.")
        if before.tokens is None:
            return self.vault.decrypt(slug, before.credential), ""
        refresh = self.vault.decrypt(slug, before.tokens.refresh)
        if self.clock.now() < before.tokens.expires_at:
            return self.vault.decrypt(slug, before.credential), refresh
        tokens = self.oauth.refresh(refresh)
        return tokens.access, tokens.refresh or refresh

    def _program(self, slug: ProgramSlug) -> Program:
        program = self.programs.load(slug)
        if program is None:
            raise NotFound("There is no such program.", code="unknown_program", program=slug)
        return program


def _is_deleted(api: KlaviyoApi, webhook: Webhook) -> bool:
    """Delete a webhook, if Klaviyo plays along.

    Raises:
        KlaviyoUnavailable: Klaviyo says nothing.
    """
    try:
        api.delete_webhook(webhook.id)
    except KlaviyoUnavailable as trouble:
        if trouble.is_silence:
            raise
        return False
    except LoyaltyError:
        return False
    return True


def _connection_of(program: Program) -> Connection:
    if program.connection is None or not program.connection.is_owed:
        raise StateForbids("The program is not connected to Klaviyo.", code="not_connected")
    return program.connection
