"""The operator's ``preview-expiry`` and ``settle``, over HTTP as on a local stack (W11, R175)."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.due_index import DynamoDueIndex
from loyalty.adapters.dynamodb.keys import DUE_SHARDS
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.settings_store import DynamoSettings
from loyalty.adapters.dynamodb.typed_json import wire
from loyalty.adapters.system import SystemClock
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import Address, MemberId
from loyalty.domain.ledger.commands import Earn
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from loyalty.ports import Receipt
from loyalty.services.posting import Ledger
from tallyhook.commands import main
from tests.builders import a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.integration.local_aws import LocalAws

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
MEMBERS = 3
EXPIRING = Terms(expiry=AfterEarning(Period(days=20)), expiry_revision=1, warning_days=(3,))


@dataclass
class Deployment:
    """Three members, each with 100 points given today."""

    client: Any
    table: str
    description: Path
    program: Program

    @property
    def store(self) -> DynamoLedger:
        return DynamoLedger(self.client, self.table)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--local", str(self.description), *arguments])

    def earn(self, number: int, at: datetime) -> MemberId:
        ledger = Ledger(self.store, FixedClock(at), SeededRandomness())
        address = Address("email", f"customer{number}@klaviyo-demo.com")
        receipt = ledger.post(self.program, address, a_command(Earn(100), at=at), newcomer=True)
        assert isinstance(receipt, Receipt)
        return receipt.member_id

    def change(self, terms: Terms) -> None:
        self.program = replace(self.program, version=self.program.version + 1, terms=terms)
        DynamoSettings(self.client, self.table).replace(self.program)

    def due(self) -> int:
        index, ever = DynamoDueIndex(self.client, self.table), datetime(9999, 1, 1, tzinfo=UTC)
        return sum(len(index.due(shard, ever, after="", limit=100)) for shard in range(DUE_SHARDS))


@pytest.fixture
def deployment(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW)
    table, client = aws.new_table(), aws.client("dynamodb")
    program = a_program(terms=EXPIRING)
    DynamoPrograms(client, table).create(program)
    return Deployment(client, table, aws.describe(tmp_path, table), program)


def test_preview_says_who_is_warned_and_who_loses_what(deployment: Deployment, tmp_path: Path) -> None:
    ids = [deployment.earn(number, NOW) for number in range(MEMBERS)]
    late = deployment.earn(9, NOW - timedelta(days=30))
    file = tmp_path / "preview.csv"
    until = f"{TODAY + timedelta(60)}"
    result = deployment.run("preview-expiry", deployment.program.slug, "--until", until, "--csv", str(file))
    assert result.exit_code == 0, result.output
    sums = f"{MEMBERS} warnings, {MEMBERS + 1} expiries of 400 points, {MEMBERS + 1} members, until {until}"
    assert result.output.splitlines()[-1] == sums
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert len(rows) == len(result.output.splitlines()) - 2
    assert {(row["date"], row["what"], row["member_id"]) for row in rows} == (
        {(f"{TODAY + timedelta(17)}", "warned", member) for member in ids}
        | {(f"{TODAY + timedelta(21)}", "expires", member) for member in ids}
        | {(f"{TODAY}", "expires", late)}
    )
    assert {row["points"] for row in rows} == {"100"}


def test_preview_as_json_stops_on_its_day_and_changes_nothing(deployment: Deployment) -> None:
    member_id = deployment.earn(1, NOW)
    until = f"{TODAY + timedelta(20)}"
    result = deployment.run("preview-expiry", deployment.program.slug, "--until", until, "--json")
    assert json.loads(result.output) == [
        {
            "date": f"{TODAY + timedelta(17)}",
            "member_id": member_id,
            "email": "customer1@klaviyo-demo.com",
            "what": "warned",
            "days_left": 3,
            "expires_on": f"{TODAY + timedelta(20)}",
            "points": 100,
        }
    ]
    found = deployment.store.find(deployment.program.slug, member_id)
    assert isinstance(found, Member)
    assert found.version == 1


def test_preview_of_a_quiet_time_is_one_line(deployment: Deployment) -> None:
    deployment.earn(1, NOW)
    result = deployment.run("preview-expiry", deployment.program.slug, "--until", f"{TODAY}")
    assert result.output == f"0 warnings, 0 expiries of 0 points, 0 members, until {TODAY}\n"


def test_settle_brings_members_into_the_index_after_expiry_was_turned_on(deployment: Deployment) -> None:
    """Without a date nothing is due on them, so no sweep would ever see that the policy changed (docs/ledger.md)."""
    deployment.change(Terms())
    for number in range(MEMBERS):
        deployment.earn(number, NOW)
    deployment.change(deployment.program.terms.with_expiry(EXPIRING.expiry, TODAY))
    assert deployment.due() == 0
    result = deployment.run("settle", deployment.program.slug)
    assert result.output == f"{MEMBERS} members, {MEMBERS} acts posted, 0 failed\n"
    assert deployment.due() == MEMBERS
    assert deployment.run("settle", deployment.program.slug).output == f"{MEMBERS} members, 0 acts posted, 0 failed\n"


def test_a_damaged_member_keeps_nobody_from_being_settled_or_foreseen(deployment: Deployment, tmp_path: Path) -> None:
    """Nothing is said of what the item holds; ``verify`` says what is wrong with it."""
    ids = sorted(deployment.earn(number, NOW - timedelta(days=30)) for number in range(MEMBERS))
    key = keys.member(deployment.program.slug, ids[0])
    deployment.client.update_item(
        TableName=deployment.table,
        Key=wire({"pk": key.pk, "sk": key.sk}),
        UpdateExpression="SET standing = :what",
        ExpressionAttributeValues=wire({":what": "customer0@klaviyo-demo.com"}),
    )
    file = tmp_path / "preview.csv"
    result = deployment.run("preview-expiry", deployment.program.slug, "--until", f"{TODAY}", "--csv", str(file))
    assert result.exit_code == 1
    assert f"member {ids[0]}: cannot be attended to (ValueError)" in result.stderr
    assert "customer0" not in result.stderr
    assert [row["member_id"] for row in csv.DictReader(file.read_text().splitlines())] == ids[1:]
    result = deployment.run("settle", deployment.program.slug)
    assert result.exit_code == 1
    assert f"member {ids[0]}: cannot be attended to (ValueError)" in result.stderr
    assert "customer0" not in result.stderr
    assert f"{MEMBERS} members, {MEMBERS - 1} acts posted, 1 failed" in result.stdout


def test_settle_passes_over_a_member_it_cannot_settle(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment.change(Terms())
    first = deployment.earn(1, NOW)
    deployment.earn(2, NOW)
    deployment.change(deployment.program.terms.with_expiry(EXPIRING.expiry, TODAY))
    original = Ledger.attend

    def attend(self: Ledger, program: Program, member_id: MemberId) -> int:
        if member_id == first:
            raise Conflict("Others kept changing it.")
        return original(self, program, member_id)

    monkeypatch.setattr(Ledger, "attend", attend)
    result = deployment.run("settle", deployment.program.slug)
    assert result.exit_code == 1
    assert "2 members, 1 acts posted, 1 failed" in result.output
    assert f"member {first}: Others kept changing it. (conflict)" in result.output
