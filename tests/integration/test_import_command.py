"""`tallyhook import-reviews`: the stored connection, Klaviyo's listing over HTTP, and the ledger's table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, ReviewInput, Seed, SeedAccount, SeedKey
from local.fake_klaviyo.server import FakeServer
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.kms import KmsVault
from loyalty.domain.identity import ProgramSlug
from tallyhook.commands import main
from tests.builders import a_connection, a_program
from tests.table import create_table

REGION = "eu-central-1"
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


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def description(aws: str, klaviyo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A deployment with one connected program, as its description file names it; moto knows no stacks."""

    def client(service: Any) -> Any:
        make: Any = boto3.client
        return make(
            service, endpoint_url=aws, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )

    table, stack = f"ledger-{uuid4().hex}", f"stack-{uuid4().hex}"
    create_table(client("dynamodb"), table)
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    outputs = dict(zip(NAMES, (klaviyo, key, "no-secret", "no-topic"), strict=True))
    monkeypatch.setattr("tallyhook.stack._facts", lambda _, name: {stack: outputs}[name])
    programs, slug = DynamoPrograms(client("dynamodb"), table), ProgramSlug("candles")
    credential = KmsVault(client("kms"), key).encrypt(slug, DEFAULT_PRIVATE_KEY)
    programs.create(a_program(slug=slug))
    programs.save_connection(slug, a_connection(credential=credential))
    file = tmp_path / "stack.json"
    facts = {"aws_endpoint_url": aws, "region": REGION, "table": table, "api_url": "https://x", "stack_name": stack}
    file.write_text(json.dumps(facts))
    return file


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
