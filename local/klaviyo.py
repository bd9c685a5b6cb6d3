"""Which Klaviyo the stack talks to: the fake on loopback, or one that the environment names."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY
from local.processes import ROOT, Process, StackError

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Klaviyo:
    """An endpoint that speaks Klaviyo's API, and a private key for it."""

    url: str
    private_key: str = field(repr=False)
    is_fake: bool


@contextmanager
def reachable_klaviyo(state: Path, logs: Path) -> Iterator[Klaviyo]:
    """Give the endpoint of ``KLAVIYO_BASE_URL`` and ``KLAVIYO_API_KEY``, else start the fake and end it on leaving.

    The fake checks request bodies against Klaviyo's own contract when ``TALLYHOOK_KLAVIYO_DOCS`` names the folder that
    holds it.
    """
    url, private_key = os.environ.get("KLAVIYO_BASE_URL", ""), os.environ.get("KLAVIYO_API_KEY", "")
    if url:
        if not re.fullmatch(r"https?://[^/]+/?", url):
            raise StackError("KLAVIYO_BASE_URL is a scheme and a host, such as https://a.klaviyo.com, without a path.")
        if not private_key:
            raise StackError(
                "KLAVIYO_BASE_URL names another Klaviyo, so KLAVIYO_API_KEY must hold a private key for it."
            )
        yield Klaviyo(url.rstrip("/"), private_key, is_fake=False)
        return
    address = state / "klaviyo.url"
    command = [sys.executable, "-m", "local.fake_klaviyo", "--port", "0", "--port-file", str(address), *_contract()]
    with Process("the fake Klaviyo", command, log=logs / "klaviyo.log", env=_environment()) as process:
        url = process.wait_until("it accepted requests", lambda: _content(address), seconds=_START_SECONDS)
        yield Klaviyo(url, DEFAULT_PRIVATE_KEY, is_fake=True)


def _contract() -> list[str]:
    folder = os.environ.get("TALLYHOOK_KLAVIYO_DOCS", "")
    return ["--contract", str(Path(folder) / "openapi.json")] if folder else []


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}


def _content(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
