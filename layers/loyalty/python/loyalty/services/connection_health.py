"""How a program's connection is, in one document (R6, R8, R9, R12, R114-R118, R151, R159)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.connection_ports import ConnectionNotes, Reconciliations
from loyalty.delivery_ports import Sent, SentEvents
from loyalty.domain.catalogue import EVENT_TYPES
from loyalty.domain.connection import Connection, ConnectionStatus, Loss
from loyalty.domain.email_channels import duplicate_channels
from loyalty.domain.moments import utc_text
from loyalty.domain.program import Program
from loyalty.domain.reconciliation import SCOPE_MISSING
from loyalty.ports import Outbox

MOST_COUNTED = 10_000

CHECKLIST = (
    ("reviews_installed", "Klaviyo Reviews is installed and active in this account."),
    ("review_widget", "The review widget is visible on the store's product pages."),
    ("review_request_flow", "A flow in Klaviyo asks customers for reviews after their orders."),
)
"""What the merchant has to have in place for review points; only the first can be seen from here."""

PROBLEMS = {
    SCOPE_MISSING: "missed and moderated reviews are not found; give the connection or key the scope reviews:read."
}
"""What keeps an account's reviews from being looked through, and what to do."""

UPGRADE_HINT = "Connect by OAuth to receive reviews and to install flows: POST .../klaviyo/connect gives the link."


CUSTOMER_HUB_SETUP = "https://help.klaviyo.com/hc/en-us/articles/36271755028507"
"""Klaviyo's own words on loyalty programs in its Customer Hub, which is set up there and nowhere else."""


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """Describes connections."""

    outbox: Outbox
    notes: ConnectionNotes
    sent: SentEvents
    reconciliations: Reconciliations

    def __call__(self, program: Program) -> dict[str, Any]:
        """The document.

        Raises:
            Transient: storage is out of reach.
        """
        owed_events, owed_profiles = self.outbox.owed_counts(program.slug, most=MOST_COUNTED)
        owed = {"events": owed_events, "profiles": owed_profiles, "counted_to": MOST_COUNTED}
        connection = program.connection
        events = _events(program, self.sent.of(program.slug))
        of_program = {"program": program.slug, "owed": owed, "events": events, "customer_hub": _customer_hub(program)}
        doubled = [f"duplicate_channel:{kind.value}" for kind in duplicate_channels(program.channels)]
        if connection is None:
            return {**of_program, "status": ConnectionStatus.NOT_CONNECTED.value, "warnings": doubled}
        seen = self.notes.last_seen(program.slug)
        document = {**of_program, **described(connection)}
        document["warnings"] += doubled
        state = self.reconciliations.reconciliation(program.slug)
        document["reviews_looked_through_at"] = _text(state.looked_at) if state else None
        if state and state.problem:
            document["warnings"].append(f"{state.problem}: {PROBLEMS[state.problem]}")
        document["last_success_at"] = _text(seen.success_at)
        if document["webhook"] is not None:
            document["webhook"]["last_delivery_at"] = _text(seen.delivery_at)
        return document


def _events(program: Program, sent: Mapping[str, Sent]) -> dict[str, Any]:
    """By event type: whether it is selected, how many Klaviyo has taken so far, and when the last one (R96)."""
    return {
        name: {
            "selected": name not in program.events_off,
            "sent": sent[name].events if name in sent else 0,
            "last_sent_at": _text(sent[name].last_at) if name in sent else None,
        }
        for name in EVENT_TYPES
    }


def described(connection: Connection) -> dict[str, Any]:
    """Everything about a connection that a merchant may know."""
    loss = connection.loss
    document: dict[str, Any] = {
        "status": connection.state.value,
        "mode": connection.mode.value,
        "account_id": connection.account_id,
        "connected_at": utc_text(connection.connected_at),
        "granted_at": _text(connection.granted_at),
        "missing_scopes": list(connection.missing_scopes),
        "upgrade_available": connection.needs_upgrade,
        "first_sync": connection.first_sync.value,
        "capabilities": {
            "reviews": connection.reviews_detected,
            "reviews_detected_at": _text(connection.detected_at),
            "webhooks": connection.webhooks_allowed,
        },
        "webhook": _webhook(connection),
        "last_error": _loss(loss) if loss else None,
        "warnings": _warnings(connection),
        "checklist": _checklist(connection),
    }
    if connection.needs_upgrade:
        document["upgrade_hint"] = UPGRADE_HINT
    if connection.state is ConnectionStatus.RECONNECT_REQUIRED:
        document["reconnect_reason"] = f"missing_scopes[{', '.join(connection.missing_scopes)}]"
    return document


def _customer_hub(program: Program) -> dict[str, Any]:
    """R159: no call of Klaviyo's API tells whether the hub shows the program, so the merchant does, in the settings."""
    return {"status": "enabled" if program.shows_in_customer_hub else "unknown", "setup_url": CUSTOMER_HUB_SETUP}


def _loss(loss: Loss) -> dict[str, Any]:
    return {"since": utc_text(loss.since), "detail": loss.why, "notified_at": _text(loss.notified_at)}


def _webhook(connection: Connection) -> dict[str, Any] | None:
    if not connection.webhooks or not connection.is_owed:
        return None
    webhook = connection.webhooks[0]
    return {"id": webhook.id, "topics": list(webhook.topics), "enabled": webhook.enabled}


def _warnings(connection: Connection) -> list[str]:
    warnings = []
    if connection.webhook_problem:
        warnings.append(f"webhook_refused: {connection.webhook_problem}")
    if connection.is_owed and not connection.webhooks_allowed:
        warnings.append("webhooks_not_allowed: reviews cannot be received with this connection.")
    return warnings


def _checklist(connection: Connection) -> list[dict[str, Any]]:
    seen = {"reviews_installed": connection.reviews_detected}
    return [{"item": item, "text": text, "seen": seen.get(item)} for item, text in CHECKLIST]


def _text(moment: datetime | None) -> str | None:
    return utc_text(moment) if moment else None
