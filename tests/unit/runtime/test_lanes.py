"""The lanes as queue work: which messages come back, and when."""

from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from loyalty.domain.errors import Misconfigured
from loyalty.domain.ledger.entry import DeliveryState, Entry
from loyalty.runtime.batch import Message, Return
from loyalty.runtime.lanes import MOST_TRIES, EventsLane, ProfilesLane
from loyalty.runtime.relay import relay
from loyalty.services.relay_outbox import RelayOutbox
from loyalty.services.replay_events import next_step
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_queues import MemoryQueue, MemoryVisibility
from tests.replay_world import ReplayWorld

SARAH = "sarah.mason@klaviyo-demo.com"


class Context:
    """As much of Lambda's context as the lanes read."""

    def __init__(self, seconds: float) -> None:
        self.milliseconds = int(seconds * 1000)

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def context(seconds: float = 60) -> LambdaContext:
    return cast(LambdaContext, Context(seconds))


def message(body: str, number: int = 1, received: int = 1) -> Message:
    return Message(f"id-{number}", body, f"receipt-{number}", received, "candles", "", "candles")


def about(entry: Entry, number: int = 1, received: int = 1) -> Message:
    body = f'{{"program": "{entry.program}", "member_id": "{entry.member_id}", "seq": {entry.seq}}}'
    return message(body, number, received)


class Lanes:
    """Both lanes of a world, with a queue whose visibility can be looked at."""

    def __init__(self) -> None:
        self.world = ReplayWorld()
        self.visibility = MemoryVisibility()
        give_back = Return(self.visibility, SeededRandomness())
        self.events = EventsLane(self.world.deliver_events, give_back, self.world.clock, self.world.work)
        self.profiles = ProfilesLane(self.world.deliver_profiles, give_back, self.world.clock)


@pytest.fixture
def lanes() -> Lanes:
    return Lanes()


def test_delivered_messages_are_done(lanes: Lanes) -> None:
    entries = [lanes.world.gets(SARAH) for _ in range(3)]
    assert list(lanes.events([about(entry, n) for n, entry in enumerate(entries)], context())) == []
    assert len(lanes.world.account.events()) == 3
    assert lanes.visibility.delays == {}


def test_messages_come_back_no_sooner_than_klaviyo_asks(lanes: Lanes) -> None:
    entries = [lanes.world.gets(SARAH) for _ in range(3)]
    lanes.world.account.goes_wrong(kind="status", status=429, retry_after=50)
    back = list(lanes.events([about(entry, n) for n, entry in enumerate(entries)], context()))
    assert back == ["id-0", "id-1", "id-2"]
    assert sorted(lanes.visibility.delays) == ["receipt-0", "receipt-1", "receipt-2"]
    assert all(50 <= delay <= 60 for delay in lanes.visibility.delays.values())


def test_messages_wait_longer_after_each_attempt(lanes: Lanes) -> None:
    entry = lanes.world.gets(SARAH)
    lanes.world.account.goes_wrong(kind="status", status=503, times=None)
    waits = []
    for received in (1, 3, 6, 50):
        list(lanes.events([about(entry, received=received)], context()))
        waits.append(lanes.visibility.delays["receipt-1"])
    assert waits == sorted(waits)
    assert waits[0] <= 5
    assert 450 <= waits[-1] <= 900


def test_two_messages_about_one_event_share_its_fate(lanes: Lanes) -> None:
    entry = lanes.world.gets(SARAH)
    lanes.world.account.goes_wrong(kind="status", status=503)
    twice = [about(entry, 1), about(entry, 2)]
    assert list(lanes.events(twice, context())) == ["id-1", "id-2"]
    assert list(lanes.events(twice, context())) == []
    assert len(lanes.world.account.events()) == 1


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"program": "candles"}', '{"program": "", "member_id": "m", "seq": 1}']
)
def test_a_message_that_cannot_be_read_comes_back_alone(lanes: Lanes, body: str) -> None:
    """After the queue's number of attempts it lies among the dead letters."""
    entry = lanes.world.gets(SARAH)
    assert list(lanes.events([message(body, 1), about(entry, 2)], context())) == ["id-1"]
    assert len(lanes.world.account.events()) == 1
    assert lanes.visibility.delays == {}


def test_messages_come_back_even_if_their_time_cannot_be_set(lanes: Lanes) -> None:
    entry = lanes.world.gets(SARAH)
    lanes.visibility.broken = True
    lanes.world.account.goes_wrong(kind="status", status=503)
    assert list(lanes.events([about(entry)], context())) == ["id-1"]


def test_with_little_time_left_nothing_is_begun(lanes: Lanes) -> None:
    """The last call may run into its time limit, and then what was done must still be noted."""
    entry = lanes.world.gets(SARAH)
    assert list(lanes.events([about(entry)], context(19))) == ["id-1"]
    assert lanes.world.account.calls("bulk_create_events") == 0
    assert lanes.world.state(entry)[0] is DeliveryState.OWED


def test_a_programs_profiles_are_drained_once_for_all_its_messages(lanes: Lanes) -> None:
    lanes.world.gets(SARAH)
    wake_ups = [message('{"program": "candles"}', number) for number in (1, 2)]
    assert list(lanes.profiles(wake_ups, context())) == []
    assert lanes.world.account.calls("create_or_update_profile") == 1


def test_a_program_in_trouble_comes_back_and_another_is_served(lanes: Lanes) -> None:
    lanes.world.gets(SARAH)
    lanes.world.gets(SARAH, program=lanes.world.soaps)
    lanes.world.account.goes_wrong(kind="status", status=429, retry_after=30)
    wake_ups = [message('{"program": "candles"}', 1), message('{"program": "soaps"}', 2)]
    assert list(lanes.profiles(wake_ups, context())) == ["id-1"]
    assert 30 <= lanes.visibility.delays["receipt-1"] <= 36
    assert lanes.world.account.calls("create_or_update_profile") == 2


def test_profiles_that_do_not_fit_are_left_to_another_message(lanes: Lanes) -> None:
    """Not to this one: coming back counts towards the dead letters, and there is no trouble."""
    lanes.world.gets(SARAH)
    assert list(lanes.profiles([message('{"program": "candles"}')], context(19))) == []
    assert len(lanes.world.queue.messages) == 1


def a_record(image: dict[str, Any]) -> DynamoDBRecord:
    return DynamoDBRecord({"eventName": "INSERT", "dynamodb": {"SequenceNumber": "7", "NewImage": image}})


def test_a_change_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    """The stream then divides the batch until the bad one is alone, and puts that aside."""
    events, profiles = MemoryQueue(), MemoryQueue()
    good = {"type": {"S": "member"}, "program": {"S": "candles"}, "profile_owed_since": {"S": "x"}}
    bad = {"type": {"S": "entry"}, "delivery": {"S": "owed"}}
    with pytest.raises(Misconfigured):
        relay(RelayOutbox(events, profiles, FixedClock()), [a_record(bad), a_record(good)])
    assert len(profiles.messages) == 1


def test_a_record_about_nothing_owed_is_passed_over() -> None:
    events, profiles = MemoryQueue(), MemoryQueue()
    relay(RelayOutbox(events, profiles, FixedClock()), [a_record({"type": {"S": "settings"}})])
    assert events.messages == profiles.messages == []


def test_one_programs_unforeseen_error_brings_back_its_messages_only(lanes: Lanes) -> None:
    noisy, quiet = lanes.world.gets(SARAH), lanes.world.gets(SARAH, program=lanes.world.soaps)
    lanes.world.connected(credential=b"not sealed here")
    assert list(lanes.events([about(noisy, 1), about(quiet, 2)], context())) == ["id-1"]
    assert lanes.world.state(quiet)[0] is DeliveryState.SENT


def test_a_step_of_a_replay_is_done_and_one_in_trouble_comes_back(lanes: Lanes) -> None:
    """R95: beside owed events, in the same batch."""
    missed, entry = lanes.world.skipped(1), lanes.world.gets(SARAH)
    replay = lanes.world.asks()
    step = next_step(replay).body
    lanes.world.events.troubles = 1
    assert list(lanes.events([about(entry, 1), message(step, 2)], context())) == ["id-2"]
    assert list(lanes.visibility.delays) == ["receipt-2"]
    assert list(lanes.events([message(step, 3)], context())) == []
    assert lanes.world.state(missed[0]) == (DeliveryState.OWED, "backfill")
    assert lanes.world.state(entry)[0] is DeliveryState.SENT


def test_after_a_day_of_trouble_messages_are_left_to_the_upkeep_and_not_to_the_dead_letters(lanes: Lanes) -> None:
    """What is owed stays marked; among the dead letters nobody would understand what is only late."""
    entry = lanes.world.gets(SARAH)
    lanes.world.account.goes_wrong(kind="status", status=503, times=None)
    assert list(lanes.events([about(entry, received=MOST_TRIES - 1)], context())) == ["id-1"]
    assert list(lanes.events([about(entry, received=MOST_TRIES)], context())) == []
    assert lanes.world.state(entry)[0] is DeliveryState.OWED


def test_a_program_in_trouble_for_a_day_is_left_to_the_upkeep_too(lanes: Lanes) -> None:
    lanes.world.gets(SARAH)
    lanes.world.account.goes_wrong(kind="status", status=503, times=None)
    wake_up = '{"program": "candles"}'
    assert list(lanes.profiles([message(wake_up, received=MOST_TRIES - 1)], context())) == ["id-1"]
    assert list(lanes.profiles([message(wake_up, received=MOST_TRIES)], context())) == []
    assert lanes.world.owed_profiles() == 1


def test_what_nobody_foresaw_goes_to_the_dead_letters_in_the_end(lanes: Lanes) -> None:
    entry = lanes.world.gets(SARAH)
    lanes.world.connected(credential=7)
    assert list(lanes.events([about(entry, received=MOST_TRIES + 5)], context())) == ["id-1"]
