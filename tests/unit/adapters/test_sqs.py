"""The queue adapter: whole batches, only what failed again, and what each failure means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from loyalty.adapters.sqs import ATTEMPTS, BYTES_PER_CALL, MESSAGES_PER_CALL, SqsQueue
from loyalty.domain.errors import Misconfigured, Transient
from loyalty.ports import QueueMessage
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.scripted_sqs import ScriptedSqs

URL = "https://sqs.eu-central-1.amazonaws.com/000000000000/reviews"


def queue(client: ScriptedSqs, url: str = URL) -> SqsQueue:
    return SqsQueue(cast(Any, client), url, FixedClock(), SeededRandomness())


def messages(count: int, body: str = "{}") -> list[QueueMessage]:
    return [QueueMessage(f"{body}{number}") for number in range(count)]


def failing(code: str, *, sender_fault: bool = False) -> Callable[[int, list[Any]], dict[str, Any]]:
    def answer(_: int, entries: list[Any]) -> dict[str, Any]:
        return {"Failed": [{"Id": entries[-1]["Id"], "Code": code, "SenderFault": sender_fault}]}

    return answer


def raising(error: Exception) -> Callable[[int, list[Any]], dict[str, Any]]:
    def answer(_: int, __: list[Any]) -> dict[str, Any]:
        raise error

    return answer


def refused_with(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "SendMessageBatch",
    )


def test_nothing_to_send_is_no_call() -> None:
    client = ScriptedSqs()
    queue(client).send([])
    assert client.calls == []


def test_a_thousand_messages_go_in_full_batches_several_at_once() -> None:
    client = ScriptedSqs()
    queue(client).send(messages(1000))
    assert [len(call) for call in client.calls] == [MESSAGES_PER_CALL] * 100
    assert sorted(client.bodies) == sorted(message.body for message in messages(1000))
    assert len(client.threads) > 1


def test_no_batch_is_larger_than_the_service_takes() -> None:
    client = ScriptedSqs()
    queue(client).send(messages(20, "x" * 60_000))
    sizes = [sum(len(entry["MessageBody"]) for entry in call) for call in client.calls]
    assert len(client.bodies) == 20
    assert max(sizes) <= BYTES_PER_CALL
    assert max(sizes) > BYTES_PER_CALL / 2


def test_a_fifo_queue_gets_its_messages_in_order() -> None:
    client = ScriptedSqs()
    sent = [QueueMessage(f"{number}", group="candles", deduplication_id=f"d{number}") for number in range(35)]
    queue(client, URL + ".fifo").send(sent)
    assert client.bodies == [message.body for message in sent]
    assert len(client.threads) == 1
    first = client.calls[0][0]
    assert (first["MessageGroupId"], first["MessageDeduplicationId"]) == ("candles", "d0")


def test_attributes_travel_as_text() -> None:
    client = ScriptedSqs()
    queue(client).send([QueueMessage("{}", attributes={"program": "candles"})])
    assert client.calls[0][0]["MessageAttributes"] == {"program": {"DataType": "String", "StringValue": "candles"}}


def test_only_the_messages_that_failed_are_sent_again() -> None:
    def answer(number: int, entries: list[Any]) -> dict[str, Any]:
        last = entries[-1]["Id"]
        return {"Failed": [{"Id": last, "Code": "InternalError", "SenderFault": False}]} if number == 1 else {}

    client = ScriptedSqs(answer)
    queue(client).send(messages(3))
    assert client.bodies == ["{}0", "{}1", "{}2", "{}2"]


def test_messages_that_keep_failing_are_transient_trouble() -> None:
    client = ScriptedSqs(failing("InternalError"))
    with pytest.raises(Transient) as raised:
        queue(client).send(messages(3))
    assert raised.value.facts == {"not_stored": 1}
    assert len(client.calls) == ATTEMPTS


def test_trouble_of_one_batch_among_many_is_not_overlooked() -> None:
    def answer(number: int, _: list[Any]) -> dict[str, Any]:
        if number == 7:
            raise refused_with("InternalFailure", 500)
        return {}

    client = ScriptedSqs(answer)
    with pytest.raises(Transient):
        queue(client).send(messages(200))
    assert len(client.calls) == 20, "what could be stored is stored; all of it is sent again"


def test_a_message_the_queue_never_takes_is_an_operators_matter() -> None:
    client = ScriptedSqs(failing("InvalidMessageContents", sender_fault=True))
    with pytest.raises(Misconfigured, match="InvalidMessageContents"):
        queue(client).send(messages(3))
    assert len(client.calls) == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused_with("RequestThrottled"), Transient),
        (refused_with("AWS.SimpleQueueService.OverLimit"), Transient),
        (refused_with("SomethingNew", 503), Transient),
        (refused_with("SomethingNew", 429), Transient),
        (ConnectTimeoutError(endpoint_url=URL), Transient),
        (refused_with("AWS.SimpleQueueService.NonExistentQueue"), Misconfigured),
        (refused_with("AccessDenied", 403), Misconfigured),
        (refused_with("KMS.DisabledException"), Misconfigured),
    ],
)
def test_what_each_error_of_the_service_means(error: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected) as raised:
        queue(ScriptedSqs(raising(error))).send(messages(1))
    assert raised.value.__cause__ is error


def test_how_much_a_queue_holds_is_all_of_it_waiting_postponed_and_being_worked_on() -> None:
    """What the upkeep compares with what a program owes."""

    class Counted:
        def get_queue_attributes(self, **asked: Any) -> dict[str, Any]:
            assert asked["QueueUrl"] == URL
            return {"Attributes": dict(zip(sorted(asked["AttributeNames"]), ("7", "20", "300"), strict=True))}

    assert SqsQueue(cast(Any, Counted()), URL, FixedClock(), SeededRandomness()).waiting() == 327


def test_a_queue_that_cannot_be_counted_is_trouble() -> None:
    class Denied:
        def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
            raise refused_with("AccessDenied")

    with pytest.raises(Misconfigured):
        SqsQueue(cast(Any, Denied()), URL, FixedClock(), SeededRandomness()).waiting()
