"""Bulk imports, full syncs and the marks of many members in memory."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from loyalty.domain.errors import Conflict
from loyalty.domain.full_sync import FullSync, SyncState
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.member import Member
from loyalty.domain.profile_jobs import ProfileJob, SentProfile
from tests.fakes.memory_ledger import MemoryLedger


class MemoryMarks:
    """The marks of the ledger in memory."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger

    def clear(self, program: ProgramSlug, sent: Collection[SentProfile]) -> list[MemberId]:
        done = {each: self._ledger.clear_profile(program, each.member_id, each.version) for each in sent}
        return [each.member_id for each in sent if not done[each]]

    def refuse(self, program: ProgramSlug, refused: Mapping[SentProfile, str]) -> None:
        for each, why in refused.items():
            self._ledger.refuse_profile(program, each.member_id, each.version, why)

    def newest(self, program: ProgramSlug, *, limit: int) -> list[MemberId]:
        return self._ledger.owed_profiles(program, limit=100_000)[::-1][:limit]

    def owe(self, program: ProgramSlug, member_ids: Collection[MemberId], now: datetime) -> None:
        for member_id in member_ids:
            member = self._ledger.stored.get((program, member_id))
            if isinstance(member, Member) and member.profile.email:
                self._ledger.owed_since.setdefault((program, member_id), now)


class MemoryFullSyncs:
    """The newest full sync of each program in a dictionary."""

    def __init__(self, jobs: MemoryProfileJobs) -> None:
        self._jobs = jobs

    def load(self, program: ProgramSlug) -> FullSync | None:
        return self._jobs.syncs.get(program)

    def begin(self, sync: FullSync) -> None:
        with self._jobs.lock:
            stored = self._jobs.syncs.get(sync.program)
            if stored is not None and stored.state is SyncState.RUNNING:
                raise Conflict("A full sync is running already.", code="sync_running")
            self._jobs.syncs[sync.program] = sync

    def advance(self, before: FullSync, after: FullSync, jobs: Sequence[ProfileJob]) -> None:
        with self._jobs.lock:
            stored = self._running(before)
            known = all((job.program, job.id) in self._jobs.jobs for job in jobs)
            if stored is None or stored.walked_all or stored.position != before.position or not known:
                raise Conflict("The full sync was moved on by another worker.", code="sync_moved")
            self._jobs.syncs[before.program] = replace(
                stored,
                position=after.position,
                walked_all=after.walked_all,
                skipped=after.skipped,
                moved_at=after.moved_at or after.started_at,
                trouble="",
                open_jobs=stored.open_jobs + len(jobs),
                done=stored.done + after.done - before.done,
                failed=stored.failed + after.failed - before.failed,
            )
            for job in jobs:
                self._jobs.jobs[job.program, job.id] = replace(self._jobs.jobs[job.program, job.id], counted=True)

    def note(self, sync: FullSync, at: datetime) -> None:
        with self._jobs.lock:
            if stored := self._running(sync):
                total = stored.total if sync.total is None else sync.total
                said = replace(stored, total=total, trouble=sync.trouble, most=sync.most)
                self._jobs.syncs[sync.program] = replace(said, moved_at=at)

    def end(self, sync: FullSync, state: SyncState, at: datetime) -> bool:
        with self._jobs.lock:
            stored = self._running(sync)
            if stored is None:
                return False
            self._jobs.syncs[sync.program] = replace(stored, state=state, ended_at=at, trouble="")
            return True

    def _running(self, sync: FullSync) -> FullSync | None:
        stored = self._jobs.syncs.get(sync.program)
        return stored if stored and (stored.id, stored.state) == (sync.id, SyncState.RUNNING) else None


class MemoryProfileJobs:
    """Jobs in a dictionary, with the syncs that count them."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[ProgramSlug, str], ProfileJob] = {}
        self.contents: dict[tuple[ProgramSlug, str], list[SentProfile]] = {}
        self.syncs: dict[ProgramSlug, FullSync] = {}
        self.lock = threading.Lock()

    def begin(self, job: ProfileJob, sent: Sequence[SentProfile]) -> None:
        self.jobs[job.program, job.id] = job
        self.contents[job.program, job.id] = list(sent)

    def accepted(self, job: ProfileJob) -> None:
        if stored := self.load(job.program, job.id):
            self.jobs[job.program, job.id] = replace(stored, klaviyo_id=job.klaviyo_id)

    def looked(self, job: ProfileJob, at: datetime) -> None:
        if stored := self.load(job.program, job.id):
            self.jobs[job.program, job.id] = replace(stored, looked_at=at)

    def forget(self, job: ProfileJob) -> None:
        self.jobs.pop((job.program, job.id), None)

    def load(self, program: ProgramSlug, job_id: str) -> ProfileJob | None:
        return self.jobs.get((program, job_id))

    def open(self, program: ProgramSlug) -> list[ProfileJob]:
        found = [job for (slug, _), job in self.jobs.items() if slug == program]
        return sorted(found, key=lambda job: (job.sent_at, job.id))

    def sent(self, job: ProfileJob) -> list[SentProfile]:
        return list(self.contents.get((job.program, job.id), []))

    def close(self, job: ProfileJob, *, failed: int) -> bool:
        with self.lock:
            if self.jobs.pop((job.program, job.id), None) is None:
                return False
            sync = self.syncs.get(job.program)
            if job.counted and sync and sync.id == job.sync:
                self.syncs[job.program] = replace(
                    sync,
                    done=sync.done + job.size - failed,
                    failed=sync.failed + failed,
                    open_jobs=sync.open_jobs - 1,
                )
            return True
