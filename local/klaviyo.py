"""Which Klaviyo the stack talks to: the fake on loopback, or one that the environment names."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.processes import ROOT, Process, StackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The private key that the fake is planted with, and that any demo program may use.
FAKE_API_KEY: Final = "pk_tallyhook_demo_account_key_000000"
_START_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Klaviyo:
    """An endpoint that speaks Klaviyo's API."""

    url: str
    api_key: str
    is_fake: bool


@contextmanager
def reachable_klaviyo(state: Path, logs: Path) -> Iterator[Klaviyo]:
    """Give the endpoint of ``KLAVIYO_BASE_URL`` and ``KLAVIYO_API_KEY``, else start the fake and end it on leaving."""
    url, api_key = os.environ.get("KLAVIYO_BASE_URL", ""), os.environ.get("KLAVIYO_API_KEY", "")
    if url:
        if not api_key:
            raise StackError(
                "KLAVIYO_BASE_URL names another Klaviyo, so KLAVIYO_API_KEY must hold a private key for it."
            )
        yield Klaviyo(url.rstrip("/"), api_key, is_fake=False)
        return
    port_file = state / "klaviyo.port"
    command = [sys.executable, "-m", "local.fake_klaviyo", "--port", "0", "--port-file", str(port_file)]
    with Process("the fake Klaviyo", command, log=logs / "klaviyo.log", env=_environment()) as process:
        port = process.wait_until("it named its port", lambda: _content(port_file), seconds=_START_SECONDS)
        yield Klaviyo(f"http://127.0.0.1:{port}", FAKE_API_KEY, is_fake=True)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "TALLYHOOK_KLAVIYO_DOCS") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}


def _content(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
