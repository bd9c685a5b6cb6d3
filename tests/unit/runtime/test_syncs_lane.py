"""The lane of full syncs and bulk imports as queue work: what comes back, and when."""

from __future__ import annotations

import pytest

from loyalty.runtime.batch import Return
from loyalty.runtime.lanes import MOST_TRIES, SyncsLane
from loyalty.services import deliver_profiles
from loyalty.services.wake_syncs import WakeSyncs
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_queues import MemoryVisibility
from tests.profile_world import ProfileWorld
from tests.unit.runtime.test_lanes import context, message

WALK = '{"program": "candles"}'


class Lane:
    """The lane of a world, with a queue whose visibility can be looked at."""

    def __init__(self) -> None:
        self.world, self.visibility = ProfileWorld(), MemoryVisibility()
        give_back = Return(self.visibility, SeededRandomness())
        self.work = SyncsLane(self.world.walk, self.world.follow, give_back, self.world.clock)

    def gets(self, *bodies: str, seconds: float = 300) -> list[str]:
        return list(self.work([message(body, number) for number, body in enumerate(bodies)], context(seconds)))


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> Lane:
    monkeypatch.setattr(deliver_profiles, "FEW", 1)
    lane = Lane()
    lane.world.has("sarah", "bill", "mo")
    return lane


def test_a_walk_that_got_through_is_done(lane: Lane) -> None:
    lane.world.starts_sync()
    assert lane.gets(WALK) == []
    assert lane.world.sync.walked_all


def test_a_walk_in_trouble_comes_back_no_sooner_than_klaviyo_asks(lane: Lane) -> None:
    lane.world.starts_sync()
    lane.world.account.goes_wrong(kind="status", status=429, retry_after=50)
    assert lane.gets(WALK) == ["id-0"]
    assert 50 <= lane.visibility.delays["receipt-0"] <= 60
    assert lane.world.sync.trouble == "klaviyo_throttled"


def test_a_walk_without_time_hands_over_to_another_message(lane: Lane) -> None:
    """Coming back counts towards the dead letters, and there is no trouble."""
    lane.world.starts_sync()
    lane.world.tasks.messages.clear()
    assert lane.gets(WALK, seconds=19) == []
    assert len(lane.world.tasks.messages) == 1


def test_a_job_that_has_not_ended_is_looked_at_again(lane: Lane) -> None:
    lane.world.drain()
    (look,) = lane.world.tasks.messages
    assert look.delay == 5
    assert lane.gets(look.body) == ["id-0"]
    assert 5 <= lane.visibility.delays["receipt-0"] <= 7
    lane.world.clock.sleep(5)
    assert lane.gets(look.body) == []
    assert lane.gets(look.body) == [], "a repeat finds nothing to do"


def test_what_takes_longer_than_a_message_is_tried_is_left_to_the_upkeep(lane: Lane) -> None:
    """A job that Klaviyo works on all day, and a sync through an outage, are nothing for the dead letters."""
    lane.world.account.fake.services.switches.job_mode = "manual"
    lane.world.drain()
    look = lane.world.tasks.messages.pop().body
    lane.world.starts_sync()
    lane.world.account.goes_wrong(kind="status", operation="bulk_import_profiles", status=503, times=None)
    assert list(lane.work([message(look, 1, MOST_TRIES - 1), message(WALK, 2, MOST_TRIES - 1)], context(300))) == [
        "id-1",
        "id-2",
    ]
    assert list(lane.work([message(look, 1, MOST_TRIES), message(WALK, 2, MOST_TRIES)], context(300))) == []
    lane.world.tasks.messages.clear()
    lane.world.clock.sleep(1801)
    assert WakeSyncs(lane.world.jobs, lane.world.syncs, lane.world.tasks, lane.world.clock)(lane.world.candles.slug) > 1


@pytest.mark.parametrize("body", ["", "[]", '{"job": "x"}', '{"program": ""}'])
def test_a_message_that_cannot_be_read_comes_back_alone(lane: Lane, body: str) -> None:
    lane.world.starts_sync()
    assert lane.gets(body, WALK) == ["id-0"]
    assert lane.world.sync.walked_all
    assert lane.visibility.delays == {}
