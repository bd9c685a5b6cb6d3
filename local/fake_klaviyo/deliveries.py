"""System webhook deliveries: batching, signing, retries and giving up.

Sources: "Working with system webhooks", "Webhooks API overview": up to 1,000 events per request, an answer of 200,
201 or 202 within five seconds, exponential backoff of at most one hour, disabled after 48 hours of failure.
"""

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.fake_klaviyo.accounts import Account, Event, Webhook, World
from local.fake_klaviyo.clock import Clock
from local.fake_klaviyo.documents import event_resource
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.scheduler import Scheduler
from local.fake_klaviyo.sending import Send, SendResult
from local.fake_klaviyo.signing import signed_headers
from local.fake_klaviyo.switches import Switches

_EVENTS_PER_BATCH = 1_000
_FIRST_BACKOFF = 5.0
_LONGEST_BACKOFF = 3_600.0
_GIVE_UP_AFTER = 48 * 3_600.0
_VERSION = "2026-07-15"
_API_BASE = "https://a.klaviyo.com"


@dataclass(frozen=True)
class Attempt:
    """One try to deliver a batch."""

    at: datetime
    headers: dict[str, str]
    result: SendResult


@dataclass
class Batch:
    """One request body on its way to one webhook; a retry sends the same body, signed anew."""

    number: int
    account: Account
    webhook: Webhook
    body: bytes
    event_ids: list[str]
    attempts: list[Attempt] = field(default_factory=list)
    state: str = "sending"
    """sending, retrying, delivered or dropped."""


class Deliveries:
    """Collects events per webhook and delivers them."""

    def __init__(
        self,
        world: World,
        clock: Clock,
        scheduler: Scheduler,
        switches: Switches,
        send: Send,
        run: Callable[[Callable[[], None]], None],
    ) -> None:
        self._world = world
        self._clock = clock
        self._scheduler = scheduler
        self._switches = switches
        self.send = send
        self._run = run
        self._pending: dict[str, list[Event]] = {}
        self._scheduled = 0
        self._running = 0
        self._quiet = threading.Condition()
        self._numbers = itertools.count(1)
        self.batches: list[Batch] = []

    def announce(self, account: Account, event: Event) -> list[str]:
        """Put a recorded event in line for every enabled webhook on its topic; returns the webhooks' ids."""
        reached = []
        for webhook in account.webhooks.values():
            due = self._clock.elapsed() >= webhook.active_from
            if webhook.enabled and due and event.metric.topic in webhook.topics:
                self._queue(account, webhook, event)
                reached.append(webhook.id)
        return reached

    def sign(self, webhook: Webhook, body: bytes) -> dict[str, str]:
        """Headers for sending `body` to a webhook now."""
        moment = self._clock.now() + timedelta(seconds=self._switches.signature_clock_offset_seconds)
        return signed_headers(webhook.id, webhook.secret_key, body, moment)

    def body(self, account: Account, webhook: Webhook, events: list[Event]) -> JsonObject:
        """The document of one delivery."""
        data = [
            {
                "external_id": event.id,
                "topic": event.metric.topic,
                "payload": {"data": event_resource(event, _API_BASE, separator=" ")},
            }
            for event in events
        ]
        meta = {
            "klaviyo_account_id": account.id,
            "klaviyo_webhook_id": webhook.id,
            "timestamp": self._clock.now().isoformat(),
            "version": _VERSION,
        }
        return {"data": data, "meta": meta}

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is being sent or about to be (retries aside); False when `timeout` runs out."""
        with self._quiet:
            return self._quiet.wait_for(lambda: self._scheduled + self._running == 0, timeout)

    def wait_until(self, reached: Callable[[list[Batch]], bool], timeout: float) -> bool:
        """Wait until the batches are as wanted, looking after every attempt; False when `timeout` runs out."""
        with self._quiet:
            return self._quiet.wait_for(lambda: reached(self.batches), timeout)

    def clear(self) -> None:
        """Forget what is pending and what was delivered."""
        with self._quiet:
            self._pending.clear()
            self._scheduled = 0
            self.batches.clear()

    def _queue(self, account: Account, webhook: Webhook, event: Event) -> None:
        with self._quiet:
            waiting = self._pending.setdefault(webhook.id, [])
            waiting.append(event)
            if len(waiting) > 1:
                return
            self._scheduled += 1
        self._scheduler.after(
            self._switches.delivery_delay_seconds,
            lambda: self._begin(lambda: self._flush(account, webhook)),
        )

    def _begin(self, work: Callable[[], None]) -> None:
        with self._quiet:
            self._scheduled = max(0, self._scheduled - 1)
            self._running += 1
        self._run(lambda: self._finish(work))

    def _finish(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            with self._quiet:
                self._running -= 1
                self._quiet.notify_all()

    def _flush(self, account: Account, webhook: Webhook) -> None:
        with self._quiet:
            events = self._pending.pop(webhook.id, [])
        for start in range(0, len(events), _EVENTS_PER_BATCH):
            part = events[start : start + _EVENTS_PER_BATCH]
            with self._world.lock:
                body = json.dumps(self.body(account, webhook, part)).encode()
            batch = Batch(next(self._numbers), account, webhook, body, [event.id for event in part])
            self.batches.append(batch)
            self._attempt(batch)

    def _attempt(self, batch: Batch) -> None:
        known = self._world.accounts.get(batch.account.id) is batch.account
        if not known or not batch.webhook.enabled or batch.webhook.id not in batch.account.webhooks:
            batch.state = "dropped"
            return
        headers = self.sign(batch.webhook, batch.body)
        at = self._clock.now()
        result = self.send(batch.webhook.endpoint_url, batch.body, headers)
        batch.attempts.append(Attempt(at, headers, result))
        if result.taken:
            batch.state = "delivered"
            batch.webhook.failing_since = None
        else:
            self._after_failure(batch)

    def _after_failure(self, batch: Batch) -> None:
        webhook, now = batch.webhook, self._clock.elapsed()
        if webhook.failing_since is None:
            webhook.failing_since = now
        if now - webhook.failing_since > _GIVE_UP_AFTER:
            webhook.enabled = False
            webhook.updated = self._clock.now()
            batch.state = "dropped"
            return
        batch.state = "retrying"
        delay = min(_FIRST_BACKOFF * 2 ** (len(batch.attempts) - 1), _LONGEST_BACKOFF)
        self._scheduler.after(delay, lambda: self._retry(batch))

    def _retry(self, batch: Batch) -> None:
        with self._quiet:
            self._scheduled += 1
        self._begin(lambda: self._attempt(batch))
