"""Whatever order jobs are worked on in, and whatever comes in between: every profile ends at the newest state (R37)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.fake_klaviyo.accounts import ImportJob
from loyalty.adapters.klaviyo import bulk_profiles
from loyalty.domain.connection import FirstSync
from loyalty.domain.ledger.commands import Adjust
from loyalty.services import deliver_profiles, walk_members
from tests.profile_world import ProfileWorld

NAMES = ("sarah", "bill", "mo", "ada", "kai")
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "reset_after", "operation": "bulk_import_profiles"},
    {"kind": "malformed_body", "operation": "bulk_import_profiles"},
    {"kind": "status", "status": 503, "operation": "bulk_import_profiles"},
    {"kind": "reset_after", "operation": "create_or_update_profile", "times": 2},
    {"kind": "status", "status": 500, "operation": "get_bulk_import_profiles_job"},
)

steps = st.one_of(
    st.tuples(st.just("change"), st.sets(st.sampled_from(NAMES), min_size=1)),
    st.tuples(st.just("touch"), st.sets(st.sampled_from(NAMES), min_size=1, max_size=1)),
    st.tuples(st.just("touch"), st.sets(st.sampled_from(NAMES), min_size=1)),
    st.tuples(st.just("job"), st.integers(0, 7)),
    st.tuples(st.just("cancelled job"), st.integers(0, 7)),
    st.tuples(st.just("follow"), st.none()),
    st.tuples(st.just("sync"), st.none()),
    st.tuples(st.just("walk"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 70, 1200])),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
)


def queued(world: ProfileWorld) -> list[ImportJob]:
    jobs = world.account.fake.services.world.accounts["AbC123"].jobs.values()
    return [job for job in jobs if job.status == "queued"]


def play(world: ProfileWorld, step: str, with_what: Any) -> None:
    match step:
        case "change":
            world.has(*sorted(with_what), action=Adjust(7))
        case "touch":
            world.has(*sorted(with_what), action=Adjust(7))
            world.drain()
        case "job":
            jobs = [job.id for job in queued(world)]
            world.account.fake.services.jobs.run_now(jobs[with_what : with_what + 1])
        case "cancelled job":
            for job in queued(world)[with_what : with_what + 1]:
                job.status = "cancelled"
        case "follow":
            world.follows()
        case "sync":
            world.starts_sync()
        case "walk":
            world.walks()
        case "wait":
            world.clock.sleep(with_what)
        case _:
            world.account.goes_wrong(**with_what)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=8), st.sampled_from(["newest_first", "shuffled"]), st.booleans())
def test_every_profile_ends_at_the_newest_state(script: list[tuple[str, Any]], order: Any, first_sync: bool) -> None:
    """Two or more members are a job here, three fit one; jobs run when the script says so, the rest at the end."""
    with (
        patch.object(deliver_profiles, "FEW", 1),
        patch.object(bulk_profiles, "MAX_PROFILES", 3),
        patch.object(walk_members, "PAGE", 2),
    ):
        world = ProfileWorld()
        if first_sync:
            world.not_synced()
        switches = world.account.fake.services.switches
        switches.job_mode = "manual"
        world.has(*NAMES)
        world.drain()
        for step, with_what in script:
            play(world, step, with_what)
        world.account.fake.services.faults.clear()
        connection = world.program.connection
        if connection and connection.first_sync is FirstSync.NOT_STARTED:
            world.starts_sync()
        switches.job_order, switches.job_mode = order, "timed"
        world.account.fake.services.jobs.run_now()
        world.lets_work(hours=12)
        assert world.account.profiles() == world.newest()
        assert world.jobs.open(world.candles.slug) == []
        assert world.owed_profiles() == 0
