"""Programs and connections on DynamoDB. One query reads both: they share the program's partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import Item, plain, wire
from loyalty.adapters.dynamodb.errors import is_failed_condition, storage_errors
from loyalty.domain.adjustments import AdjustmentRule, UnknownMember
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync, Webhook
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Overdraft, PolicyChange, Terms
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.program import Program
from loyalty.domain.reviews import ReviewRule

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoPrograms:
    """Programs and their connections, in the one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def load(self, slug: ProgramSlug) -> Program | None:
        """A program with its connection, read consistently."""
        with storage_errors():
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=wire({":pk": keys.program_pk(slug)}),
                ConsistentRead=True,
            )
        items = {item["sk"]: item for item in map(plain, page["Items"])}
        settings = items.get(keys.settings(slug).sk)
        if settings is None:
            return None
        connection = items.get(keys.connection(slug).sk)
        return program_of(settings, connection_of(connection) if connection else None)

    def create(self, program: Program) -> None:
        """Store a new program.

        Raises:
            Conflict: the slug is taken.
        """
        try:
            self._put(settings_item(program), condition="attribute_not_exists(pk)")
        except ClientError as error:
            if is_failed_condition(error):
                raise Conflict("There is a program with this slug already.", code="program_exists") from error
            raise

    def save_connection(self, slug: ProgramSlug, connection: Connection) -> None:
        """Replace a program's connection."""
        self._put(connection_item(slug, connection))

    def _put(self, item: Item, condition: str = "") -> None:
        extra: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
        with storage_errors():
            self._client.put_item(TableName=self._table, Item=wire(item), **extra)


def settings_item(program: Program) -> Item:
    """A program's settings as an item."""
    key = keys.settings(program.slug)
    rule = program.review_rule
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": "settings",
        "program": program.slug,
        "name": program.name,
        "id_key": program.id_key,
        "created_at": utc_text(program.created_at),
        "version": program.version,
        "terms": _terms_facts(program.terms),
        "review_rule": asdict(rule),
        "naming": program.naming,
        "events_off": sorted(program.events_off),
        "newcomers": program.newcomers.value,
        "adjustment_rule": {
            "unknown_member": program.adjustment_rule.unknown_member.value,
            "derived_keys": program.adjustment_rule.derived_keys,
        },
    }


def program_of(item: Item, connection: Connection | None) -> Program:
    """The program that a settings item and its connection describe."""
    return Program(
        slug=ProgramSlug(item["program"]),
        name=item["name"],
        id_key=item["id_key"],
        created_at=parse_utc(item["created_at"]),
        version=item["version"],
        terms=_terms_of(item["terms"]),
        review_rule=ReviewRule(**item["review_rule"]),
        naming=item["naming"],
        events_off=frozenset(item["events_off"]),
        newcomers=Standing(item["newcomers"]),
        adjustment_rule=AdjustmentRule(
            UnknownMember(item["adjustment_rule"]["unknown_member"]), item["adjustment_rule"]["derived_keys"]
        ),
        connection=connection,
    )


def connection_item(slug: ProgramSlug, connection: Connection) -> Item:
    """A connection as an item; credential and webhook secrets are encrypted already."""
    key = keys.connection(slug)
    return {
        "pk": key.pk,
        "sk": key.sk,
        "type": "connection",
        "program": slug,
        "mode": connection.mode.value,
        "status": connection.status.value,
        "account_id": connection.account_id,
        "credential": connection.credential,
        "connected_at": utc_text(connection.connected_at),
        "first_sync": connection.first_sync.value,
        "reviews_detected": connection.reviews_detected,
        "webhooks": [
            {"id": webhook.id, "topics": list(webhook.topics), "secrets": list(webhook.secrets)}
            for webhook in connection.webhooks
        ],
    }


def connection_of(item: Item) -> Connection:
    """The connection an item describes."""
    return Connection(
        mode=ConnectionMode(item["mode"]),
        status=ConnectionStatus(item["status"]),
        account_id=item["account_id"],
        credential=item["credential"],
        connected_at=parse_utc(item["connected_at"]),
        first_sync=FirstSync(item["first_sync"]),
        reviews_detected=item["reviews_detected"],
        webhooks=tuple(
            Webhook(webhook["id"], tuple(webhook["topics"]), tuple(webhook["secrets"])) for webhook in item["webhooks"]
        ),
    )


def _terms_facts(terms: Terms) -> Item:
    return {
        "timezone": terms.timezone,
        "expiry": _expiry_facts(terms.expiry),
        "expiry_revision": terms.expiry_revision,
        "expiry_since": terms.expiry_since.isoformat(),
        "expiry_past": [_change_facts(change) for change in terms.expiry_past],
        "balance_cap": terms.balance_cap,
        "overdraft": terms.overdraft.value,
        "restored_days": terms.restored_days,
    }


def _terms_of(facts: Mapping[str, Any]) -> Terms:
    return Terms(
        timezone=facts["timezone"],
        expiry=_expiry_of(facts["expiry"]),
        expiry_revision=facts["expiry_revision"],
        expiry_since=date.fromisoformat(facts["expiry_since"]),
        expiry_past=tuple(_change_of(change) for change in facts["expiry_past"]),
        balance_cap=facts["balance_cap"],
        overdraft=Overdraft(facts["overdraft"]),
        restored_days=facts["restored_days"],
    )


def _change_facts(change: PolicyChange) -> Item:
    return {
        "revision": change.revision,
        "expiry": _expiry_facts(change.policy),
        "since": change.since.isoformat(),
    }


def _change_of(facts: Mapping[str, Any]) -> PolicyChange:
    return PolicyChange(facts["revision"], _expiry_of(facts["expiry"]), date.fromisoformat(facts["since"]))


def _expiry_facts(policy: ExpiryPolicy) -> Item:
    match policy:
        case NoExpiry():
            return {"policy": "none"}
        case AfterEarning(period):
            return {"policy": "after_earning", "months": period.months, "days": period.days}
        case Inactivity(period):
            return {"policy": "inactivity", "months": period.months, "days": period.days}
        case Calendar(month, day, keep_days):
            return {"policy": "calendar", "month": month, "day": day, "keep_days": keep_days}


def _expiry_of(facts: Mapping[str, Any]) -> ExpiryPolicy:
    match facts["policy"]:
        case "after_earning":
            return AfterEarning(Period(facts["months"], facts["days"]))
        case "inactivity":
            return Inactivity(Period(facts["months"], facts["days"]))
        case "calendar":
            return Calendar(facts["month"], facts["day"], facts["keep_days"])
        case _:
            return NoExpiry()
