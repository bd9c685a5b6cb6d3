"""Full syncs and bulk imports as facts: who has been in, how long it takes, when to look again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from loyalty.domain.full_sync import FullSync, SyncState, skip_reason
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.member import Member, Profile, Standing
from loyalty.domain.profile_jobs import FIRST_LOOK, LONGEST_WAIT, ProfileJob

NOW = datetime(2026, 8, 20, 14, tzinfo=UTC)
CANDLES = ProgramSlug("candles")
SYNC = FullSync(CANDLES, "sync-1", NOW, total=100, position="m")


def test_members_up_to_the_position_are_included_and_in_the_end_everybody() -> None:
    """R30: by comparison of ids, without a write for each member."""
    assert [SYNC.includes(MemberId(each)) for each in ("a", "m", "ma", "z")] == [True, True, False, False]
    assert replace(SYNC, walked_all=True).includes(MemberId("z"))
    assert not replace(SYNC, position="").includes(MemberId("a"))


@pytest.mark.parametrize(
    ("walked_all", "open_jobs", "complete"), [(True, 0, True), (True, 1, False), (False, 0, False)]
)
def test_a_sync_is_complete_when_nobody_is_left_and_no_job_is_open(
    walked_all: bool, open_jobs: int, complete: bool
) -> None:
    assert replace(SYNC, walked_all=walked_all, open_jobs=open_jobs).is_complete is complete


def test_the_end_is_estimated_by_the_pace_so_far() -> None:
    """R29: skipped and failed members are dealt with as well."""
    later = NOW + timedelta(seconds=30)
    assert replace(SYNC, done=40, skipped={"no_email": 5}, failed=5).estimated_end(later) == NOW + timedelta(seconds=60)
    for unknown in (SYNC, replace(SYNC, done=9, total=None), replace(SYNC, done=9, state=SyncState.DONE)):
        assert unknown.estimated_end(later) is None


@pytest.mark.parametrize(
    ("standing", "email", "reason"),
    [
        (Standing.MEMBER, "mo@klaviyo-demo.com", ""),
        (Standing.CANDIDATE, "mo@klaviyo-demo.com", ""),
        (Standing.EXCLUDED, "mo@klaviyo-demo.com", ""),
        (Standing.MEMBER, "", "no_email"),
        (Standing.MERGED, "mo@klaviyo-demo.com", "merged"),
        (Standing.ERASED, "", "erased"),
    ],
)
def test_whoever_is_not_sent_is_skipped_for_a_reason(standing: Standing, email: str, reason: str) -> None:
    """R31; a merged member's address is the other one's by now."""
    assert skip_reason(Member(CANDLES, MemberId("m"), standing=standing, profile=Profile(email=email))) == reason


@pytest.mark.parametrize(("age", "wait"), [(0, FIRST_LOOK), (12, 6), (300, 150), (86_400, LONGEST_WAIT)])
def test_a_job_is_looked_at_after_half_its_age(age: int, wait: int) -> None:
    job = ProfileJob(CANDLES, "job-1", 5, NOW)
    assert job.next_look(NOW + timedelta(seconds=age)) == wait
