"""Writes ``docs/api/openapi.json``, the description of the HTTP API, from the code."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "layers" / "loyalty" / "python"))

from loyalty.contracts.openapi import openapi_json  # noqa: E402 - found only now

DOCUMENT = ROOT / "docs" / "api" / "openapi.json"
SERVER = "/v1"


def main() -> None:
    """Write the document."""
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    DOCUMENT.write_text(openapi_json(SERVER), encoding="utf-8")


if __name__ == "__main__":
    main()
