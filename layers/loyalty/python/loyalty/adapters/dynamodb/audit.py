"""Verify and rebuild on DynamoDB: every item of a member against what its journal says it must be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import expected, keys
from loyalty.adapters.dynamodb.codec import entry_of
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.transactions import redirect_item
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.errors import Conflict, Rejected
from loyalty.domain.identity import Email, MemberId, ProgramSlug
from loyalty.domain.ledger.commands import RETENTION_DAYS
from loyalty.domain.ledger.entry import Entry, chain_hash
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.verify import Finding, Proof, prove
from loyalty.domain.program import Program
from loyalty.ports import Clock, MemberReport

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GENERATIONS = 10
"""How many erasures of one address a redirect is searched behind."""

_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
"""What taking a damaged item apart raises."""

_UNFIT = "does not match the entry's content, which no entry can hold"


class DynamoAudit:
    """Checks and restores the items of members in the one table."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Clock) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def member_ids(self, program: ProgramSlug) -> Iterator[MemberId]:
        """Every member of a program that has a journal."""
        first_entry = {":sk": keys.entry_sk(1), ":prefix": keys.member_pk(program, MemberId(""))}
        for item in self._scan("sk = :sk AND begins_with(pk, :prefix)", first_entry):
            yield MemberId(item["pk"].removeprefix(keys.member_pk(program, MemberId(""))))

    def strays(self, program: Program) -> Iterator[Finding]:
        """Records without entries, and pointers that lead to nobody."""
        known = set(self.member_ids(program.slug))
        prefixes = {f":{name}": f"{name}#{program.slug}#" for name in ("IDEM", "ALIAS", "MEMBER")}
        for item in self._scan(" OR ".join(f"begins_with(pk, {name})" for name in prefixes), prefixes):
            where, owner = f"{item['pk']} {item['sk']}", MemberId(item["pk"].removeprefix(prefixes[":MEMBER"]))
            if item["sk"].startswith("ENTRY#") or owner in known:
                continue
            if item.get("member_id") not in known:
                yield Finding(where, "member_id", "names a member that has no journal")
            elif item["sk"] == "IDEM" and self._get(*_entry_key(program, item)) is None:
                yield Finding(where, "seq", "names an entry that does not exist")
            elif item["sk"] == "MEMBER":
                yield from self._redirect_findings(program, item, owner)

    def _redirect_findings(self, program: Program, item: Item, source: MemberId) -> list[Finding]:
        """A redirect must lead to a member whose journal shows the address it is derived from."""
        target = MemberId(item["member_id"])
        journal, _ = _readable(self._partition(program, target))
        told = {e.private.profile.get("email", "") for e in journal if e.private} - {""}
        derived = {program.member_id(Email(email), generation) for email in told for generation in range(GENERATIONS)}
        if source not in derived:
            return [Finding(f"{item['pk']} MEMBER", "member_id", "names a member that never had this address")]
        return _differences(f"{item['pk']} MEMBER", redirect_item(program, source, target), item)

    def check(self, program: Program, member_id: MemberId) -> MemberReport:
        """Replay a member's journal and compare every item that follows from it."""
        items = self._partition(program, member_id)
        journal, findings = _readable(items)
        proof = _proof(program, member_id, journal)
        findings += proof.findings
        try:
            for wanted, stored, name in self._pairs(program, proof, journal, items):
                findings += _differences(name, wanted, stored)
        except _UNREADABLE as error:
            findings.append(_unfollowed(error))
        return MemberReport(member_id, len(journal), proof.member.amounts, tuple(findings))

    def rebuild(self, program: Program, member_id: MemberId) -> list[str]:
        """Write every item that follows from the journal anew where it differs; the names of those written.

        Raises:
            Rejected: the journal itself is broken; nothing is written.
            Conflict: the member changed meanwhile.
        """
        items = self._partition(program, member_id)
        journal, findings = _readable(items)
        proof = _proof(program, member_id, journal)
        pairs = []
        try:
            findings += proof.findings
            pairs = list(self._pairs(program, proof, journal, items))
        except _UNREADABLE as error:
            findings.append(_unfollowed(error))
        if findings:
            first = findings[0]
            raise Rejected(
                f"The journal is broken at {first.item} ({first.attribute}: {first.message}); "
                "restore the table to a point in time before that.",
                code="broken_journal",
            )
        written = []
        for wanted, stored, name in pairs:
            if _differences(name, wanted, stored):
                self._replace(program, wanted, stored, proof.member.version, member_id)
                written.append(name)
        return written

    def _pairs(
        self, program: Program, proof: Proof, journal: Sequence[Entry], items: dict[str, Item]
    ) -> Iterator[tuple[Item, Item | None, str]]:
        """Each item that must exist, with what is stored in its place and a name for people."""
        stored_member = items.get("MEMBER")
        yield expected.member(program, proof.member, stored_member or {}), stored_member, "member"
        heirs = self._heirs(program, journal)
        marks = expected.reversals([*journal, *heirs])
        for entry in journal:
            item = items[keys.entry_sk(entry.seq)]
            yield expected.entry(entry, marks[entry.id], item), item, f"entry {entry.seq}"
            if (record := expected.record(program, entry)) is not None:
                stored = self._get(record["pk"], record["sk"])
                if stored is not None or not _may_be_forgotten(entry, record, self._clock.now()):
                    yield record, stored, f"record of entry {entry.seq}"
        for alias in expected.aliases(program, proof.member, heirs):
            stored = self._get(alias["pk"], alias["sk"])
            holder = MemberId(str(stored.get("member_id"))) if stored else proof.member.member_id
            if holder != proof.member.member_id and self._ends_at(program, holder, proof.member.member_id):
                alias["member_id"] = holder
            yield alias, stored, f"alias {alias['kind']}"

    def _heirs(self, program: Program, journal: Sequence[Entry]) -> list[Entry]:
        """The entries of whoever a merged member went into, and of whoever that one did."""
        heirs: list[Entry] = []
        while (into := expected.merged_into(journal)) and into not in {entry.member_id for entry in heirs}:
            journal, _ = _readable(self._partition(program, into))
            heirs += journal
        return heirs

    def _ends_at(self, program: Program, start: MemberId, end: MemberId) -> bool:
        """Whether a member was merged into another, directly or not."""
        journal, _ = _readable(self._partition(program, start))
        return any(entry.member_id == end for entry in self._heirs(program, journal))

    def _replace(self, program: Program, wanted: Item, stored: Item | None, last: int, member_id: MemberId) -> None:
        next_entry = keys.entry(program.slug, member_id, last + 1)
        unchanged: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if stored is not None:
            names = sorted(name for name in stored if name not in ("pk", "sk"))
            unchanged = {
                "ConditionExpression": " AND ".join(f"#n{i} = :v{i}" for i in range(len(names))),
                "ExpressionAttributeNames": {f"#n{i}": name for i, name in enumerate(names)},
                "ExpressionAttributeValues": wire({f":v{i}": stored[name] for i, name in enumerate(names)}),
            }
        still_last = {
            "TableName": self._table,
            "Key": wire({"pk": next_entry.pk, "sk": next_entry.sk}),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        put = {"TableName": self._table, "Item": wire(wanted), **unchanged}
        with storage_errors():
            try:
                self._client.transact_write_items(
                    TransactItems=[{"ConditionCheck": still_last}, {"Put": put}]  # type: ignore[typeddict-item]
                )
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "TransactionCanceledException":
                    raise Conflict("The member changed meanwhile; run it again.") from error
                raise

    def _partition(self, program: Program, member_id: MemberId) -> dict[str, Item]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": wire({":pk": keys.member_pk(program.slug, member_id)}),
            "ConsistentRead": True,
        }
        with storage_errors():
            pages = self._client.get_paginator("query").paginate(**request)
            return {item["sk"]: item for page in pages for item in map(plain, page["Items"])}

    def _scan(self, condition: str, values: dict[str, str]) -> Iterator[Item]:
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression=condition,
            ExpressionAttributeValues=wire(values),
            ConsistentRead=True,
        )
        with storage_errors():
            for page in pages:
                yield from map(plain, page["Items"])

    def _get(self, pk: str, sk: str) -> Item | None:
        with storage_errors():
            answer = self._client.get_item(TableName=self._table, Key=wire({"pk": pk, "sk": sk}), ConsistentRead=True)
        return plain(answer["Item"]) if "Item" in answer else None


def _readable(items: dict[str, Item]) -> tuple[list[Entry], list[Finding]]:
    journal, findings = [], []
    for sk, item in sorted(items.items()):
        if not sk.startswith("ENTRY#"):
            continue
        try:
            entry = entry_of(item)
            if keys.entry_sk(entry.seq) != sk:
                findings.append(Finding(sk, "seq", "is not the number the item is stored under"))
                continue
            journal.append(entry)
        except _UNREADABLE as error:
            findings.append(Finding(sk, "", f"cannot be read: {type(error).__name__} {error}"))
    return journal, findings


def _proof(program: Program, member_id: MemberId, journal: Sequence[Entry]) -> Proof:
    """What a journal proves: nothing where an entry holds what no entry can hold, which its hash tells."""
    try:
        return prove(program.slug, member_id, journal)
    except _UNREADABLE as error:
        damaged = [Finding(f"entry {each.seq}", "hash", _UNFIT) for each in journal if not _fits_hash(each)]
        return Proof(Member(program.slug, member_id), tuple(damaged or [_unfollowed(error)]))


def _unfollowed(error: Exception) -> Finding:
    """A journal, or that of the member that goes on, which cannot be taken apart."""
    return Finding("journal", "", f"cannot be followed: {type(error).__name__}")


def _fits_hash(entry: Entry) -> bool:
    try:
        return entry.hash == chain_hash(entry)
    except _UNREADABLE:
        return False


def _differences(name: str, wanted: Item, stored: Item | None) -> list[Finding]:
    if stored is None:
        return [Finding(name, "", "is missing")]
    attributes = sorted({*wanted, *stored})
    return [
        Finding(name, attribute, "is not what the journal says")
        for attribute in attributes
        if wanted.get(attribute) != stored.get(attribute)
    ]


def _may_be_forgotten(entry: Entry, record: Item, now: datetime) -> bool:
    """A caller's key is deleted some time after its time to live is over."""
    return "expires_at" in record and entry.recorded_at + timedelta(days=RETENTION_DAYS) < now


def _entry_key(program: Program, record: Item) -> tuple[str, str]:
    key = keys.entry(program.slug, MemberId(str(record["member_id"])), int(record.get("seq", 0)))
    return key.pk, key.sk
