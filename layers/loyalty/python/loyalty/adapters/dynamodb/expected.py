"""The items that a member's journal implies: what ``verify`` compares with and ``rebuild`` writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import entry_item, member_item, refusal_check
from loyalty.adapters.dynamodb.key_record_item import record_item
from loyalty.adapters.dynamodb.transactions import alias_item
from loyalty.adapters.dynamodb.typed_json import Item
from loyalty.domain.identity import MemberId
from loyalty.domain.ledger.commands import NATURAL
from loyalty.domain.ledger.due import next_due
from loyalty.domain.ledger.entry import Entry, EntryKind, Reversal
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.program import Program
from loyalty.ports import KeyRecord, Receipt

MARKS = ("profile_owed_since", "feed_pk", "feed_sk")
REFUSAL = ("profile_refused", "profile_refused_check")


def member(program: Program, folded: Member, stored: Item) -> Item:
    """A member's item.

    What Klaviyo is owed is the one thing the journal does not know: the outbox marks are taken from ``stored``, and
    must agree with each other.
    """
    key = keys.member(program.slug, folded.member_id)
    item = {"pk": key.pk, "sk": key.sk, "roster_pk": keys.roster_pk(program.slug), **member_item(folded)}
    if due_at := next_due(folded, program.terms):
        item["due_pk"] = keys.due_pk(folded.member_id)
        item["due_sk"] = keys.due_sk(program.slug, folded.member_id, due_at)
    if any(name in stored for name in MARKS):
        item |= _marks(program, folded, str(stored.get("profile_owed_since", "")))
    if any(name in stored for name in REFUSAL):
        why = str(stored.get("profile_refused", ""))
        item |= {"profile_refused": why, "profile_refused_check": refusal_check(folded.member_id, why)}
    return item


def entry(read: Entry, marks: dict[str, Reversal], stored: Item) -> Item:
    """An entry's item, with the reversals that the journal shows.

    Its words stay packed as they are: their digest has been checked, and another machine's zlib may pack the same words
    into other bytes.
    """
    packed = {"private": stored["private"]} if "private" in stored else {}
    return entry_item(replace(read, reversals=marks)) | packed


def reversals(entries: Iterable[Entry]) -> Mapping[str, dict[str, Reversal]]:
    """The marks that reversing entries leave on those they reverse, by the id of the reversed entry."""
    marks: dict[str, dict[str, Reversal]] = defaultdict(dict)
    for each in entries:
        if each.kind is EntryKind.REVERSE:
            points = abs(each.points) + each.effect.shortfall
            marks[each.effect.reverses][each.key] = Reversal(each.member_id, each.seq, points, each.request_digest)
    return marks


def record(program: Program, written: Entry) -> Item | None:
    """The idempotency record of the command that wrote an entry; None where another item is its record.

    A reversal's record is its mark on the entry it reverses; a merge has one record, that of the member that stayed.
    """
    if written.kind is EntryKind.REVERSE or written.effect.standing is Standing.MERGED:
        return None
    natural = NATURAL in written.key
    return record_item(program.slug, KeyRecord(written.key, natural, written.request_digest, Receipt.of(written)))


def aliases(program: Program, folded: Member, heirs: Iterable[Entry]) -> Iterator[Item]:
    """The pointers that must lead to a member.

    What was taken over by who goes on, in the entries of ``heirs``, is theirs to keep or give up.
    """
    taken_over = {item for each in heirs if each.private for item in each.private.profile.items()}
    for kind in ("external_id", "phone"):
        value = getattr(folded.profile, kind)
        if value and (kind, value) not in taken_over:
            yield alias_item(program, kind, value, folded.member_id)


def merged_into(journal: Iterable[Entry]) -> MemberId | None:
    """The member that goes on where this journal ends by a merge."""
    return next((MemberId(entry.effect.merged_into) for entry in journal if entry.effect.merged_into), None)


def _marks(program: Program, folded: Member, since: str) -> Item:
    try:
        moment = parse_utc(since)
    except ValueError:
        moment = folded.created_at or program.created_at
    return {
        "profile_owed_since": utc_text(moment),
        "feed_pk": keys.owed_profile_pk(program.slug, folded.member_id),
        "feed_sk": keys.profile_feed_sk(folded.member_id, moment),
    }
