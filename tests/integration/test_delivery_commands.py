"""``tallyhook redrive`` and ``tallyhook replay``, over HTTP as on a local stack."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.domain.ledger.commands import Adjust
from loyalty.services.posting import Ledger
from tallyhook.commands import main
from tallyhook.delivery import Delivery
from tests.builders import SARAH, a_command, a_connection, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.integration.local_aws import LocalAws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PROGRAM = a_program(connection=a_connection(), events_off=frozenset({"points_adjusted_up"}))
SELECTED = replace(PROGRAM, version=2, events_off=frozenset())


def create_queues(sqs: SQSClient, stack: str) -> None:
    """Two queues of the template, each with its dead letters."""
    kinds: dict[str, Any] = {"Events": {}, "Profiles": {"FifoQueue": "true"}}
    for name, fifo in kinds.items():
        tail = f"-{stack}{'.fifo' if fifo else ''}"
        dead = sqs.create_queue(QueueName=f"{name}DeadLetterQueue{tail}", Attributes=fifo)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 100})
        sqs.create_queue(QueueName=f"{name}Queue{tail}", Attributes={**fifo, "RedrivePolicy": policy})


@dataclass(frozen=True)
class Deployment:
    """A deployment with two queues and a program, some of whose events were not selected when they happened."""

    sqs: SQSClient
    dynamodb: Any
    table: str
    stack: str
    description: Path

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--local", str(self.description), *arguments])

    def url(self, queue: str) -> str:
        tail = ".fifo" if queue.startswith("Profiles") else ""
        return self.sqs.get_queue_url(QueueName=f"{queue}-{self.stack}{tail}")["QueueUrl"]

    def received(self, queue: str) -> list[Any]:
        found: list[Any] = []
        while page := self.sqs.receive_message(
            QueueUrl=self.url(queue),
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            found += page
        return found


@pytest.fixture
def deployment(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """Queues are found by name here: this moto has no CloudFormation, which the end to end tests go through."""
    sqs, table, stack = aws.client("sqs"), aws.new_table(), uuid4().hex[:12]
    create_queues(sqs, stack)
    description = aws.describe(tmp_path, table, stack_name=stack)
    found = Deployment(sqs, aws.client("dynamodb"), table, stack, description)
    monkeypatch.setattr(Delivery, "queue_url", lambda _, queue: found.url(f"{queue.title()}Queue"))
    return found


@pytest.mark.parametrize("arguments", [("events",), ("events", "--json")])
def test_dead_letters_go_back_to_their_queue_as_they_were(deployment: Deployment, arguments: tuple[str, ...]) -> None:
    """Body, group and attributes; more than one call holds."""
    for number in range(23):
        deployment.sqs.send_message(
            QueueUrl=deployment.url("EventsDeadLetterQueue"),
            MessageBody=json.dumps({"number": number}),
            MessageAttributes={"program": {"DataType": "String", "StringValue": "candles"}},
        )
    result = deployment.run("redrive", *arguments)
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)["given_back"] if "--json" in arguments else result.output
    assert said == ({"events": 23} if "--json" in arguments else "events: 23 given back\n")
    messages = deployment.received("EventsQueue")
    assert sorted(json.loads(each["Body"])["number"] for each in messages) == list(range(23))
    assert {each["MessageAttributes"]["program"]["StringValue"] for each in messages} == {"candles"}
    assert deployment.received("EventsDeadLetterQueue") == []


def test_dead_letters_of_a_fifo_queue_keep_their_group(deployment: Deployment) -> None:
    deployment.sqs.send_message(
        QueueUrl=deployment.url("ProfilesDeadLetterQueue"),
        MessageBody='{"program": "candles"}',
        MessageGroupId="candles",
        MessageDeduplicationId="first",
    )
    assert deployment.run("redrive", "profiles").output == "profiles: 1 given back\n"
    (message,) = deployment.received("ProfilesQueue")
    assert message["Attributes"]["MessageGroupId"] == "candles"


def test_without_dead_letters_there_is_nothing_to_do(deployment: Deployment) -> None:
    assert deployment.run("redrive", "events", "profiles").output == "events: 0 given back\nprofiles: 0 given back\n"


def test_only_queues_with_dead_letters_can_be_named(deployment: Deployment) -> None:
    assert deployment.run("redrive", "letters").exit_code == 2
    assert deployment.run("redrive").exit_code == 2


def test_a_replay_owes_what_was_not_selected_and_goes_to_its_end(deployment: Deployment) -> None:
    """R95: the workers send what it queued."""
    programs = DynamoPrograms(deployment.dynamodb, deployment.table)
    programs.create(SELECTED)
    programs.save_connection(PROGRAM.slug, a_connection())
    clock = FixedClock()
    ledger = Ledger(DynamoLedger(deployment.dynamodb, deployment.table), clock, SeededRandomness())
    for _ in range(3):
        ledger.post(PROGRAM, SARAH, a_command(Adjust(5), event_type="points_adjusted_up"), newcomer=True)
    day = clock.now().date().isoformat()
    result = deployment.run("replay", PROGRAM.slug, "--from", day, "--to", day, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert (told["state"], told["owed_again"], told["days"], told["backfill"]) == ("done", 3, 1, True)
    outbox = DynamoOutbox(deployment.dynamodb, deployment.table)
    assert outbox.owed_counts(PROGRAM.slug, most=10)[0] == 3
    bodies = [json.loads(message["Body"]) for message in deployment.received("EventsQueue")]
    assert sorted(body["seq"] for body in bodies if "seq" in body) == [1, 2, 3]
    again = deployment.run("replay", PROGRAM.slug, "--from", day, "--to", day)
    assert again.output == "done: 0 entries looked at, 0 events owed again\n"


def test_a_replay_of_a_type_that_is_off_is_refused_with_what_to_change(deployment: Deployment) -> None:
    """R92."""
    DynamoPrograms(deployment.dynamodb, deployment.table).create(PROGRAM)
    result = deployment.run(
        "replay", PROGRAM.slug, "--from", "2026-01-01", "--to", "2026-01-02", "--type", "points_adjusted_up"
    )
    assert result.exit_code == 1
    assert "switch them on in the settings first" in result.output
