"""Programs and connections on DynamoDB. One query reads both: they share the program's partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from loyalty.adapters.dynamodb import keys, review_feed_store
from loyalty.adapters.dynamodb.connection_item import connection_item, connection_of
from loyalty.adapters.dynamodb.errors import storage_errors
from loyalty.adapters.dynamodb.review_rule_item import review_rule_facts, review_rule_of
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.adapters.dynamodb.versions import put_version
from loyalty.domain.adjustments import AdjustmentRule, UnknownMember
from loyalty.domain.connection import Connection
from loyalty.domain.email_channels import EmailChannel, EmailType, Sender
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import BirthdayRule, Overdraft, PolicyChange, Terms
from loyalty.domain.moments import parse_utc, utc_text
from loyalty.domain.naming import Naming
from loyalty.domain.program import Program
from loyalty.domain.rewards import Reward
from loyalty.domain.tiers import Tier

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
        program = program_of(settings, connection_of(connection) if connection else None)
        feeds = [item for item in items.values() if item["type"] == review_feed_store.TYPE]
        return replace(program, feeds=tuple(map(review_feed_store.feed_of, feeds))) if feeds else program

    def create(self, program: Program) -> None:
        """Store a new program.

        Raises:
            Conflict: the slug is taken.
        """
        taken = Conflict("There is a program with this slug already.", code="program_exists")
        put_version(self._client, self._table, settings_item(program), before=0, otherwise=taken)

    def save_connection(self, slug: ProgramSlug, connection: Connection) -> Connection:
        """Replace the version of a connection that was read; the first has version 0. Answers it as stored.

        Raises:
            Conflict: somebody else changed the connection meanwhile.
        """
        stored = replace(connection, version=connection.version + 1)
        overtaken = Conflict("The connection changed meanwhile.", code="connection_changed")
        put_version(
            self._client, self._table, connection_item(slug, stored), before=connection.version, otherwise=overtaken
        )
        return stored

    def connections_due(self, now: datetime, *, limit: int) -> list[ProgramSlug]:
        """Programs whose connection is to be looked after by now, those waiting longest first."""
        with storage_errors():
            page = self._client.query(
                TableName=self._table,
                IndexName=keys.DUE_INDEX,
                KeyConditionExpression="due_pk = :pk AND due_sk < :now",
                ExpressionAttributeValues=wire({":pk": keys.UPKEEP_PK, ":now": utc_text(now)}),
                Limit=limit,
            )
        return [ProgramSlug(item["program"]) for item in map(plain, page["Items"])]


def settings_item(program: Program) -> Item:
    """A program's settings as an item."""
    key = keys.settings(program.slug)
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
        "review_rule": review_rule_facts(program.review_rule),
        "naming": program.naming,
        "names": _names_facts(program.names),
        "events_off": sorted(program.events_off),
        "newcomers": program.newcomers.value,
        "adjustment_rule": {
            "unknown_member": program.adjustment_rule.unknown_member.value,
            "derived_keys": program.adjustment_rule.derived_keys,
        },
        "rewards": [asdict(reward) for reward in program.rewards],
        "tiers": [asdict(tier) for tier in program.tiers],
        "channels": {kind.value: _channel_facts(channel) for kind, channel in program.channels.items()},
        "shows_in_customer_hub": program.shows_in_customer_hub,
        "klaviyo_included": program.klaviyo_included,
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
        review_rule=review_rule_of(item["review_rule"]),
        naming=item["naming"],
        names=Naming(**item.get("names", {})),
        events_off=frozenset(item["events_off"]),
        newcomers=Standing(item["newcomers"]),
        adjustment_rule=AdjustmentRule(
            UnknownMember(item["adjustment_rule"]["unknown_member"]), item["adjustment_rule"]["derived_keys"]
        ),
        rewards=tuple(Reward(**facts) for facts in item.get("rewards", [])),
        tiers=tuple(Tier(**facts) for facts in item.get("tiers", [])),
        channels={EmailType(kind): _channel_of(facts) for kind, facts in item.get("channels", {}).items()},
        shows_in_customer_hub=item.get("shows_in_customer_hub", False),
        klaviyo_included=item.get("klaviyo_included", True),
        connection=connection,
    )


def _names_facts(names: Naming) -> Item:
    return {
        "metrics": dict(names.metrics),
        "fields": dict(names.fields),
        "properties": {kind: dict(given) for kind, given in names.properties.items()},
    }


def _channel_facts(channel: EmailChannel) -> Item:
    return {"sender": channel.sender.value, "own_email": channel.own_email}


def _channel_of(facts: Mapping[str, Any]) -> EmailChannel:
    return EmailChannel(Sender(facts["sender"]), facts["own_email"])


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
        "warning_days": list(terms.warning_days),
        "warned_first": terms.warned_first,
        "birthday": {"points": terms.birthday.points, "since": terms.birthday.since.isoformat()},
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
        warning_days=tuple(facts["warning_days"]),
        warned_first=facts["warned_first"],
        birthday=_birthday_of(facts["birthday"]),
    )


def _birthday_of(facts: Mapping[str, Any]) -> BirthdayRule:
    return BirthdayRule(facts["points"], date.fromisoformat(facts["since"]))


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
