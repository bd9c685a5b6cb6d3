"""Inspection: webhooks with their secrets, deliveries and what was answered, deliveries made to order."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from local.fake_klaviyo.accounts import Account, Webhook
from local.fake_klaviyo.deliveries import Batch
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.inspection.routes import Ask, InspectionError, Route
from local.fake_klaviyo.sending import SendResult

_LONGEST_WAIT = 120.0


class ExactDelivery(BaseModel):
    """A delivery made to order: this very body, signed with the webhook's secret unless told otherwise."""

    model_config = ConfigDict(extra="forbid")

    body: JsonObject | None = None
    raw: str | None = None
    """The body as text, instead of `body`, byte for byte."""
    event_ids: list[str] | None = None
    """Deliver these recorded events, instead of `body` or `raw`."""
    times: int = Field(default=1, ge=1, le=10_000)
    concurrency: int = Field(default=1, ge=1, le=64)
    headers: dict[str, str] = Field(default_factory=dict)
    """Replace single headers, for example a wrong Klaviyo-Signature; an empty value leaves the header out."""


def _document(account: Account, webhook: Webhook) -> JsonObject:
    return {
        "account": account.id,
        "id": webhook.id,
        "name": webhook.name,
        "description": webhook.description,
        "endpoint_url": webhook.endpoint_url,
        "secret_key": webhook.secret_key,
        "topics": webhook.topics,
        "enabled": webhook.enabled,
        "failing": webhook.failing_since is not None,
        "client": webhook.client,
    }


def _webhooks(ask: Ask) -> Any:
    with ask.services.world.lock:
        return {"webhooks": [_document(a, w) for a in ask.accounts() for w in a.webhooks.values()]}


def _batch(batch: Batch) -> JsonObject:
    return {
        "number": batch.number,
        "account": batch.account.id,
        "webhook_id": batch.webhook.id,
        "state": batch.state,
        "event_ids": batch.event_ids,
        "body": json.loads(batch.body),
        "attempts": [
            {"at": attempt.at.isoformat(), "headers": attempt.headers, **asdict(attempt.result)}
            for attempt in batch.attempts
        ],
    }


def _deliveries(ask: Ask) -> Any:
    wanted = ask.query.get("webhook_id")
    batches = list(ask.services.deliveries.batches)
    return {"deliveries": [_batch(b) for b in batches if wanted in (None, b.webhook.id)]}


def _settle(ask: Ask) -> Any:
    timeout = min(float(ask.body.get("timeout", 10.0)), _LONGEST_WAIT)
    settled = ask.services.deliveries.settle(timeout)
    states = [batch.state for batch in list(ask.services.deliveries.batches)]
    return {"settled": settled, **{state: states.count(state) for state in ("delivered", "retrying", "dropped")}}


def _find(ask: Ask) -> tuple[Account, Webhook]:
    for account in ask.services.world.accounts.values():
        if (webhook := account.webhooks.get(ask.params["id"])) is not None:
            return account, webhook
    raise KeyError(ask.params["id"])


def _raw_body(ask: Ask, account: Account, webhook: Webhook, order: ExactDelivery) -> bytes:
    given = [part for part in (order.body, order.raw, order.event_ids) if part is not None]
    if len(given) != 1:
        raise InspectionError("give exactly one of body, raw, event_ids")
    if order.raw is not None:
        return order.raw.encode()
    if order.body is not None:
        return json.dumps(order.body).encode()
    events = {event.id: event for event in account.events}
    chosen = [events[event_id] for event_id in order.event_ids or []]
    return json.dumps(ask.services.deliveries.body(account, webhook, chosen)).encode()


def _deliver(ask: Ask) -> Any:
    order = ExactDelivery.model_validate(ask.body)
    with ask.services.world.lock:
        account, webhook = _find(ask)
        body = _raw_body(ask, account, webhook, order)
    headers = {**ask.services.deliveries.sign(webhook, body), **order.headers}
    headers = {name: value for name, value in headers.items() if value}

    def send(_: int) -> SendResult:
        return ask.services.deliveries.send(webhook.endpoint_url, body, headers)

    with ThreadPoolExecutor(order.concurrency) as pool:
        results = list(pool.map(send, range(order.times)))
    return {"sent": {"body": body.decode(), "headers": headers}, "answers": [asdict(r) for r in results]}


ROUTES = (
    Route("GET", "/_fake/webhooks", "webhooks, URLs unmasked, with secrets", _webhooks),
    Route("POST", "/_fake/webhooks/<id>/deliver", "send an exact body n times, also at once", _deliver),
    Route("GET", "/_fake/deliveries", "batches with bodies, attempts and answers; ?webhook_id=", _deliveries),
    Route("POST", "/_fake/deliveries/settle", "wait ({timeout} s) until first attempts are done", _settle),
)
