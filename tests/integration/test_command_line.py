"""The operator's ``verify`` and ``rebuild``, over HTTP as on a local stack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.typed_json import wire
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.commands import Earn
from loyalty.ports import Receipt
from loyalty.services.posting import Ledger
from tallyhook.commands import main
from tests.builders import BILL, SARAH, a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.integration.local_aws import LocalAws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Deployment:
    """A deployment whose program has one member with 100 points."""

    client: DynamoDBClient
    table: str
    description: Path
    member_id: MemberId

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--local", str(self.description), *arguments])

    def overpay(self) -> None:
        key = keys.member(a_program().slug, self.member_id)
        self.client.update_item(
            TableName=self.table,
            Key=wire({"pk": key.pk, "sk": key.sk}),
            UpdateExpression="SET available = :much",
            ExpressionAttributeValues=wire({":much": 100_000}),
        )

    def break_journal_of_another(self) -> MemberId:
        """Let somebody earn, and change who did it; the id of that member."""
        program, store = a_program(), DynamoLedger(self.client, self.table)
        receipt = Ledger(store, FixedClock(), SeededRandomness()).post(
            program, BILL, a_command(Earn(40), key="bill"), newcomer=True
        )
        assert isinstance(receipt, Receipt)
        key = keys.entry(program.slug, receipt.member_id, 1)
        self.client.update_item(
            TableName=self.table,
            Key=wire({"pk": key.pk, "sk": key.sk}),
            UpdateExpression="SET actor = :somebody",
            ExpressionAttributeValues=wire({":somebody": "somebody else"}),
        )
        return receipt.member_id


@pytest.fixture
def deployment(aws: LocalAws, tmp_path: Path) -> Deployment:
    table, client = aws.new_table(), aws.client("dynamodb")
    program = a_program()
    DynamoPrograms(client, table).create(program)
    ledger = Ledger(DynamoLedger(client, table), FixedClock(), SeededRandomness())
    receipt = ledger.post(program, SARAH, a_command(Earn(100)), newcomer=True)
    assert isinstance(receipt, Receipt)
    return Deployment(client, table, aws.describe(tmp_path, table), receipt.member_id)


def test_a_sound_ledger_is_reported_with_its_sums(deployment: Deployment) -> None:
    result = deployment.run("verify", "candles")
    assert result.exit_code == 0
    assert "1 members, 1 entries, 0 findings; points earned 100 = available 100" in result.output


def test_a_changed_balance_is_found_named_and_mended(deployment: Deployment) -> None:
    deployment.overpay()
    found = deployment.run("verify", "candles")
    assert found.exit_code == 1
    assert f"member {deployment.member_id}, member: available is not what the journal says" in found.output
    assert f"member {deployment.member_id}: member written" in deployment.run("rebuild", "candles").output
    assert deployment.run("verify", "candles").exit_code == 0


def test_a_member_whose_journal_is_broken_keeps_no_other_from_being_rebuilt(deployment: Deployment) -> None:
    broken = deployment.break_journal_of_another()
    deployment.overpay()
    result = deployment.run("rebuild", "candles")
    assert result.exit_code == 1
    assert f"member {broken}: The journal is broken at entry 1 (hash" in result.stderr
    assert f"member {deployment.member_id}: member written" in result.stdout
    assert deployment.run("verify", "candles", "--member", deployment.member_id).exit_code == 0


def test_findings_come_as_json_for_programs(deployment: Deployment) -> None:
    deployment.overpay()
    report = json.loads(deployment.run("verify", "candles", "--json").stdout)
    assert report["findings"] == [
        {
            "member_id": deployment.member_id,
            "item": "member",
            "attribute": "available",
            "message": "is not what the journal says",
        }
    ]


def test_an_unknown_program_is_named(deployment: Deployment) -> None:
    result = deployment.run("verify", "soap")
    assert result.exit_code == 1
    assert f"There is no program 'soap' in table {deployment.table}." in result.output


def test_a_command_without_a_deployment_says_how_to_name_one() -> None:
    result = CliRunner().invoke(main, ["verify", "candles"])
    assert result.exit_code == 2
    assert "--stack NAME" in result.output
