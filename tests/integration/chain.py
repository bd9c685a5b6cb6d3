"""An independent reader of a member's items: replays journal, chain and sums without any code of the product.

Written from docs/data-model.md. It shares nothing with the ledger, so the two cannot be wrong in the same way.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import Binary, TypeDeserializer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

AMOUNTS = ("available", "pending", "held", "earned", "spent", "expired", "deducted", "reversed")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ = TypeDeserializer()


@dataclass(frozen=True)
class Replay:
    """What a member's items say when they are read one after the other."""

    amounts: dict[str, int]
    lots: dict[str, int]
    kinds: list[str]
    points: list[int]
    keys: list[str]


def replay(client: DynamoDBClient, table: str, member_id: str) -> Replay:
    """Read all items of a member, check that they agree, and sum them up."""
    items = [item for item in _all(client, table) if item.get("member_id") == member_id]
    (member,) = [item for item in items if item["type"] == "member"]
    entries = sorted((item for item in items if item["type"] == "entry"), key=lambda item: item["seq"])
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1)), "numbers with gaps"
    amounts, lots, last = Counter[str](), Counter[str](), b""
    for entry in entries:
        assert entry.get("previous_hash", b"") == last, f"entry {entry['seq']} does not continue the chain"
        last = _hash(entry)
        assert entry["hash"] == last, f"entry {entry['seq']} has another content than its hash"
        effect = entry["effect"]
        for total, changes in ((amounts, "change"), (lots, "lots"), (lots, "redated")):
            for name, change in effect.get(changes, {}).items():
                total[name] += change
        assert entry["after"] == _filled(amounts), f"entry {entry['seq']} leaves other balances"
        assert min(lots.values(), default=0) >= 0, f"entry {entry['seq']} takes more from a lot than it holds"
        assert sum(lots.values()) == max(0, amounts["available"]), f"entry {entry['seq']} leaves other lots"
    gone = sum(amounts[name] for name in ("spent", "expired", "deducted", "reversed"))
    assert amounts["earned"] == amounts["available"] + amounts["held"] + gone, "points appeared or vanished"
    assert (member["version"], _bytes(member["last_hash"])) == (len(entries), last), "member is not at the last entry"
    assert {name: member[name] for name in AMOUNTS if name in member} == _filled(amounts), "balances differ"
    assert member.get("lots", {}) == _filled(lots), "lots differ"
    _check_records(items, entries)
    return Replay(
        amounts=_filled(amounts),
        lots=_filled(lots),
        kinds=[entry["effect"]["kind"] for entry in entries],
        points=[entry["effect"].get("change", {}).get("available", 0) for entry in entries],
        keys=[entry["key"] for entry in entries],
    )


def _check_records(items: list[dict[str, Any]], entries: list[dict[str, Any]]) -> None:
    """Each entry has one record that names it.

    Except reversals, which are noted on the entry they reverse, and the end of a merged member, whose merge is
    recorded with the member that goes on.
    """
    records = {item["seq"]: item["key"] for item in items if item["type"] == "record"}
    elsewhere = [entry for entry in entries if entry["effect"]["kind"] == "reverse" or "merged_into" in entry["effect"]]
    recorded = {entry["seq"]: entry["key"] for entry in entries if entry not in elsewhere}
    assert records == recorded, "records and entries differ"
    assert len({entry["key"] for entry in entries}) == len(entries), "a key was used twice"
    marked = {key: mark[0] for entry in entries for key, mark in entry.get("reversals", {}).items()}
    reversing = {entry["key"]: entry["seq"] for entry in entries if entry["effect"]["kind"] == "reverse"}
    assert marked == reversing, "reversals and their marks differ"


def _all(client: DynamoDBClient, table: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [{name: _plain(value) for name, value in item.items()} for page in pages for item in page["Items"]]


def _plain(value: Any) -> Any:
    return _simple(_READ.deserialize(value))


def _simple(value: Any) -> Any:
    if isinstance(value, Binary):
        return bytes(value)  # type: ignore[call-overload]
    if isinstance(value, dict):
        return {name: _simple(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_simple(part) for part in value]
    return value if isinstance(value, str | bool) else int(value)


def _hash(entry: dict[str, Any]) -> bytes:
    facts = {
        "program": entry["program"],
        "member_id": entry["member_id"],
        "seq": entry["seq"],
        "effect": entry["effect"],
        "after": entry["after"],
        "source": [entry["source"], entry.get("source_id", "")],
        "actor": entry["actor"],
        "event_type": entry.get("event_type", ""),
        "key": entry["key"],
        "request_digest": entry["request_digest"],
        "occurred_at": _time(entry["occurred_at"]),
        "recorded_at": _time(entry["recorded_at"]),
        "private_digest": _text(entry.get("private_digest", b"")),
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    previous = _text(entry.get("previous_hash", b""))
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).digest()


def _time(milliseconds: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def _text(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=")


def _filled(total: Counter[str]) -> dict[str, int]:
    return {name: value for name, value in sorted(total.items()) if value}
