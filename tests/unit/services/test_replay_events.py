"""Telling Klaviyo afterwards: what was skipped or failed, as back-fill, once, wherever it was stopped (R94, R95)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty.contracts.deliveries import ReplayStep
from loyalty.domain.connection import ConnectionStatus
from loyalty.domain.errors import Invalid, NotFound, StateForbids, Transient
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.domain.replay import MOST_DAYS, ReplayState, replay_of
from loyalty.services import replay_events
from tests.klaviyo_world import World
from tests.replay_world import ReplayWorld

SARAH = "sarah.mason@klaviyo-demo.com"
UP, DOWN = "points_adjusted_up", "points_adjusted_down"


@pytest.fixture
def world() -> ReplayWorld:
    return ReplayWorld()


def test_ticking_a_type_again_tells_of_what_happens_next_and_not_of_the_gap(world: ReplayWorld) -> None:
    """R94, R95: nobody asked for history."""
    missed = world.skipped(2)
    (new,) = [world.gets(SARAH)]
    world.send(*missed, new)
    assert world.told() == {new.id: False}
    assert {world.state(entry) for entry in missed} == {(DeliveryState.SKIPPED, "not_selected")}


def test_a_replay_fills_the_gap_and_doubles_nothing(world: ReplayWorld) -> None:
    """R95: as back-fill, so that no flow mails about last year."""
    missed, sent = world.skipped(3), world.gets(SARAH)
    world.send(sent)
    world.asks()
    world.goes_on()
    assert world.told() == {sent.id: False, **{entry.id: True for entry in missed}}
    assert {world.state(entry) for entry in missed} == {(DeliveryState.SENT, "backfill")}
    replay = world.replays.kept[world.candles.slug]
    assert (replay.state, replay.owed, replay.days) == (ReplayState.DONE, 3, (2, 2))
    assert world.account.calls("bulk_create_events") == 2


def test_asking_twice_sends_nothing_twice(world: ReplayWorld) -> None:
    missed = world.skipped(3)
    for _ in range(2):
        world.asks()
        world.goes_on()
    assert sorted(world.told()) == sorted(entry.id for entry in missed)
    assert world.replays.kept[world.candles.slug].owed == 0
    assert world.account.fake.services.world.accounts["AbC123"].dropped == []


def test_history_can_set_off_flows_if_the_merchant_wants_that(world: ReplayWorld) -> None:
    (missed,) = world.skipped(1)
    world.asks(backfill=False)
    world.goes_on()
    assert (world.told(), world.state(missed)) == ({missed.id: False}, (DeliveryState.SENT, "replayed"))


def test_what_klaviyo_refused_is_tried_again(world: ReplayWorld) -> None:
    """After the merchant has mended what it was refused for."""
    entry = world.gets(SARAH)
    world.store.mark_event(entry, Delivery(DeliveryState.FAILED, world.clock.now(), "No such profile."))
    world.asks()
    world.goes_on()
    assert world.told() == {entry.id: True}


def test_what_happened_before_the_first_connect_can_be_told(world: ReplayWorld) -> None:
    connection = world.candles.connection
    world.connected(connection=None)
    entry = world.gets(SARAH)
    assert world.state(entry) == (DeliveryState.SKIPPED, "not_connected")
    world.connected(connection=connection)
    world.asks()
    world.goes_on()
    assert world.told() == {entry.id: True}


def test_only_the_types_and_the_range_asked_for_are_told(world: ReplayWorld) -> None:
    early = world.skipped(1)
    world.clock.sleep(3600)
    begin = world.clock.now()
    (down,), (up,) = world.skipped(1, event_type=DOWN), world.skipped(1)
    asked = replace(world.asked(types={UP}), begin=begin, day=begin.date())
    world.begin(world.candles, asked)
    world.goes_on()
    assert list(world.told()) == [up.id]
    assert world.state(down) == world.state(early[0]) == (DeliveryState.SKIPPED, "not_selected")


def test_it_goes_on_in_pages_and_runs_wherever_it_stopped(world: ReplayWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run has time for nothing but to look at the clock once; every page is a run of its own."""
    monkeypatch.setattr(replay_events, "PAGE", 4)
    missed = world.skipped(10)
    world.asks()
    real, ticks = world.clock.now, iter(range(10_000))
    monkeypatch.setattr(world.clock, "now", lambda: real() + timedelta(seconds=next(ticks)))
    reports = world.goes_on(seconds=4)
    assert len(reports) >= 2
    assert sum(report.owed for report in reports) == 10
    monkeypatch.undo()
    world.send_until_done(missed)
    assert sorted(world.told()) == sorted(entry.id for entry in missed)


def test_a_page_that_was_owed_and_not_noted_is_done_again_without_harm(world: ReplayWorld) -> None:
    """The worker died between the two."""
    missed = world.skipped(3)
    replay = world.asks()
    world.work(ReplayStep(program=world.candles.slug, replay=replay.id), until=world.clock.now() + timedelta(1))
    world.replays.kept[world.candles.slug] = replace(replay, version=9)
    world.begin(world.candles, replace(replay, id=replay.id))
    world.goes_on()
    assert sorted(world.told()) == sorted(entry.id for entry in missed)


def test_trouble_is_told_and_comes_back(world: ReplayWorld) -> None:
    world.skipped(1)
    replay = world.asks()
    world.events.troubles = 1
    step = ReplayStep(program=world.candles.slug, replay=replay.id)
    report = world.work(step, until=world.clock.now() + timedelta(minutes=1))
    assert isinstance(report.trouble, Transient)
    assert report.message == "replay interrupted"
    assert world.work(step, until=world.clock.now() + timedelta(minutes=1)).trouble is None


def test_steps_of_what_is_over_or_was_never_there_do_nothing(world: ReplayWorld) -> None:
    step = ReplayStep(program=world.candles.slug, replay="gone")
    assert world.work(step, until=world.clock.now()).replay is None
    replay = world.asks()
    world.goes_on()
    over = ReplayStep(program=world.candles.slug, replay=replay.id)
    assert world.work(over, until=world.clock.now() + timedelta(1)).looked == 0


def test_a_disconnect_stops_it(world: ReplayWorld) -> None:
    """R20."""
    (missed,) = world.skipped(1)
    world.asks()
    world.connected(status=ConnectionStatus.DISCONNECTED)
    world.goes_on()
    assert world.replays.kept[world.candles.slug].state is ReplayState.STOPPED
    assert world.state(missed) == (DeliveryState.SKIPPED, "not_selected")


def test_one_at_a_time_and_the_same_again_is_the_running_one(world: ReplayWorld) -> None:
    world.skipped(1)
    asked = world.asked()
    first = world.begin(world.candles, asked)
    again = world.begin(world.candles, replace(asked, id="another", started_at=world.clock.now()))
    assert again.id == first.id
    with pytest.raises(StateForbids) as refused:
        world.begin(world.candles, replace(asked, id="third", backfill=False))
    assert refused.value.code == "replay_running"


def test_nothing_is_replayed_without_a_connection(world: ReplayWorld) -> None:
    with pytest.raises(StateForbids) as refused:
        world.begin(replace(world.candles, connection=None), world.asked())
    assert refused.value.code == "not_connected"
    with pytest.raises(NotFound):
        world.begin.newest(world.candles)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"types": {"points_earnt"}}, "unknown_event_type"),
        ({"types": {UP}, "off": {UP}}, "event_type_not_selected"),
    ],
)
def test_a_type_that_is_unknown_or_switched_off_is_refused(
    world: ReplayWorld, changes: dict[str, Any], code: str
) -> None:
    """R92."""
    with pytest.raises(Invalid) as refused:
        world.asked(**changes)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [(0, 0, "empty_range"), (2, 1, "empty_range"), (-MOST_DAYS - 2, 0, "range_too_long"), (1, 5, "empty_range")],
)
def test_a_range_that_is_empty_too_long_or_in_the_future_is_refused(begin: int, end: int, code: str) -> None:
    now: datetime = World().clock.now()
    with pytest.raises(Invalid) as refused:
        replay_of(
            World().candles.slug,
            now + timedelta(days=begin),
            now + timedelta(days=end),
            types=frozenset(),
            off=frozenset(),
            backfill=True,
            now=now,
        )
    assert refused.value.code == code
