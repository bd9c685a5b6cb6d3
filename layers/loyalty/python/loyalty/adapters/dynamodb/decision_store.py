"""Review decisions on DynamoDB: one record a review, found by each of its names, changed version by version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.decision_item import (
    decision_item,
    decision_of,
    listed_item,
    name_item,
    tally_item,
    tally_of,
    text_item,
)
from loyalty.adapters.dynamodb.errors import (
    BUSY_ITEM,
    FAILED_CONDITION,
    cancellation_codes,
    is_failed_condition,
    storage_errors,
)
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.review_decisions import ReviewDecision, forgotten
from loyalty.domain.review_tally import Tally
from loyalty.review_ports import ReviewChange

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import PutTypeDef

_ABSENT = "attribute_not_exists(pk)"
_AS_READ = "version = :version"
_UNDECIDED = "attribute_not_exists(pk) OR (attribute_exists(outcome) AND attribute_not_exists(version))"
"""Nothing is stored, or a refusal of a release that did not count versions."""


class DynamoDecisions:
    """Decisions on reviews, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def find(self, program: ProgramSlug, names: Iterable[str]) -> Mapping[str, ReviewDecision]:
        """The decisions that names lead to; names that nobody has used are missing."""
        found = ((name, self.load(program, name)) for name in dict.fromkeys(names))
        return {name: decision for name, decision in found if decision is not None}

    def load(self, program: ProgramSlug, name: str) -> ReviewDecision | None:
        """The decision on a review, by any of its names."""
        item = self._item(keys.decision(program, name))
        while item is not None and item["type"] == "review_name":
            item = self._item(keys.decision(program, item["review_key"]))
        return decision_of(item) if item else None

    def tally(self, program: ProgramSlug, member_id: MemberId) -> Tally:
        """Which reviews of a member have earned under a rule with limits."""
        item = self._item(keys.review_tally(program, member_id))
        return tally_of(item) if item else Tally()

    def first_with_text(self, program: ProgramSlug, text: str) -> str:
        """The key of the review that had a text first; empty when nobody had it."""
        item = self._item(keys.review_text(program, text))
        return str(item["review_key"]) if item else ""

    def commit(self, change: ReviewChange) -> ReviewDecision:
        """Carry out a change; the decision as it is stored then.

        Raises:
            Conflict: a record, name, tally or text is not any more what was read.
        """
        stored = replace(change.decision, version=change.decision.version + 1)
        self._write(self._writes(change, stored))
        return stored

    def of_member(
        self, program: ProgramSlug, member_id: MemberId, *, before: str, limit: int
    ) -> tuple[list[ReviewDecision], str]:
        """A page of a member's decisions, newest review first, and what the next page is before."""
        page = self._listed(program, member_id, before or keys.REVIEWS_END, limit)
        found = [self.load(program, item["review_key"]) for item in page]
        decisions = {decision.review_key: decision for decision in found if decision}
        return list(decisions.values()), page[-1]["sk"] if len(page) == limit else ""

    def join(self, program: ProgramSlug, merged: MemberId, staying: MemberId) -> None:
        """Count and list the reviews of a member that was merged with those of the one that goes on (W13).

        Raises:
            Conflict: something was decided for one of them meanwhile; trying again is safe.
        """
        before = keys.REVIEWS_END
        while page := self._listed(program, merged, before, 25):
            for listed in page:
                self._write(
                    [{"TableName": self._table, "Item": wire(listed | {"pk": keys.reviews_pk(program, staying)})}]
                )
            before = page[-1]["sk"]
        theirs, ours = self.tally(program, merged), self.tally(program, staying)
        if theirs.ever():
            counts = ((staying, ours.joined(theirs)), (merged, Tally(version=theirs.version)))
            self._write([self._put_tally(program, member_id, tally) for member_id, tally in counts])

    def forget(self, program: ProgramSlug, member_id: MemberId) -> None:
        """Remove what is known of a member's reviews beyond that they were decided on."""
        while page := self._listed(program, member_id, keys.REVIEWS_END, 25):
            for listed in page:
                self._forget_words(program, listed["review_key"])
                self._delete(keys.Key(listed["pk"], listed["sk"]))
        self._delete(keys.review_tally(program, member_id))

    def _forget_words(self, program: ProgramSlug, review_key: str) -> None:
        decision = self.load(program, review_key)
        if decision is None:
            return
        if decision.text:
            self._delete(keys.review_text(program, decision.text))
        bare = forgotten(decision)
        if bare != decision:
            self.commit(ReviewChange(program, bare))

    def _listed(self, program: ProgramSlug, member_id: MemberId, before: str, limit: int) -> list[Item]:
        with storage_errors():
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk < :before",
                ExpressionAttributeValues=wire({":pk": keys.reviews_pk(program, member_id), ":before": before}),
                ScanIndexForward=False,
                Limit=limit,
                ConsistentRead=True,
            )
        return [plain(item) for item in page["Items"]]

    def _writes(self, change: ReviewChange, stored: ReviewDecision) -> list[PutTypeDef]:
        program, member_id = change.program, MemberId(stored.member_id)
        writes = [self._put(decision_item(program, stored), change.decision.version, _UNDECIDED)]
        if member_id and (stored.version == 1 or change.lists):
            writes.append({"TableName": self._table, "Item": wire(listed_item(program, stored))})
        writes += [
            self._put(name_item(program, old.review_key, stored.review_key), old.version, _UNDECIDED)
            for old in change.replaced
        ]
        writes += [self._put(name_item(program, name, stored.review_key), 0) for name in change.new_names]
        if change.tally is not None:
            writes.append(self._put_tally(program, member_id, change.tally))
        if change.text:
            writes.append(self._put(text_item(program, change.text, stored.review_key), 0))
        return writes

    def _write(self, writes: list[PutTypeDef]) -> None:
        with storage_errors():
            try:
                if len(writes) == 1:
                    self._client.put_item(**writes[0])
                else:
                    self._client.transact_write_items(TransactItems=[{"Put": write} for write in writes])
            except ClientError as error:
                if _was_first(error):
                    message = "Somebody else decided on this review, or for this member, first."
                    raise Conflict(message) from error
                raise

    def _put_tally(self, program: ProgramSlug, member_id: MemberId, tally: Tally) -> PutTypeDef:
        return self._put(tally_item(program, member_id, replace(tally, version=tally.version + 1)), tally.version)

    def _put(self, item: Item, version: int, unless: str = _ABSENT) -> PutTypeDef:
        request: PutTypeDef = {"TableName": self._table, "Item": wire(item)}
        if not version:
            request["ConditionExpression"] = unless
            return request
        request["ConditionExpression"] = _AS_READ
        request["ExpressionAttributeValues"] = wire({":version": version})
        return request

    def _item(self, key: keys.Key) -> Item | None:
        with storage_errors():
            answer = self._client.get_item(
                TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}), ConsistentRead=True
            )
        return plain(answer["Item"]) if "Item" in answer else None

    def _delete(self, key: keys.Key) -> None:
        with storage_errors():
            self._client.delete_item(TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}))


def _was_first(error: ClientError) -> bool:
    """Whether a write did not happen because somebody else wrote first, or is writing just now."""
    # A single write answers so while a transaction of somebody else is under way on its item.
    is_busy = error.response.get("Error", {}).get("Code") == "TransactionConflictException"
    codes = {*cancellation_codes(error)} - {"None"}
    return is_busy or is_failed_condition(error) or bool(codes and codes <= {FAILED_CONDITION, BUSY_ITEM})
