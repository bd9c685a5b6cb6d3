"""A ledger plan as one DynamoDB transaction.

Every write carries a condition, and each condition's failure has one meaning, so a cancelled transaction says
exactly what happened: the key was used before, or somebody else was first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import MEMBER_ATTRIBUTES, entry_item, mark_facts, member_item
from loyalty.adapters.dynamodb.key_record_item import record_item, record_of
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.errors import Conflict, Duplicate, LoyaltyError, Transient
from loyalty.domain.identity import MemberId, alias_digest
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.due import next_due
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import utc_text
from loyalty.domain.program import Program
from loyalty.ports import Claim, Plan, ReversalMark


class Role(StrEnum):
    """What a write of a transaction is for; decides what its failed condition means."""

    MEMBER = "member"
    ENTRY = "entry"
    RECORD = "record"
    REVERSAL = "reversal"
    CLAIM = "claim"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class Write:
    """One write as DynamoDB takes it, with its role."""

    role: Role
    request: Mapping[str, Any]


def writes_of(plan: Plan, table: str) -> list[Write]:
    """All writes of a plan, in the order their reasons come back."""
    writes: list[Write] = []
    for posting, delivery in zip(plan.postings, plan.deliveries, strict=True):
        entry = replace(posting.entry, delivery=delivery)
        writes.append(Write(Role.MEMBER, {"Update": _member_update(plan.program, posting, table)}))
        writes.append(Write(Role.ENTRY, {"Put": _put_new(entry_item(entry), table)}))
    if plan.record:
        put = _put_new(record_item(plan.program.slug, plan.record), table)
        put["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        writes.append(Write(Role.RECORD, {"Put": put}))
    if plan.reversal:
        writes.append(Write(Role.REVERSAL, {"Update": _reversal_update(plan.reversal, table)}))
    writes += [Write(Role.CLAIM, _claim(plan.program, claim, table)) for claim in plan.claims]
    writes += [Write(Role.REDIRECT, {"Put": _redirect(plan.program, *pair, table)}) for pair in plan.redirects]
    return writes


def cancelled(error: ClientError, writes: Sequence[Write]) -> LoyaltyError | None:
    """What a cancelled transaction means, by the reasons in the order of its writes; None when nothing known."""
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    failed = [
        (write.role, reason)
        for write, reason in zip(writes, reasons, strict=False)
        if reason.get("Code") == "ConditionalCheckFailed"
    ]
    for role, reason in failed:
        if role is Role.RECORD and "Item" in reason:
            return Duplicate("This command was carried out before.", record_of(plain(reason["Item"])))
    if failed:
        roles = sorted({role.value for role, _ in failed})
        return Conflict("The member changed meanwhile.", roles=roles)
    codes = {reason.get("Code") for reason in reasons} - {"None", None}
    if codes == {"TransactionConflict"}:
        return Conflict("Another transaction is changing the same member.")
    if codes <= {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"} and codes:
        return Transient("Storage is busy; try again shortly.")
    return None


def _put_new(item: Item, table: str) -> dict[str, Any]:
    return {"TableName": table, "Item": wire(item), "ConditionExpression": "attribute_not_exists(pk)"}


def _member_update(program: Program, posting: Posting, table: str) -> dict[str, Any]:
    """Write the member's new state if the old one still stands, and note what is due and owed from it.

    The profile's outbox mark keeps the time since when it is owed; it is set again by each change and only ever
    cleared by the profiles lane, for the version it sent.
    """
    after = posting.after
    state = member_item(after)
    gone = [name for name in MEMBER_ATTRIBUTES if name not in state]
    values: dict[str, Any] = {f":{name}": value for name, value in state.items()}
    values[":roster_pk"] = keys.roster_pk(program.slug)
    sets = [*(f"#{name} = :{name}" for name in state), "roster_pk = :roster_pk"]
    due_at = next_due(after, program.terms)
    if due_at:
        sets += ["due_pk = :due_pk", "due_sk = :due_sk"]
        values |= {
            ":due_pk": keys.due_pk(after.member_id),
            ":due_sk": keys.due_sk(program.slug, after.member_id, due_at),
        }
    removes = [f"#{name}" for name in gone] + ([] if due_at else ["due_pk", "due_sk"])
    if owes_profile(program, after):
        now = posting.entry.recorded_at
        marks = {
            "profile_owed_since": utc_text(now),
            "feed_pk": keys.owed_profile_pk(program.slug, after.member_id),
            "feed_sk": keys.profile_feed_sk(after.member_id, now),
        }
        sets += [f"{name} = if_not_exists({name}, :{name})" for name in marks]
        values |= {f":{name}": value for name, value in marks.items()}
    else:
        removes += ["profile_owed_since", "feed_pk", "feed_sk"]
    condition = "attribute_not_exists(pk)"
    if posting.before.version:
        condition = "#version = :read_version"
        values[":read_version"] = posting.before.version
    key = keys.member(program.slug, after.member_id)
    return {
        "TableName": table,
        "Key": wire({"pk": key.pk, "sk": key.sk}),
        "UpdateExpression": f"SET {', '.join(sets)} REMOVE {', '.join(removes)}",
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in MEMBER_ATTRIBUTES},
        "ExpressionAttributeValues": wire(values),
    }


def owes_profile(program: Program, member: Member) -> bool:
    """Whether a change of this member is something Klaviyo's profile must show (R31, R37)."""
    return program.is_connected and bool(member.profile.email)


def _reversal_update(mark: ReversalMark, table: str) -> dict[str, Any]:
    original, reversal = mark.original, mark.reversal
    key = keys.entry(original.program, original.member_id, original.seq)
    value = mark_facts(original, reversal)
    request: dict[str, Any] = {
        "TableName": table,
        "Key": wire({"pk": key.pk, "sk": key.sk}),
    }
    if original.reversals:
        return request | {
            "UpdateExpression": "SET reversals.#key = :mark",
            "ConditionExpression": "size(reversals) = :known AND attribute_not_exists(reversals.#key)",
            "ExpressionAttributeNames": {"#key": mark.key},
            "ExpressionAttributeValues": wire({":mark": value, ":known": len(original.reversals)}),
        }
    return request | {
        "UpdateExpression": "SET reversals = :marks",
        "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(reversals)",
        "ExpressionAttributeValues": wire({":marks": {mark.key: value}}),
    }


def _claim(program: Program, claim: Claim, table: str) -> dict[str, Any]:
    key = keys.alias(program.slug, claim.kind, alias_digest(program.id_key, claim.kind, claim.value))
    if not claim.member_id:
        return {"Delete": {"TableName": table, "Key": wire({"pk": key.pk, "sk": key.sk})}}
    return {
        "Put": {
            "TableName": table,
            "Item": wire(alias_item(program, claim.kind, claim.value, claim.member_id)),
            "ConditionExpression": "attribute_not_exists(pk) OR member_id = :member_id",
            "ExpressionAttributeValues": wire({":member_id": claim.member_id}),
        }
    }


def alias_item(program: Program, kind: str, value: str, member_id: str) -> Item:
    """The pointer from an external id or phone number to a member."""
    key = keys.alias(program.slug, kind, alias_digest(program.id_key, kind, value))
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": "alias",
        "program": program.slug,
        "kind": kind,
        "member_id": member_id,
    }


def redirect_item(program: Program, source: MemberId, target: MemberId) -> Item:
    """The pointer from an address's derived id to the member that has the address now."""
    key = keys.member(program.slug, source)
    return {"pk": key.pk, "sk": key.sk, "type": "redirect", "program": program.slug, "member_id": target}


def _redirect(program: Program, source: MemberId, target: MemberId, table: str) -> dict[str, Any]:
    return {
        "TableName": table,
        "Item": wire(redirect_item(program, source, target)),
        "ConditionExpression": "attribute_not_exists(pk) OR (#type = :redirect AND member_id = :member_id)",
        "ExpressionAttributeNames": {"#type": "type"},
        "ExpressionAttributeValues": wire({":redirect": "redirect", ":member_id": target}),
    }
