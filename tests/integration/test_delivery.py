"""From the table's stream to Klaviyo: the three functions with their adapters, AWS played in process, HTTP for real."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.sqs.models import sqs_backends

from functions.klaviyo_events import app as klaviyo_events
from functions.klaviyo_profiles import app as klaviyo_profiles
from functions.outbox_relay import app as outbox_relay
from local.fake_klaviyo.clock import RunningClock
from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.faults import Fault
from local.fake_klaviyo.seed import DEFAULT_ACCOUNT, DEFAULT_PRIVATE_KEY
from local.fake_klaviyo.server import FakeServer
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.typed_json import plain
from loyalty.adapters.klaviyo import client as klaviyo_client
from loyalty.adapters.kms import KmsVault
from loyalty.domain.identity import Address, ProgramSlug
from loyalty.domain.ledger.commands import Adjust
from loyalty.runtime.use_case import UseCase
from loyalty.services.posting import Ledger
from tests.builders import a_command, a_connection, a_program
from tests.deliveries import LambdaContext
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

REGION, TABLE = "eu-central-1", "ledger"
PROGRAM = a_program()
SARAH = "sarah.mason@klaviyo-demo.com"
# Klaviyo's windows of a second and a minute pass within milliseconds, so that no test waits for them.
TIME_SCALE = 10_000.0
FUNCTIONS: tuple[UseCase[Any], ...] = (outbox_relay.service, klaviyo_events.lane, klaviyo_profiles.lane)
MOTO_ACCOUNT = "123456789012"


@dataclass
class Timed(LambdaContext):
    """A context with as much time as the functions have."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Stack:
    """The table, both queues and the key as the template has them, and the fake Klaviyo behind a socket."""

    def __init__(self, sqs: SQSClient, urls: dict[str, str], key_id: str, fake: FakeKlaviyo) -> None:
        self.sqs, self.urls, self.fake = sqs, urls, fake
        self.dynamodb = boto3.client("dynamodb", region_name=REGION)
        vault = KmsVault(boto3.client("kms", region_name=REGION), key_id)
        self.connection = a_connection(credential=vault.encrypt(PROGRAM.slug, DEFAULT_PRIVATE_KEY))
        self.programs = DynamoPrograms(self.dynamodb, TABLE)
        self.ledger = Ledger(DynamoLedger(self.dynamodb, TABLE), FixedClock(), SeededRandomness())

    def begin(self) -> None:
        """A new program, and a Klaviyo that knows nothing."""
        for item in self.items():
            self.dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})
        for queue in self.urls:
            _moto_queue(queue)._messages.clear()
            _moto_queue(queue).deleted_messages.clear()
        self.fake.reset()
        self.forget_calls()
        self.programs.create(PROGRAM)
        self.programs.save_connection(PROGRAM.slug, self.connection)

    def forget_calls(self) -> None:
        """Let the windows of Klaviyo's limits pass for us too: its own pass within milliseconds here."""
        for function in FUNCTIONS:
            function.replace(None)
        for item in self.items():
            if item["pk"]["S"].startswith("CALLS#"):
                self.dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})

    def gets(self, email: str, points: int) -> None:
        command = a_command(Adjust(points), event_type="points_adjusted_up")
        self.ledger.post(replace(PROGRAM, connection=self.connection), Address("email", email), command, newcomer=True)

    def items(self) -> list[dict[str, Any]]:
        return list(self.dynamodb.scan(TableName=TABLE)["Items"])

    def stored(self, kind: str) -> list[dict[str, Any]]:
        return [item for item in map(plain, self.items()) if item.get("type") == kind]

    def relay(self) -> None:
        """Hand every item to the relay as the stream would."""
        records = [
            {
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {"SequenceNumber": str(number), "NewImage": item, "Keys": {}},
            }
            for number, item in enumerate(self.items())
        ]
        assert outbox_relay.lambda_handler({"Records": records}, Timed()) == {"batchItemFailures": []}  # type: ignore[arg-type]

    def work(self, queue: str, handler: Callable[..., dict[str, Any]]) -> tuple[int, int]:
        """Hand what the queue has to a function and delete what is done; how many were done and how many come back."""
        messages = self.received(queue)
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for message in messages
        ]
        answer = handler({"Records": records}, Timed())
        back = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in back:
                self.sqs.delete_message(QueueUrl=self.urls[queue], ReceiptHandle=message["ReceiptHandle"])
        return len(messages) - len(back), len(back)

    def received(self, queue: str) -> list[MessageTypeDef]:
        found: list[MessageTypeDef] = []
        while page := self.sqs.receive_message(
            QueueUrl=self.urls[queue], MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            found += page
        return found

    def goes_wrong(self, **fault: Any) -> None:
        self.fake.services.faults.add(Fault(**fault))

    def told(self) -> list[str]:
        return [event.unique_id for event in self.fake.services.world.accounts[DEFAULT_ACCOUNT].events]

    def balances(self) -> dict[str, int]:
        profiles = self.fake.services.world.accounts[DEFAULT_ACCOUNT].profiles
        return {p.identifiers["email"]: p.properties["loyalty_points_balance"] for p in profiles if p.properties}


@pytest.fixture(scope="module")
def account() -> Iterator[Stack]:
    """One account and one server for all tests."""
    fake = FakeKlaviyo(clock=RunningClock(TIME_SCALE))
    with FakeServer(fake) as server, pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        sqs = boto3.client("sqs", region_name=REGION)
        events = sqs.create_queue(QueueName="events", Attributes={"VisibilityTimeout": "360"})
        profiles = sqs.create_queue(
            QueueName="profiles.fifo", Attributes={"FifoQueue": "true", "VisibilityTimeout": "360"}
        )
        urls = {"events": events["QueueUrl"], "profiles": profiles["QueueUrl"]}
        key_id = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
        create_table(boto3.client("dynamodb", region_name=REGION), TABLE)
        for name, value in {
            "AWS_REGION": REGION,
            "TABLE_NAME": TABLE,
            "EVENTS_QUEUE_URL": urls["events"],
            "PROFILES_QUEUE_URL": urls["profiles"],
            "SYNCS_QUEUE_URL": sqs.create_queue(QueueName="syncs")["QueueUrl"],
            "CREDENTIALS_KEY_ID": key_id,
            "KLAVIYO_BASE_URL": server.base_url,
            "KLAVIYO_APP_SECRET": "unused: these programs are connected by private key",
            "NOTIFICATION_TOPIC": boto3.client("sns", region_name=REGION).create_topic(Name="told")["TopicArn"],
        }.items():
            patch.setenv(name, value)
        patch.setattr(klaviyo_client.Timeouts, "__init__", _short)
        yield Stack(sqs, urls, key_id, fake)
        for function in FUNCTIONS:
            function.replace(None)


def _short(timeouts: klaviyo_client.Timeouts, connect: float = 1.0, read: float = 0.5) -> None:
    """Take the given seconds, or else few, so that no test waits for silence long."""
    object.__setattr__(timeouts, "connect", connect)
    object.__setattr__(timeouts, "read", read)


@pytest.fixture
def stack(account: Stack) -> Stack:
    account.begin()
    return account


def test_points_become_an_event_and_a_profile_in_klaviyo(stack: Stack) -> None:
    """R26, R37, R38: and the table knows that nothing is owed any more."""
    stack.gets(SARAH, 50)
    stack.gets("bill.joel@klaviyo-demo.com", 20)
    stack.relay()
    assert stack.work("events", klaviyo_events.lambda_handler) == (2, 0)
    assert stack.work("profiles", klaviyo_profiles.lambda_handler) == (1, 0)

    entries = stack.stored("entry")
    assert sorted(stack.told()) == sorted(f"{entry['member_id']}-{entry['seq']:010d}" for entry in entries)
    assert {entry["delivery"] for entry in entries} == {"sent"}
    assert {entry["feed_pk"].partition("#")[0] for entry in entries} == {"FEED"}
    assert stack.balances() == {SARAH: 50, "bill.joel@klaviyo-demo.com": 20}
    assert [member for member in stack.stored("member") if "profile_owed_since" in member] == []


def test_doing_everything_twice_changes_nothing(stack: Stack) -> None:
    stack.gets(SARAH, 50)
    for _ in range(2):
        stack.relay()
        assert stack.work("events", klaviyo_events.lambda_handler)[1] == 0
        assert stack.work("profiles", klaviyo_profiles.lambda_handler)[1] == 0
    assert len(stack.told()) == 1


FAULTS: dict[str, dict[str, Any]] = {
    "429": {"kind": "status", "status": 429, "retry_after": 3},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "silence": {"kind": "hang", "seconds": 2},
    "a slow answer": {"kind": "delay", "seconds": 2},
    "reset before": {"kind": "reset_before", "times": 2},
    "reset after": {"kind": "reset_after", "times": 2},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_after_a_fault_the_messages_come_back_and_everything_is_there_once(stack: Stack, fault: dict[str, Any]) -> None:
    """Over a real connection, with the real classes of every layer."""
    stack.gets(SARAH, 50)
    stack.relay()
    stack.goes_wrong(operation="bulk_create_events", **fault)
    stack.goes_wrong(operation="create_or_update_profile", **fault)
    assert stack.work("events", klaviyo_events.lambda_handler) == (0, 1)
    assert stack.work("profiles", klaviyo_profiles.lambda_handler) == (0, 1)
    assert [entry["delivery"] for entry in stack.stored("entry")] == ["owed"]

    _come_back(stack, "events")
    _come_back(stack, "profiles")
    assert stack.work("events", klaviyo_events.lambda_handler) == (1, 0)
    assert stack.work("profiles", klaviyo_profiles.lambda_handler) == (1, 0)
    assert len(stack.told()) == 1
    assert stack.balances() == {SARAH: 50}
    assert [entry["delivery"] for entry in stack.stored("entry")] == ["sent"]


def test_a_lone_401_is_tried_once_more_and_changes_nothing(stack: Stack) -> None:
    """Klaviyo has rejected good credentials for a while before; one refusal says nothing about them (R16)."""
    stack.gets(SARAH, 50)
    stack.relay()
    stack.goes_wrong(operation="bulk_create_events", kind="status", status=401)
    stack.goes_wrong(operation="create_or_update_profile", kind="status", status=401)
    assert stack.work("events", klaviyo_events.lambda_handler) == (1, 0)
    assert stack.work("profiles", klaviyo_profiles.lambda_handler) == (1, 0)
    assert len(stack.told()) == 1
    assert stack.balances() == {SARAH: 50}


def test_the_time_until_a_message_comes_back_is_the_one_klaviyo_named(stack: Stack) -> None:
    """Not the queue's six minutes."""
    stack.gets(SARAH, 50)
    stack.relay()
    stack.goes_wrong(kind="status", status=429, retry_after=1)
    assert stack.work("events", klaviyo_events.lambda_handler) == (0, 1)
    assert stack.received("events") == []
    began = time.monotonic()
    while not (found := stack.received("events")):
        assert time.monotonic() - began < 60
    assert found[0]["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_refused_event_and_a_refused_profile_say_why(stack: Stack) -> None:
    stack.gets(SARAH, 50)
    stack.relay()
    stack.goes_wrong(kind="status", status=400, times=3, detail="Not today.")
    assert stack.work("events", klaviyo_events.lambda_handler) == (1, 0)
    assert stack.work("profiles", klaviyo_profiles.lambda_handler) == (1, 0)
    (entry,), (member,) = stack.stored("entry"), stack.stored("member")
    assert (entry["delivery"], entry["delivery_why"]) == ("failed", "Not today.")
    assert member["profile_refused"] == "Not today."
    assert "profile_owed_since" not in member


def test_a_program_that_is_gone_holds_nothing_up(stack: Stack) -> None:
    stack.gets(SARAH, 50)
    stack.relay()
    stack.programs.save_connection(ProgramSlug("other"), stack.connection)
    for item in stack.items():
        if item["pk"]["S"] == f"PROGRAM#{PROGRAM.slug}":
            stack.dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("pk", "sk")})
    assert stack.work("events", klaviyo_events.lambda_handler) == (1, 0)
    assert stack.work("profiles", klaviyo_profiles.lambda_handler) == (1, 0)
    assert stack.told() == []


def _come_back(stack: Stack, queue: str) -> None:
    """Let postponed messages be there again without waiting for their time."""
    stack.forget_calls()
    for message in _moto_queue(queue)._messages:
        message.visible_at = 0


def _moto_queue(queue: str) -> Any:
    name = {"events": "events", "profiles": "profiles.fifo"}[queue]
    return sqs_backends[MOTO_ACCOUNT][REGION].queues[name]
