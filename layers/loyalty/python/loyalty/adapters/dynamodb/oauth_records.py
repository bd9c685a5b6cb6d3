"""Attempts, tickets and account claims on DynamoDB. Only digests of what a browser carries are stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.connection_item import connection_item
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.adapters.dynamodb.keys import Key
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.adapters.dynamodb.versions import version_put
from loyalty.connection_ports import AccountClaim
from loyalty.domain.connection import Connection
from loyalty.domain.errors import Conflict, Rejected
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.oauth import Attempt, Ticket

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

KEPT_AFTER = timedelta(days=1)
"""How long an attempt stays after its end, so that a late or second callback can be told what happened."""


class DynamoOAuthRecords:
    """The records of connecting, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def keep_attempt(self, attempt: Attempt, until: datetime) -> None:
        """Keep an attempt until then."""
        facts = {"browser": attempt.browser, "verifier": attempt.verifier, "begun_at": utc_text(attempt.begun_at)}
        self._keep(attempt.state, "attempt", attempt.program, until, facts)

    def take_attempt(self, state: str, browser: str, now: datetime) -> Attempt:
        """Use an attempt up, whoever asks at the same time.

        Raises:
            Rejected: ``unknown_attempt``, ``attempt_expired``, ``attempt_used`` or ``another_browser``.
        """
        key = keys.oauth(state)
        condition = "#type = :attempt AND browser = :browser AND valid_until > :now AND attribute_not_exists(used_at)"
        with storage_errors():
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=wire({"pk": key.pk, "sk": key.sk}),
                    UpdateExpression="SET used_at = :now",
                    ConditionExpression=condition,
                    ExpressionAttributeNames={"#type": "type"},
                    ExpressionAttributeValues=wire({":attempt": "attempt", ":browser": browser, ":now": utc_text(now)}),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if is_failed_condition(error):
                    found: Any = error.response.get("Item")
                    raise _refusal(plain(found or {}), browser) from None
                raise
        return _attempt_of(state, plain(answer["Attributes"]))

    def keep_ticket(self, ticket: Ticket, until: datetime) -> None:
        """Keep a start ticket until then."""
        self._keep(ticket.digest, "ticket", ticket.program, until, {"begun_at": utc_text(ticket.issued_at)})

    def ticket(self, digest: str, now: datetime) -> Ticket | None:
        """A ticket that still works."""
        item = self._get(keys.oauth(digest))
        if item.get("type") != "ticket" or item["valid_until"] <= utc_text(now):
            return None
        return Ticket(digest, ProgramSlug(item["program"]), parse_utc(item["begun_at"]))

    def claim_of(self, account_id: str) -> AccountClaim | None:
        """Who connected to an account last."""
        item = self._get(keys.account_claim(account_id))
        return AccountClaim(ProgramSlug(item["program"]), item.get("version", 0)) if item else None

    def establish(self, program: ProgramSlug, connection: Connection, seen: AccountClaim | None) -> Connection:
        """Store a connection together with the claim to its account, each over the version that was read.

        Raises:
            Conflict: one of them changed meanwhile.
        """
        stored = replace(connection, version=connection.version + 1)
        before = seen.version if seen else 0
        key = keys.account_claim(connection.account_id)
        claim = {"pk": key.pk, "sk": key.sk, "type": "account", "program": program, "version": before + 1}
        puts: list[TransactWriteItemTypeDef] = [
            {"Put": version_put(self._table, connection_item(program, stored), before=connection.version)},
            {"Put": version_put(self._table, claim, before=before)},
        ]
        with storage_errors():
            try:
                self._client.transact_write_items(TransactItems=puts)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "TransactionCanceledException":
                    raise Conflict(
                        "The connection or its account changed meanwhile.", code="connection_changed"
                    ) from error
                raise
        return stored

    def _keep(self, digest: str, kind: str, program: ProgramSlug, until: datetime, facts: Item) -> None:
        key = keys.oauth(digest)
        item = {
            "pk": key.pk,
            "sk": key.sk,
            "type": kind,
            "program": program,
            "valid_until": utc_text(until),
            "expires_at": int((until + KEPT_AFTER).timestamp()),
            **facts,
        }
        with storage_errors():
            self._client.put_item(TableName=self._table, Item=wire(item))

    def _get(self, key: Key) -> Item:
        with storage_errors():
            answer = self._client.get_item(
                TableName=self._table, Key=wire({"pk": key.pk, "sk": key.sk}), ConsistentRead=True
            )
        return plain(answer.get("Item", {}))


def _attempt_of(state: str, item: Item) -> Attempt:
    return Attempt(
        state=state,
        program=ProgramSlug(item["program"]),
        browser=item["browser"],
        verifier=item["verifier"],
        begun_at=parse_utc(item["begun_at"]),
    )


def _refusal(item: Item, browser: str) -> Rejected:
    if item.get("type") != "attempt":
        return Rejected("This connection attempt is not known here.", code="unknown_attempt")
    if item["browser"] != browser:
        return Rejected("The connection was begun in another browser.", code="another_browser")
    if "used_at" in item:
        return Rejected("This connection attempt was used already.", code="attempt_used")
    return Rejected("This connection attempt took too long.", code="attempt_expired")
