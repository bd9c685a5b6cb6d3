"""Up to a million events to Klaviyo: how fast under its published limits, in how many calls, at what processor time.

The real worker over the real client, batch by batch as the queue hands messages out; entries are made up as they are
asked for, and time is simulated. The official SDK sends some events one by one to the fake Klaviyo beside it.
``python -m benchmarks.event_delivery 1000000`` plays one size.
"""

from __future__ import annotations

import heapq
import itertools
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests
from klaviyo_api import KlaviyoAPI
from typing_extensions import override

from benchmarks.counting_klaviyo import CountingKlaviyo, answer, least_seconds
from benchmarks.full_sync import Opened, SimulatedClock
from benchmarks.result import Result
from local.fake_klaviyo.clock import RunningClock
from local.fake_klaviyo.errors import ApiError
from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.rate_limits import EXTRA_LARGE, MEDIUM, QuotaKey, RateLimiter
from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from local.fake_klaviyo.server import FakeServer
from local.fake_klaviyo.switches import Switches
from loyalty.adapters.klaviyo.connections import KlaviyoClients, new_session
from loyalty.adapters.klaviyo.payloads import create_event
from loyalty.contracts.deliveries import OwedEvent
from loyalty.domain.backoff import wait
from loyalty.domain.connection import ConnectionMode
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry
from loyalty.domain.ledger.member import Member, Profile
from loyalty.domain.telling import event_of
from loyalty.services.deliver_events import DeliverEvents
from tests.builders import a_connection, a_program
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_oauth import MemoryNotes, MemorySentEvents
from tests.fakes.memory_programs import MemoryPrograms
from tests.klaviyo_world import World

SIZES = (1_000, 10_000, 100_000, 1_000_000)
BATCH = 1_000
"""Messages the queue hands out at once."""

EACH = 4
"""Events of one member that follow each other."""

ONE_BY_ONE = 150
"""Events the SDK sends; its window of a minute would take 23 times as many."""

BULK_MINUTE, SINGLE_MINUTE = 150 * BATCH, EXTRA_LARGE.steady
CANDLES = ProgramSlug("candles")


@dataclass(frozen=True)
class Measured:
    """What so many events took. ``off`` counts those that Klaviyo did not get exactly once."""

    events: int
    calls: int
    seconds: float
    throttled: int
    off: int
    marks: int
    cpu: float


class CountingEvents(CountingKlaviyo):
    """Takes bulk requests and counts how often each event was in one; its published limits are kept."""

    def __init__(self, clock: SimulatedClock, size: int) -> None:
        super().__init__(clock.klaviyos, size)
        self._events = RateLimiter(clock.klaviyos, Switches())
        self._time = clock

    @property
    def refused(self) -> int:
        """Calls above the published limits."""
        return sum(int(quota["throttled"]) for quota in self._events.report())

    @override
    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer one call."""
        assert urlsplit(request.url or "").path == "/api/event-bulk-create-jobs"
        try:
            self._events.take(QuotaKey("AbC123", "", "bulk"), MEDIUM)
        except ApiError as error:
            return answer(request, error.status, {"errors": []}, error.headers)
        self.calls["submit"].append(self._time.now().timestamp())
        body = request.body or b""
        assert isinstance(body, bytes)
        assert len(body) <= 5_000_000
        for member, seq in _EVENT.findall(body):
            self.met[int(member) * EACH + int(seq) - 1] += 1
        return answer(request, 202, {})


_EVENT = re.compile(rb'"unique_id":"(\d{26})-(\d{10})"')


class OwedCrowd:
    """An outbox of entries that are made up when they are asked for; what is marked is counted."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self.marked: Counter[DeliveryState] = Counter()

    def entries(self, program: ProgramSlug, keys: Iterable[tuple[MemberId, int]]) -> list[Entry]:
        """Some of them."""
        return [replace(self._entry, program=program, member_id=member_id, seq=seq) for member_id, seq in keys]

    def members(self, program: ProgramSlug, member_ids: Collection[MemberId]) -> dict[MemberId, Member]:
        """Whose they are."""
        return {
            each: Member(program, each, version=1, profile=Profile(email=f"m{int(each)}@klaviyo-demo.com"))
            for each in member_ids
        }

    def mark_events(self, marks: Sequence[tuple[Entry, Delivery]]) -> None:
        """Count them."""
        self.marked.update(delivery.state for _, delivery in marks)


def measured(size: int) -> Measured:
    """Deliver so many events."""
    world, clock = World(), SimulatedClock()
    template = world.gets("sarah.mason@klaviyo-demo.com", Adjust(40), reason="Thank you for your third order")
    outbox, klaviyo = OwedCrowd(template), CountingEvents(clock, size)
    clients = KlaviyoClients("https://klaviyo.test", clock, session=new_session(klaviyo))
    opened: Any = Opened(clients.holding(CANDLES, ConnectionMode.API_KEY, "pk_key"))
    store: Any = outbox
    programs = MemoryPrograms(a_program(connection=a_connection()))
    deliver = DeliverEvents(programs, store, opened, clock, MemoryNotes(), MemorySentEvents())
    began, cpu = clock.now(), time.process_time()
    randomness = SeededRandomness()
    numbers = itertools.count()
    queue: list[tuple[datetime, int, int, int]] = [(began, next(numbers), at, 1) for at in range(0, size, BATCH)]
    heapq.heapify(queue)
    while queue:
        due, _, at, attempt = heapq.heappop(queue)
        if due > clock.now():
            clock.sleep((due - clock.now()).total_seconds())
        owed = [_message(number) for number in range(at, min(size, at + BATCH))]
        (work,) = deliver(owed, until=clock.now() + timedelta(seconds=40))
        if work.later:
            back = clock.now() + timedelta(seconds=wait(attempt, work.retry_after, randomness.jitter))
            heapq.heappush(queue, (back, next(numbers), at, attempt + 1))
    spent = time.process_time() - cpu
    seconds = (clock.now() - began).total_seconds()
    off = sum(times != 1 for times in klaviyo.met)
    marks = outbox.marked[DeliveryState.SENT]
    return Measured(size, len(klaviyo.calls["submit"]), seconds, klaviyo.refused, off, marks, spent)


def results(sizes: Sequence[int] = SIZES) -> Iterator[Result]:
    """The figures."""
    found = [measured(size) for size in sizes]
    growth = "; ".join(
        f"{each.events:,} events: {each.calls} calls, {each.seconds:.0f} s, {each.cpu / each.events * 1e6:.0f} µs each"
        for each in found
    )
    last = found[-1]
    allowed = least_seconds(last.calls)
    yield Result(
        "events_time_to_limit",
        round(max(last.seconds, 1) / max(allowed, 1), 3),
        "of what the windows allow",
        1 / 0.95,
        "lower",
        f"simulated time; {growth}; least {allowed:.0f} s",
    )
    steady = BULK_MINUTE * max(allowed, 1) / max(last.seconds, 1)
    single, cpu = _sdk_one_by_one()
    yield Result(
        "events_per_minute_against_sdk",
        round(steady / SINGLE_MINUTE, 1),
        "times the SDK's",
        0.95 * BULK_MINUTE / SINGLE_MINUTE,
        "higher",
        f"{steady:,.0f} events a minute under the bulk window; the SDK one by one at most {SINGLE_MINUTE:,}, a call "
        f"each ({single} calls, {cpu * 1e6:.0f} µs each, beside {last.cpu / last.events * 1e6:.0f} µs here)",
    )
    yield Result(
        "event_calls_per_1000",
        max(round(1000 * each.calls / each.events, 3) for each in found),
        "calls",
        1,
        "lower",
        f"of Klaviyo's; {sum(each.throttled for each in found)} throttled, {sum(each.off for each in found)} events "
        f"not there exactly once, {sum(each.marks for each in found):,} marked as sent",
    )
    wrong = sum(each.throttled + each.off + abs(each.marks - each.events) for each in found)
    yield Result("events_lost_doubled_or_above_limits", wrong, "events and calls", 0, "lower", growth)


def _message(number: int) -> OwedEvent:
    return OwedEvent(program=CANDLES, member_id=MemberId(f"{number // EACH:026d}"), seq=number % EACH + 1)


def _sdk_one_by_one() -> tuple[int, float]:
    """Calls the official SDK makes for some events, and its processor time for each."""
    world = World()
    entries = world.has_owed(ONE_BY_ONE)
    bodies = [json.loads(create_event(event_of(world.candles, each, "m1@klaviyo-demo.com"))) for each in entries]
    with FakeServer(FakeKlaviyo(clock=RunningClock(10_000.0))) as server:
        sdk: Any = KlaviyoAPI(api_key=DEFAULT_PRIVATE_KEY, max_retries=0, test_host=server.base_url)
        cpu = time.thread_time()
        for body in bodies:
            sdk.Events.create_event(body)
        spent = time.thread_time() - cpu
        calls = sum(call.operation == "create_event" for call in server.fake.services.recorder.calls())
    return calls, spent / len(bodies)


if __name__ == "__main__":
    for figure in results([int(size) for size in sys.argv[1:]] or SIZES[:3]):
        print(figure.line)
