"""Follow a bulk import to its end: look, and come back later; never wait.

At the end each member gets what follows for it. What Klaviyo did not import is noted on the member with the reason.
Whoever has changed since it was sent is owed again: the job may have been worked on after a newer state was sent, and
the last write has to be the newest state (R37). Klaviyo promises no order, so nothing less will do (docs/klaviyo.md 4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.domain.errors import Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import whole_milliseconds
from loyalty.domain.profile_jobs import CLAIM, DOUBT, LONGEST_WAIT, ImportFailure, ProfileJob, SentProfile
from loyalty.ports import Clock, Outbox, ProgramStore
from loyalty.profile_ports import KlaviyoForProfiles, ProfileJobs, ProfileMarks, ProfilesApi
from loyalty.services.finish_sync import FinishSync
from loyalty.services.program_run import ProgramRun

MEMBERS_AT_ONCE = 1000


@dataclass(slots=True)
class JobFollowed(ProgramRun):
    """What a look at a job found. ``again`` is after how many seconds to look again, None for never."""

    tally: Counter[str] = field(default_factory=Counter)
    again: int | None = None

    @property
    def message(self) -> str:
        """What happened."""
        return "profile job looked at" if self.trouble is None else "profile job not looked at"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "ProfileJobsEnded": self.tally["ended"],
            "ProfileJobsVanished": self.tally["vanished"],
            "ProfilesImported": self.tally["imported"],
            "ProfilesRefused": self.tally["refused"],
            "ProfilesOwedAgain": self.tally["owed_again"],
        }

    @property
    def comes_back(self) -> bool:
        """Whether somebody has to look again."""
        return self.trouble is not None or self.again is not None

    @property
    def retry_after(self) -> int | None:
        """Seconds after which to look again, if somebody named a time."""
        return self.trouble.retry_after if isinstance(self.trouble, Transient) else self.again


@dataclass(frozen=True, slots=True)
class FollowJob:
    """Looks at one bulk import."""

    programs: ProgramStore
    jobs: ProfileJobs
    outbox: Outbox
    marks: ProfileMarks
    klaviyo: KlaviyoForProfiles
    finish: FinishSync
    clock: Clock

    def __call__(self, slug: ProgramSlug, job_id: str, *, until: datetime) -> JobFollowed:
        """Look at a job; errors stand in the report, and looking again is safe."""
        report = JobFollowed(slug)
        try:
            if job := self.jobs.load(slug, job_id):
                self._look(report, job, until)
            else:
                self.finish(slug, until=until)
        except KlaviyoAccessLost:
            report.tally["paused"] += 1
        except Exception as trouble:  # noqa: BLE001 - told in the report, beside what was done before
            report.trouble = trouble
        return report

    def _look(self, report: JobFollowed, job: ProfileJob, until: datetime) -> None:
        now = whole_milliseconds(self.clock.now())
        age = now - job.sent_at
        program = self.programs.load(job.program)
        if program is None or program.connection is None or not job.is_of(program.connection):
            self.jobs.forget(job)
            return
        if not program.connection.is_usable:
            report.tally["paused"] += 1
            return
        self.jobs.looked(job, now)
        if not job.klaviyo_id and age < DOUBT:
            report.again = LONGEST_WAIT
        elif not job.klaviyo_id:
            self._vanished(report, job, until)
        elif job.sync and not job.counted and age < CLAIM:
            report.again = job.next_look(now)
        else:
            self._ask(report, self.klaviyo.open(program), job, until)

    def _ask(self, report: JobFollowed, api: ProfilesApi, job: ProfileJob, until: datetime) -> None:
        progress = api.profile_job(job.klaviyo_id)
        if progress is None:
            self._vanished(report, job, until)
        elif not progress.ended:
            report.again = job.next_look(self.clock.now())
        else:
            failures = self._failures(api, job) if progress.failed else []
            self._end(report, job, failures, until)

    def _failures(self, api: ProfilesApi, job: ProfileJob) -> list[ImportFailure]:
        found, cursor = api.import_failures(job.klaviyo_id, "")
        while cursor:
            more, cursor = api.import_failures(job.klaviyo_id, cursor)
            found += more
        return found

    def _end(self, report: JobFollowed, job: ProfileJob, failures: Sequence[ImportFailure], until: datetime) -> None:
        sent = self.jobs.sent(job)
        newest = self._newest(job.program, sent)
        refused = _refused(sent, newest, failures)
        moved_on = [each.member_id for each in sent if _version(newest, each) != each.version]
        self.marks.refuse(job.program, refused)
        self.marks.owe(job.program, moved_on, self.clock.now())
        report.tally["owed_again"] += len(moved_on)
        if self.jobs.close(job, failed=len(refused)):
            report.tally["ended"] += 1
            report.tally["imported"] += len(sent) - len(refused)
            report.tally["refused"] += len(refused)
        self.finish(job.program, until=until)

    def _vanished(self, report: JobFollowed, job: ProfileJob, until: datetime) -> None:
        """Owe everybody again: it may have been worked on, or not, and is not going to be any more."""
        sent = self.jobs.sent(job)
        self.marks.owe(job.program, [each.member_id for each in sent], self.clock.now())
        report.tally["owed_again"] += len(sent)
        if self.jobs.close(job, failed=0):
            report.tally["vanished"] += 1
        self.finish(job.program, until=until)

    def _newest(self, slug: ProgramSlug, sent: Sequence[SentProfile]) -> dict[MemberId, Member]:
        newest: dict[MemberId, Member] = {}
        for start in range(0, len(sent), MEMBERS_AT_ONCE):
            newest |= self.outbox.members(slug, [each.member_id for each in sent[start : start + MEMBERS_AT_ONCE]])
        return newest


def _version(newest: Mapping[MemberId, Member], sent: SentProfile) -> int:
    member = newest.get(sent.member_id)
    return member.version if member else sent.version


def _refused(
    sent: Sequence[SentProfile], newest: Mapping[MemberId, Member], failures: Sequence[ImportFailure]
) -> dict[SentProfile, str]:
    """Whom the failures are about: the address says it for sure, else the position in the request does."""
    by_email = {newest[each.member_id].profile.email: each for each in sent if each.member_id in newest}
    refused: dict[SentProfile, str] = {}
    for failure in failures:
        meant = by_email.get(failure.email.lower())
        if meant is None and failure.position is not None and failure.position < len(sent):
            meant = sent[failure.position]
        if meant is not None:
            refused[meant] = failure.reason
    return refused
