"""A connection as an item and back. Secrets in it are encrypted before they get here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.typed_json import Item
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync, Loss, Webhook
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.oauth import SealedTokens


def connection_item(slug: ProgramSlug, connection: Connection) -> Item:
    """A connection as an item; a connection that is looked after is in the due index."""
    key = keys.connection(slug)
    item: dict[str, Any] = {
        "pk": key.pk,
        "sk": key.sk,
        "type": "connection",
        "program": slug,
        "version": connection.version,
        "mode": connection.mode.value,
        "status": connection.status.value,
        "account_id": connection.account_id,
        "credential": connection.credential,
        "connected_at": utc_text(connection.connected_at),
        "first_sync": connection.first_sync.value,
        "reviews_detected": connection.reviews_detected,
        "webhooks_allowed": connection.webhooks_allowed,
        "webhook_problem": connection.webhook_problem,
        "webhooks": [_webhook_item(webhook) for webhook in connection.webhooks],
        "scopes": list(connection.scopes),
        "granted_at": _text(connection.granted_at),
        "leased_until": _text(connection.leased_until),
        "detected_at": _text(connection.detected_at),
    }
    if tokens := connection.tokens:
        item["tokens"] = {
            "refresh": tokens.refresh,
            "expires_at": utc_text(tokens.expires_at),
            "refreshed_at": utc_text(tokens.refreshed_at),
            "forced_at": _text(tokens.forced_at),
        }
    if loss := connection.loss:
        item["loss"] = {"since": utc_text(loss.since), "why": loss.why, "notified_at": _text(loss.notified_at)}
    if connection.upkeep_at:
        item["due_pk"] = keys.UPKEEP_PK
        item["due_sk"] = keys.upkeep_sk(slug, connection.upkeep_at)
        item["upkeep_at"] = utc_text(connection.upkeep_at)
    return item


def connection_of(item: Item) -> Connection:
    """The connection an item describes."""
    return Connection(
        mode=ConnectionMode(item["mode"]),
        status=ConnectionStatus(item["status"]),
        account_id=item["account_id"],
        credential=item["credential"],
        connected_at=parse_utc(item["connected_at"]),
        first_sync=FirstSync(item["first_sync"]),
        reviews_detected=item["reviews_detected"],
        webhooks=tuple(_webhook_of(webhook) for webhook in item["webhooks"]),
        version=item["version"],
        tokens=_tokens_of(item.get("tokens")),
        scopes=tuple(item["scopes"]),
        granted_at=_moment(item["granted_at"]),
        leased_until=_moment(item["leased_until"]),
        loss=_loss_of(item.get("loss")),
        webhooks_allowed=item["webhooks_allowed"],
        webhook_problem=item["webhook_problem"],
        detected_at=_moment(item["detected_at"]),
        upkeep_at=_moment(item.get("upkeep_at")),
    )


def _webhook_item(webhook: Webhook) -> Item:
    return {
        "id": webhook.id,
        "topics": list(webhook.topics),
        "secrets": list(webhook.secrets),
        "enabled": webhook.enabled,
    }


def _webhook_of(facts: Any) -> Webhook:
    return Webhook(facts["id"], tuple(facts["topics"]), tuple(facts["secrets"]), facts["enabled"])


def _tokens_of(facts: Any) -> SealedTokens | None:
    if not facts:
        return None
    return SealedTokens(
        refresh=facts["refresh"],
        expires_at=parse_utc(facts["expires_at"]),
        refreshed_at=parse_utc(facts["refreshed_at"]),
        forced_at=_moment(facts["forced_at"]),
    )


def _loss_of(facts: Any) -> Loss | None:
    return Loss(parse_utc(facts["since"]), facts["why"], _moment(facts["notified_at"])) if facts else None


def _text(moment: datetime | None) -> str:
    return utc_text(moment) if moment else ""


def _moment(text: str | None) -> datetime | None:
    return parse_utc(text) if text else None
