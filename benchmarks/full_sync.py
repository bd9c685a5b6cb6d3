"""A full sync of up to a million members: calls, time that Klaviyo's limits allow, memory and processor time.

The real services over the real client; members are made up as they are asked for, and time is simulated. Each size
runs in a process of its own, so that its memory is its own: ``python -m benchmarks.full_sync 1000000`` prints one.
"""

from __future__ import annotations

import cProfile
import heapq
import itertools
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from benchmarks.counting_klaviyo import MOST_BYTES, MOST_PROFILES, CountingKlaviyo, least_seconds
from benchmarks.result import Result
from local.fake_klaviyo.clock import ManualClock
from loyalty.adapters.klaviyo.client import KlaviyoClient
from loyalty.adapters.klaviyo.connections import KlaviyoClients, new_session
from loyalty.contracts.deliveries import SyncTask
from loyalty.domain.backoff import wait
from loyalty.domain.connection import ConnectionMode, FirstSync
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.member import Member, Profile
from loyalty.domain.program import Program
from loyalty.domain.rewards import Reward
from loyalty.domain.tiers import Tier
from loyalty.ports import Outbox
from loyalty.profile_ports import Enrolled
from loyalty.services.finish_sync import FinishSync
from loyalty.services.follow_job import FollowJob
from loyalty.services.import_in_bulk import ImportInBulk
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.run_sync import RunSync
from loyalty.services.walk_members import WalkMembers
from tests.builders import a_connection, a_program
from tests.fakes.clocks import START, SeededRandomness
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_profiles import MemoryFullSyncs, MemoryMarks, MemoryProfileJobs
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue

SIZES = (1_000, 10_000, 100_000, 1_000_000)
WORK_SIZES = (5_000, 50_000)
WITHOUT_EMAIL = 100
"""One member of so many has no address."""

RUN = timedelta(seconds=280)
"""A worker's time."""

REWARDS = tuple(Reward(f"r{i}", f"{i} € off your next order", 100 * i) for i in (2, 5, 8, 12))
TIERS = tuple(Tier(i, name, 400 * (i - 1)) for i, name in enumerate(("Wick", "Flame", "Beacon"), 1))
"""A store with rewards and tiers: its members have a value for every field that is filled by now."""

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """What a full sync of so many members took. ``off`` counts members that were not sent once, or sent wrongly."""

    members: int
    calls: int
    least_calls: int
    seconds: float
    least_seconds: float
    ended_after: float
    throttled: int
    off: int
    megabytes: float
    cpu: float


class SimulatedClock:
    """Our clock and Klaviyo's."""

    def __init__(self) -> None:
        self.klaviyos = ManualClock(START)

    def now(self) -> datetime:
        """The simulated time."""
        return self.klaviyos.now()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.klaviyos.advance(seconds)


class Crowd(MemoryLedger):
    """A roster of members that are made up when they are asked for, by number."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def count(self, program: ProgramSlug) -> int:  # noqa: ARG002 - all are one program's
        """How many there are."""
        return self._size

    def page(self, program: ProgramSlug, *, after: str, limit: int) -> tuple[list[Enrolled], str]:
        """The next ones."""
        first = int(after) + 1 if after else 0
        last = min(self._size, first + limit)
        page = [Enrolled(_member(program, number), owed=False) for number in range(first, last)]
        return page, page[-1].member.member_id if last < self._size else ""

    def members(self, program: ProgramSlug, member_ids: Iterable[MemberId]) -> dict[MemberId, Member]:
        """Some of them."""
        return {member_id: _member(program, int(member_id)) for member_id in member_ids}


def _member(program: ProgramSlug, number: int) -> Member:
    points = 100 + number % 900
    email = f"m{number}@klaviyo-demo.com" if number % WITHOUT_EMAIL else ""
    return Member(
        program,
        MemberId(f"{number:026d}"),
        version=1 + number % 40,
        amounts=Amounts(available=points, earned=points + 250, spent=250),
        lots={"2027-01-31": points - 60, "2027-02-28": 40, "2027-03-31": 20},
        profile=Profile(email=email, birthday="1990-02-28"),
    )


class Opened:
    """Opens the one client."""

    def __init__(self, client: KlaviyoClient) -> None:
        self._client = client

    def open(self, program: Program) -> KlaviyoClient:  # noqa: ARG002 - as the port says
        """It."""
        return self._client


class Stack:
    """Everything a full sync needs, with a queue that hands messages out in simulated time."""

    def __init__(self, size: int) -> None:
        self.clock, self.queue, self.crowd = SimulatedClock(), MemoryQueue(), Crowd(size)
        self.programs = MemoryPrograms(
            a_program(connection=a_connection(first_sync=FirstSync.NOT_STARTED), rewards=REWARDS, tiers=TIERS)
        )
        self.slug = ProgramSlug("candles")
        self.klaviyo = CountingKlaviyo(self.clock.klaviyos, size)
        clients = KlaviyoClients("https://klaviyo.test", self.clock, session=new_session(self.klaviyo))
        opened = Opened(clients.holding(self.slug, ConnectionMode.API_KEY, "pk_key"))
        jobs, self.randomness = MemoryProfileJobs(), SeededRandomness()
        self.syncs, marks = MemoryFullSyncs(jobs), MemoryMarks(self.crowd)
        requeue = RequeueOwed(cast(Outbox, self.crowd), MemoryQueue(), MemoryQueue(), self.clock)
        finish = FinishSync(self.programs, self.syncs, requeue, self.clock)
        importing = ImportInBulk(jobs, self.queue, self.clock, self.randomness)
        self.walk = WalkMembers(
            self.programs, self.crowd, self.syncs, marks, opened, importing, self.queue, finish, self.clock
        )
        self.follow = FollowJob(self.programs, jobs, cast(Outbox, self.crowd), marks, opened, finish, self.clock)
        self.run = RunSync(self.programs, self.syncs, self.queue, self.clock, self.randomness)

    def play(self) -> None:
        """Start a full sync and hand messages out until none is left."""
        self.run.start(self.programs.programs[self.slug])
        waiting: list[tuple[datetime, int, SyncTask, int]] = []
        numbers = itertools.count()
        while self.queue.messages or waiting:
            for message in self.queue.messages:
                due = self.clock.now() + timedelta(seconds=message.delay)
                heapq.heappush(waiting, (due, next(numbers), SyncTask.model_validate_json(message.body), 1))
            self.queue.messages.clear()
            due, _, task, received = heapq.heappop(waiting)
            self.clock.sleep(max(0.0, (due - self.clock.now()).total_seconds()))
            if (again := self._work_on(task)) is not False:
                delay = wait(received, again, self.randomness.jitter)
                due = self.clock.now() + timedelta(seconds=delay)
                heapq.heappush(waiting, (due, next(numbers), task, received + 1))

    def _work_on(self, task: SyncTask) -> int | Any | None:
        """What a worker does; after how many seconds the message comes back, or False."""
        until = self.clock.now() + RUN
        if task.job:
            followed = self.follow(task.program, task.job, until=until)
            return followed.retry_after if followed.comes_back else False
        walked = self.walk(task.program, until=until)
        return walked.retry_after if walked.trouble else False


def measure(size: int) -> Measured:
    """Run a full sync of so many members."""
    stack = Stack(size)
    begun = time.process_time()
    stack.play()
    cpu = time.process_time() - begun
    klaviyo, sync = stack.klaviyo, stack.syncs.load(stack.slug)
    assert sync is not None
    submitted = klaviyo.calls["submit"]
    wanted = [bool(number % WITHOUT_EMAIL) for number in range(size)]
    off = sum(times != once for times, once in zip(klaviyo.met, wanted, strict=True)) + klaviyo.wrong
    off += abs(sync.done - sum(wanted)) + abs(sync.skipped.get("no_email", 0) - size + sum(wanted))
    return Measured(
        members=size,
        calls=len(submitted),
        least_calls=max(math.ceil(klaviyo.bytes / MOST_BYTES), math.ceil(sum(wanted) / MOST_PROFILES)),
        seconds=submitted[-1] - submitted[0],
        least_seconds=least_seconds(len(submitted)),
        ended_after=stack.clock.klaviyos.elapsed(),
        throttled=klaviyo.throttled,
        off=off,
        megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBIBYTE,
        cpu=cpu,
    )


def results() -> Iterator[Result]:
    """Each size in a process of its own; goals are those of the largest."""
    measured = [_in_a_process(size) for size in SIZES]
    most = measured[-1]
    growth = ", ".join(f"{each.members:,}: {each.cpu / each.members * 1e6:.0f} µs" for each in measured)
    calls = ", ".join(f"{each.members:,}: {each.calls} of {each.least_calls}" for each in measured)
    times = ", ".join(f"{each.members:,}: {each.seconds:.0f} of {each.least_seconds:.0f} s" for each in measured)
    memory = ", ".join(f"{each.members:,}: {each.megabytes:.0f} MiB" for each in measured)
    yield Result("full_sync_calls", most.calls / most.least_calls, "times", 1.05, "lower", calls)
    time_ratio = most.seconds / most.least_seconds if most.least_seconds else 1.0
    ended = f"{times}; the last job was seen to end after {most.ended_after:.0f} s"
    yield Result("full_sync_seconds", round(time_ratio, 3), "times", 1.1, "lower", ended)
    yield Result("full_sync_memory", round(most.megabytes), "MiB", 512, "lower", memory)
    few, many = (_work(size) / size for size in WORK_SIZES)
    between = f"{many:.1f}/{few:.1f} function calls a member of {WORK_SIZES[1]:,} and of {WORK_SIZES[0]:,}"
    detail = f"{between}; processor time a member, {growth}"
    yield Result("full_sync_work_growth", round(many / few, 3), "times", 1.05, "lower", detail)
    off = sum(each.off + each.throttled for each in measured)
    yield Result("full_sync_off", off, "members not sent once, or calls too many", 0, "lower", calls)


def _work(size: int) -> int:
    """Function calls of a full sync, which no other process changes."""
    stack, profile = Stack(size), cProfile.Profile()
    profile.runcall(stack.play)
    return sum(entry.callcount for entry in profile.getstats())


def _in_a_process(size: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks.full_sync", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def main() -> int:
    """Print what one size takes, as JSON."""
    print(json.dumps(asdict(measure(int(sys.argv[1])))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
