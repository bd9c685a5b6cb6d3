"""A Klaviyo flow that sends its steps through a faulty gateway, as often as Klaviyo does and no more (FACTS section 7).

Whatever fails, and however often, a step ends as one entry, and no answer of ours makes Klaviyo skip it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from functions.balance_adjust import app
from loyalty.domain.errors import Conflict, Misconfigured, Transient
from loyalty.services.posting import ATTEMPTS
from tests.architecture.template import resources
from tests.gateway import Answered, Context, a_request, answered
from tests.unit.services.test_adjust_balances import FLOW, Api, item

RETRIED = (429, 500, 502, 503)
TRIES = 18
"""The first one, and 17 more within 24 hours."""

NO_ANSWER = 0
"""Klaviyo hung up before there was one."""

Deliver = Callable[[], Answered]
Fault = Callable[["Gateway", Deliver], int]


@dataclass
class Gateway:
    """The gateway as the template sets it up, in front of the function with its stores in memory."""

    api: Api = field(default_factory=Api)

    def answers(self, kind: str) -> int:
        """The status of an answer of the gateway's own."""
        (properties,) = resources("AWS::Serverless::Api").values()
        status: int = properties["GatewayResponses"][kind]["StatusCode"]
        return status

    def breaks(self, failure: Exception, *, after: bool = False) -> None:
        """Let the next commits fail, before they take effect or as if their answers were lost."""
        store = self.api.store
        store.failure = failure
        commits = set(range(store.commits + 1, store.commits + 1 + ATTEMPTS))
        store.fails_before, store.fails_after = (set(), commits) if after else (commits, set())

    def mends(self) -> None:
        """Let everything work again."""
        self.api.store.fails_before, self.api.store.fails_after = set(), set()

    def use_up_the_limit(self) -> None:
        """Let the key have made all the requests of its minute."""
        counter, key = self.api.adjust.admit.counter, self.api.issued.key
        while counter.take(key.key_id, key.per_minute, self.api.clock.now()):
            pass


def throttled(gateway: Gateway, _: Deliver) -> int:
    return gateway.answers("THROTTLED")


def crashed(gateway: Gateway, _: Deliver) -> int:
    return gateway.answers("INTEGRATION_FAILURE")


def answered_too_late(gateway: Gateway, deliver: Deliver) -> int:
    deliver()
    return gateway.answers("INTEGRATION_TIMEOUT")


def hung_up(_: Gateway, deliver: Deliver) -> int:
    deliver()
    return NO_ANSWER


def storage_fails(failure: Exception, *, after: bool = False) -> Fault:
    def fail(gateway: Gateway, deliver: Deliver) -> int:
        gateway.breaks(failure, after=after)
        status = deliver().status
        gateway.mends()
        return status

    return fail


def limited(gateway: Gateway, deliver: Deliver) -> int:
    gateway.use_up_the_limit()
    return deliver().status


FAULTS: dict[str, Fault] = {
    "throttled": throttled,
    "crashed": crashed,
    "answered too late": answered_too_late,
    "hung up": hung_up,
    "storage is busy": storage_fails(Transient("busy")),
    "storage does not answer": storage_fails(Transient("lost"), after=True),
    "somebody else is always first": storage_fails(Conflict("first")),
    "a permission is missing": storage_fails(Misconfigured("no permission")),
    "a bug": storage_fails(RuntimeError("a bug")),
    "the key's limit": limited,
}
LOST_OUTSIDE = {"answered too late", "hung up"}
"""After these the step is done, and nothing of ours knows that its answer was lost."""

KEYED = ("by its own key", "by a derived key", "not at all")


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    app.service.replace(gateway.api.adjust)
    yield gateway
    app.service.replace(None)


def klaviyo_sends(gateway: Gateway, faults: list[Fault], *items: dict[str, Any]) -> Answered:
    """Send a step as a flow does: again after what Klaviyo takes for trouble, or not at all after anything else."""
    headers = {"api-key": gateway.api.issued.text, "X-Klaviyo-Flow-ID": FLOW}
    path = f"/programs/{gateway.api.program.slug}/balance/increase"
    last: list[Answered] = []

    def deliver() -> Answered:
        event = a_request("POST", path, list(items), headers=headers)
        last.append(answered(app.lambda_handler(event, Context())))  # type: ignore[arg-type]
        return last[-1]

    for number in range(TRIES):
        status = faults[number](gateway, deliver) if number < len(faults) else deliver().status
        if status not in (*RETRIED, NO_ANSWER):
            return last[-1]
        gateway.api.clock.advance(minutes=80)
    raise AssertionError("given up after a day")


@pytest.mark.parametrize(
    ("name", "keyed"),
    [(name, keyed) for name in FAULTS for keyed in KEYED if keyed != "not at all" or name not in LOST_OUTSIDE],
)
def test_a_step_is_one_entry_whatever_fails_on_its_way(gateway: Gateway, name: str, keyed: str) -> None:
    """R139. Only an answer that is lost outside of ours, to a step without any key, pays again (ADR 0013)."""
    gateway.api.obeys(derived_keys=keyed == "by a derived key")
    own = keyed == "by its own key"
    step = [item(7, key="a" if own else ""), item(5, key="b" if own else "")]
    final = klaviyo_sends(gateway, [FAULTS[name]] * 2, *step)
    assert (final.status, [result["status"] for result in final.document["results"]]) == (200, ["posted", "posted"])
    assert gateway.api.points() == [7, 5]


def test_a_step_that_only_the_last_try_gets_through_is_one_entry(gateway: Gateway) -> None:
    """One fault after the other, for as long as Klaviyo goes on sending."""
    faults = [*FAULTS.values(), *FAULTS.values()][: TRIES - 1]
    final = klaviyo_sends(gateway, faults, item(7, key="step"))
    assert final.status == 200
    assert gateway.api.points() == [7]
