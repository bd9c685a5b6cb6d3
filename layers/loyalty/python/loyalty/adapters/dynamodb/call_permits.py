"""Permits for calls to Klaviyo, counted on DynamoDB for all workers of a program together.

One item for each program and operation holds the recent calls; taking permits replaces it if it is still the version
that was seen. Where somebody else was faster, the refusal brings the newer item along, so a permit costs one or two
writes and no read. Of operations that are called often a few permits are taken at once, for half a second.
"""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.call_windows import CallLog, Window
from loyalty.domain.errors import LoyaltyError, Transient
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LEASE = 500
"""Milliseconds within which permits that were taken together are used."""

SHARE = 15
"""Of what may be called within a second, one in so many permits is taken at once."""

ATTEMPTS = 10
"""How often somebody else may be faster before the work goes back to its queue."""

KEPT = 90_000
"""Seconds after which an item's time to live removes it: the longest window is a day."""

_Name = tuple[ProgramSlug, str]


@dataclass(frozen=True, slots=True)
class _Seen:
    version: int = 0
    log: CallLog = field(default_factory=CallLog)


@dataclass(slots=True)
class _Lease:
    permits: int
    until: int


class DynamoCallPermits:
    """The counts, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._seen: dict[_Name, _Seen] = {}
        self._leases: dict[_Name, _Lease] = {}
        self._lock = threading.Lock()

    def take(self, program: ProgramSlug, operation: str, windows: tuple[Window, ...]) -> float:
        """Seconds until one more call is allowed; 0.0 when it is now, and then it counts as made.

        Raises:
            Transient: storage is out of reach, or too many workers count at the same moment.
        """
        name = (program, operation)
        with self._lock:
            if lease := self._valid_lease(name):
                lease.permits -= 1
                return 0.0
            for _ in range(ATTEMPTS):
                seen, now = self._seen.get(name, _Seen()), self._now()
                if wait := seen.log.wait(windows, now):
                    return wait / 1000
                permits = max(1, min(seen.log.room(windows, now), min(each.calls for each in windows) // SHARE))
                last = now + (LEASE if permits > 1 else 1)
                if self._stored(name, seen, seen.log.with_calls(permits, windows, now, last)):
                    self._leases[name] = _Lease(permits - 1, last)
                    return 0.0
        raise Transient("Too many workers call Klaviyo for this program at once.", retry_after=1, operation=operation)

    def wait(self, program: ProgramSlug, operation: str, windows: tuple[Window, ...]) -> float:
        """Seconds until one more call is allowed, by what was last seen of the item; others may have called since."""
        name = (program, operation)
        return 0.0 if self._valid_lease(name) else self._seen.get(name, _Seen()).log.wait(windows, self._now()) / 1000

    def close(self, program: ProgramSlug, operation: str, seconds: float) -> None:
        """Allow no call for some seconds, of any worker."""
        name = (program, operation)
        with self._lock, suppress(LoyaltyError):
            self._leases.pop(name, None)
            until = self._now() + math.ceil(seconds * 1000)
            for _ in range(ATTEMPTS):
                seen = self._seen.get(name, _Seen())
                if self._stored(name, seen, seen.log.closed(until)):
                    return

    def _valid_lease(self, name: _Name) -> _Lease | None:
        lease = self._leases.get(name)
        return lease if lease and lease.permits and self._now() < lease.until else None

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    def _stored(self, name: _Name, seen: _Seen, log: CallLog) -> bool:
        """Replace what was seen; False when it was replaced meanwhile, and then that is what is seen from now on."""
        key, version = keys.calls(*name), seen.version + 1
        item = {
            "pk": key.pk,
            "sk": key.sk,
            "type": "calls",
            "program": name[0],
            "version": version,
            "expires_at": max(log.closed_until, self._now()) // 1000 + KEPT,
            **_written(log),
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if seen.version:
            values = wire({":seen": seen.version})
            condition = {"ConditionExpression": "version = :seen", "ExpressionAttributeValues": values}
        with storage_errors():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=wire(item),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except ClientError as error:
                if not is_failed_condition(error):
                    raise
                refusal: dict[str, Any] = dict(error.response)
                newer = plain(refusal.get("Item", {}))
                self._seen[name] = _Seen(newer["version"], _read(newer)) if newer else _Seen()
                return False
        self._seen[name] = _Seen(version, log)
        return True


def _written(log: CallLog) -> Item:
    """A log's attributes: times as distances from the first, which keeps the item below two write units."""
    first = log.groups[0][0] if log.groups else 0
    calls = " ".join(f"{at - first}x{number}" for at, number in log.groups)
    return {"first": first, "calls": calls, "closed_until": log.closed_until}


def _read(item: Item) -> CallLog:
    parts = [each.split("x") for each in item["calls"].split()]
    return CallLog(tuple((item["first"] + int(at), int(number)) for at, number in parts), item["closed_until"])
