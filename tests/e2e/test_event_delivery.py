"""The events lane on the deployed stack: history on request, dead letters, a delivery of full size."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from local.inspection import Inspection
from local.records import Records
from local.stack import Stack
from local.waiting import eventually
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.settings_store import DynamoSettings
from loyalty.domain.ledger.entry import DeliveryState
from tallyhook.commands import main
from tests.deliveries import a_body, a_review_event

UP = "points_adjusted_up"
TIMESTAMP = "Thu, 20 Aug 2026 14:04:02 GMT"
REVIEWS = 1_000


@pytest.fixture
def switched_off(stack: Stack) -> Iterator[None]:
    """Events of one type are not selected; afterwards all are."""
    settings = DynamoSettings(stack.client("dynamodb"), stack.description.table)
    programs = DynamoPrograms(stack.client("dynamodb"), stack.description.table)

    def off(types: frozenset[str]) -> None:
        program = programs.load(stack.records.program().slug)
        assert program is not None
        settings.replace(replace(program, version=program.version + 1, events_off=types))

    off(frozenset({UP}))
    yield
    off(frozenset())


def call(stack: Stack, method: str, path: str, body: Any = None) -> requests.Response:
    url = f"{stack.description.api_url}/programs/{stack.description.program}{path}"
    return requests.request(method, url, json=body, headers={"api-key": stack.description.api_key}, timeout=60)


def test_what_was_not_selected_can_be_told_later_as_back_fill(
    stack: Stack, klaviyo: Inspection, records: Records, customer: str, switched_off: None
) -> None:
    """R93-R97, under the roles of the deployed functions: skipped, owed again, sent, and shown at each step."""
    adjusted = call(stack, "POST", "/balance/increase", [{"email": customer, "amount": 40, "reason": "Survey"}])
    assert adjusted.status_code == 200, adjusted.text
    (entry,) = records.journal(customer)
    assert (entry.delivery.state, entry.delivery.why) == (DeliveryState.SKIPPED, "not_selected")
    eventually("profile", lambda: klaviyo.profile(customer), seconds=120)

    now = datetime.now(UTC)
    asked = {
        "from": (now - timedelta(days=1)).isoformat(timespec="seconds"),
        "to": (now + timedelta(minutes=1)).isoformat(timespec="seconds"),
        "types": [UP],
    }
    refused = call(stack, "POST", "/klaviyo/replay", asked)
    assert (refused.status_code, refused.json()["code"]) == (400, "event_type_not_selected")
    settings = DynamoSettings(stack.client("dynamodb"), stack.description.table)
    program = records.program()
    settings.replace(replace(program, version=program.version + 1, events_off=frozenset()))
    begun = call(stack, "POST", "/klaviyo/replay", asked)
    assert begun.status_code == 202, begun.text

    def told() -> Any:
        return klaviyo.our_events(customer)

    (event,) = eventually("event of the past", told, seconds=240)
    assert (event["unique_id"], event["backfill"]) == (entry.id, True)
    eventually("replay's end", lambda: call(stack, "GET", "/klaviyo/replay").json()["state"] == "done", seconds=120)

    def shown() -> Any:
        (line,) = call(stack, "GET", f"/members/{customer}/activity").json()["entries"]
        return line if line["delivery"]["state"] == "sent" else None

    assert eventually("sent entry", shown, seconds=120)["delivery"]["why"] == "backfill"
    health = call(stack, "GET", "/klaviyo").json()["events"][UP]
    assert health["sent"] >= 1
    assert health["last_sent_at"]


def test_dead_letters_are_given_back_by_the_operators_command(stack: Stack) -> None:
    """The lane works on what comes back: an entry that does not exist is done with."""
    queue = stack.physical_id("EventsDeadLetterQueue")
    body = json.dumps({"program": stack.description.program, "member_id": "nobody", "seq": 1})
    stack.client("sqs").send_message(QueueUrl=queue, MessageBody=body, MessageGroupId=stack.description.program)
    result = CliRunner().invoke(main, ["--local", str(stack.description_file), "redrive", "events", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["given_back"]["events"] >= 1
    left = stack.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    assert left["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_a_delivery_of_full_size_is_taken_in_whole(stack: Stack, customer: str) -> None:
    """1,000 reviews with long texts, close to 5 MB, of a program's real webhook; none of them may earn points here.

    How long it takes is counted by the intake benchmark: processor time, never the clock of a busy machine.
    """
    said: dict[str, Any] = {"review_content": "Burns for hours. " * 240, "review_verified": False}
    events = [a_review_event(10**6 + each, review_email=f"{each}-{customer}", **said) for each in range(REVIEWS)]
    body = a_body(*events, webhook_id=stack.description.webhook_id)
    assert 4_500_000 < len(body) < 5_000_000
    secret = stack.description.webhook_secret
    signature = hmac.new(secret.encode(), body + TIMESTAMP.encode(), hashlib.sha256).hexdigest()
    answer = requests.post(
        f"{stack.description.api_url}/webhooks/klaviyo/{stack.description.program}",
        data=body,
        headers={
            "Content-Type": "application/json",
            "Klaviyo-Signature": signature,
            "Klaviyo-Timestamp": TIMESTAMP,
            "Klaviyo-Webhook-Id": stack.description.webhook_id,
        },
        timeout=120,
    )
    stack.client("sqs").purge_queue(QueueUrl=stack.description.reviews_queue_url)
    assert answer.status_code == 202, answer.text
    assert answer.json()["queued"] == REVIEWS
