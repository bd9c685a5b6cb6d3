"""End a full sync that has nobody left to send and no job to wait for, and let everything live flow (R27, R30)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from loyalty.domain.connection import Connection, FirstSync
from loyalty.domain.errors import Conflict
from loyalty.domain.full_sync import FullSync, SyncState
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock, ProgramStore
from loyalty.profile_ports import FullSyncs
from loyalty.services.requeue_owed import RequeueOwed

WRITES = 5
"""How often storing a connection is tried when it changes meanwhile."""


def note_first_sync(programs: ProgramStore, slug: ProgramSlug, expected: FirstSync, now: FirstSync) -> bool:
    """Move a connection's first sync from one state to the next; False when it is not in that state any more.

    Raises:
        Conflict: the connection keeps changing.
    """
    for _ in range(WRITES):
        program = programs.load(slug)
        connection: Connection | None = program.connection if program else None
        if connection is None or not connection.is_owed or connection.first_sync is not expected:
            return False
        try:
            programs.save_connection(slug, replace(connection, first_sync=now))
        except Conflict:
            continue
        return True
    raise Conflict("The connection keeps changing.", code="connection_changed")


@dataclass(frozen=True, slots=True)
class FinishSync:
    """Ends full syncs."""

    programs: ProgramStore
    syncs: FullSyncs
    requeue: RequeueOwed
    clock: Clock

    def __call__(self, slug: ProgramSlug, *, until: datetime) -> bool:
        """End a program's full sync if it is complete; whether this call did.

        The connection comes first and the sync last, so that trouble in between leaves a sync that the next look ends.
        What waited for it is queued as far as the time allows; the upkeep goes on with the rest.

        Raises:
            Transient: storage or a queue is out of reach; doing it again is safe.
        """
        sync = self.syncs.load(slug)
        if sync is None or sync.state is not SyncState.RUNNING or not sync.is_complete:
            return False
        return self._end(sync, until)

    def _end(self, sync: FullSync, until: datetime) -> bool:
        note_first_sync(self.programs, sync.program, FirstSync.RUNNING, FirstSync.DONE)
        now = self.clock.now()
        self.requeue(sync.program, before=now, until=until)
        return self.syncs.end(sync, SyncState.DONE, now)
