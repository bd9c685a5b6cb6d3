"""The relay: what the table's stream says becomes messages."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loyalty.adapters.dynamodb.codec import entry_item
from loyalty.adapters.dynamodb.streams import owed_in
from loyalty.adapters.dynamodb.typed_json import wire
from loyalty.contracts.deliveries import OwedEvent, OwedProfiles
from loyalty.domain.errors import Misconfigured, Transient
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.services.relay_outbox import BUCKET, RelayOutbox
from tests.fakes.clocks import START, FixedClock
from tests.fakes.memory_queues import MemoryQueue
from tests.klaviyo_world import World

SAMPLE = Path(__file__).resolve().parents[3] / "events" / "outbox_relay" / "earned_points.json"
CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")


@pytest.fixture
def records() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(SAMPLE.read_text())["Records"]
    return found


def an_event(seq: int, program: ProgramSlug = CANDLES) -> OwedEvent:
    return OwedEvent(program=program, member_id=MemberId("m1"), seq=seq)


def a_relay() -> tuple[RelayOutbox, MemoryQueue, MemoryQueue, FixedClock]:
    events, profiles, clock = MemoryQueue(), MemoryQueue(), FixedClock()
    return RelayOutbox(events, profiles, clock), events, profiles, clock


def test_a_new_entry_whose_event_is_owed_is_one_owed_event(records: list[dict[str, Any]]) -> None:
    member_id = records[0]["dynamodb"]["NewImage"]["member_id"]["S"]
    assert owed_in(records[0]) == OwedEvent(program=ProgramSlug("demo"), member_id=member_id, seq=1)


def test_a_member_whose_profile_is_owed_wakes_its_program(records: list[dict[str, Any]]) -> None:
    assert owed_in(records[1]) == OwedProfiles(program=ProgramSlug("demo"))
    assert owed_in({**records[1], "eventName": "MODIFY"}) == OwedProfiles(program=ProgramSlug("demo"))


@pytest.mark.parametrize("state", [state for state in DeliveryState if state is not DeliveryState.OWED])
def test_an_entry_without_an_owed_event_is_nothing(state: DeliveryState) -> None:
    entry = replace(World().gets("sarah@klaviyo-demo.com"), delivery=Delivery(state))
    assert owed_in({"eventName": "INSERT", "dynamodb": {"NewImage": wire(entry_item(entry))}}) is None


def test_a_change_of_an_entry_is_nothing_new(records: list[dict[str, Any]]) -> None:
    """A reversal noted on an owed entry, or its words forgotten, is no second event."""
    assert owed_in({**records[0], "eventName": "MODIFY"}) is None


def test_a_removed_item_and_other_items_are_nothing(records: list[dict[str, Any]]) -> None:
    assert owed_in({**records[0], "eventName": "REMOVE", "dynamodb": {"OldImage": {}}}) is None
    settings = wire({"type": "settings", "program": "demo", "terms": {"restored_days": 30}})
    assert owed_in({"eventName": "INSERT", "dynamodb": {"NewImage": settings}}) is None


@pytest.mark.parametrize(
    "image",
    [
        {"type": {"S": "entry"}, "delivery": {"S": "owed"}, "program": {"S": "demo"}},
        {"type": {"S": "entry"}, "delivery": {"S": "owed"}, "program": {"WHAT": "demo"}},
        {"type": {"S": "member"}, "profile_owed_since": {"S": "x"}},
    ],
)
def test_a_record_that_cannot_be_read_is_an_operators_matter(image: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured) as error:
        owed_in({"eventName": "INSERT", "dynamodb": {"SequenceNumber": "42", "NewImage": image}})
    assert error.value.facts == {"sequence_number": "42"}


def test_each_owed_event_is_a_message_in_the_group_of_its_program() -> None:
    """Groups make the queue fair: a program of 10,000 events does not delay one of three."""
    relay, events, profiles, _ = a_relay()
    relayed = relay([an_event(1), an_event(2), an_event(1, SOAPS)])
    assert [OwedEvent.model_validate_json(message.body) for message in events.messages] == [
        an_event(1),
        an_event(2),
        an_event(1, SOAPS),
    ]
    assert [message.group for message in events.messages] == [CANDLES, CANDLES, SOAPS]
    assert {message.deduplication_id for message in events.messages} == {""}
    assert profiles.messages == []
    assert relayed.counts == {"EventsRelayed": 3, "ProfileWakeUps": 0}


def test_a_program_is_woken_once_however_many_members_changed() -> None:
    relay, events, profiles, _ = a_relay()
    relayed = relay([OwedProfiles(program=CANDLES)] * 5 + [OwedProfiles(program=SOAPS)])
    assert [(message.group, message.attributes["program"]) for message in profiles.messages] == [
        (CANDLES, CANDLES),
        (SOAPS, SOAPS),
    ]
    assert events.messages == []
    assert relayed.counts == {"EventsRelayed": 0, "ProfileWakeUps": 2}


def test_wake_ups_within_a_bucket_are_one_message_and_later_ones_another() -> None:
    """The queue drops the repeat; the first message waits longer than a bucket, so its work sees both changes."""
    relay, _, profiles, clock = a_relay()
    start = START.replace(second=0)
    for seconds in (0, 0.5, 1.9, 2, 3.9, 4):
        clock.time = start + timedelta(seconds=seconds)
        relay([OwedProfiles(program=CANDLES)])
    ids = [message.deduplication_id for message in profiles.messages]
    assert [ids.index(each) for each in ids] == [0, 0, 0, 3, 3, 5]


def test_a_bucket_is_shorter_than_the_profiles_queue_holds_back() -> None:
    template = (SAMPLE.parents[2] / "template.yaml").read_text()
    delay = int(template.split("DelaySeconds:")[1].split()[0])
    assert template.count("DelaySeconds:") == 1
    assert delay - BUCKET >= 2


def test_programs_in_one_bucket_do_not_drop_each_others_wake_ups() -> None:
    relay, _, profiles, _ = a_relay()
    relay([OwedProfiles(program=CANDLES), OwedProfiles(program=SOAPS)])
    assert len({message.deduplication_id for message in profiles.messages}) == 2


def test_a_queue_that_does_not_take_everything_is_told_to_the_stream() -> None:
    """The batch comes again; what was stored is stored twice, and its worker finds it sent."""
    relay, events, _, _ = a_relay()
    events.troubles = 1
    with pytest.raises(Transient):
        relay([an_event(1), an_event(2)])
    relay([an_event(1), an_event(2)])
    assert {message.body for message in events.messages} == {
        an_event(1).model_dump_json(),
        an_event(2).model_dump_json(),
    }


def test_nothing_owed_makes_no_call() -> None:
    relay, events, profiles, _ = a_relay()
    assert relay([]).counts == {"EventsRelayed": 0, "ProfileWakeUps": 0}
    assert events.messages == profiles.messages == []
