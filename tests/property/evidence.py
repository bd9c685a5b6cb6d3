"""What a journal proves, worked out a second time from docs/ledger.md with the standard library alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.apply import apply
from loyalty.domain.ledger.entry import Entry, EntryKind
from loyalty.domain.ledger.member import Member

OUTSIDE = {"hash", "previous_hash", "private", "delivery", "reversals"}
"""What stands beside the chain; the previous hash comes before the facts."""
ACCOUNTS = ("available", "held", "spent", "expired", "deducted", "reversed")


def rehash(entry: Entry) -> str:
    """The hash an entry must have."""
    facts = {field.name: _plain(getattr(entry, field.name)) for field in fields(entry) if field.name not in OUTSIDE}
    effect = {field.name: _plain(getattr(entry.effect, field.name)) for field in fields(entry.effect)}
    effect["change"] = _filled(effect_change(entry))
    facts["effect"] = {
        name: value for name, value in effect.items() if value or (name, value) == ("expiry_revision", 0)
    }
    facts["after"] = _filled({field.name: getattr(entry.after, field.name) for field in fields(entry.after)})
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sha = hashlib.sha256(f"{entry.previous_hash}\n{text}".encode()).digest()
    return base64.urlsafe_b64encode(sha).decode().rstrip("=")


def effect_change(entry: Entry) -> dict[str, int]:
    """The signed changes of an entry, by account."""
    return {field.name: getattr(entry.effect.change, field.name) for field in fields(entry.effect.change)}


def words_digest(entry: Entry) -> str:
    """The digest that an entry's erasable words must have."""
    if entry.private is None:
        return ""
    words = {name: dict(getattr(entry.private, name)) for name in ("details", "profile")}
    text = json.dumps(
        {"reason": entry.private.reason, **words}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    sha = hashlib.sha256(f"{entry.private.salt}\n{text}".encode()).digest()
    return base64.urlsafe_b64encode(sha).decode().rstrip("=")


class Witness:
    """Follows one member's journal as it grows and notes what every entry must keep to (docs/ledger.md)."""

    def __init__(self, program: ProgramSlug, member_id: MemberId) -> None:
        self.member = Member(program, member_id)
        self.seen: list[Entry] = []
        self.issued = 0
        self.put_into: Counter[str] = Counter()

    def hears(self, entry: Entry, *, forgotten: bool) -> None:
        """Check the next entry against all before it; words may be missing only where they were ``forgotten``."""
        before = self.member
        assert entry.seq == len(self.seen) + 1, "a gap in the numbers"
        assert (entry.program, entry.member_id) == (before.program, before.member_id)
        assert entry.previous_hash == before.last_hash, "a broken chain"
        assert entry.hash == rehash(entry), "a hash that does not match"
        if entry.private is not None or not forgotten:
            assert entry.private_digest == words_digest(entry), "words that do not match"
        assert entry.after == before.amounts + entry.effect.change, "balances that do not follow from each other"
        assert sum(entry.effect.redated.values()) == 0, "new dates made points appear or vanish"
        self.member = apply(before, entry)
        self.seen.append(entry)
        change = effect_change(entry)
        if entry.kind is not EntryKind.MERGE:
            self.issued += change["earned"]
        self.put_into.update({day: n for day, n in entry.effect.lots.items() if n > 0})
        self.put_into.update({day: n for day, n in entry.effect.redated.items() if n > 0})

    def rereads(self, stored: list[Entry]) -> None:
        """Check that no entry changed but in what stands beside the chain, and that a whole replay agrees."""
        assert len(stored) == len(self.seen)
        member = Member(self.member.program, self.member.member_id)
        for entry, seen in zip(stored, self.seen, strict=True):
            assert entry.hash == seen.hash == rehash(entry), "an entry was rewritten"
            assert entry.reversed_points <= reversible_points(entry), "more was reversed than there was"
            member = apply(member, entry)
        assert (member.amounts, member.lots) == (self.member.amounts, self.member.lots)

    def compares(self, stored: Member) -> None:
        """Check the stored member against the journal, and the sums that always hold."""
        assert stored == self.member, "the stored member is not the fold of its journal"
        amounts = stored.amounts
        assert amounts.earned == sum(getattr(amounts, name) for name in ACCOUNTS), "points appeared or vanished"
        assert sum(stored.lots.values()) == max(0, amounts.available), "lots are not the available points"
        assert all(points > 0 for points in stored.lots.values()), "an empty or negative lot"
        assert all(points <= self.put_into[day] for day, points in stored.lots.items()), "a lot above what went in"
        assert amounts.pending == sum(pending.points for pending in stored.pendings.values())
        assert amounts.held == sum(hold.points for hold in stored.holds.values())
        assert all(hold.points == sum(hold.lots.values()) for hold in stored.holds.values())
        assert min(amounts.pending, amounts.held, amounts.earned, amounts.spent, amounts.expired) >= 0
        assert min(amounts.deducted, amounts.reversed) >= 0


def reversible_points(entry: Entry) -> int:
    """How many points of an entry reversals can undo."""
    change = entry.effect.change
    if entry.kind in (EntryKind.MERGE, EntryKind.REVERSE):
        return 0
    return max(change.earned, change.spent, change.expired, change.deducted)


def sum_of(members: list[Member]) -> Amounts:
    """What several members have together."""
    total = Amounts()
    for member in members:
        total += member.amounts
    return total


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        text = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return [_plain(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return value


def _filled(accounts: dict[str, int]) -> dict[str, int]:
    return {name: points for name, points in accounts.items() if points}
