"""Queue again what a program's bulk imports and full sync wait for: messages get lost, jobs and syncs do not (R29)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from loyalty.domain.full_sync import STUCK_AFTER, SyncState
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock, MessageQueue
from loyalty.profile_ports import FullSyncs, ProfileJobs
from loyalty.services.import_in_bulk import look_at
from loyalty.services.walk_members import walk_on


@dataclass(frozen=True, slots=True)
class WakeSyncs:
    """Looks for jobs and syncs that nobody seems to look after."""

    jobs: ProfileJobs
    syncs: FullSyncs
    queue: MessageQueue
    clock: Clock

    def __call__(self, slug: ProgramSlug, *, idle_for: timedelta = STUCK_AFTER) -> int:
        """Queue a message for each of a program's jobs that nobody looked at for so long, and for its sync likewise.

        How many messages that were; any number of repeats do no harm.

        Raises:
            Transient: storage or the queue is out of reach; doing it again is safe.
        """
        now = self.clock.now()
        open_jobs = self.jobs.open(slug)
        messages = [look_at(job) for job in open_jobs if now - (job.looked_at or job.sent_at) >= idle_for]
        sync = self.syncs.load(slug)
        if sync and sync.state is SyncState.RUNNING and now - (sync.moved_at or sync.started_at) >= idle_for:
            messages.append(walk_on(slug))
        if messages:
            self.queue.send(messages)
        return len(messages)
