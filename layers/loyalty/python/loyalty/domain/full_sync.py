"""A full sync: every member with an address once to Klaviyo, in bulk, beside the live changes (R27-R32). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from loyalty.domain.connection import Connection
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.moments import whole_milliseconds

STUCK_AFTER = timedelta(minutes=30)
"""What nobody worked on for that long has lost its message: no wait between two tries is longer."""


class SyncState(StrEnum):
    """The life of a full sync."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class FullSync:
    """How far a full sync is.

    Members are walked in the order of their ids: everybody up to ``position`` has been sent or skipped, and everybody
    when it has ``walked_all``. ``total`` is unknown until they were counted. ``done`` and ``failed`` are those whose
    job has ended; ``open_jobs`` have not. ``moved_at`` is when a worker last got on with it or met trouble, ``trouble``
    what it waits for, "" while it gets on. ``most`` is how many members a request may hold, 0 for all that fit: fewer
    once one could not be divided as often as it had to be before the time or Klaviyo's limits ended it.
    """

    program: ProgramSlug
    id: str
    started_at: datetime
    state: SyncState = SyncState.RUNNING
    total: int | None = None
    position: str = ""
    walked_all: bool = False
    skipped: Mapping[str, int] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    open_jobs: int = 0
    moved_at: datetime | None = None
    ended_at: datetime | None = None
    trouble: str = ""
    most: int = 0

    def is_of(self, connection: Connection) -> bool:
        """Whether it was started for this connection, which is still one: the account of the next has nobody."""
        return connection.is_owed and self.started_at >= whole_milliseconds(connection.connected_at)

    def includes(self, member_id: MemberId) -> bool:
        """Whether a member has been in the sync, so that its live changes are sent from now on (R30)."""
        return self.walked_all or member_id <= self.position

    @property
    def is_complete(self) -> bool:
        """True when nobody is left to send, and no job to wait for."""
        return self.walked_all and not self.open_jobs

    @property
    def settled(self) -> int:
        """Members that are dealt with."""
        return self.done + self.failed + sum(self.skipped.values())

    def estimated_end(self, now: datetime) -> datetime | None:
        """When it ends at the pace so far; None while there is no telling."""
        if self.state is not SyncState.RUNNING or not self.total or not self.settled:
            return None
        left = max(0, self.total - self.settled)
        return now + timedelta(seconds=(now - self.started_at).total_seconds() * left / self.settled)


def skip_reason(member: Member) -> str:
    """Why a member is not sent, "" when it is (R31)."""
    if member.standing in {Standing.ERASED, Standing.MERGED}:
        return member.standing.value
    return "" if member.profile.email else "no_email"
