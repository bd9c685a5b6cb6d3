"""Full syncs as the merchant asks for them: start one, see how far it is, cancel it (R27, R29)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.domain.api_keys import Scope
from loyalty.domain.connection import FirstSync
from loyalty.domain.errors import Conflict, NotFound, StateForbids
from loyalty.domain.full_sync import FullSync, SyncState
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import utc_text, whole_milliseconds
from loyalty.domain.program import Program
from loyalty.ports import Clock, MessageQueue, ProgramStore, Randomness
from loyalty.profile_ports import FullSyncs
from loyalty.services.admit_caller import AdmitCaller, Caller
from loyalty.services.finish_sync import note_first_sync
from loyalty.services.walk_members import walk_on

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunSync:
    """Starts and cancels full syncs."""

    programs: ProgramStore
    syncs: FullSyncs
    queue: MessageQueue
    clock: Clock
    randomness: Randomness

    def start(self, program: Program) -> FullSync:
        """Start a full sync, the first one or another; one that is running is answered as it is.

        Raises:
            StateForbids: ``not_connected`` or ``access_lost``, there is nobody to tell.
            Transient: it may have been started; asking again is safe.
        """
        connection = program.connection
        if connection is None or not connection.is_owed:
            raise StateForbids("The program is not connected to Klaviyo; connect it first.", code="not_connected")
        if not connection.can_send:
            raise StateForbids("Klaviyo has to be connected again before a sync.", code="access_lost")
        now = whole_milliseconds(self.clock.now())
        sync = FullSync(program.slug, f"sync-{self.randomness.salt()[:12]}", now)
        running = self._running(program.slug)
        if running and not running.is_of(connection):
            self.syncs.end(running, SyncState.CANCELLED, now)
        try:
            self.syncs.begin(sync)
        except Conflict:
            if running := self._running(program.slug):
                return running
            raise
        note_first_sync(self.programs, program.slug, FirstSync.NOT_STARTED, FirstSync.RUNNING)
        self.queue.send([walk_on(program.slug)])
        return sync

    def cancel(self, slug: ProgramSlug) -> FullSync:
        """Cancel the running sync. What Klaviyo has taken by then it works on still.

        A first sync that is cancelled is one that has not been: nothing live is sent until another one was started.

        Raises:
            StateForbids: ``no_sync_running``.
        """
        sync = self._running(slug)
        if sync is None or not self.syncs.end(sync, SyncState.CANCELLED, self.clock.now()):
            raise StateForbids("No full sync is running.", code="no_sync_running")
        note_first_sync(self.programs, slug, FirstSync.RUNNING, FirstSync.NOT_STARTED)
        return self.newest(slug)

    def newest(self, slug: ProgramSlug) -> FullSync:
        """The newest sync.

        Raises:
            NotFound: ``no_sync``, there never was one.
        """
        sync = self.syncs.load(slug)
        if sync is None:
            raise NotFound("There was no full sync yet; POST to this path starts one.", code="no_sync")
        return sync

    def _running(self, slug: ProgramSlug) -> FullSync | None:
        sync = self.syncs.load(slug)
        return sync if sync and sync.state is SyncState.RUNNING else None


@dataclass(frozen=True, slots=True)
class ServeSync:
    """The API of full syncs."""

    admit: AdmitCaller
    run: RunSync
    clock: Clock

    def start(self, slug: str, headers: Mapping[str, str]) -> Document:
        """Start one."""
        return described(self.run.start(self._admitted(slug, headers)), self.clock.now())

    def show(self, slug: str, headers: Mapping[str, str]) -> Document:
        """How far the newest one is."""
        return described(self.run.newest(self._admitted(slug, headers).slug), self.clock.now())

    def cancel(self, slug: str, headers: Mapping[str, str]) -> Document:
        """Cancel the running one."""
        return described(self.run.cancel(self._admitted(slug, headers).slug), self.clock.now())

    def _admitted(self, slug: str, headers: Mapping[str, str]) -> Program:
        return self.admit(Caller.of(headers), slug, Scope.ADMIN).program


def described(sync: FullSync, now: datetime) -> Document:
    """A full sync for whoever asked for it."""
    estimated_end = sync.estimated_end(now)
    return {
        "id": sync.id,
        "program": sync.program,
        "state": sync.state.value,
        "total": sync.total,
        "done": sync.done,
        "skipped": dict(sync.skipped),
        "failed": sync.failed,
        "open_jobs": sync.open_jobs,
        "waiting_for": sync.trouble or None,
        "started_at": utc_text(sync.started_at),
        "estimated_end_at": utc_text(estimated_end) if estimated_end else None,
        "ended_at": utc_text(sync.ended_at) if sync.ended_at else None,
    }
