"""The operator's commands for programs, keys, members and points, over HTTP as on a local stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import pytest
from click.testing import CliRunner

from tallyhook.commands import main
from tests.integration.local_aws import LocalAws

EMAIL = "sarah.mason@klaviyo-demo.com"
API_URL = "https://loyalty.klaviyo-demo.com/v1"


@dataclass(frozen=True)
class Terminal:
    """A terminal on a deployment with one program."""

    description: Path

    def run(self, *arguments: str, typed: str = "") -> str:
        done = CliRunner().invoke(main, ["--local", str(self.description), *arguments], input=typed)
        assert done.exit_code == 0, done.output
        return done.stdout

    def fails(self, *arguments: str, typed: str = "") -> str:
        done = CliRunner().invoke(main, ["--local", str(self.description), *arguments], input=typed)
        assert done.exit_code != 0
        return done.output

    def asked(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run(*arguments, "--json"))
        return found


@dataclass(frozen=True)
class App:
    """The deployment's app at Klaviyo."""

    secrets: Any
    secret: str

    def is_set_up(self, public_url: str) -> None:
        """The operator enters it."""
        entered = {"client_id": "id", "client_secret": "secret", "public_url": public_url}
        self.secrets.put_secret_value(SecretId=self.secret, SecretString=json.dumps(entered))


@pytest.fixture
def app(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> App:
    """Made with the deployment, its values still to be entered; moto knows no stacks."""
    secrets = aws.client("secretsmanager")
    secret = secrets.create_secret(Name=uuid4().hex, SecretString="{}")["ARN"]
    outputs = dict.fromkeys(("KlaviyoBaseUrl", "CredentialsKeyId", "NotificationTopicArn"), "unused")
    monkeypatch.setattr("tallyhook.stack._facts", lambda *_: outputs | {"KlaviyoAppSecretArn": secret})
    return App(secrets, secret)


@pytest.fixture
def terminal(aws: LocalAws, tmp_path: Path) -> Terminal:
    terminal = Terminal(aws.describe(tmp_path, aws.new_table(), api_url=API_URL, stack_name="unused"))
    terminal.run("program", "create", "candles", "Candle Club", "--timezone", "Europe/Berlin")
    return terminal


def test_the_operator_says_whether_a_plan_includes_klaviyo(terminal: Terminal) -> None:
    """R24."""
    assert "may not connect" in terminal.run("program", "entitle", "candles", "--no-klaviyo")
    assert terminal.asked("program", "entitle", "candles", "--klaviyo") == {"slug": "candles", "klaviyo": True}
    assert "Missing option" in terminal.fails("program", "entitle", "candles")


def test_a_program_is_opened_with_a_key_shown_once(terminal: Terminal) -> None:
    issued = terminal.asked("program", "create", "soap", "Soap")
    assert issued["api_key"].startswith(issued["key"]["prefix"])
    assert "program_exists" in terminal.fails("program", "create", "soap", "Soap")
    assert issued["api_key"] not in terminal.run("key", "list", "soap")


def test_settings_are_printed_in_the_form_in_which_they_are_set(terminal: Terminal) -> None:
    settings = json.loads(terminal.run("program", "settings", "candles"))
    assert settings["timezone"] == "Europe/Berlin"
    changed = json.dumps(settings | {"balance_cap": 500})
    assert "version 2" in terminal.run("program", "set", "candles", "-", typed=changed)
    assert json.loads(terminal.run("program", "settings", "candles"))["balance_cap"] == 500
    wrong = json.dumps(settings | {"balance_cap": -1, "timezone": "Mars"})
    complaint = terminal.fails("program", "set", "candles", "-", typed=wrong)
    assert "timezone: Use a name of the IANA database" in complaint
    assert "balance_cap: Input should be greater than 0" in complaint


def test_keys_are_made_rotated_and_revoked(terminal: Terminal) -> None:
    made = terminal.asked("key", "create", "candles", "Flows", "--scope", "balance:write")["key"]
    assert (made["scopes"], made["per_minute"]) == (["balance:write"], 600)
    rotated = terminal.asked("key", "rotate", "candles", made["key_id"])["key"]
    assert rotated["replaces"] == made["key_id"]
    assert terminal.asked("key", "revoke", "candles", made["key_id"])["revoked_at"]
    listed = terminal.run("key", "list", "candles")
    assert f"{made['key_id']}  Flows  balance:write  revoked" in listed
    assert f"{rotated['key_id']}  Flows  balance:write  last used never" in listed
    assert "unknown_key" in terminal.fails("key", "revoke", "candles", "x")


def test_points_are_added_and_taken_with_a_reason_in_the_log(terminal: Terminal) -> None:
    """R171, R182."""
    terminal.run("member", "set", "candles", EMAIL, "--state", "member", "--first-name", "Sarah")
    add = ("adjust", "candles", EMAIL, "--add", "100", "--reason", "Sorry for the delay", "--key", "ticket-7")
    assert "+100 points, balance 100" in terminal.run(*add)
    assert "(done before)" in terminal.run(*add)
    assert "-30 points, balance 70" in terminal.run("adjust", "candles", EMAIL, "--take", "30", "--reason", "Mistake")
    told = terminal.asked(*add)
    assert (told["points"], told["balance"], told["replayed"]) == (100, 100, True)
    assert "insufficient_points" in terminal.fails("adjust", "candles", EMAIL, "--take", "99", "--reason", "x")
    log = terminal.asked("member", "log", "candles", EMAIL)["entries"]
    assert [(entry["points"], entry["reason"], entry["actor"], entry["source"]["kind"]) for entry in log[:2]] == [
        (-30, "Mistake", "operator", "staff"),
        (100, "Sorry for the delay", "operator", "staff"),
    ]
    assert "+100  balance 100  adjust  operator (staff)" in terminal.run("member", "log", "candles", EMAIL)
    assert terminal.asked("member", "show", "candles", EMAIL)["balances"]["available"] == 70


def test_mistakes_are_undone_and_two_members_made_one(terminal: Terminal) -> None:
    """W8, W13."""
    terminal.run("member", "set", "candles", EMAIL, "--external-id", "C7")
    terminal.run("adjust", "candles", EMAIL, "--add", "100", "--reason", "Wrong customer")
    entry = terminal.asked("member", "log", "candles", EMAIL)["entries"][0]["entry_id"]
    part = ("member", "undo", "candles", EMAIL, entry, "--points", "40", "--reason", "Too many")
    assert terminal.asked(*part)["balance"] == 60
    assert terminal.asked(*part)["replayed"]
    assert "exceeds_original" in terminal.fails(*part[:-4], "--points", "61", "--reason", "x")
    assert terminal.asked("member", "find", "candles", "--external-id", "C7")["balances"]["available"] == 60
    assert "either external_id or phone" in terminal.fails("member", "find", "candles")

    terminal.run("member", "set", "candles", "bill.joel@klaviyo-demo.com", "--state", "member")
    merge = ("member", "merge", "candles", "bill.joel@klaviyo-demo.com", EMAIL)
    assert "Aborted" in terminal.fails(*merge, typed="n\n")
    assert terminal.asked(*merge, "--yes")["email"] == EMAIL


def test_nobody_is_made_up_by_an_adjustment(terminal: Terminal) -> None:
    assert "unknown_member" in terminal.fails("adjust", "candles", EMAIL, "--add", "1", "--reason", "x")
    for points in ((), ("--add", "1", "--take", "1")):
        assert "either --add or --take" in terminal.fails("adjust", "candles", EMAIL, "--reason", "x", *points)


def test_the_webhook_builder_prints_what_to_paste(terminal: Terminal, app: App) -> None:
    """R132-R134. The URL is the one that Klaviyo reaches us by, once the operator has entered it."""
    shown = terminal.run("program", "webhook", "candles", "--direction", "decrease", "--key", "tk_mine")
    assert f"{API_URL}/programs/candles/balance/decrease" in shown
    assert "api-key: tk_mine" in shown
    app.is_set_up("https://points.klaviyo-demo.com/v1")
    built = terminal.asked("program", "webhook", "candles", "--idea", "birthday", "--amount", "25", "--step", "vip")
    assert built["url"] == "https://points.klaviyo-demo.com/v1/programs/candles/balance/increase"
    (item,) = json.loads(built["body"])
    assert (item["amount"], item["idempotency_key"]) == (25, "birthday-vip-{{ person.KlaviyoID }}")
    complaint = terminal.fails("program", "webhook", "candles", "--idea", "review", "--step", "vip")
    assert "step: A review pays once" in complaint


def test_a_person_is_erased_once_confirmed_and_points_stay(terminal: Terminal) -> None:
    """R25: the ledger's proof holds afterwards."""
    terminal.run("member", "set", "candles", EMAIL, "--state", "member", "--first-name", "Sarah")
    terminal.run("adjust", "candles", EMAIL, "--add", "50", "--reason", "Thank you, Sarah")
    member_id = terminal.asked("member", "show", "candles", EMAIL)["member_id"]
    assert "Aborted" in terminal.fails("member", "erase", "candles", EMAIL, typed="n\n")
    assert member_id in terminal.run("member", "erase", "candles", EMAIL, "--yes")
    assert "Nobody" in terminal.fails("member", "erase", "candles", EMAIL, "--yes")
    assert "unknown_member" in terminal.fails("member", "show", "candles", EMAIL)
    terminal.run("verify", "candles")
    assert terminal.asked("rebuild", "candles") == {"written": [], "failed": 0}
    assert terminal.asked("settle", "candles") == {"members": 1, "acts": 0, "failed": 0}


def commands(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield from commands(command) if isinstance(command, click.Group) else [command]


def test_every_command_can_print_json() -> None:
    """The settings are printed as JSON anyway."""
    names = {command.name for command in commands(main) if "as_json" not in {each.name for each in command.params}}
    assert names == {"settings"}
