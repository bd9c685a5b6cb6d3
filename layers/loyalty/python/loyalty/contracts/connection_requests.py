"""What callers ask about connections: bodies of ``connect`` and ``disconnect``, and the form of an install."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from loyalty.domain.errors import Invalid

_PRIVATE_KEY = re.compile(r"pk_[!-~]{1,250}")
"""Klaviyo's form of one, as far as it matters here: it stands in a header, and is encrypted in one piece."""

LARGEST = 10_000
"""Bytes of a body; nothing that is asked for here is longer."""


def read_object(body: bytes) -> Mapping[str, Any]:
    """A body's JSON object; an empty body is an empty one.

    Raises:
        Invalid: ``malformed_body``.
    """
    if not body.strip():
        return {}
    try:
        said = json.loads(body) if len(body) <= LARGEST else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Invalid("The body is not a JSON object.", code="malformed_body")
    return said


def read_key(said: Mapping[str, Any]) -> str:
    """The private key of a connect request; "" asks for OAuth.

    Raises:
        Invalid: ``invalid_mode`` or ``invalid_private_key``.
    """
    mode = said.get("mode", "oauth")
    if mode not in ("oauth", "api_key"):
        raise Invalid('The mode is "oauth" or "api_key".', code="invalid_mode")
    key = said.get("private_key", "")
    if mode == "oauth":
        return ""
    if not isinstance(key, str) or not _PRIVATE_KEY.fullmatch(key.strip()):
        raise Invalid(
            "A connection by key needs private_key, a private API key of Klaviyo.", code="invalid_private_key"
        )
    return key.strip()


def read_form(body: bytes) -> Mapping[str, str]:
    """The fields of a submitted form."""
    return dict(parse_qsl(body[:LARGEST].decode("utf-8", "replace"), keep_blank_values=True))
