"""The fake Klaviyo wired to our client without a socket, and one clock for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from typing_extensions import override
from urllib3 import HTTPResponse

from local.fake_klaviyo.accounts import Event
from local.fake_klaviyo.clock import ManualClock
from local.fake_klaviyo.exchange import Request, Transport
from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.faults import Fault
from local.fake_klaviyo.lifecycle import plant_app
from local.fake_klaviyo.seed import (
    DEFAULT_ACCOUNT,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_PRIVATE_KEY,
    Seed,
    SeedApp,
)
from loyalty.adapters.klaviyo.connections import KlaviyoClients, KlaviyoConnections, new_session
from loyalty.adapters.klaviyo.oauth import KlaviyoOAuth
from loyalty.ports import ProgramStore, Vault
from loyalty.services.keep_tokens import TokenKeeper
from tests.fakes.memory_oauth import MemoryApp, MemoryNotices

START = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)
BASE_URL = "https://klaviyo.test"


class Wire(BaseAdapter):
    """Carries requests to the fake in process; its connection faults become what ``requests`` raises for them.

    ``bodies`` keeps every body that was sent, with the path it was sent to. ``before`` happens before each request.
    """

    def __init__(self, fake: FakeKlaviyo) -> None:
        super().__init__()
        self._fake = fake
        self.bodies: list[tuple[str, bytes]] = []
        self.headers: list[Mapping[str, str]] = []
        self.before: Callable[[], object] = lambda: None

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self.before()
        url = urlsplit(request.url or "")
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        assert isinstance(body, bytes)
        self.bodies.append((url.path, body))
        self.headers.append(request.headers)
        answer = self._fake.handle(
            Request(
                method=request.method or "",
                path=url.path,
                query=tuple(parse_qsl(url.query)),
                headers={name.lower(): str(value) for name, value in request.headers.items()},
                body=body,
                base_url=BASE_URL,
            )
        )
        _, read = options["timeout"]
        if answer.transport is Transport.SILENCE or answer.seconds > read:
            raise requests.exceptions.ReadTimeout("no answer in time")
        if answer.transport is Transport.RESET:
            raise requests.exceptions.ConnectionError("reset by peer")
        response = requests.Response()
        response.request, response.url = request, request.url or ""
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.headers)
        response.raw = HTTPResponse(BytesIO(answer.body), preload_content=False)
        return response

    @override
    def close(self) -> None:
        """There is nothing to close."""


class SharedClock:
    """Our clock, moved by and moving the fake's: sleeping lets Klaviyo's windows pass."""

    def __init__(self, fake: FakeKlaviyo) -> None:
        self._fake = fake
        self.slept = 0.0

    def now(self) -> datetime:
        return self._fake.services.clock.now()

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self._fake.advance(seconds)


class FakeAccount:
    """The fake's default account, the way in, and what it holds in plain form."""

    def __init__(self, seed: Seed | None = None) -> None:
        self.fake = FakeKlaviyo(clock=ManualClock(START), seed=seed)
        self.wire = Wire(self.fake)
        self.clock = SharedClock(self.fake)
        self.key = DEFAULT_PRIVATE_KEY
        self.app = MemoryApp(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)
        self.notices = MemoryNotices()
        session = new_session(self.wire)
        self.clients = KlaviyoClients(BASE_URL, self.clock, session=session)
        self.oauth = KlaviyoOAuth(session, BASE_URL, self.app)
        plant_app(
            self.fake.services,
            SeedApp(
                client_id=self.app.client_id,
                client_secret=self.app.client_secret,
                redirect_uris=[f"{self.app.url}/klaviyo/oauth/callback"],
            ),
        )

    def keeper(self, programs: ProgramStore, vault: Vault) -> TokenKeeper:
        """The keeper of these programs' credentials."""
        return TokenKeeper(programs, vault, self.oauth, self.notices, self.clock)

    def connections(self, programs: ProgramStore, vault: Vault) -> KlaviyoConnections:
        """Our clients for these programs, wired to this account."""
        return KlaviyoConnections(self.clients, self.keeper(programs, vault))

    def goes_wrong(self, **fault: Any) -> None:
        """Arm a fault."""
        self.fake.services.faults.add(Fault(**fault))

    def calls(self, operation: str) -> int:
        """How often an operation was called, refused calls included."""
        return sum(call.operation == operation for call in self.fake.services.recorder.calls())

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(unique_id, e-mail, properties) of every recorded event, in the order of recording."""
        account = self.fake.services.world.accounts[DEFAULT_ACCOUNT]
        return [(event.unique_id, event.profile.identifiers["email"], event.properties) for event in account.events]

    def stored_events(self) -> list[Event]:
        """Every recorded event with all that is known of it, in the order of recording."""
        return list(self.fake.services.world.accounts[DEFAULT_ACCOUNT].events)

    def profiles(self) -> dict[str, dict[str, Any]]:
        """Properties of every profile, by e-mail."""
        account = self.fake.services.world.accounts[DEFAULT_ACCOUNT]
        return {profile.identifiers["email"]: profile.properties for profile in account.profiles}

    def exceeded(self) -> list[str]:
        """Operations that were called above their published limits."""
        return [str(quota["operation"]) for quota in self.fake.services.limiter.report() if quota["exceeded"]]
