"""Bodies and answers of bulk profile imports (docs/klaviyo.md 4).

Each profile is written once, when it is put in; parts of a refused request reuse what was written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loyalty.adapters.klaviyo.errors import MAX_DETAIL, blacked_out
from loyalty.adapters.klaviyo.payloads import MAX_BYTES, encoded, profile_body
from loyalty.domain.klaviyo_errors import KlaviyoRefused, KlaviyoUnavailable
from loyalty.domain.profile_jobs import ImportFailure, JobProgress
from loyalty.domain.telling import ProfileState

MAX_PROFILES = 10_000
MAX_PROFILE_BYTES = 100_000
"""What one bulk import may hold, and how large one profile may be."""

ERRORS_PER_PAGE = 100

_OPENING = b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":['
_CLOSING = b"]}}}}"

_POINTER = re.compile(r"/data/attributes/profiles/data/(\d+)(?:/.*)?")


class BulkProfiles:
    """One request, filled profile by profile."""

    def __init__(self, written: Iterable[bytes] = ()) -> None:
        self._written = list(written)
        self._size = len(_OPENING) + len(_CLOSING) + sum(len(each) + 1 for each in self._written)

    def __len__(self) -> int:
        """How many profiles it holds."""
        return len(self._written)

    @property
    def body(self) -> bytes:
        """The request's body."""
        return _OPENING + b",".join(self._written) + _CLOSING

    def add(self, profile: ProfileState) -> bool:
        """Put one more profile in; False when there is no room for it.

        Raises:
            KlaviyoRefused: no request can hold it.
        """
        written = encoded(profile_body(profile))
        if len(written) > MAX_PROFILE_BYTES:
            raise KlaviyoRefused("The profile is larger than the 100 KB that Klaviyo takes.")
        if len(self._written) == MAX_PROFILES or self._size + len(written) + 1 > MAX_BYTES:
            return False
        self._written.append(written)
        self._size += len(written) + 1
        return True

    def part(self, positions: Sequence[int]) -> BulkProfiles:
        """A request of only these of its profiles."""
        return BulkProfiles(self._written[position] for position in positions)


def positions(pointers: Iterable[str], size: int) -> tuple[int, ...]:
    """Positions of the profiles that JSON pointers into a request of ``size`` profiles name."""
    matches = map(_POINTER.fullmatch, pointers)
    return tuple(sorted({int(match[1]) for match in matches if match and int(match[1]) < size}))


def progress_of(resource: dict[str, Any]) -> JobProgress | None:
    """How far a job is, None when it was cancelled; there is no failed status, only profiles that failed.

    Raises:
        KlaviyoUnavailable: the answer is not what it should be.
    """
    said = resource["attributes"] or {}
    try:
        if said["status"] == "cancelled":
            return None
        return JobProgress(said["status"] == "complete", int(said.get("failed_count") or 0))
    except (KeyError, TypeError, ValueError) as error:
        raise KlaviyoUnavailable("Klaviyo's answer could not be read.") from error


def failures_of(content: bytes) -> tuple[list[ImportFailure], str]:
    """A page of what was not imported, and the cursor of the next page.

    Raises:
        KlaviyoUnavailable: the answer is not what it should be.
    """
    try:
        document = json.loads(content)
        failures = [_failure(resource["attributes"] or {}) for resource in document["data"]]
        after = (document.get("links") or {}).get("next") or ""
        return failures, "".join(parse_qs(urlsplit(after).query).get("page[cursor]", []))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise KlaviyoUnavailable("Klaviyo's answer could not be read.") from error


def _failure(said: dict[str, Any]) -> ImportFailure:
    named = positions([str((said.get("source") or {}).get("pointer") or "")], MAX_PROFILES)
    payload = said.get("original_payload") or {}
    email = str((payload.get("attributes") or payload).get("email") or "")
    reason = blacked_out(str(said.get("detail") or said.get("title") or "Klaviyo did not import it."))[:MAX_DETAIL]
    return ImportFailure(reason, email, named[0] if named else None)
