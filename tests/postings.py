"""Every kind of posting at its dearest, on a table with a meter before it.

Nothing was owed of the member before and its profile and an event are owed afterwards, its due time moves, and its
entry carries as much as a review's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import entry_item, member_item
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.domain.identity import Address, Email
from loyalty.domain.ledger.commands import (
    Action,
    Adjust,
    Cancel,
    Capture,
    Command,
    CommandKey,
    Earn,
    Erase,
    Identify,
    Narrative,
    Notify,
    Pend,
    PlaceHold,
    Release,
    Reverse,
    Spend,
)
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Entry, Scalar, Source
from loyalty.domain.ledger.expiry import AfterEarning, Inactivity, Period
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.ports import Receipt
from loyalty.services.identify_member import IdentifyMember
from loyalty.services.merge_members import MergeMembers
from loyalty.services.posting import Ledger
from tests.builders import BILL, SARAH, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.metering import MeteredClient, Units

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


AFTER_EARNING = Terms(expiry=AfterEarning(Period(days=10)))
INACTIVITY = Terms(expiry=Inactivity(Period(months=6)))
PRODUCT = "Lavender & Sea Salt Soy Candle, 220 g"
_reviews = count(1)


def a_story(clock: FixedClock) -> Narrative:
    """As much as a review says, and an event to tell Klaviyo."""
    review_id = f"7d9f1c52-3b7e-4c57-9a51-{next(_reviews):012x}"
    details: dict[str, Scalar] = {
        "has_media": True,
        "product": PRODUCT,
        "product_url": "https://northwind-candles.example/products/lavender-sea-salt",
        "rating": 5,
        "review_id": review_id,
        "review_kind": "review",
        "verified": True,
    }
    return Narrative(
        Source("klaviyo_review", review_id),
        "klaviyo",
        clock.now(),
        reason=f'Review of "{PRODUCT}"',
        details=details,
        event_type="points_earned_review",
    )


class Till:
    """A program's ledger on the emulator, with a meter between."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self.client, self.table = client, table
        self.meter = MeteredClient(client)
        self.program = a_program(terms=AFTER_EARNING)
        self.clock = FixedClock()
        self.randomness = SeededRandomness()
        self.store = DynamoLedger(self.meter, table)  # type: ignore[arg-type]
        self.outbox = DynamoOutbox(self.meter, table)  # type: ignore[arg-type]
        self.ledger = Ledger(self.store, self.clock, self.randomness)
        self.original: Entry | None = None

    def under(self, terms: Terms) -> None:
        self.program = a_program(terms=terms)

    def command(self, action: Action, key: str = "") -> Command:
        story = a_story(self.clock)
        return Command(CommandKey("review", key or story.source.id, natural=True), action, story)

    def post(self, action: Action, *, address: Address = SARAH, key: str = "") -> Receipt:
        receipt = self.ledger.post(self.program, address, self.command(action, key), newcomer=True)
        assert isinstance(receipt, Receipt), receipt
        return receipt

    def entry(self, receipt: Receipt) -> Entry:
        entry = self.store.entry(self.program.slug, receipt.member_id, receipt.seq)
        assert entry is not None
        return entry

    def told(self) -> None:
        """Klaviyo has heard of everything so far."""
        for address in (SARAH, BILL):
            if member := self.ledger.find(self.program, address):
                self.outbox.clear_profile(self.program.slug, member.member_id, member.version)

    def units_of(self, act: Callable[[Till], object]) -> Units:
        before = self.meter.used
        act(self)
        return self.meter.used - before

    def load(self, member: Member, entries: Sequence[Entry]) -> None:
        """Store a history that was decided elsewhere, without posting it entry by entry."""
        key = keys.member(member.program, member.member_id)
        place = {"pk": key.pk, "sk": key.sk, "roster_pk": keys.roster_pk(member.program)}
        items: list[Item] = [{**place, **member_item(member)}, *map(entry_item, entries)]
        for start in range(0, len(items), 25):
            puts = [{"PutRequest": {"Item": wire(item)}} for item in items[start : start + 25]]
            answer = self.client.batch_write_item(RequestItems={self.table: puts})  # type: ignore[dict-item]
            assert not answer["UnprocessedItems"]

    def item(self, key: keys.Key) -> Item:
        answer = self.client.get_item(TableName=self.table, Key=wire({"pk": key.pk, "sk": key.sk}))
        return plain(answer["Item"])


# Each posting: what went before, and what is measured. Before it, Klaviyo is told of everything.


def earned(till: Till, *days: int) -> list[Receipt]:
    """Earnings of 100 points after so many days each."""
    receipts = []
    for wait in days or (0,):
        till.clock.advance(days=wait)
        receipts.append(till.post(Earn(100)))
    return receipts


def pended(till: Till) -> None:
    earned(till)
    till.post(Pend("order", 40, till.clock.now() + timedelta(days=2)))


def held(till: Till) -> None:
    earned(till)
    till.post(PlaceHold("cart", 40, till.clock.now() + timedelta(days=2)))


def inactive(till: Till) -> None:
    till.under(INACTIVITY)
    earned(till)
    till.clock.advance(days=1)


def reversible(till: Till, action: Action | None = None) -> None:
    first, _ = earned(till, 0, 1)
    receipt = till.post(action) if action else first
    # Whoever reverses an entry has read it; the ledger reads it again, and only that is measured.
    till.original = till.entry(receipt)


def reverse(till: Till) -> None:
    assert till.original is not None
    till.post(Reverse(till.original), address=Address("member", till.original.member_id))


def warned(till: Till) -> None:
    till.under(replace(AFTER_EARNING, warning_days=(7, 1)))
    earned(till)
    till.clock.advance(days=4)


def overdue(till: Till) -> None:
    earned(till, 0, 3)
    till.clock.advance(days=8)


def switched(till: Till) -> None:
    till.under(Terms())
    earned(till)
    till.under(till.program.terms.with_expiry(AfterEarning(Period(days=10)), till.clock.now().date()))


def waiting(till: Till) -> None:
    pended(till)
    till.clock.advance(days=3)


def timed_out(till: Till) -> None:
    held(till)
    till.clock.advance(days=3)


def both(till: Till) -> None:
    earned(till)
    till.clock.advance(days=1)
    till.post(Earn(50), address=BILL)


def settle(till: Till) -> None:
    assert till.ledger.settle(till.program, SARAH) == 1


def attend(till: Till) -> None:
    """What the hourly sweep does with a member that is due."""
    member = till.ledger.find(till.program, SARAH)
    assert member is not None
    assert till.ledger.attend(till.program, member.member_id) == 1


def nothing(_: Till) -> None:
    """A customer nobody knows yet."""


def claimed(till: Till) -> None:
    till.post(Identify({"external_id": "c-1"}), address=SARAH)
    identified(till, phone="+4915112345678")


def identified(till: Till, **profile: str) -> None:
    key = CommandKey("identify", f"{profile}", natural=True)
    answer = IdentifyMember(till.ledger)(till.program, SARAH, profile, key=key, narrative=a_story(till.clock))
    assert isinstance(answer, Receipt)


def merge(till: Till) -> None:
    sarah, bill = (till.ledger.find(till.program, address) for address in (SARAH, BILL))
    assert sarah is not None
    assert bill is not None
    answer = MergeMembers(till.ledger)(till.program, bill.member_id, sarah.member_id, actor="operator")
    assert isinstance(answer, Receipt)


def repeated(till: Till) -> None:
    """The transaction that finds the key taken consumes what the emulator does not report: as a posting does."""
    answer = till.ledger.post(till.program, SARAH, till.command(Earn(100), "review"))
    assert isinstance(answer, Receipt)
    assert answer.replayed


def refused(till: Till) -> None:
    assert isinstance(till.ledger.post(till.program, SARAH, till.command(Spend(1000))), Refusal)


def sent(till: Till) -> None:
    assert till.original is not None
    assert till.outbox.mark_event(till.original, Delivery(DeliveryState.SENT, till.clock.now()))


def profile_sent(till: Till) -> None:
    member = till.program.member_id(Email(SARAH.value))
    assert till.outbox.clear_profile(till.program.slug, member, 1)


Step = Callable[[Till], object]
POSTINGS: dict[str, tuple[Step, Step]] = {
    "earn, by a new customer": (nothing, lambda till: till.post(Earn(100))),
    "earn": (inactive, lambda till: till.post(Earn(100))),
    "spend": (inactive, lambda till: till.post(Spend(40))),
    "adjust, adding": (nothing, lambda till: till.post(Adjust(100))),
    "adjust, taking": (lambda till: earned(till, 0, 1), lambda till: till.post(Adjust(-100))),
    "expire": (overdue, settle),
    "pend": (earned, lambda till: till.post(Pend("order", 40, till.clock.now() + timedelta(days=2)))),
    "activate": (waiting, settle),
    "cancel": (pended, lambda till: till.post(Cancel("order"))),
    "hold": (earned, lambda till: till.post(PlaceHold("cart", 40, till.clock.now() + timedelta(days=2)))),
    "capture": (held, lambda till: till.post(Capture("cart", 30))),
    "release": (held, lambda till: till.post(Release("cart"))),
    "release, timed out": (timed_out, settle),
    "reverse an earn": (reversible, reverse),
    "reverse a spend": (lambda till: reversible(till, Spend(150)), reverse),
    "notice": (earned, lambda till: till.post(Notify("anniversary"))),
    "warning of expiry": (warned, attend),
    "re-date, after a change of policy": (switched, settle),
    "identify": (earned, lambda till: identified(till, first_name="Sarah", birthday="1990-02-28")),
    "erase": (earned, lambda till: till.post(Erase())),
}
"""Every kind of posting: at most 10 write and 2 read units."""

OTHERS: dict[str, tuple[Step, Step]] = {
    "identify with a new phone number": (claimed, lambda till: identified(till, phone="+4915187654321")),
    "identify with a new e-mail address": (earned, lambda till: identified(till, email="sarah@klaviyo-demo.com")),
    "merge two members": (both, merge),
    "a repeat of a command": (lambda till: till.post(Earn(100), key="review"), repeated),
    "a refused command": (earned, refused),
    "noting that an event was sent": (reversible, sent),
    "noting that a profile was sent": (earned, profile_sent),
}
"""What is more than one posting, or less."""


def measured(till: Till, name: str) -> Units:
    prepare, act = (POSTINGS | OTHERS)[name]
    prepare(till)
    if name != "noting that a profile was sent":
        till.told()
    return till.units_of(act)
