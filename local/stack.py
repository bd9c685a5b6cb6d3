"""Runs the whole product on loopback: ``python -m local.stack up``, ``demo`` or ``down``.

``up`` stays until Ctrl-C, ``demo`` plays the demo scenario and stops, ``down`` ends what ``up`` started in another
terminal. Stacks of different names (``--name``) run side by side. ``.local/stack.json`` describes the running stack (of
another name: ``.local/stacks/<name>/stack.json``), and the logs are in ``.local/stacks/<name>/logs``. Tests use
`running_stack`.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import shutil
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from local import demo, sam
from local.description import Description
from local.emulator import Emulator, running_emulator
from local.gateway import put_gateway_responses
from local.klaviyo import Klaviyo, reachable_klaviyo
from local.processes import ROOT, StackError
from local.records import Records
from local.scratch import scratch
from local.seed import seed
from local.waiting import eventually
from loyalty.domain.identity import ProgramSlug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCAL: Final = ROOT / ".local"
STACKS: Final = LOCAL / "stacks"
DEFAULT_NAME: Final = "default"


@dataclass(frozen=True)
class Stack:
    """A deployed stack with its demo program."""

    description: Description
    emulator: Emulator
    klaviyo: Klaviyo
    description_file: Path
    log_folder: Path

    @property
    def records(self) -> Records:
        """The demo program's members, journals and decisions."""
        return Records(self.client("dynamodb"), self.description.table, ProgramSlug(self.description.program))

    def client(self, service: str) -> Any:
        """A boto3 client for the stack's emulator, with the rights of the account's root user."""
        return self.emulator.client(service)

    def logs(self, function: str) -> list[str]:
        """What a function has logged so far, oldest first; ``function`` is the name of its folder."""
        group = f"/aws/lambda/{self.description.stack_name}/{function}"
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"] for page in pages for event in page["events"]]

    def worked_off(self, queue: str) -> bool:
        """Whether a queue, by its logical id, holds nothing, in flight or waiting.

        It tells that work is over; a log does not, as the emulator writes lines that come late with the next
        invocation of the same worker.
        """
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = self.client("sqs").get_queue_attributes(QueueUrl=self.physical_id(queue), AttributeNames=list(counts))
        return all(found["Attributes"][count] == "0" for count in counts)

    def physical_id(self, logical_id: str) -> str:
        """What a resource of the template is called in the emulator."""
        cloudformation = self.client("cloudformation")
        found = cloudformation.describe_stack_resource(
            StackName=self.description.stack_name, LogicalResourceId=logical_id
        )
        name: str = found["StackResourceDetail"]["PhysicalResourceId"]
        return name


def quiet(_: str) -> None:
    """Tell nobody."""


@contextmanager
def running_stack(name: str = DEFAULT_NAME, say: Callable[[str], None] = quiet) -> Iterator[Stack]:
    """Build, start and deploy everything, with a demo program that is connected to Klaviyo; end all of it on leaving.

    Raises:
        StackError: a step failed, or a stack of this name is up already.
    """
    folder = STACKS / name
    with _claimed(folder):
        logs = folder / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        with (
            scratch(folder / "scratch") as state,
            running_emulator(state, logs) as emulator,
            reachable_klaviyo(state, logs) as klaviyo,
        ):
            say(f"AWS emulator at {emulator.endpoint_url}, Klaviyo at {klaviyo.url}")
            description = _deployed(emulator, klaviyo, logs, say)
            with _published(description, folder) as file:
                yield Stack(description, emulator, klaviyo, file, logs)


def _deployed(emulator: Emulator, klaviyo: Klaviyo, logs: Path, say: Callable[[str], None]) -> Description:
    say("building the functions and layers (the first time takes a minute)")
    with sam.built(logs) as artifacts:
        say("deploying template.yaml")
        outputs = sam.deploy(emulator, artifacts, {"KlaviyoBaseUrl": klaviyo.url}, logs)
        put_gateway_responses(emulator, outputs["ApiId"], artifacts / "template.yaml")
    say("creating the demo program")
    operator_key = emulator.client("secretsmanager").get_secret_value(SecretId=outputs["OperatorKeySecretArn"])
    api_url = emulator.api_url(outputs["ApiId"])
    program = seed(emulator, klaviyo, outputs, api_url)
    return Description(
        api_url=api_url,
        klaviyo_url=klaviyo.url,
        aws_endpoint_url=emulator.endpoint_url,
        region=emulator.region,
        stack_name=sam.STACK_NAME,
        table=outputs["TableName"],
        reviews_queue_url=outputs["ReviewsQueueUrl"],
        events_queue_url=outputs["EventsQueueUrl"],
        profiles_queue_url=outputs["ProfilesQueueUrl"],
        credentials_key_id=outputs["CredentialsKeyId"],
        operator_key=operator_key["SecretString"],
        program=program.slug,
        api_key=program.api_key,
        webhook_id=program.webhook_id,
        webhook_secret=program.webhook_secret,
    )


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Hold the stack's name; the file says which process does."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"The stack {folder.name!r} is up already: stop it, or give this one another --name."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _published(description: Description, folder: Path) -> Iterator[Path]:
    file = (LOCAL if folder.name == DEFAULT_NAME else folder) / "stack.json"
    try:
        description.write(file)
        yield file
    finally:
        file.unlink(missing_ok=True)


def _stop(name: str) -> None:
    """End the process that holds a stack's name, and wait until it has let go."""
    folder = STACKS / name
    with contextlib.suppress(FileNotFoundError), (folder / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            os.kill(int(lock.read()), signal.SIGTERM)
            eventually(f"end of the stack {name!r}", lambda: _is_free(folder))
            print(f"The stack {name!r} is down.")
            return
    print(f"No stack {name!r} is up.")


def _is_free(folder: Path) -> bool:
    with (folder / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _show(stack: Stack) -> None:
    shown = vars(stack.description)
    width = max(map(len, shown))
    print("\nThe stack is up.\n")
    for name, value in shown.items():
        print(f"  {name.ljust(width)}  {value}")
    print(f"\nThe same is in {_path(stack.description_file)}, the logs are in {_path(stack.log_folder)}.")
    print("Ctrl-C stops everything.", flush=True)


def _path(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _teller() -> Callable[[str], None]:
    started = time.monotonic()
    return lambda what: print(f"{time.monotonic() - started:4.0f} s  {what}", flush=True)


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", text):
        raise argparse.ArgumentTypeError("a name is made of small letters, digits and hyphens")
    return text


def _leave(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    """Do what the command line says; the exit status is 0 when it worked."""
    parser = argparse.ArgumentParser(prog="python -m local.stack", description="The whole product on loopback.")
    parser.add_argument("command", choices=["up", "demo", "down"])
    parser.add_argument("--name", default=DEFAULT_NAME, type=_name, help="stacks of different names run side by side")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        if arguments.command == "down":
            _stop(arguments.name)
            return 0
        say = _teller()
        with running_stack(arguments.name, say) as stack:
            if arguments.command == "demo":
                demo.play(stack)
            else:
                _show(stack)
                signal.pause()
            say("stopping")
        say("stopped")
    except KeyboardInterrupt:
        return 130
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
