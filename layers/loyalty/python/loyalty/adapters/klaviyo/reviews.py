"""Klaviyo's listing of reviews: what is asked for, and what a page of the answer holds (docs/klaviyo.md 6)."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from loyalty.connection_ports import ReviewPage
from loyalty.domain.klaviyo_errors import KlaviyoUnavailable
from loyalty.domain.moments import utc_text

PAGE = 100
"""The largest page Klaviyo gives."""

_WITH_EVENTS = {"include": "events", "fields[event]": "datetime"}
"""Without being asked to include the events Klaviyo need not name them; of each the least is asked for."""

_CURSOR = "page[cursor]"


def newest_change_first(cursor: str) -> str:
    """The query for reviews by their last change; Klaviyo cannot filter by it."""
    return _query({"sort": "-updated"}, cursor)


def created_between(since: datetime, until: datetime, cursor: str) -> str:
    """The query for reviews that were written between two times, the oldest first."""
    written = f"greater-or-equal(created,{utc_text(since)}),less-or-equal(created,{utc_text(until)})"
    return _query({"sort": "created", "filter": written}, cursor)


def page_of(response: requests.Response) -> ReviewPage:
    """A page of a listing.

    Raises:
        KlaviyoUnavailable: the answer is not the JSON:API document it should be.
    """
    try:
        document: Any = json.loads(response.content)
        reviews = [review for review in document["data"] if isinstance(review, dict)]
        following = (document.get("links") or {}).get("next") or ""
        cursor = dict(parse_qsl(urlsplit(following).query)).get(_CURSOR, "")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise KlaviyoUnavailable("Klaviyo's answer could not be read.", status=response.status_code) from error
    return ReviewPage(tuple(reviews), cursor)


def _query(asked: dict[str, str], cursor: str) -> str:
    following = {_CURSOR: cursor} if cursor else {}
    return "?" + urlencode({**asked, **_WITH_EVENTS, "page[size]": str(PAGE), **following})
