"""The fake Klaviyo as one object: state, rules and routing, without a server.

In one process::

    fake = FakeKlaviyo(clock=ManualClock(datetime(2026, 8, 20, tzinfo=UTC)))
    answer = fake.handle(Request("GET", "/api/accounts", headers={...}))
    fake.advance(60)          # moves the clock and runs what became due
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from local.fake_klaviyo import lifecycle, oauth_routes, pipeline
from local.fake_klaviyo.accounts import World
from local.fake_klaviyo.clock import Clock, RunningClock
from local.fake_klaviyo.contract import Contract
from local.fake_klaviyo.deliveries import Deliveries
from local.fake_klaviyo.endpoints import OPERATIONS
from local.fake_klaviyo.errors import ApiError, Problem, not_found
from local.fake_klaviyo.exchange import Answer, Request
from local.fake_klaviyo.faults import Faults
from local.fake_klaviyo.import_jobs import ImportJobs
from local.fake_klaviyo.inspection import inspect
from local.fake_klaviyo.oauth import OAuth
from local.fake_klaviyo.operations import Operation
from local.fake_klaviyo.rate_limits import RateLimiter
from local.fake_klaviyo.recorder import RecordedCall, Recorder, logged_headers
from local.fake_klaviyo.scheduler import Scheduler
from local.fake_klaviyo.seed import Seed
from local.fake_klaviyo.sending import Send, post
from local.fake_klaviyo.services import Services
from local.fake_klaviyo.switches import Switches

_OAUTH_PAGES: dict[tuple[str, str], tuple[str, Callable[[Services, Request], Answer]]] = {
    ("GET", "/oauth/authorize"): ("oauth_authorize", oauth_routes.authorize),
    ("POST", "/oauth/token"): ("oauth_token", oauth_routes.token),
    ("POST", "/oauth/revoke"): ("oauth_revoke", oauth_routes.revoke),
}
_SENDERS = 16


class FakeKlaviyo:
    """All of the fake. `handle` answers one request; `start` adds the threads that a server needs."""

    def __init__(
        self,
        clock: Clock | None = None,
        seed: Seed | None = None,
        contract: Contract | None = None,
        send: Send = post,
    ) -> None:
        self._contract = contract
        self._senders: ThreadPoolExecutor | None = None
        self._routes = Map(
            [Rule(operation.path, methods=[operation.method], endpoint=operation) for operation in OPERATIONS],
            strict_slashes=False,
            redirect_defaults=False,
        )
        self.services = self._assemble(clock or RunningClock(), seed or Seed.default(), send)
        lifecycle.plant(self.services, self.services.seed)

    def handle(self, request: Request) -> Answer:
        """Answer one request: the API, the OAuth pages or the inspection API."""
        if request.path.startswith("/_fake"):
            return inspect(self.services, request)
        started = time.monotonic()
        trace = pipeline.Trace()
        name, answer = self._dispatch(request, trace)
        self._record(request, name, trace, answer, time.monotonic() - started)
        return answer

    def advance(self, seconds: float) -> None:
        """Let `seconds` of Klaviyo time pass, running what becomes due on the way, in order."""
        lifecycle.advance(self.services, seconds)

    def reset(self) -> None:
        """Forget everything and plant the seed again."""
        lifecycle.reset(self.services)

    def start(self) -> None:
        """Start the threads for scheduled work and deliveries."""
        self._senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="fake-klaviyo-delivery")
        self.services.scheduler.start()

    def stop(self) -> None:
        """End the threads; hanging calls let go."""
        self.services.faults.clear()
        self.services.scheduler.stop()
        if self._senders is not None:
            self._senders.shutdown(wait=False, cancel_futures=True)

    def _assemble(self, clock: Clock, seed: Seed, send: Send) -> Services:
        world, switches, faults = World(), Switches(), Faults()
        scheduler, limiter = Scheduler(clock), RateLimiter(clock, switches)
        return Services(
            world=world,
            clock=clock,
            scheduler=scheduler,
            switches=switches,
            faults=faults,
            limiter=limiter,
            recorder=Recorder(),
            deliveries=Deliveries(world, clock, scheduler, switches, send, self._in_background),
            jobs=ImportJobs(world, clock, scheduler, switches, faults),
            oauth=OAuth(world, clock, switches, limiter),
            seed=seed,
        )

    def _in_background(self, action: Callable[[], None]) -> None:
        if self._senders is None:
            action()
        else:
            self._senders.submit(action)

    def _dispatch(self, request: Request, trace: pipeline.Trace) -> tuple[str | None, Answer]:
        page = _OAUTH_PAGES.get((request.method, request.path))
        if page is not None:
            name, handler = page
            fault = trace.fault = self.services.faults.take(name, "", [])
            if fault is None:
                return name, handler(self.services, request)
            return name, pipeline.faulty(self.services, fault, lambda: handler(self.services, request))
        try:
            operation, params = self._route(request)
        except ApiError as error:
            return None, error.answer()
        return operation.name, pipeline.run(self.services, self._contract, operation, params, request, trace)

    def _route(self, request: Request) -> tuple[Operation, dict[str, str]]:
        try:
            operation, params = self._routes.bind("").match(request.path, request.method)
        except MethodNotAllowed as error:
            detail = f"Method '{request.method}' not allowed."
            allow = {"Allow": ", ".join(sorted(error.valid_methods or ()))}
            raise ApiError(405, [Problem(detail, "/data/", code="method_not_allowed")], allow) from error
        except NotFound as error:
            raise not_found("The path does not exist.") from error
        return operation, dict(params)

    def _record(
        self, request: Request, name: str | None, trace: pipeline.Trace, answer: Answer, seconds: float
    ) -> None:
        principal = trace.principal
        recorder = self.services.recorder
        recorder.add(
            RecordedCall(
                number=recorder.next_number(),
                at=self.services.clock.now(),
                method=request.method,
                path=request.path,
                query=urlencode(request.query) if request.path.startswith("/api/") else "",
                operation=name,
                account=principal.account.id if principal else None,
                client=principal.client if principal else None,
                status=answer.status,
                transport=answer.transport.value,
                fault=trace.fault.kind if trace.fault else None,
                items=trace.items,
                request_bytes=len(request.body),
                response_bytes=len(answer.body),
                seconds=round(seconds, 6),
                headers=logged_headers(dict(request.headers)),
            )
        )
