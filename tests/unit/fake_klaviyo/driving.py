"""Driving the fake Klaviyo in one process: requests, a clock that stands still, a recorder of deliveries."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from local.fake_klaviyo.clock import ManualClock
from local.fake_klaviyo.contract import Contract
from local.fake_klaviyo.exchange import JSON_API, Answer, Request
from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, Seed
from local.fake_klaviyo.sending import SendResult

START = datetime(2026, 8, 20, 14, 0, 0, tzinfo=UTC)
REVISION = "2026-07-15"
EMAIL = "sarah.mason@klaviyo-demo.com"
SECRET = "a-secret-of-thirty-two-characters"
REVIEW_TOPIC = "event:klaviyo.submitted_review"

EVENTS = "/api/events"
BULK_EVENTS = "/api/event-bulk-create-jobs"
PROFILE_IMPORT = "/api/profile-import"
IMPORT_JOBS = "/api/profile-bulk-import-jobs"
WEBHOOKS = "/api/webhooks"


@dataclass(frozen=True)
class Seen:
    """An answer with its body read."""

    status: int
    headers: Mapping[str, str]
    body: Any
    answer: Answer

    @property
    def pointers(self) -> list[str]:
        """Places that the errors name, in order."""
        return [error["source"].get("pointer", "") for error in self.body["errors"]]

    @property
    def parameter(self) -> str:
        """The query parameter that the first error names."""
        return str(self.body["errors"][0]["source"]["parameter"])

    @property
    def code(self) -> str:
        """The first error's code."""
        return str(self.body["errors"][0]["code"])


@dataclass
class Receiver:
    """Where webhook deliveries go: it keeps them and answers as told."""

    status: int | None = 200
    received: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def take(self, url: str, body: bytes, headers: Mapping[str, str]) -> SendResult:
        """Keep one delivery."""
        self.received.append((url, body, dict(headers)))
        return SendResult(self.status, None if self.status else "ReadTimeout", "", 0.0)

    @property
    def bodies(self) -> list[Any]:
        """What was delivered, parsed."""
        return [json.loads(body) for _, body, _ in self.received]


class Driver:
    """A fake with a clock that only moves when told to."""

    def __init__(self, seed: Seed | None = None, contract: Contract | None = None) -> None:
        self.receiver = Receiver()
        self.clock = ManualClock(START)
        self.fake = FakeKlaviyo(clock=self.clock, seed=seed, contract=contract, send=self.receiver.take)
        self.authorization = f"Klaviyo-API-Key {DEFAULT_PRIVATE_KEY}"

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Seen:
        """One API call; a header given as None is left out, a body of bytes is sent as it is."""
        given: dict[str, str | None] = {
            "authorization": self.authorization,
            "revision": REVISION,
            "accept": JSON_API,
            "content-type": JSON_API,
            **(headers or {}),
        }
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        kept = {name: value for name, value in given.items() if value is not None}
        return self._handle(Request(method, path, tuple((query or {}).items()), kept, raw))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Seen:
        """A GET."""
        return self.send("GET", path, query=query)

    def post(self, path: str, body: Any) -> Seen:
        """A POST."""
        return self.send("POST", path, body)

    def form(self, path: str, authorization: str, form: Mapping[str, str]) -> Seen:
        """A POST of a form, as the OAuth endpoints want it."""
        headers = {"authorization": authorization, "content-type": "application/x-www-form-urlencoded"}
        return self._handle(Request("POST", path, (), headers, urlencode(form).encode()))

    def inspect(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Any:
        """One call of the inspection API, which has to succeed; returns its document."""
        seen = self.try_inspect(method, path, body, query)
        assert seen.status == 200, seen.body
        return seen.body

    def try_inspect(self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None) -> Seen:
        """One call of the inspection API."""
        raw = b"" if body is None else json.dumps(body).encode()
        return self._handle(Request(method, f"/_fake{path}", tuple((query or {}).items()), {}, raw))

    def switch(self, **changes: Any) -> None:
        """Change switches."""
        self.inspect("PATCH", "/switches", changes)

    def events(self) -> list[Any]:
        """Recorded events."""
        events: list[Any] = self.inspect("GET", "/events")["events"]
        return events

    def profile(self, email: str = EMAIL) -> Any:
        """The one profile with that address."""
        (profile,) = self.inspect("GET", "/profiles", query={"email": email})["profiles"]
        return profile

    def webhook(self, *topics: str, url: str = "https://loyalty.klaviyo-demo.com/hooks/1") -> str:
        """A webhook on these topics (or on submitted reviews); returns its id."""
        seen = self.post(WEBHOOKS, webhook_body(*topics, url=url))
        assert seen.status == 201, seen.body
        self.fake.advance(1)
        return str(seen.body["data"]["id"])

    def _handle(self, request: Request) -> Seen:
        answer = self.fake.handle(request)
        try:
            body = json.loads(answer.body) if answer.body else None
        except ValueError:
            body = None
        return Seen(answer.status, answer.headers, body, answer)


def event(
    unique_id: str | None = "entry-1",
    properties: dict[str, Any] | None = None,
    metric: str = "Loyalty Points Earned",
    **attributes: Any,
) -> dict[str, Any]:
    """The attributes of an event, without its profile."""
    given = {} if unique_id is None else {"unique_id": unique_id}
    return {
        **given,
        "properties": {"points": 50} if properties is None else properties,
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        **attributes,
    }


def profile(email: str | None = EMAIL, **attributes: Any) -> dict[str, Any]:
    """A profile resource."""
    given = {} if email is None else {"email": email}
    return {"type": "profile", "attributes": {**given, **attributes}}


def single(attributes: dict[str, Any], person: dict[str, Any] | None = None) -> dict[str, Any]:
    """A create_event body."""
    return {"data": {"type": "event", "attributes": {**attributes, "profile": {"data": person or profile()}}}}


def bulk(*batches: tuple[dict[str, Any], list[dict[str, Any]]], **extra: Any) -> dict[str, Any]:
    """A bulk_create_events body of (profile, events) pairs; `extra` joins each pair's attributes."""
    data = [
        {
            "type": "event-bulk-create",
            "attributes": {
                "profile": {"data": person},
                "events": {"data": [{"type": "event", "attributes": attributes} for attributes in events]},
                **extra,
            },
        }
        for person, events in batches
    ]
    return {"data": {"type": "event-bulk-create-job", "attributes": {"events-bulk-create": {"data": data}}}}


def import_body(*profiles: dict[str, Any], lists: tuple[str, ...] = ()) -> dict[str, Any]:
    """A bulk_import_profiles body."""
    data: dict[str, Any] = {
        "type": "profile-bulk-import-job",
        "attributes": {"profiles": {"data": list(profiles)}},
    }
    if lists:
        data["relationships"] = {"lists": {"data": [{"type": "list", "id": name} for name in lists]}}
    return {"data": data}


def webhook_body(*topics: str, **attributes: Any) -> dict[str, Any]:
    """A create_webhook body; `url` is short for `endpoint_url`."""
    url = attributes.pop("url", "https://loyalty.klaviyo-demo.com/hooks/1")
    given = {"name": "Reviews", "endpoint_url": url, "secret_key": SECRET, **attributes}
    data = [{"type": "webhook-topic", "id": topic} for topic in topics or (REVIEW_TOPIC,)]
    return {
        "data": {
            "type": "webhook",
            "attributes": given,
            "relationships": {"webhook-topics": {"data": data}},
        }
    }
