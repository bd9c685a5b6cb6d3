"""Batches: the records that failed come back, and the invocation fails only when an operator must act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from loyalty.domain.errors import Conflict, Invalid, Misconfigured, NotFound, Transient
from loyalty.ports import QueueMessage
from loyalty.runtime import batch
from tests.deliveries import a_queue_event
from tests.logs import written

SECRET = "sarah.mason@klaviyo-demo.com"


def messages(count: int) -> list[QueueMessage]:
    return [QueueMessage(f"body {number}", group="candles") for number in range(count)]


def failing(**errors: Exception) -> Any:
    """A handler that raises for the messages named."""

    def handle(message: batch.Message) -> None:
        if error := errors.get(message.id.replace("-", "_")):
            raise error

    return handle


def failed(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_the_messages_that_failed_come_back_and_no_others() -> None:
    handle = failing(message_1=Conflict("busy"), message_3=KeyError(SECRET))
    assert failed(batch.each_message(a_queue_event(*messages(5)), handle)) == ["message-1", "message-3"]


def test_a_batch_without_failures_has_nothing_to_say() -> None:
    seen: list[str] = []
    assert batch.each_message(a_queue_event(*messages(3)), lambda message: seen.append(message.body)) == {
        "batchItemFailures": []
    }
    assert seen == ["body 0", "body 1", "body 2"]
    assert batch.each_message({"Records": []}, failing()) == {"batchItemFailures": []}


@pytest.mark.parametrize("error", [Conflict("busy"), Transient("later"), NotFound("gone"), Invalid("bad")])
def test_a_batch_that_failed_for_ordinary_reasons_just_comes_back(error: Exception) -> None:
    assert failed(batch.each_message(a_queue_event(*messages(1)), failing(message_0=error))) == ["message-0"]


@pytest.mark.parametrize("error", [Misconfigured("no table"), KeyError(SECRET)])
def test_a_batch_that_failed_whole_and_needs_an_operator_fails_the_invocation(error: Exception) -> None:
    """Then the alarm on failed invocations rings; all of it comes back just the same."""
    with pytest.raises(Misconfigured, match=type(error).__name__) as raised:
        batch.each_message(a_queue_event(*messages(2)), failing(message_0=error, message_1=Conflict("busy")))
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__


def test_failed_messages_are_given_back_with_the_time_that_was_named() -> None:
    """A worker may choose when they come: most trouble is over long before the queue's own time."""
    back: list[dict[str, int | None]] = []
    handle = failing(message_0=Transient("later", retry_after=40), message_2=Conflict("busy"))
    answer = batch.each_message(
        a_queue_event(*messages(4)), handle, lambda given: back.append({each.id: at for each, at in given.items()})
    )
    assert failed(answer) == ["message-0", "message-2"]
    assert back == [{"message-0": 40, "message-2": None}]


def test_a_batch_that_fails_the_invocation_is_given_back_first() -> None:
    back: list[str] = []
    with pytest.raises(Misconfigured):
        batch.each_message(
            a_queue_event(*messages(1)),
            failing(message_0=Misconfigured("no table")),
            lambda given: back.extend(each.id for each in given),
        )
    assert back == ["message-0"]


def test_what_is_said_of_a_failed_message_names_it_and_quotes_nothing() -> None:
    sent = [
        QueueMessage(SECRET, group="candles", attributes={"program": "candles", "correlation_id": "request-1"}),
        QueueMessage(SECRET, group="candles"),
        QueueMessage(SECRET, group="candles"),
    ]
    handle = failing(message_0=KeyError(SECRET), message_1=Invalid("bad", code="malformed_message"))
    with written() as out:
        batch.each_message(a_queue_event(*sent), handle)
    first, second = out.lines("message not processed")
    assert (first["level"], first["message_id"], first["program"]) == ("ERROR", "message-0", "candles")
    assert first["correlation_id"] == "request-1"
    assert (second["level"], second["message_id"], second["code"]) == ("WARNING", "message-1", "malformed_message")
    assert second["correlation_id"] == "message-1"
    assert "program" not in second, "keys of one message must not stick to the next"
    assert SECRET not in out.text


def test_a_message_is_read_with_all_that_a_worker_needs() -> None:
    seen: list[Sequence[batch.Message]] = []

    def handle(found: Sequence[batch.Message]) -> list[str]:
        seen.append(found)
        return ["message-1", "message-1", "message-0"]

    sent = QueueMessage("body", group="candles", attributes={"program": "candles", "correlation_id": "request-1"})
    answer = batch.all_messages(a_queue_event(sent, *messages(1)), handle)
    assert failed(answer) == ["message-1", "message-0"]
    assert seen[0][0] == batch.Message(
        id="message-0",
        body="body",
        receipt="receipt-0",
        received=1,
        group="candles",
        correlation_id="request-1",
        program="candles",
    )


def a_stream_event(*numbers: int) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventID": str(number),
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"SequenceNumber": str(number), "NewImage": {"type": {"S": "entry"}}},
            }
            for number in numbers
        ]
    }


def test_changes_come_back_from_the_first_on() -> None:
    def handle(_: object) -> None:
        raise Transient("later")

    assert failed(batch.all_changes(a_stream_event(7, 8, 9), handle)) == ["7"]
    assert failed(batch.all_changes(a_stream_event(7), lambda _: None)) == []


def test_changes_that_need_an_operator_fail_the_invocation() -> None:
    def handle(_: object) -> None:
        raise Misconfigured("no queue")

    with pytest.raises(Misconfigured):
        batch.all_changes(a_stream_event(7), handle)
