"""The operator's ``sync``, over HTTP as on a local stack: start, watch, look, cancel (R27, R29)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from loyalty.adapters.dynamodb.full_syncs import DynamoFullSyncs
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.system import SystemClock
from loyalty.domain.connection import FirstSync
from loyalty.domain.full_sync import SyncState
from tallyhook import sync_commands
from tallyhook.commands import main
from tallyhook.delivery import Delivery
from tests.builders import a_connection, a_program
from tests.integration.local_aws import LocalAws


@dataclass
class Deployment:
    """A connected program whose first sync has not been."""

    syncs: DynamoFullSyncs
    description: Path
    queue: Any
    queue_url: str

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--local", str(self.description), "sync", "candles", *arguments])

    def messages(self) -> int:
        return len(self.queue.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages", []))

    def ends(self, state: SyncState, **changes: Any) -> None:
        sync = self.syncs.load(a_program().slug)
        assert sync is not None
        self.syncs.note(replace(sync, total=7), SystemClock().now())
        self.syncs.advance(sync, replace(sync, walked_all=True, position="z", **changes), [])
        self.syncs.end(sync, state, SystemClock().now())


@pytest.fixture
def deployment(aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    table, sqs, client = aws.new_table(), aws.client("sqs"), aws.client("dynamodb")
    url = sqs.create_queue(QueueName=f"syncs-{uuid4().hex}")["QueueUrl"]
    monkeypatch.setattr(Delivery, "queue_url", lambda *_: url)
    programs = DynamoPrograms(client, table)
    programs.create(a_program(connection=None))
    programs.save_connection(a_program().slug, a_connection(first_sync=FirstSync.NOT_STARTED))
    return Deployment(DynamoFullSyncs(client, table), aws.describe(tmp_path, table, stack_name="x"), sqs, url)


def test_a_sync_is_started_watched_and_told(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """R27, R29: the command waits for its end and says what became of everybody."""
    monkeypatch.setattr(
        SystemClock, "sleep", lambda *_: deployment.ends(SyncState.DONE, done=5, skipped={"no_email": 2})
    )
    done = deployment.run()
    assert done.exit_code == 0, done.output
    assert "done: 5 of 7 members done, 2 skipped (no_email), 0 failed" in done.output
    assert deployment.messages() == 1
    told = json.loads(deployment.run("--status", "--json").output)
    assert (told["state"], told["done"], told["skipped"]) == ("done", 5, {"no_email": 2})


def test_people_at_a_terminal_see_a_bar(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "sleep", lambda *_: deployment.ends(SyncState.DONE, done=7))
    monkeypatch.setattr(sync_commands, "is_terminal", lambda: True)
    done = deployment.run()
    assert done.exit_code == 0, done.output
    assert done.output.startswith("members")


def test_a_sync_that_got_cancelled_is_no_success(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "sleep", lambda *_: deployment.ends(SyncState.CANCELLED))
    assert deployment.run().exit_code == sync_commands.CANCELLED


def test_a_sync_can_be_started_without_waiting_and_cancelled(deployment: Deployment) -> None:
    started = json.loads(deployment.run("--no-wait", "--json").output)
    assert started["state"] == "running"
    cancelled = json.loads(deployment.run("--cancel", "--json").output)
    assert (cancelled["id"], cancelled["state"]) == (started["id"], "cancelled")
    again = deployment.run("--cancel")
    assert (again.exit_code, "no_sync_running" in again.output) == (1, True)


def test_without_a_sync_there_is_nothing_to_show(deployment: Deployment) -> None:
    assert "no_sync" in deployment.run("--status").output
