"""Have Klaviyo import many profiles, and let none of its jobs get out of sight.

A job is kept, and its message queued, before it is sent. So whatever happens then, somebody looks at it: a worker that
dies, or an answer that got lost, leaves a job of which nobody knows whether Klaviyo has it, and that is dealt with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from loyalty.contracts.deliveries import SyncTask
from loyalty.domain.errors import LoyaltyError
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoRefused, KlaviyoUnavailable
from loyalty.domain.moments import utc_text, whole_milliseconds
from loyalty.domain.profile_jobs import FIRST_LOOK, ProfileJob, SentProfile
from loyalty.ports import Clock, MessageQueue, QueueMessage, Randomness
from loyalty.profile_ports import ProfileBulk, ProfileJobs, ProfilesApi

NOT_TAKEN = "klaviyo_throttled"
"""The one answer among those that may come later of which it is sure that Klaviyo did nothing."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of some profiles: the job they are in, or (``job`` None) Klaviyo's reason against them."""

    sent: tuple[SentProfile, ...]
    job: ProfileJob | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ImportInBulk:
    """Submits bulk imports."""

    jobs: ProfileJobs
    queue: MessageQueue
    clock: Clock
    randomness: Randomness

    def __call__(
        self,
        api: ProfilesApi,
        program: ProgramSlug,
        bulk: ProfileBulk,
        sent: Sequence[SentProfile],
        *,
        before_call: Callable[[], None],
        sync: str = "",
    ) -> Iterator[Imported]:
        """Submit a request; where Klaviyo refuses it, without the profiles that it names, or in halves.

        What a call settles is yielded before the next call. ``before_call`` may raise to stop in between.

        Raises:
            KlaviyoUnavailable, Misconfigured: as the port says; what was not yielded is unsettled.
        """
        waiting = deque([(bulk, tuple(sent))])
        while waiting:
            bulk, sent = waiting.popleft()
            if not sent:
                continue
            before_call()
            try:
                job = self._submitted(api, program, bulk, sent, sync)
            except KlaviyoRefused as refused:
                parts = _parts(len(sent), refused.items)
                at_fault = refused.items or (range(len(sent)) if not parts else ())
                if at_fault:
                    yield Imported(tuple(sent[position] for position in at_fault), None, refused.reason)
                for positions in reversed(parts):
                    waiting.appendleft((bulk.part(positions), tuple(sent[position] for position in positions)))
            else:
                yield Imported(sent, job)

    def _submitted(
        self, api: ProfilesApi, program: ProgramSlug, bulk: ProfileBulk, sent: Sequence[SentProfile], sync: str
    ) -> ProfileJob:
        now = whole_milliseconds(self.clock.now())
        name = f"{utc_text(now)}-{self.randomness.salt()[:8]}"
        job = ProfileJob(program, name, len(sent), now, sync=sync)
        self.jobs.begin(job, sent)
        try:
            self.queue.send([look_at(job)])
            job = replace(job, klaviyo_id=api.submit_profiles(bulk))
        except KlaviyoUnavailable as error:
            if error.code == NOT_TAKEN:
                self.jobs.forget(job)
            raise
        except LoyaltyError:
            self.jobs.forget(job)
            raise
        self.jobs.accepted(job)
        return job


def look_at(job: ProfileJob, delay: int = FIRST_LOOK) -> QueueMessage:
    """The message that has a job looked at after so many seconds."""
    task = SyncTask(program=job.program, job=job.id)
    return QueueMessage(task.model_dump_json(), group=job.program, attributes={"program": job.program}, delay=delay)


def _parts(size: int, named: Sequence[int]) -> list[Sequence[int]]:
    """Positions to send again after a refusal, in requests of their own."""
    if named:
        at_fault = set(named)
        return [[position for position in range(size) if position not in at_fault]]
    return [range(size // 2), range(size // 2, size)] if size > 1 else []
