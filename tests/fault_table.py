"""Everything that can go wrong between us and Klaviyo, for the tables of tests that let it; and Klaviyo over HTTP."""

from __future__ import annotations

from typing import Any, Self

from local.fake_klaviyo.lifecycle import plant_app, plant_install
from local.fake_klaviyo.seed import DEFAULT_ACCOUNT, SeedApp, SeedInstall
from local.fake_klaviyo.server import FakeServer
from loyalty.adapters.klaviyo.client import Timeouts
from loyalty.adapters.klaviyo.connections import KlaviyoClients, new_session
from loyalty.adapters.klaviyo.oauth import KlaviyoOAuth
from tests.fakes.klaviyo_wire import FakeAccount

FAULTS: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 7, "times": 2},
    "500": {"kind": "status", "status": 500, "times": 3},
    "502": {"kind": "status", "status": 502, "times": 3},
    "503": {"kind": "status", "status": 503, "times": 3},
    "time-out": {"kind": "hang", "seconds": 2},
    "reset before the request was taken": {"kind": "reset_before", "times": 3},
    "reset after the request was taken": {"kind": "reset_after", "times": 3},
    "malformed body": {"kind": "malformed_body"},
    "400 naming one bad item": {"kind": "bad_item", "detail": "Not this one."},
    "401 then refresh": {},
    "403 scope": {"kind": "status", "status": 403},
    "slow 202": {"kind": "delay", "seconds": 2},
}
"""Each clears by itself. ``401 then refresh`` is no answer to inject: the access token really expires."""

WHOLE_BODY = {"400 naming one bad item"}
"""Only requests with a body have items."""


class HttpAccount(FakeAccount):
    """The fake's default account behind a real socket, connected to by OAuth."""

    def __init__(self) -> None:
        super().__init__()
        self._server = FakeServer(self.fake)
        self._server.start()
        session, url = new_session(), self._server.base_url
        self.clients = KlaviyoClients(url, self.clock, session=session, timeouts=Timeouts(connect=1.0, read=0.3))
        self.oauth = KlaviyoOAuth(session, url, self.app)
        self.access_token, self.refresh_token = self._installed()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server, and end calls that hang."""
        self.fake.services.faults.clear()
        self._server.stop()

    def begins_anew(self) -> None:
        """Forget everything, for the next test; the server stays, since stopping one takes half a second."""
        self.fake.reset()
        plant_app(self.fake.services, SeedApp(client_id=self.app.client_id, client_secret=self.app.client_secret))
        self.access_token, self.refresh_token = self._installed()

    def _installed(self) -> tuple[str, str]:
        install = SeedInstall(account=DEFAULT_ACCOUNT, client_id=self.app.client_id)
        return plant_install(self.fake.services, install)

    def suffers(self, name: str, operation: str) -> None:
        """Let a fault of the table happen to an operation."""
        if fault := FAULTS[name]:
            self.goes_wrong(operation=operation, **fault)
        else:
            self.fake.services.oauth.expire_access_tokens(DEFAULT_ACCOUNT)
