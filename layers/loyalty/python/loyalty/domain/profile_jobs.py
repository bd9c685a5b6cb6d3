"""Bulk imports of profiles: what was sent with which, and how far Klaviyo says it is (docs/klaviyo.md 4). Pure.

Klaviyo works on jobs in any order and tells nobody when one ends. So each job is kept with the members it holds and
the versions they were sent in until its end was seen; whoever has moved on by then is owed again, whatever came in
between. That, and the same rule for single updates, is all that is needed for a profile to end at the newest state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.domain.connection import Connection
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.moments import whole_milliseconds

FEW = 100
"""Profiles that are sent one by one: that takes two seconds, and a job is not for small updates (docs/klaviyo.md 4)."""

DOUBT = timedelta(hours=1)
"""How long a job that Klaviyo may have taken without our knowing is waited for, before its members are owed again."""

CLAIM = timedelta(minutes=15)
"""How long a job may take from being sent to being counted by its full sync; after that nobody will count it."""

FIRST_LOOK = 5
LONGEST_WAIT = 300
"""Seconds until a job is looked at for the first time, and at most until the next time."""


@dataclass(frozen=True, slots=True)
class SentProfile:
    """A member's profile as it was sent: in the state of ``version``."""

    member_id: MemberId
    version: int


@dataclass(frozen=True, slots=True)
class ProfileJob:
    """One bulk import that is not known to have ended.

    ``id`` is our name for it, kept before it is sent. ``klaviyo_id`` is Klaviyo's, "" while it is not known to have
    taken it. ``sync`` is the full sync it is a part of, which counts it once it is ``counted``. ``looked_at`` is when
    somebody last asked Klaviyo about it.
    """

    program: ProgramSlug
    id: str
    size: int
    sent_at: datetime
    klaviyo_id: str = ""
    sync: str = ""
    counted: bool = False
    looked_at: datetime | None = None

    def is_of(self, connection: Connection) -> bool:
        """Whether it was sent by this connection, which is still one: the account of the next has no such job."""
        return connection.is_owed and self.sent_at >= whole_milliseconds(connection.connected_at)

    def next_look(self, now: datetime) -> int:
        """Seconds until it is worth asking again: half its age, so that a job of any length is asked about seldom."""
        age = (now - self.sent_at).total_seconds()
        return max(FIRST_LOOK, min(LONGEST_WAIT, int(age / 2)))


@dataclass(frozen=True, slots=True)
class JobProgress:
    """What Klaviyo says of a job: whether it has ended, and how many of its profiles it did not import."""

    ended: bool
    failed: int


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """Why a profile of a job was not imported; known by address, or by its position in the request, or by neither."""

    reason: str
    email: str = ""
    position: int | None = None
