"""Item form of idempotency records: what a command with a key answered."""

from __future__ import annotations

from datetime import timedelta

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.packing import milliseconds, moment_of
from loyalty.adapters.dynamodb.typed_json import Item
from loyalty.domain.identity import MemberId, ProgramSlug, entry_id
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import NATURAL, RETENTION_DAYS
from loyalty.domain.ledger.entry import EntryKind
from loyalty.ports import KeyRecord, Receipt


def record_item(program: ProgramSlug, record: KeyRecord) -> Item:
    """An idempotency record's whole item; only a caller's key has a time to live."""
    key = keys.record(program, record.key)
    receipt = record.receipt
    item: Item = {
        "pk": key.pk,
        "sk": key.sk,
        "type": "record",
        "program": program,
        "key": record.key,
        "request_digest": record.request_digest,
        "member_id": receipt.member_id,
        "seq": receipt.seq,
        "kind": receipt.kind.value,
        "points": receipt.points,
        "after": receipt.after.non_zero(),
        "recorded_at": milliseconds(receipt.recorded_at),
    }
    if not record.natural:
        item["expires_at"] = int((receipt.recorded_at + timedelta(days=RETENTION_DAYS)).timestamp())
    return item


def record_of(item: Item) -> KeyRecord:
    """The idempotency record an item describes."""
    member_id, seq = MemberId(item["member_id"]), item["seq"]
    receipt = Receipt(
        member_id=member_id,
        seq=seq,
        entry_id=entry_id(member_id, seq),
        kind=EntryKind(item["kind"]),
        points=item["points"],
        after=Amounts(**item["after"]),
        recorded_at=moment_of(item["recorded_at"]),
    )
    return KeyRecord(item["key"], NATURAL in item["key"], item["request_digest"], receipt)
