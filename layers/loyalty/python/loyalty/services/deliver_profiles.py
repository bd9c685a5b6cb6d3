"""Bring profiles in Klaviyo to the newest state of their members.

A member whose state changed is marked in the outbox, in the same transaction. One worker per program at a time, which
the FIFO queue sees to, takes the marks, those owed longest first, and sends the state as it is at that moment: a few
members one by one, many as jobs of up to 10,000 that Klaviyo works on later (``import_in_bulk``, ``follow_job``).

A mark goes only if the member is still at the version that was sent; and whoever sent a state that is not the newest
any more sees to it that the member is owed. So whatever was sent when and worked on in whatever order, a profile ends
at the newest state (R37).

Nothing is sent before the first full sync or while access is lost; marks wait, messages do not. During the first full
sync only members are sent who have been in it (R30).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.connection_ports import ConnectionNotes
from loyalty.domain.connection import FirstSync
from loyalty.domain.errors import Transient
from loyalty.domain.full_sync import FullSync, SyncState
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost, KlaviyoForbidden, KlaviyoRefused
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.profile_jobs import FEW, SentProfile
from loyalty.domain.program import Program
from loyalty.domain.telling import ProfileState, profile_of
from loyalty.ports import Clock, MessageQueue, Outbox, ProgramStore
from loyalty.profile_ports import FullSyncs, KlaviyoForProfiles, ProfileBulk, ProfileMarks, ProfilesApi
from loyalty.services.import_in_bulk import ImportInBulk
from loyalty.services.merged_members import going_on
from loyalty.services.program_run import ProgramRun
from loyalty.services.relay_outbox import wake_up

MANY = 10_000
"""Members whose newest state is read at a time for a job."""

NEWEST = 1_000
"""Members that are looked through for live changes while most that is owed waits for the first full sync."""


@dataclass(slots=True)
class ProfilesDelivered(ProgramRun):
    """What became of a program's owed profiles; ``trouble`` is why the rest has to wait."""

    tally: Counter[str] = field(default_factory=Counter)

    @property
    def message(self) -> str:
        """What happened."""
        return "profiles delivered" if self.trouble is None else "profiles interrupted"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "ProfilesSent": self.tally["sent"],
            "ProfilesSubmitted": self.tally["submitted"],
            "ProfileJobsSubmitted": self.tally["jobs"],
            "ProfilesRefused": self.tally["refused"],
            "ProfilesWithoutAddress": self.tally["without_address"],
            "ProfileRunsPaused": self.tally["paused"],
            "ProfileRunsContinued": self.tally["continued"],
        }


@dataclass(slots=True)
class _Run:
    """One run on a program: what was handled in which version, and whether jobs can be had.

    The index lags behind the marks. So a member that was handled shows up again now and then; unless it changed
    meanwhile that is an old view, and when nothing else shows up, the rest was handled too.
    """

    api: ProfilesApi
    program: Program
    until: datetime
    first_sync: FullSync | None
    handled: dict[MemberId, int] = field(default_factory=dict)
    in_bulk: bool = True

    @property
    def slug(self) -> ProgramSlug:
        return self.program.slug


@dataclass(frozen=True, slots=True)
class DeliverProfiles:
    """The worker of the profiles lane."""

    programs: ProgramStore
    outbox: Outbox
    marks: ProfileMarks
    syncs: FullSyncs
    klaviyo: KlaviyoForProfiles
    import_in_bulk: ImportInBulk
    queue: MessageQueue
    clock: Clock
    notes: ConnectionNotes

    def __call__(self, slug: ProgramSlug, *, until: datetime) -> ProfilesDelivered:
        """Send a program's owed profiles; what is left at ``until`` is taken up by a message of its own.

        Errors end the run and stand in the report; what was not sent stays owed.
        """
        report = ProfilesDelivered(slug)
        try:
            self._deliver(report, until)
        except KlaviyoAccessLost:
            report.tally["paused"] += 1
        except Exception as trouble:  # noqa: BLE001 - told in the report, beside what was done before
            report.trouble = trouble
        if report.tally["sent"] or report.tally["submitted"]:
            self.notes.succeeded(slug, self.clock.now())
        return report

    def _deliver(self, report: ProfilesDelivered, until: datetime) -> None:
        program = self.programs.load(report.program)
        connection = program.connection if program else None
        if program is None or connection is None or not connection.can_send:
            report.tally["paused"] += 1
            return
        first_sync = self.syncs.load(program.slug) if connection.first_sync is FirstSync.RUNNING else None
        if not (connection.is_sending or (first_sync and first_sync.state is SyncState.RUNNING)):
            report.tally["paused"] += 1
            return
        if not self._ids(program.slug, first_sync, limit=1):
            return
        run = _Run(self.klaviyo.open(program), program, until, first_sync)
        while members := self._owed(run):
            if len(members) > FEW and run.in_bulk:
                finished = self._send_job(report, run, members)
            else:
                finished = self._send_each(report, run, members[:FEW])
            if not finished:
                self.queue.send([wake_up(program.slug, f"more-{self.clock.now().timestamp()}")])
                report.tally["continued"] += 1
                return

    def _owed(self, run: _Run) -> list[Member]:
        """Members with an owed profile, each in its newest state: a few, or as many as fit a job."""
        limit = FEW + 1 + len(run.handled)
        ids = self._ids(run.slug, run.first_sync, limit=limit)
        if run.in_bulk and len(ids) >= limit:
            ids = self._ids(run.slug, run.first_sync, limit=MANY + len(run.handled))
        fresh = [each for each in ids if each not in run.handled][:MANY]
        newest = self.outbox.members(run.slug, fresh or ids)
        return [newest[each] for each in ids if each in newest and run.handled.get(each) != newest[each].version]

    def _ids(self, slug: ProgramSlug, first_sync: FullSync | None, *, limit: int) -> list[MemberId]:
        if first_sync is None:
            return self.outbox.owed_profiles(slug, limit=limit)
        newest = self.marks.newest(slug, limit=NEWEST)
        return [each for each in reversed(newest) if first_sync.includes(each)][:limit]

    def _send_each(self, report: ProfilesDelivered, run: _Run, members: Sequence[Member]) -> bool:
        """Send members one by one; False when the time ended first."""
        for member in members:
            if self.clock.now() >= run.until:
                return False
            report.tally[self._settle(run, member)] += 1
            run.handled[member.member_id] = member.version
        return True

    def _settle(self, run: _Run, member: Member) -> str:
        profile = self._profile(run, member)
        if profile is None:
            self.outbox.clear_profile(run.slug, member.member_id, member.version)
            return "without_address"
        try:
            run.api.import_profile(profile)
        except KlaviyoRefused as refused:
            self.outbox.refuse_profile(run.slug, member.member_id, member.version, refused.reason)
            return "refused"
        if not self.outbox.clear_profile(run.slug, member.member_id, member.version):
            self.marks.owe(run.slug, [member.member_id], self.clock.now())
        return "sent"

    def _profile(self, run: _Run, member: Member) -> ProfileState | None:
        """What Klaviyo is to hold of a member, None where it has no address of its own.

        One that went over to another member in a merge is told by that one only, and once more: what was sent of this
        member before may be worked on later (W13).
        """
        if member.standing is Standing.MERGED:
            heir = going_on(self.outbox, run.slug, [member.member_id]).get(member.member_id)
            if heir and heir != member and heir.profile.email == member.profile.email:
                self.marks.owe(run.slug, [heir.member_id], self.clock.now())
                return None
        return profile_of(run.program, member)

    def _send_job(self, report: ProfilesDelivered, run: _Run, members: Sequence[Member]) -> bool:
        """Send as many members as one request holds; False when the time ended first.

        A key without the scope that jobs need (docs/klaviyo.md 1) sends everybody one by one instead.
        """
        bulk, sent = run.api.new_bulk(), list[SentProfile]()
        for member in members:
            profile = self._profile(run, member)
            try:
                if profile is None:
                    self.outbox.clear_profile(run.slug, member.member_id, member.version)
                    report.tally["without_address"] += 1
                elif not bulk.add(profile):
                    break
                else:
                    sent.append(SentProfile(member.member_id, member.version))
            except KlaviyoRefused as refused:
                self.outbox.refuse_profile(run.slug, member.member_id, member.version, refused.reason)
                report.tally["refused"] += 1
            run.handled[member.member_id] = member.version
        try:
            self._submit(report, run, bulk, sent)
        except KlaviyoForbidden:
            run.in_bulk = False
            run.handled.clear()
        except _OutOfTime:
            return False
        return True

    def _submit(self, report: ProfilesDelivered, run: _Run, bulk: ProfileBulk, sent: Sequence[SentProfile]) -> None:
        def in_time() -> None:
            if self.clock.now() >= run.until:
                raise _OutOfTime("No time is left in this run.", code="out_of_time", retry_after=0)

        for outcome in self.import_in_bulk(run.api, run.slug, bulk, sent, before_call=in_time):
            if outcome.job is None:
                self.marks.refuse(run.slug, dict.fromkeys(outcome.sent, outcome.reason))
                report.tally["refused"] += len(outcome.sent)
            else:
                self.marks.clear(run.slug, outcome.sent)
                report.tally["submitted"] += len(outcome.sent)
                report.tally["jobs"] += 1


class _OutOfTime(Transient):
    """The run has no time left for another call."""
