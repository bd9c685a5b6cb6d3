"""Bulk imports and full syncs: known before they are sent, moved on by one worker, counted once (R27-R29)."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb.full_syncs import DynamoFullSyncs
from loyalty.adapters.dynamodb.profile_jobs import DynamoProfileJobs
from loyalty.domain.errors import Conflict, Transient
from loyalty.domain.full_sync import FullSync, SyncState
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.commands import Earn, Erase
from loyalty.domain.profile_jobs import ProfileJob, SentProfile
from tests.contract.storage import Marks, Pen, TableStorage

CANDLES = ProgramSlug("candles")


def a_job(pen: Pen, number: int = 1, **changes: Any) -> ProfileJob:
    sent_at = pen.clock.now() + timedelta(seconds=number)
    return replace(ProfileJob(CANDLES, f"job-{number}", size=3, sent_at=sent_at), **changes)


def a_sync(pen: Pen, **changes: Any) -> FullSync:
    return replace(FullSync(CANDLES, "sync-1", pen.clock.now()), **changes)


def sent_to(pen: Pen, *names: str, version: int = 1) -> list[SentProfile]:
    return [SentProfile(pen.id_of(name), version) for name in names]


# Jobs


def test_a_job_is_known_before_klaviyo_has_it(pen: Pen) -> None:
    jobs, contents = pen.storage.profile_jobs, sent_to(pen, "sarah", "bill", "mo", version=12)
    jobs.begin(a_job(pen), contents)
    assert jobs.load(CANDLES, "job-1") == a_job(pen)
    assert jobs.sent(a_job(pen)) == contents
    jobs.accepted(a_job(pen, klaviyo_id="k1"))
    assert jobs.load(CANDLES, "job-1") == a_job(pen, klaviyo_id="k1")


def test_open_jobs_are_listed_oldest_first_and_by_program(pen: Pen) -> None:
    jobs = pen.storage.profile_jobs
    for number in (3, 1, 2):
        jobs.begin(a_job(pen, number), [])
    jobs.begin(a_job(pen, 4, program=ProgramSlug("soaps")), [])
    jobs.forget(a_job(pen, 2))
    assert [job.id for job in jobs.open(CANDLES)] == ["job-1", "job-3"]
    assert jobs.load(CANDLES, "job-2") is None


def test_ten_thousand_members_fit_a_job(pen: Pen) -> None:
    """As many as one request may hold."""
    contents = [SentProfile(pen.id_of(f"member-{number}"), 10_000 + number) for number in range(10_000)]
    pen.storage.profile_jobs.begin(a_job(pen), contents)
    assert pen.storage.profile_jobs.sent(a_job(pen)) == contents


def test_a_job_is_closed_once(pen: Pen) -> None:
    jobs = pen.storage.profile_jobs
    jobs.begin(a_job(pen), [])
    assert jobs.close(a_job(pen), failed=0)
    assert not jobs.close(a_job(pen), failed=0)
    assert jobs.open(CANDLES) == []


def test_a_job_tells_when_it_was_looked_at_last(pen: Pen) -> None:
    jobs, looked_at = pen.storage.profile_jobs, pen.clock.now() + timedelta(hours=1)
    jobs.begin(a_job(pen), [])
    jobs.looked(a_job(pen), looked_at)
    assert jobs.open(CANDLES) == [a_job(pen, looked_at=looked_at)]


def test_a_job_that_is_gone_stays_gone(pen: Pen) -> None:
    """A disconnect forgets a job while its request is still under way."""
    jobs = pen.storage.profile_jobs
    jobs.begin(a_job(pen), [])
    jobs.forget(a_job(pen))
    jobs.accepted(a_job(pen, klaviyo_id="k1"))
    jobs.looked(a_job(pen), pen.clock.now())
    assert jobs.open(CANDLES) == []


# Syncs


def test_one_sync_runs_at_a_time(pen: Pen) -> None:
    syncs = pen.storage.full_syncs
    assert syncs.load(CANDLES) is None
    syncs.begin(a_sync(pen))
    with pytest.raises(Conflict):
        syncs.begin(a_sync(pen, id="sync-2"))
    assert syncs.load(CANDLES) == a_sync(pen)
    assert syncs.end(a_sync(pen), SyncState.CANCELLED, pen.clock.now())
    syncs.begin(a_sync(pen, id="sync-2"))
    assert syncs.load(CANDLES) == a_sync(pen, id="sync-2")


def test_a_sync_is_moved_on_from_where_it_is_and_nowhere_else(pen: Pen) -> None:
    """Of two workers at the same place one gets through, and nothing is counted twice."""
    jobs, syncs, before = pen.storage.profile_jobs, pen.storage.full_syncs, a_sync(pen)
    after = replace(before, position="m", skipped={"no_email": 2}, failed=1, moved_at=pen.clock.now())
    syncs.begin(before)
    jobs.begin(a_job(pen, sync="sync-1"), [])
    syncs.advance(before, after, [a_job(pen, sync="sync-1")])
    with pytest.raises(Conflict):
        syncs.advance(before, after, [])
    assert syncs.load(CANDLES) == replace(after, open_jobs=1)
    assert [job.counted for job in jobs.open(CANDLES)] == [True]


def test_a_job_that_is_gone_is_not_counted(pen: Pen) -> None:
    syncs, before = pen.storage.full_syncs, a_sync(pen)
    syncs.begin(before)
    with pytest.raises(Conflict):
        syncs.advance(before, replace(before, position="m"), [a_job(pen, sync="sync-1")])
    assert syncs.load(CANDLES) == before


def test_a_sync_that_has_walked_all_or_ended_is_not_moved_on(pen: Pen) -> None:
    syncs, before = pen.storage.full_syncs, a_sync(pen)
    walked = replace(before, position="z", walked_all=True)
    syncs.begin(before)
    syncs.advance(before, walked, [])
    with pytest.raises(Conflict):
        syncs.advance(walked, walked, [])
    syncs.end(before, SyncState.DONE, pen.clock.now())
    with pytest.raises(Conflict):
        syncs.advance(before, walked, [])


def test_what_ends_is_counted_in_its_sync(pen: Pen) -> None:
    jobs, syncs, before = pen.storage.profile_jobs, pen.storage.full_syncs, a_sync(pen)
    job = a_job(pen, sync="sync-1", counted=True)
    syncs.begin(before)
    jobs.begin(a_job(pen, sync="sync-1"), [])
    moved = replace(before, position="m", moved_at=pen.clock.now())
    syncs.advance(before, moved, [job])
    assert jobs.close(job, failed=1)
    assert not jobs.close(job, failed=1)
    assert syncs.load(CANDLES) == replace(moved, done=2, failed=1)


def test_a_job_of_an_earlier_sync_is_closed_without_being_counted(pen: Pen) -> None:
    jobs, syncs, first = pen.storage.profile_jobs, pen.storage.full_syncs, a_sync(pen)
    job = a_job(pen, sync="sync-1", counted=True)
    syncs.begin(first)
    jobs.begin(a_job(pen, sync="sync-1"), [])
    syncs.advance(first, replace(first, position="m"), [job])
    syncs.end(first, SyncState.CANCELLED, pen.clock.now())
    syncs.begin(a_sync(pen, id="sync-2"))
    assert jobs.close(job, failed=0)
    assert syncs.load(CANDLES) == a_sync(pen, id="sync-2")


def test_notes_are_kept_while_a_sync_runs(pen: Pen) -> None:
    syncs, sync = pen.storage.full_syncs, a_sync(pen)
    syncs.begin(sync)
    syncs.note(replace(sync, total=7), pen.clock.now())
    noted = pen.clock.now() + timedelta(minutes=1)
    syncs.note(replace(sync, trouble="klaviyo_unavailable", most=50), noted)
    sync = replace(sync, total=7, moved_at=noted, most=50)
    assert syncs.load(CANDLES) == replace(sync, trouble="klaviyo_unavailable")
    ended = pen.clock.now() + timedelta(hours=1)
    assert syncs.end(sync, SyncState.DONE, ended)
    assert not syncs.end(sync, SyncState.CANCELLED, ended)
    syncs.note(replace(sync, total=9), ended)
    assert syncs.load(CANDLES) == replace(sync, state=SyncState.DONE, ended_at=ended)


# Marks


def test_marks_of_many_are_cleared_for_the_states_that_were_sent(pen: Pen) -> None:
    """Whoever has moved on stays owed, and is named."""
    for name in ("sarah", "bill", "mo"):
        pen.write(name, Earn(10))
    pen.write("bill", Earn(10))
    assert pen.storage.profile_marks.clear(CANDLES, sent_to(pen, "sarah", "bill", "mo")) == [pen.id_of("bill")]
    assert pen.storage.outbox.owed_profiles(CANDLES, limit=9) == [pen.id_of("bill")]


def test_states_that_klaviyo_will_not_take_are_noted(pen: Pen) -> None:
    for name in ("sarah", "bill"):
        pen.write(name, Earn(10))
    pen.write("bill", Earn(10))
    refused = dict.fromkeys(sent_to(pen, "sarah", "bill"), "Invalid email address.")
    pen.storage.profile_marks.refuse(CANDLES, refused)
    assert pen.storage.marks(CANDLES, pen.id_of("sarah")) == Marks(refused="Invalid email address.")
    assert pen.storage.outbox.owed_profiles(CANDLES, limit=9) == [pen.id_of("bill")]


def test_those_owed_shortest_are_found_first(pen: Pen) -> None:
    """Live changes, in front of everything that waits for the first sync (R30)."""
    for name in ("sarah", "bill", "mo"):
        pen.write(name, Earn(10))
        pen.clock.advance(seconds=1)
    newest = [pen.id_of(name) for name in ("mo", "bill", "sarah")]
    assert pen.storage.profile_marks.newest(CANDLES, limit=9) == newest
    assert pen.storage.profile_marks.newest(CANDLES, limit=2) == newest[:2]


def test_members_are_owed_again_unless_they_are_or_nobody_could_be_told(pen: Pen) -> None:
    since = pen.clock.now()
    for name in ("sarah", "bill", "mo"):
        pen.write(name, Earn(10))
    pen.storage.profile_marks.clear(CANDLES, sent_to(pen, "sarah"))
    pen.write("mo", Erase())
    later = pen.clock.now() + timedelta(hours=1)
    pen.storage.profile_marks.owe(CANDLES, [pen.id_of(name) for name in ("sarah", "bill", "mo", "nobody")], later)
    assert pen.storage.outbox.owed_profiles(CANDLES, limit=9) == [pen.id_of("bill"), pen.id_of("sarah")]
    assert pen.storage.marks(CANDLES, pen.id_of("sarah")).owed_since == later
    assert pen.storage.marks(CANDLES, pen.id_of("bill")).owed_since == since


# Others at the same moment


class Contended:
    """A client whose next transactions are cancelled: others are writing the same items."""

    def __init__(self, client: Any, times: int) -> None:
        self._client = client
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        """Cancel it as DynamoDB does, in whose emulators nobody is ever at it at the same moment."""
        if self._times:
            self._times -= 1
            reasons = [{"Code": "TransactionConflict"}, *({"Code": "None"} for _ in request["TransactItems"][1:])]
            response: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(response, "TransactWriteItems")
        return self._client.transact_write_items(**request)


def test_a_sync_is_moved_on_although_a_job_of_it_ends_at_the_same_moment(table_pen: Pen) -> None:
    """R29: taken for another worker's move, it would leave the walk to nobody."""
    storage, before = table_pen.storage, a_sync(table_pen)
    assert isinstance(storage, TableStorage)
    storage.full_syncs.begin(before)
    client: Any = Contended(storage.client, 3)
    DynamoFullSyncs(client, storage.table).advance(before, replace(before, position="m"), [])
    assert storage.full_syncs.load(CANDLES) == replace(before, position="m", moved_at=before.started_at)


@pytest.mark.parametrize("times", [3, 100])
def test_a_job_that_ends_while_its_sync_is_moved_on_is_closed_or_comes_back(table_pen: Pen, times: int) -> None:
    """Once counted or not at all; and that others are at it is nobody's alarm."""
    storage, job = table_pen.storage, a_job(table_pen, sync="sync-1", counted=True)
    assert isinstance(storage, TableStorage)
    storage.full_syncs.begin(a_sync(table_pen, open_jobs=1))
    storage.profile_jobs.begin(job, [])
    client: Any = Contended(storage.client, times)
    with pytest.raises(Transient) if times > 10 else nullcontext():
        assert DynamoProfileJobs(client, storage.table).close(job, failed=1)
    sync = storage.full_syncs.load(CANDLES)
    assert sync is not None
    assert (sync.done, sync.failed, sync.open_jobs) == ((0, 0, 1) if times > 10 else (2, 1, 0))
    assert len(storage.profile_jobs.open(CANDLES)) == sync.open_jobs
