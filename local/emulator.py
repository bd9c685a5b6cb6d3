"""The AWS emulator: one process on loopback, identity and access management enforced, state in a folder of its own."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3

from local.processes import Process, StackError, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGION: Final = "us-east-1"
# The emulator takes this pair for the account's root user, which no policy limits.
ACCESS_KEY: Final = "test"
_PROGRAM: Final = Path(__file__).with_name("guarded_emulator.py")
_ATTEMPTS: Final = 3
_START_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Emulator:
    """An emulator that answers."""

    endpoint_url: str
    region: str = REGION

    def client(self, service: str) -> Any:
        """A boto3 client of the account's root user; ``service`` as boto3 names it."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=ACCESS_KEY,
        )

    def environment(self) -> dict[str, str]:
        """What a command needs so that it talks to the emulator, and to nothing else."""
        nowhere = os.devnull
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        }

    def api_url(self, api_id: str) -> str:
        """Root of a deployed REST API's stage ``v1``."""
        return f"{self.endpoint_url}/_aws/execute-api/{api_id}/v1"


@contextmanager
def running_emulator(state: Path, logs: Path) -> Iterator[Emulator]:
    """Start an emulator that keeps everything below ``state``; end it, and the functions it runs, on leaving."""
    for attempt in range(1, _ATTEMPTS + 1):
        port = free_port()
        log = logs / "emulator.log"
        with Process(
            "the AWS emulator", [sys.executable, "-P", str(_PROGRAM)], log=log, env=_environment(port, state)
        ) as process:
            endpoint_url = f"http://127.0.0.1:{port}"
            try:
                process.wait_until("it answered", lambda url=endpoint_url: _answers(url), seconds=_START_SECONDS)  # type: ignore[misc]
            except StackError:
                # Somebody else may have taken the port between its choice and its use.
                if attempt < _ATTEMPTS and "already in use" in process.last_lines():
                    continue
                raise
            yield Emulator(endpoint_url)
            return


def _environment(port: int, state: Path) -> Mapping[str, str]:
    # The functions inherit this, so it holds nothing of the developer's own environment that could stand in for
    # something that the template forgot.
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(state),
        "TMPDIR": str(state),
        "STATE_DIR": str(state / "state"),
        "S3_DATA_DIR": str(state / "s3"),
        "AUTH": "true",
        # Services of the emulator with ports of their own, which two emulators would fight for.
        "IOT_MTLS_ENABLED": "false",
        "SFTP_ENABLED": "false",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "GATEWAY_PORT": str(port),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
    }


def _answers(endpoint_url: str) -> bool | None:
    try:
        with urllib.request.urlopen(f"{endpoint_url}/_ministack/health", timeout=2) as response:
            return response.status == 200 or None
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return None
