"""Walk through all members of a program and send everybody who has an address, once, in bulk (R27-R32).

How far the walk is stands in the table and is moved on only from where it was read. A worker whose time ends hands
over by message, one that dies is followed by the next, which begins where the last request was noted. Two at once
send some members twice, count nobody twice, and Klaviyo ends at the newest state like after everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from loyalty.contracts.deliveries import SyncTask
from loyalty.domain.connection import FirstSync
from loyalty.domain.errors import Conflict, LoyaltyError, Transient
from loyalty.domain.full_sync import FullSync, SyncState, skip_reason
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoAccessLost, KlaviyoRefused
from loyalty.domain.moments import whole_milliseconds
from loyalty.domain.profile_jobs import ProfileJob, SentProfile
from loyalty.domain.program import Program
from loyalty.domain.telling import profile_of
from loyalty.ports import Clock, MessageQueue, ProgramStore, QueueMessage
from loyalty.profile_ports import (
    Enrolled,
    FullSyncs,
    KlaviyoForProfiles,
    ProfileBulk,
    ProfileMarks,
    ProfilesApi,
    Roster,
)
from loyalty.services.finish_sync import FinishSync, note_first_sync
from loyalty.services.import_in_bulk import ImportInBulk
from loyalty.services.program_run import ProgramRun

PAGE = 1000
"""Members that are read at a time."""

MOST_COUNTED = 90
"""Jobs of one request's members that a sync counts; a transaction has room for a hundred writes."""


@dataclass(slots=True)
class Walked(ProgramRun):
    """What a turn of a full sync did; ``trouble`` is why the rest has to wait."""

    tally: Counter[str] = field(default_factory=Counter)

    @property
    def message(self) -> str:
        """What happened."""
        return "full sync moved on" if self.trouble is None else "full sync interrupted"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {
            "SyncedProfilesSubmitted": self.tally["submitted"],
            "SyncedProfilesRefused": self.tally["refused"],
            "SyncJobsSubmitted": self.tally["jobs"],
            "SyncRunsContinued": self.tally["continued"],
            "SyncRunsPaused": self.tally["paused"],
        }


@dataclass(slots=True)
class _Request:
    """One request's worth of members; ``after`` is the sync once they are sent."""

    bulk: ProfileBulk
    after: FullSync
    sent: list[SentProfile] = field(default_factory=list)
    owed: set[SentProfile] = field(default_factory=set)
    refused: dict[SentProfile, str] = field(default_factory=dict)


class _Everybody:
    """The members from a position on, page by page; one that did not fit is handed out again."""

    def __init__(self, roster: Roster, slug: ProgramSlug, position: str) -> None:
        self._members = self._read(roster, slug, position)
        self._back: Enrolled | None = None

    def give_back(self, each: Enrolled) -> None:
        self._back = each

    def __iter__(self) -> Iterator[Enrolled]:
        while True:
            each, self._back = self._back or next(self._members, None), None
            if each is None:
                return
            yield each

    @staticmethod
    def _read(roster: Roster, slug: ProgramSlug, position: str) -> Iterator[Enrolled]:
        while True:
            page, position = roster.page(slug, after=position, limit=PAGE)
            yield from page
            if not position:
                return


@dataclass(frozen=True, slots=True)
class WalkMembers:
    """The worker of full syncs."""

    programs: ProgramStore
    roster: Roster
    syncs: FullSyncs
    marks: ProfileMarks
    klaviyo: KlaviyoForProfiles
    import_in_bulk: ImportInBulk
    queue: MessageQueue
    finish: FinishSync
    clock: Clock

    def __call__(self, slug: ProgramSlug, *, until: datetime) -> Walked:
        """Move a program's full sync on; what is left at ``until`` is taken up by a message of its own.

        Errors end the turn and stand in the report, and in the sync for the merchant to see.
        """
        report = Walked(slug)
        try:
            self._walk(report, until)
        except KlaviyoAccessLost as lost:
            report.tally["paused"] += 1
            self._tell(slug, lost)
        except Exception as trouble:  # noqa: BLE001 - told in the report, beside what was done before
            report.trouble = trouble
            self._tell(slug, trouble)
        return report

    def _walk(self, report: Walked, until: datetime) -> None:
        sync, program = self.syncs.load(report.program), self.programs.load(report.program)
        if sync is None or sync.state is not SyncState.RUNNING:
            return
        connection = program.connection if program else None
        if program is None or connection is None or not sync.is_of(connection):
            self.syncs.end(sync, SyncState.CANCELLED, self.clock.now())
            return
        if not connection.can_send:
            raise KlaviyoAccessLost("The program has to be connected to Klaviyo again.")
        note_first_sync(self.programs, program.slug, FirstSync.NOT_STARTED, FirstSync.RUNNING)
        if sync.total is None:
            sync = replace(sync, total=self.roster.count(program.slug))
            self.syncs.note(sync, whole_milliseconds(self.clock.now()))
        if sync.walked_all or self._sends_everybody(report, program, sync, until):
            self.finish(program.slug, until=until)

    def _sends_everybody(self, report: Walked, program: Program, sync: FullSync, until: datetime) -> bool:
        """Send requests until nobody is left; False when something else ended it."""
        api = self.klaviyo.open(program)
        everybody = _Everybody(self.roster, program.slug, sync.position)
        while not sync.walked_all:
            if self.clock.now() >= until:
                self.queue.send([walk_on(program.slug)])
                report.tally["continued"] += 1
                return False
            request = self._filled(api, program, sync, everybody)
            try:
                self._send(report, api, sync, request, until)
            except Conflict:
                # Another worker is at it, or somebody cancelled it: that one's message goes on, this one's is done.
                report.tally["overtaken"] += 1
                return False
            sync = request.after
        return True

    def _filled(self, api: ProfilesApi, program: Program, sync: FullSync, everybody: _Everybody) -> _Request:
        skipped = Counter(sync.skipped)
        request = _Request(api.new_bulk(), sync)
        position, walked_all = sync.position, True
        for each in everybody:
            member = each.member
            state = SentProfile(member.member_id, member.version)
            profile = profile_of(program, member)
            if (reason := skip_reason(member)) or profile is None:
                skipped[reason] += 1
            else:
                try:
                    if len(request.sent) == sync.most > 0 or not request.bulk.add(profile):
                        everybody.give_back(each)
                        walked_all = False
                        break
                    request.sent.append(state)
                except KlaviyoRefused as refused:
                    request.refused[state] = refused.reason
                if each.owed:
                    request.owed.add(state)
            position = member.member_id
        request.after = replace(
            sync, position=position, walked_all=walked_all, skipped=dict(skipped), moved_at=self.clock.now()
        )
        return request

    def _send(self, report: Walked, api: ProfilesApi, sync: FullSync, request: _Request, until: datetime) -> None:
        slug, jobs = sync.program, list[ProfileJob]()

        def in_time() -> None:
            if self.clock.now() >= until:
                raise Transient("No time is left in this run.", code="out_of_time", retry_after=0)

        outcomes = self.import_in_bulk(api, slug, request.bulk, request.sent, before_call=in_time, sync=sync.id)
        try:
            for outcome in outcomes:
                if outcome.job:
                    jobs.append(outcome.job)
                else:
                    request.refused |= dict.fromkeys(outcome.sent, outcome.reason)
        except Transient:
            if jobs or request.refused:
                smaller = replace(sync, most=max(1, len(request.sent) // 2))
                self.syncs.note(smaller, whole_milliseconds(self.clock.now()))
            raise
        self.marks.refuse(slug, request.refused)
        counted, rest = jobs[:MOST_COUNTED], jobs[MOST_COUNTED:]
        failed = sync.failed + len(request.refused)
        done = sync.done + sum(job.size for job in rest)
        self.syncs.advance(sync, replace(request.after, done=done, failed=failed), counted)
        request.after = replace(request.after, done=done, failed=failed, open_jobs=sync.open_jobs + len(counted))
        self.marks.clear(slug, request.owed - request.refused.keys())
        report.tally["submitted"] += sum(job.size for job in jobs)
        report.tally["refused"] += len(request.refused)
        report.tally["jobs"] += len(jobs)

    def _tell(self, slug: ProgramSlug, trouble: Exception) -> None:
        """Let the merchant see what the sync waits for; a word about trouble must not be trouble of its own."""
        code = trouble.code if isinstance(trouble, LoyaltyError) else "internal_error"
        try:
            if sync := self.syncs.load(slug):
                self.syncs.note(replace(sync, trouble=code), whole_milliseconds(self.clock.now()))
        except LoyaltyError:
            return


def walk_on(slug: ProgramSlug) -> QueueMessage:
    """The message that has a program's full sync go on."""
    return QueueMessage(SyncTask(program=slug).model_dump_json(), group=slug, attributes={"program": slug})
