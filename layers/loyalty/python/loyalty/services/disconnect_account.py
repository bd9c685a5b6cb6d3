"""Disconnect a program from Klaviyo (R20, R21).

Sending stops first, by one conditional write. Then, with the access that still works, our webhook is deleted and the
grant revoked; both as far as Klaviyo plays along. Nothing else is deleted there, and nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from loyalty.connection_ports import Credentials, OAuthServer
from loyalty.domain.connection import Connection, leaving
from loyalty.domain.errors import Conflict, Invalid, LoyaltyError, NotFound, StateForbids
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.program import Program
from loyalty.ports import Klaviyo, ProgramStore, Vault
from loyalty.services.review_webhook_registration import removed

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
    credentials: Credentials
    oauth: OAuthServer
    vault: Vault

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
        program = self._program(slug)
        _connection_of(program)
        secret = self._secret(program)
        before, stored = self._leave(self._program(slug))
        left = stored.webhooks
        if secret:
            left = removed(self.klaviyo.holding(slug, before.mode, secret), stored)
        revoked = self._revoke(slug, before)
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

    def _secret(self, program: Program) -> str:
        """What to delete the webhook with; "" where access is lost or cannot be had now."""
        try:
            return self.credentials.current(program)
        except LoyaltyError:
            return ""

    def _revoke(self, slug: ProgramSlug, before: Connection) -> bool:
        if before.tokens is None:
            return False
        try:
            self.oauth.revoke(self.vault.decrypt(slug, before.tokens.refresh))
        except LoyaltyError:
            return False
        return True

    def _program(self, slug: ProgramSlug) -> Program:
        program = self.programs.load(slug)
        if program is None:
            raise NotFound("There is no such program.", code="unknown_program", program=slug)
        return program


def _connection_of(program: Program) -> Connection:
    if program.connection is None or not program.connection.is_owed:
        raise StateForbids("The program is not connected to Klaviyo.", code="not_connected")
    return program.connection
