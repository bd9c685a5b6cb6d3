"""The items themselves: keys, index positions and marks, exactly as docs/data-model.md says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest

from loyalty.adapters.dynamodb import keys
from loyalty.domain.ledger.commands import (
    Activate,
    Adjust,
    Cancel,
    Capture,
    Earn,
    Erase,
    Expire,
    Identify,
    MergeOut,
    Notify,
    Pend,
    PlaceHold,
    Redate,
    Release,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import utc_text
from loyalty.ports import Claim
from tests.builders import a_program
from tests.contract.storage import Marks, Pen, Storage, TableStorage
from tests.fakes.clocks import START

EXPIRING = Terms(timezone="Europe/Berlin", expiry=AfterEarning(Period(days=10)))
DAY = timedelta(days=1)
LOT_ENDS = datetime(2026, 3, 12, 23, 0, tzinfo=START.tzinfo)
"""The end of the tenth day after START in Berlin."""

Act = Callable[[Pen], object]
ACTS: dict[str, tuple[Act, Act, datetime | None]] = {
    "earn": (
        lambda _: None,
        lambda pen: pen.write("sarah", Earn(10)),
        LOT_ENDS,
    ),
    "earn later": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.later(days=1).write("sarah", Earn(10)),
        LOT_ENDS,
    ),
    "spend some": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Spend(4)),
        LOT_ENDS,
    ),
    "spend all": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Spend(10)),
        None,
    ),
    "adjust up": (
        lambda _: None,
        lambda pen: pen.write("sarah", Adjust(10)),
        LOT_ENDS,
    ),
    "adjust down": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Adjust(-10)),
        None,
    ),
    "expire": (
        lambda pen: (pen.write("sarah", Earn(10)), pen.later(days=11).write("sarah", Earn(5))),
        lambda pen: pen.write("sarah", Expire(date(2026, 3, 12))),
        LOT_ENDS + 11 * DAY,
    ),
    "pend": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Pend("order", 5, START + DAY)),
        START + DAY,
    ),
    "pend beyond the lot": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Pend("order", 5, START + 99 * DAY)),
        LOT_ENDS,
    ),
    "activate": (
        lambda pen: pen.write("sarah", Pend("order", 5, START + DAY)),
        lambda pen: pen.write("sarah", Activate("order")),
        LOT_ENDS,
    ),
    "cancel some": (
        lambda pen: pen.write("sarah", Pend("order", 5, START + DAY)),
        lambda pen: pen.write("sarah", Cancel("order", 2)),
        START + DAY,
    ),
    "cancel": (
        lambda pen: pen.write("sarah", Pend("order", 5, START + DAY)),
        lambda pen: pen.write("sarah", Cancel("order")),
        None,
    ),
    "hold": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", PlaceHold("cart", 10, START + DAY)),
        START + DAY,
    ),
    "capture": (
        lambda pen: (pen.write("sarah", Earn(10)), pen.write("sarah", PlaceHold("cart", 10, START + DAY))),
        lambda pen: pen.write("sarah", Capture("cart")),
        None,
    ),
    "release": (
        lambda pen: (pen.write("sarah", Earn(10)), pen.write("sarah", PlaceHold("cart", 10, START + DAY))),
        lambda pen: pen.write("sarah", Release("cart")),
        LOT_ENDS,
    ),
    "reverse": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Reverse(pen.entry("sarah", 1))),
        None,
    ),
    "notice": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Notify("anniversary")),
        LOT_ENDS,
    ),
    "identify": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", Identify({"first_name": "Sarah"}, Standing.EXCLUDED)),
        LOT_ENDS,
    ),
    "merge away": (
        lambda pen: pen.write("sarah", Earn(10)),
        lambda pen: pen.write("sarah", MergeOut(pen.id_of("bill"))),
        None,
    ),
}


@pytest.fixture(params=ACTS)
def act(request: pytest.FixtureRequest) -> tuple[Act, Act, datetime | None]:
    return ACTS[request.param]


def test_every_kind_of_posting_notes_what_is_due_and_owed(
    storage: Storage, act: tuple[Act, Act, datetime | None]
) -> None:
    """On a member nothing was owed of, and that has work due already where the posting moves or ends it."""
    before, posting, due_at = act
    pen = Pen(storage, a_program(terms=EXPIRING))
    before(pen)
    member = pen.member("sarah")
    storage.outbox.clear_profile(pen.program.slug, member.member_id, member.version)
    posting(pen)
    assert storage.marks(pen.program.slug, pen.id_of("sarah")) == Marks(owed_since=pen.clock.now(), due_at=due_at)


def test_erasing_ends_what_is_owed_but_not_what_is_due(pen: Pen) -> None:
    """Points of an erased member still expire: the sums of the program go on."""
    pen.program = a_program(terms=EXPIRING)
    pen.write("sarah", Earn(10))
    pen.write("sarah", Erase())
    assert pen.storage.marks(pen.program.slug, pen.id_of("sarah")) == Marks(due_at=LOT_ENDS)


def test_redating_moves_the_due_date(pen: Pen) -> None:
    """Expiry switched on: what never expired gets a date, counted from the change (docs/ledger.md)."""
    pen.write("sarah", Earn(10))
    assert pen.storage.marks(pen.program.slug, pen.id_of("sarah")).due_at is None
    since = pen.clock.now().date()
    terms = Terms(timezone="Europe/Berlin", expiry=AfterEarning(Period(days=10)), expiry_revision=1, expiry_since=since)
    pen.program = a_program(terms=terms)
    pen.clock.advance(days=5)
    pen.write("sarah", Redate())
    assert pen.storage.marks(pen.program.slug, pen.id_of("sarah")).due_at == LOT_ENDS


def test_a_members_keys(table_storage: TableStorage, table_pen: Pen) -> None:
    table_pen.program = a_program(terms=EXPIRING)
    table_pen.write("sarah", Earn(10))
    sarah = table_pen.id_of("sarah")
    item = table_storage.item(keys.member(table_pen.program.slug, sarah))
    assert {name: item[name] for name in ("pk", "sk", "type", "feed_pk", "feed_sk", "due_pk", "due_sk")} == {
        "pk": f"MEMBER#candles#{sarah}",
        "sk": "MEMBER",
        "type": "member",
        "feed_pk": f"OWED#candles#profile#{keys.shard(sarah, 4)}",
        "feed_sk": f"2026-03-02T12:00:00.000Z#{sarah}",
        "due_pk": f"DUE#{keys.shard(sarah, 16)}",
        "due_sk": f"2026-03-12T23:00:00.000Z#candles#{sarah}",
    }
    assert item["profile_owed_since"] == "2026-03-02T12:00:00.000Z"


def test_a_member_that_is_neither_owed_nor_due_is_in_no_index(table_storage: TableStorage, table_pen: Pen) -> None:
    """The indexes are sparse: they hold work, not members."""
    table_pen.write("sarah", Earn(10))
    table_storage.outbox.clear_profile(table_pen.program.slug, table_pen.id_of("sarah"), 1)
    item = table_storage.item(keys.member(table_pen.program.slug, table_pen.id_of("sarah")))
    assert {"feed_pk", "feed_sk", "due_pk", "due_sk", "profile_owed_since"} & set(item) == set()


def test_an_entrys_keys_while_its_event_is_owed_and_afterwards(table_storage: TableStorage, table_pen: Pen) -> None:
    table_pen.write("sarah", Earn(10), event_type="points_earned_review")
    sarah = table_pen.id_of("sarah")
    entry = table_pen.entry("sarah", 1)

    def item() -> dict[str, object]:
        stored = table_storage.item(keys.entry(table_pen.program.slug, sarah, 1))
        return {name: stored[name] for name in ("pk", "sk", "type", "delivery", "feed_pk", "feed_sk")}

    fixed = {
        "pk": f"MEMBER#candles#{sarah}",
        "sk": "ENTRY#0000000001",
        "type": "entry",
        "feed_sk": f"2026-03-02T12:00:00.000Z#{sarah}-0000000001",
    }
    assert item() == fixed | {"delivery": "owed", "feed_pk": f"OWED#candles#event#{keys.shard(sarah, 4)}"}
    table_pen.clock.advance(days=1)
    table_storage.outbox.mark_event(entry, Delivery(DeliveryState.SENT, table_pen.clock.now()))
    assert item() == fixed | {"delivery": "sent", "feed_pk": "FEED#candles#2026-03-02"}


def test_an_entry_nothing_is_owed_for_is_in_its_days_feed_at_once(table_storage: TableStorage, table_pen: Pen) -> None:
    table_pen.write("sarah", Notify("anniversary"))
    item = table_storage.item(keys.entry(table_pen.program.slug, table_pen.id_of("sarah"), 1))
    assert item["feed_pk"] == "FEED#candles#2026-03-02"


def test_only_a_callers_record_has_a_time_to_live(table_storage: TableStorage, table_pen: Pen) -> None:
    """Kept for at least 30 days; a natural key for ever."""
    table_pen.write("sarah", Earn(10), key="order", natural=True)
    table_pen.write("sarah", Earn(10), key="caller")
    records = {item["key"]: item for item in table_storage.items() if item["type"] == "record"}
    assert len(records) == 2
    lives = {item.get("expires_at", 0) for item in records.values()}
    assert lives == {0, int((START + 35 * DAY).timestamp())}
    assert all(item["pk"] == f"IDEM#candles#{key}" and item["sk"] == "IDEM" for key, item in records.items())


def test_aliases_and_redirects_hold_no_address(table_storage: TableStorage, table_pen: Pen) -> None:
    """Keyed digests only: an item of the table tells nobody's phone number."""
    sarah = table_pen.id_of("sarah")
    claims = (Claim("phone", "+4915112345678", sarah), Claim("external_id", "customer-7", sarah))
    table_pen.write("sarah", Earn(10), claims=claims, redirects=((table_pen.id_of("former"), sarah),), introduced=False)
    pointers = [item for item in table_storage.items() if item["type"] in ("alias", "redirect")]
    assert len(pointers) == 3
    assert all(item["member_id"] == sarah for item in pointers)
    for secret in ("4915112345678", "customer-7", "klaviyo-demo.com"):
        assert secret not in repr(pointers)


def test_the_feed_index_shows_all_a_reader_needs(table_storage: TableStorage, table_pen: Pen) -> None:
    """Who and which entry, without reading the item and without taking a key apart."""
    table_pen.write("sarah", Earn(10), event_type="points_earned_review")
    sarah = table_pen.id_of("sarah")
    page = table_storage.client.query(
        TableName=table_storage.table,
        IndexName=keys.FEED_INDEX,
        KeyConditionExpression="feed_pk = :pk",
        ExpressionAttributeValues={":pk": {"S": keys.owed_event_pk(table_pen.program.slug, sarah)}},
    )
    (found,) = page["Items"]
    assert {name: found[name] for name in ("type", "program", "member_id", "seq")} == {
        "type": {"S": "entry"},
        "program": {"S": "candles"},
        "member_id": {"S": sarah},
        "seq": {"N": "1"},
    }
    assert "effect" not in found


def test_the_due_index_lists_members_by_time(table_storage: TableStorage, table_pen: Pen) -> None:
    table_pen.program = a_program(terms=EXPIRING)
    names = [f"member{number}" for number in range(6)]
    for name in names:
        table_pen.write(name, Earn(10))
        table_pen.clock.advance(days=1)
    found: list[tuple[str, str]] = []
    for number in range(keys.DUE_SHARDS):
        page = table_storage.client.query(
            TableName=table_storage.table,
            IndexName=keys.DUE_INDEX,
            KeyConditionExpression="due_pk = :pk AND due_sk < :until",
            ExpressionAttributeValues={":pk": {"S": f"DUE#{number}"}, ":until": {"S": utc_text(LOT_ENDS + 3 * DAY)}},
        )
        found += [(item["due_sk"]["S"], item["member_id"]["S"]) for item in page["Items"]]
    assert [member_id for _, member_id in sorted(found)] == [table_pen.id_of(name) for name in names[:3]]
