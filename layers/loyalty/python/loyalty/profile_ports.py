"""What sending many profiles at a time needs from the outside world, beside what ``ports`` has."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from loyalty.domain.full_sync import FullSync, SyncState
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.member import Member
from loyalty.domain.profile_jobs import ImportFailure, JobProgress, ProfileJob, SentProfile
from loyalty.domain.program import Program
from loyalty.domain.telling import ProfileState


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A member as it is now; ``owed`` says that its profile stands in the outbox."""

    member: Member
    owed: bool


class Roster(Protocol):
    """All members of a program, by id: what a walk over everybody goes by. Eventually complete, newest states."""

    def count(self, program: ProgramSlug) -> int:
        """How many members a program has, erased and merged ones too. Costs by their number."""

    def page(self, program: ProgramSlug, *, after: str, limit: int) -> tuple[list[Enrolled], str]:
        """Members in the order of their ids, from behind the id ``after`` on, and what the next page is after.

        The last page is after "".
        """

    def ids(self, program: ProgramSlug, *, after: str, limit: int) -> list[MemberId]:
        """Member ids in their order, from behind the id ``after`` on; none at the end. Reads no member."""


class ProfileMarks(Protocol):
    """The outbox marks of many members at a time."""

    def clear(self, program: ProgramSlug, sent: Collection[SentProfile]) -> list[MemberId]:
        """Note that Klaviyo has taken these states; the members that have a newer one by now, which stay owed."""

    def refuse(self, program: ProgramSlug, refused: Mapping[SentProfile, str]) -> None:
        """Note that Klaviyo will not take these states, and why; newer states are owed."""

    def newest(self, program: ProgramSlug, *, limit: int) -> list[MemberId]:
        """Members whose newest state Klaviyo lacks, those owed shortest first."""

    def owe(self, program: ProgramSlug, member_ids: Collection[MemberId], now: datetime) -> None:
        """Let the profiles of members that have an address be owed; those that are already stay as they are."""


class ProfileJobs(Protocol):
    """Bulk imports whose end has not been seen."""

    def begin(self, job: ProfileJob, sent: Sequence[SentProfile]) -> None:
        """Keep a job that is about to be sent, so that it is known whatever happens."""

    def accepted(self, job: ProfileJob) -> None:
        """Keep Klaviyo's id of a job that it took."""

    def looked(self, job: ProfileJob, at: datetime) -> None:
        """Keep when somebody last looked at a job, to come back if it has not ended."""

    def forget(self, job: ProfileJob) -> None:
        """Drop a job that Klaviyo did not take."""

    def load(self, program: ProgramSlug, job_id: str) -> ProfileJob | None:
        """A job by our id; None once it is closed."""

    def open(self, program: ProgramSlug) -> list[ProfileJob]:
        """A program's jobs, oldest first."""

    def sent(self, job: ProfileJob) -> list[SentProfile]:
        """What a job holds, in the order of its request."""

    def close(self, job: ProfileJob, *, failed: int) -> bool:
        """Drop a job that has ended and count it in its full sync; False when somebody else did so before."""


class FullSyncs(Protocol):
    """The newest full sync of each program. What changes one is conditional, so that nothing is counted twice."""

    def load(self, program: ProgramSlug) -> FullSync | None:
        """The newest one, consistently read."""

    def begin(self, sync: FullSync) -> None:
        """Keep a new one.

        Raises:
            Conflict: another one is running.
        """

    def advance(self, before: FullSync, after: FullSync, jobs: Sequence[ProfileJob]) -> None:
        """Move a running one on from where it was, with the jobs that were sent for that, which it counts from now on.

        Raises:
            Conflict: it was moved on, or ended, by somebody else.
        """

    def note(self, sync: FullSync, at: datetime) -> None:
        """Keep that it was worked on, how many members there are, and how many a request may hold; what it waits for.

        Nothing happens once it ended.
        """

    def end(self, sync: FullSync, state: SyncState, at: datetime) -> bool:
        """End a running one; False when it is not running any more."""


class ProfileBulk(Protocol):
    """One request of many profiles, as Klaviyo takes it: 10,000, 5 MB, 100 KB each at most (docs/klaviyo.md 4)."""

    @property
    def body(self) -> bytes:
        """The request's body."""

    def __len__(self) -> int:
        """How many profiles it holds."""

    def add(self, profile: ProfileState) -> bool:
        """Put one more profile in; False when there is no room for it.

        Raises:
            KlaviyoRefused: no request can hold it.
        """

    def part(self, positions: Sequence[int]) -> ProfileBulk:
        """A request of only these of its profiles."""


class ProfilesApi(Protocol):
    """Klaviyo's part in the profiles lanes; raises what ``KlaviyoApi`` does."""

    def import_profile(self, profile: ProfileState) -> None:
        """Create or update one profile, synchronously.

        Raises:
            KlaviyoRefused: Klaviyo will not take it.
        """

    def new_bulk(self) -> ProfileBulk:
        """An empty request."""

    def submit_profiles(self, bulk: ProfileBulk) -> str:
        """Have many profiles created or updated some time later; Klaviyo's id of the job.

        Raises:
            KlaviyoRefused: nothing was taken; it names the profiles at fault where Klaviyo did.
        """

    def profile_job(self, klaviyo_id: str) -> JobProgress | None:
        """How far a job is; None when Klaviyo does not know it, not any more, or gave it up."""

    def import_failures(self, klaviyo_id: str, cursor: str) -> tuple[list[ImportFailure], str]:
        """A page of what a job did not import, and the cursor of the next page, "" after the last."""


class KlaviyoForProfiles(Protocol):
    """Opens Klaviyo for a program's connection, for profiles."""

    def open(self, program: Program) -> ProfilesApi:
        """As ``Klaviyo.open``."""
