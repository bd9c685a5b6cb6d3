"""The schedule itself has expiring points announced: from EventBridge Scheduler to one event in Klaviyo (R67, R72)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local.inspection import Inspection
from local.records import Records
from local.stack import Stack
from local.waiting import eventually
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.system import SystemClock, SystemRandomness
from loyalty.domain.identity import Address
from loyalty.domain.ledger.commands import Command, CommandKey, Earn, Narrative
from loyalty.domain.ledger.entry import DeliveryState, EntryKind, Source
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.moments import local_date
from loyalty.ports import Receipt
from loyalty.services.posting import Ledger

DAYS_LEFT = 2
KEPT = (
    "Name",
    "GroupName",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "State",
    "ActionAfterCompletion",
    "Description",
)


@pytest.fixture
def every_minute(stack: Stack) -> Iterator[None]:
    """The stack's own schedule, its role and target as deployed, at another pace; the tests have no hour to wait."""
    scheduler = stack.client("scheduler")
    function = stack.physical_id("ExpiryWarningsFunction")
    names = [(each["GroupName"], each["Name"]) for each in scheduler.list_schedules()["Schedules"]]
    found = [scheduler.get_schedule(GroupName=group, Name=name) for group, name in names]
    (deployed,) = [each for each in found if f":function:{function}" in each["Target"]["Arn"]]
    kept = {name: deployed[name] for name in KEPT if deployed.get(name)}
    scheduler.update_schedule(**kept, ScheduleExpression="rate(1 minute)")
    yield
    scheduler.update_schedule(**kept, ScheduleExpression=deployed["ScheduleExpression"])


def earn_expiring(stack: Stack, records: Records, email: str) -> str:
    """Give 40 points that expire in two days; the last day of them."""
    program = records.program()
    expiring = replace(program, terms=replace(program.terms, expiry=AfterEarning(Period(days=DAYS_LEFT))))
    store = DynamoLedger(stack.client("dynamodb"), stack.description.table)
    clock = SystemClock()
    story = Narrative(Source("test"), "tester", clock.now(), "Soon over")
    command = Command(CommandKey("test", email), Earn(40), story)
    receipt = Ledger(store, clock, SystemRandomness()).post(expiring, Address("email", email), command, newcomer=True)
    assert isinstance(receipt, Receipt)
    return (local_date(receipt.recorded_at, program.terms.timezone) + timedelta(days=DAYS_LEFT)).isoformat()


def warnings(klaviyo: Inspection, email: str) -> list[dict[str, Any]]:
    return [event for event in klaviyo.our_events(email) if event["metric"] == "Points Expiring"]


def test_the_schedule_warns_a_customer_once(
    stack: Stack, klaviyo: Inspection, records: Records, customer: str, every_minute: None
) -> None:
    last_day = earn_expiring(stack, records, customer)

    (event,) = eventually("warning in Klaviyo", lambda: warnings(klaviyo, customer), seconds=240)

    def written() -> Any:
        found = [entry for entry in records.journal(customer) if entry.effect.topic == "expiry_warning"]
        return found if found and found[0].delivery.state is DeliveryState.SENT else None

    (entry,) = eventually("sent warning in the journal", written, seconds=120)
    assert entry.kind is EntryKind.NOTICE
    assert event["unique_id"] == entry.id
    told = event["properties"]
    assert (told["points"], told["days_left"], told["expires_on"]) == (40, 3, f"{last_day}T12:00:00Z")

    stack.client("lambda").invoke(FunctionName=stack.physical_id("ExpiryWarningsFunction"), Payload=b"{}")
    eventually("end of another sweep", lambda: stack.worked_off("SweepsQueue"), seconds=240)
    assert len(warnings(klaviyo, customer)) == 1
    assert [each.effect.topic for each in records.journal(customer)] == ["", "expiry_warning"]
