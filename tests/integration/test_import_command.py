"""`tallyhook import-reviews`: the stored connection, Klaviyo's listing over HTTP, and the ledger's table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner

from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, ReviewInput, Seed, SeedAccount, SeedKey
from local.fake_klaviyo.server import FakeServer
from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.kms import KmsVault
from loyalty.domain.identity import ProgramSlug
from tallyhook.commands import main
from tests.builders import a_connection, a_program
from tests.integration.local_aws import LocalAws

WRITTEN = datetime(2026, 1, 5, 9, tzinfo=UTC)
NAMES = ("KlaviyoBaseUrl", "CredentialsKeyId", "KlaviyoAppSecretArn", "NotificationTopicArn")


def reviews() -> list[ReviewInput]:
    return [
        ReviewInput(
            email=f"customer-{number}@klaviyo-demo.com", verified=number != 3, created=WRITTEN + timedelta(days=number)
        )
        for number in range(5)
    ]


@pytest.fixture(scope="module")
def klaviyo() -> Iterator[str]:
    account = SeedAccount(id="AbC123", private_keys=[SeedKey(key=DEFAULT_PRIVATE_KEY)], reviews=reviews())
    with FakeServer(FakeKlaviyo(seed=Seed(accounts=[account]))) as server:
        yield server.base_url


@pytest.fixture
def description(aws: LocalAws, klaviyo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment with one connected program, as its description file names it; moto knows no stacks."""
    table, stack = aws.new_table(), f"stack-{uuid4().hex}"
    kms, programs = aws.client("kms"), DynamoPrograms(aws.client("dynamodb"), table)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    outputs = dict(zip(NAMES, (klaviyo, key, "no-secret", "no-topic"), strict=True))
    monkeypatch.setattr("tallyhook.stack._facts", lambda _, name: {stack: outputs}[name])
    slug = ProgramSlug("candles")
    credential = KmsVault(kms, key).encrypt(slug, DEFAULT_PRIVATE_KEY)
    programs.create(a_program(slug=slug))
    programs.save_connection(slug, a_connection(credential=credential))
    return aws.describe(tmp_path, table, stack_name=stack)


def test_a_dry_run_an_import_and_a_repeat(description: Path) -> None:
    """R112: counted first, paid once, and nothing more by doing it again."""

    def run(*options: str) -> str:
        asked = ["import-reviews", "candles", "--since", "2026-01-01", "--until", "2026-01-08T23:59:59", *options]
        done = CliRunner().invoke(main, ["--local", str(description), *asked])
        assert done.exit_code == 0, done.output
        return done.stdout

    expected = {"reviews": 4, "points": 150, "outcomes": {"awarded": 3, "refused (not_verified)": 1}}
    assert json.loads(run("--dry-run", "--json")) == {"dry_run": True, **expected}
    assert "4 reviews would bring 150 points" in run("--dry-run")
    assert json.loads(run("--json")) == {"dry_run": False, **expected}
    assert json.loads(run("--json"))["points"] == 0


def test_its_calls_count_beside_those_of_all_workers(description: Path, aws: LocalAws) -> None:
    """docs/klaviyo.md 2: Klaviyo's windows are the program's, whoever calls."""
    asked = ["import-reviews", "candles", "--since", "2026-01-01", "--until", "2026-01-08", "--dry-run"]
    assert CliRunner().invoke(main, ["--local", str(description), *asked]).exit_code == 0
    table, key = json.loads(description.read_text())["table"], keys.calls(ProgramSlug("candles"), "get_reviews")
    counted = aws.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}})
    assert "Item" in counted
