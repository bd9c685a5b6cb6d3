"""The delivery's world with everything that bulk imports and full syncs need, and its queues played by the clock."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from loyalty.contracts.deliveries import SyncTask
from loyalty.domain.backoff import wait
from loyalty.domain.connection import FirstSync
from loyalty.domain.full_sync import FullSync
from loyalty.domain.identity import Email
from loyalty.domain.ledger.commands import Action, Adjust
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.member import Member, Profile
from loyalty.domain.program import Program
from loyalty.domain.telling import ProfileState, profile_of
from loyalty.ports import QueueMessage
from loyalty.services.finish_sync import FinishSync
from loyalty.services.follow_job import FollowJob, JobFollowed
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.run_sync import RunSync
from loyalty.services.walk_members import Walked, WalkMembers
from tests.fakes.clocks import SeededRandomness
from tests.fakes.klaviyo_wire import FakeAccount
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_profiles import MemoryMarks
from tests.fakes.memory_queues import MemoryQueue
from tests.klaviyo_world import World

RUN = timedelta(seconds=40)
"""What a worker has of its time."""


@dataclass(order=True)
class Waiting:
    """A message that is handed out at a time, and how often it was before."""

    due: datetime
    number: int
    message: QueueMessage = field(compare=False)
    received: int = field(default=0, compare=False)


class ProfileWorld(World):
    """Members by short names, e-mail addresses made of them."""

    def __init__(self, account: FakeAccount | None = None) -> None:
        super().__init__(account)
        self.events = MemoryQueue()
        self._waiting: list[Waiting] = []
        self._numbers = itertools.count()
        self._build()

    def uses(self, store: MemoryLedger) -> None:
        """Keep everything in another store from now on."""
        super().uses(store)
        self._build()

    def _build(self) -> None:
        marks = MemoryMarks(self.store)
        klaviyo = self.deliver_profiles.klaviyo
        requeue = RequeueOwed(self.store, self.events, self.queue, self.clock)
        finish = FinishSync(self.programs, self.syncs, requeue, self.clock)
        self.run = RunSync(self.programs, self.syncs, self.tasks, self.clock, SeededRandomness())
        self.follow = FollowJob(self.programs, self.jobs, self.store, marks, klaviyo, finish, self.clock)
        self.walk = WalkMembers(
            self.programs,
            self.store,
            self.syncs,
            marks,
            klaviyo,
            self.import_in_bulk,
            self.tasks,
            finish,
            self.clock,
        )

    @property
    def program(self) -> Program:
        """The program as it is stored."""
        return self.programs.programs[self.candles.slug]

    @property
    def sync(self) -> FullSync:
        """The newest full sync."""
        sync = self.syncs.load(self.candles.slug)
        assert sync is not None
        return sync

    def not_synced(self) -> None:
        """As after a connect: no first sync yet."""
        self.connected(first_sync=FirstSync.NOT_STARTED)

    def has(self, *names: str, action: Action | None = None) -> list[Entry]:
        """Members who got something."""
        return [self.gets(f"{name}@klaviyo-demo.com", action or Adjust(5)) for name in names]

    def has_many(self, number: int, *, owed: bool = False, without_email: int = 0) -> list[Member]:
        """Many members, made of one that was posted: much faster than posting. The last ones have no address."""
        (first,) = self.has("first-of-many")
        model = self.member(first)
        members = []
        for i in range(number):
            email = f"many-{i}@klaviyo-demo.com"
            member_id = self.program.member_id(Email(email))
            profile = Profile(email=email) if i < number - without_email else Profile(phone=f"+49151{i:07}")
            members.append(replace(model, member_id=member_id, profile=profile))
            self.store.stored[model.program, member_id] = members[-1]
            if owed and profile.email:
                self.store.owed_since[model.program, member_id] = self.clock.now()
        return members

    def starts_sync(self) -> FullSync:
        """What the merchant does."""
        return self.run.start(self.program)

    def walks(self, *, seconds: float = RUN.total_seconds()) -> Walked:
        """One turn of the full sync."""
        return self.walk(self.candles.slug, until=self.clock.now() + timedelta(seconds=seconds))

    def follows(self) -> list[JobFollowed]:
        """Look at every open job once."""
        jobs = self.jobs.open(self.candles.slug)
        return [self.follow(job.program, job.id, until=self.clock.now() + RUN) for job in jobs]

    def profile(self, entry: Entry) -> ProfileState:
        """What Klaviyo is to hold of an entry's member, who has an address."""
        profile = profile_of(self.program, self.member(entry))
        assert profile is not None
        return profile

    def newest(self) -> dict[str, dict[str, Any]]:
        """What Klaviyo should hold: the newest state of everybody who has an address."""
        profiles = [profile_of(self.program, each) for each in self.store.stored.values() if isinstance(each, Member)]
        return {profile.email: dict(profile.properties) for profile in profiles if profile}

    def lets_work(self, *, hours: float = 6, between: Iterable[object] = ()) -> None:
        """Do as the queues do until nothing is left to do: hand messages out in time, and again those that come back.

        ``between`` is worked through one step at a time between messages: changes while everything is under way.
        """
        steps = iter(between)
        end = self.clock.now() + timedelta(hours=hours)
        while True:
            stepped = next(steps, self) is not self
            worked = self._hand_out(end)
            if not stepped and not worked:
                return

    def _hand_out(self, end: datetime) -> bool:
        now = self.clock.now()
        assert now < end, f"not done in time: {self.jobs.jobs or self.owed_profiles()}"
        for message in self.tasks.messages:
            self._waiting.append(Waiting(now + timedelta(seconds=message.delay), next(self._numbers), message))
        self.tasks.messages.clear()
        if self.owed_profiles() and self.program.connection and self.program.connection.is_sending:
            work = self.drain()
            if work.trouble is not None:
                self.clock.sleep(work.retry_after or 5)
            return True
        if not self._waiting:
            return False
        waiting = min(self._waiting)
        self._waiting.remove(waiting)
        self.clock.sleep(max(0.0, (waiting.due - now).total_seconds()))
        self._work_on(waiting)
        return True

    def _work_on(self, waiting: Waiting) -> None:
        task = SyncTask.model_validate_json(waiting.message.body)
        until = self.clock.now() + RUN
        work = self.follow(task.program, task.job, until=until) if task.job else self.walk(task.program, until=until)
        received = waiting.received + 1
        if work.trouble is not None or work.retry_after is not None:
            delay = wait(received, work.retry_after, lambda most: most / 2)
            due = self.clock.now() + timedelta(seconds=delay)
            self._waiting.append(Waiting(due, next(self._numbers), waiting.message, received))
