"""What the API answers about a program's connection: who may ask, and which use case does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.contracts.connection_requests import read_key, read_object
from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.oauth import TICKET_LIFE
from loyalty.domain.program import Program
from loyalty.services.admit_caller import AdmitCaller, Caller
from loyalty.services.authorize_program import AuthorizeProgram
from loyalty.services.build_webhooks import BuildWebhooks
from loyalty.services.connect_account import ConnectByKey, Connected, require_inclusion
from loyalty.services.connection_health import ConnectionHealth
from loyalty.services.disconnect_account import DisconnectAccount, Disconnected
from loyalty.services.keep_review_feeds import KeepReviewFeeds
from loyalty.services.resume_sending import Resume
from loyalty.services.run_sync import ServeSync
from loyalty.services.send_sample_events import SendSampleEvents
from loyalty.services.serve_replays import ServeReplays

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ServeConnection:
    """The connection part of the API."""

    admit: AdmitCaller
    authorize: AuthorizeProgram
    by_key: ConnectByKey
    disconnect_account: DisconnectAccount
    health: ConnectionHealth
    resume: Resume
    feeds: KeepReviewFeeds
    builder: BuildWebhooks
    replays: ServeReplays
    samples: SendSampleEvents
    syncs: ServeSync

    def integrations(self, slug: str, headers: Mapping[str, str]) -> Document:
        """The program's integrations, with links to their own pages (R23)."""
        program = self._admitted(slug, headers)
        status = program.connection.state if program.connection else ConnectionStatus.NOT_CONNECTED
        return {"integrations": [{"name": "klaviyo", "status": status.value, "href": _href(program)}]}

    def show(self, slug: str, headers: Mapping[str, str]) -> Document:
        """How the connection is."""
        return self.health(self._admitted(slug, headers))

    def connect(
        self, slug: str, headers: Mapping[str, str], body: bytes, *, until: datetime
    ) -> tuple[Document, Connected | None]:
        """A start link for OAuth, or the outcome of connecting by private key."""
        program = self._admitted(slug, headers)
        require_inclusion(program)
        key = read_key(read_object(body))
        if not key:
            link = self.authorize.start_link(program.slug)
            return {"start_url": link, "valid_for_seconds": int(TICKET_LIFE.total_seconds())}, None
        outcome = self.by_key(program.slug, key)
        self.resume(program.slug, outcome.connection, until=until)
        return self.health(self._admitted(slug, headers)), outcome

    def disconnect(self, slug: str, headers: Mapping[str, str], body: bytes) -> tuple[Document, Disconnected]:
        """End the connection."""
        program = self._admitted(slug, headers)
        done = self.disconnect_account(program.slug, confirmed=read_object(body).get("confirm") is True)
        document = {
            "program": program.slug,
            "status": ConnectionStatus.DISCONNECTED.value,
            "webhooks_deleted": done.webhooks_deleted,
            "access_revoked": done.access_revoked,
        }
        return document, done

    def _admitted(self, slug: str, headers: Mapping[str, str]) -> Program:
        return self.admit(Caller.of(headers), slug, Scope.ADMIN).program


def _href(program: Program) -> str:
    return f"/v1/programs/{program.slug}/klaviyo"
