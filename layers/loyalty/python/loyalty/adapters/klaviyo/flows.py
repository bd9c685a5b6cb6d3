"""Klaviyo's listings of flows and metrics: what we ask for, what a page of an answer holds (docs/klaviyo.md 3, 9)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from loyalty.domain.klaviyo_errors import KlaviyoUnavailable

MOST_PAGES = 10
"""Pages of metrics that are looked through, 200 metrics each; Klaviyo cannot filter them by name."""

_CURSOR = "page[cursor]"


def named(name: str) -> str:
    """The query for flows by their name."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return "?" + urlencode({"filter": f'equals(name,"{escaped}")'})


def following(cursor: str) -> str:
    """The query for a page of metrics."""
    return "?" + urlencode({_CURSOR: cursor}) if cursor else ""


def ids_by_name(response: requests.Response) -> tuple[dict[str, str], str]:
    """The first id of each name on a page, and the next page's cursor, "" after the last.

    Raises:
        KlaviyoUnavailable: the answer is not the JSON:API document it should be.
    """
    try:
        document: Any = json.loads(response.content)
        named_ids: dict[str, str] = {}
        for resource in document["data"]:
            named_ids.setdefault(str(resource["attributes"]["name"]), str(resource["id"]))
        link = (document.get("links") or {}).get("next") or ""
        return named_ids, dict(parse_qsl(urlsplit(link).query)).get(_CURSOR, "")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise KlaviyoUnavailable("Klaviyo's answer could not be read.", status=response.status_code) from error
