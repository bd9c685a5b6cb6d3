"""Several workers of one program call Klaviyo at the same moment, and it never counts one call too many.

Real threads, and a clock that moves on when all of them wait: so each call arrives at the time it was permitted for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.fake_klaviyo.fake import FakeKlaviyo
from loyalty.adapters.dynamodb.call_permits import DynamoCallPermits
from loyalty.adapters.klaviyo.client import KlaviyoClient
from loyalty.adapters.klaviyo.connections import KlaviyoClients, new_session
from loyalty.domain.connection import ConnectionMode
from loyalty.domain.errors import Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.telling import MetricEvent, ProfileState
from tests.fakes.klaviyo_wire import BASE_URL, FakeAccount
from tests.table import create_table

SARAH = "sarah.mason@klaviyo-demo.com"
WORKERS = 4


class TeamClock:
    """Klaviyo's clock for a team of threads: time passes while all of them sleep, up to when the first one wakes up."""

    def __init__(self, fake: FakeKlaviyo) -> None:
        self._fake = fake
        self._wake_ups: list[float] = []
        self._working = WORKERS
        self._changed = threading.Condition()

    def now(self) -> datetime:
        return self._fake.services.clock.now()

    def sleep(self, seconds: float) -> None:
        with self._changed:
            wakes_up = self._elapsed() + seconds
            self._wake_ups.append(wakes_up)
            self._working -= 1
            self._let_time_pass()
            self._changed.wait_for(lambda: wakes_up not in self._wake_ups)

    def leave(self) -> None:
        """A worker is done."""
        with self._changed:
            self._working -= 1
            self._let_time_pass()

    def _let_time_pass(self) -> None:
        if self._working or not self._wake_ups:
            return
        first = min(self._wake_ups)
        self._fake.advance(first - self._elapsed())
        self._working = self._wake_ups.count(first)
        self._wake_ups = [other for other in self._wake_ups if other != first]
        self._changed.notify_all()

    def _elapsed(self) -> float:
        return self._fake.services.clock.elapsed()


class OneWriteAtATime:
    """DynamoDB's promise for a conditional write, which moto does not make to threads."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lock = threading.Lock()

    def put_item(self, **request: Any) -> Any:
        with self._lock:
            return self._client.put_item(**request)


def an_event(client: KlaviyoClient, number: str, at: datetime) -> None:
    client.send_events([MetricEvent(SARAH, number, "Points Added", at, {"points": 1})])


def a_profile(client: KlaviyoClient, number: str, _: datetime) -> None:
    client.import_profile(ProfileState(f"{number}@klaviyo-demo.com", {"loyalty_points_balance": 1}))


@mock_aws
@pytest.mark.parametrize(
    ("send", "each", "window"),
    [(an_event, 42, 60), (a_profile, 30, 1)],
    ids=["ten a second, 150 a minute", "75 a second"],
)
def test_workers_at_the_same_moment_stay_below_what_klaviyo_counts(
    send: Callable[[KlaviyoClient, str, datetime], None], each: int, window: int
) -> None:
    """By Klaviyo's own count; and nobody waits longer than its windows ask for."""
    account = FakeAccount()
    clock = TeamClock(account.fake)
    table: Any = OneWriteAtATime(boto3.client("dynamodb", region_name="eu-central-1"))
    create_table(boto3.client("dynamodb", region_name="eu-central-1"), "loyalty")
    start = clock.now()

    def works(worker: int) -> None:
        permits = DynamoCallPermits(table, "loyalty", clock)
        clients = KlaviyoClients(BASE_URL, clock, session=new_session(account.wire), permits=permits)
        client = clients.holding(ProgramSlug("candles"), ConnectionMode.API_KEY, account.key)
        for number in range(each):
            while True:
                try:
                    send(client, f"{worker}-{number}", start)
                except Transient as busy:
                    clock.sleep(busy.retry_after or 1)
                else:
                    break
        clock.leave()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(works, range(WORKERS)))
    assert account.exceeded() == []
    assert len(account.events() or account.profiles()) == WORKERS * each
    assert window <= (clock.now() - start).total_seconds() <= window + 10
