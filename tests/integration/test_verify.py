"""``verify`` finds any single damaged attribute of any item and says where; ``rebuild`` mends it from the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.audit import DynamoAudit
from loyalty.adapters.dynamodb.codec import entry_of
from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.typed_json import plain, wire
from loyalty.domain.errors import Rejected
from loyalty.domain.identity import Address, MemberId
from loyalty.domain.ledger.commands import CommandKey, Earn, Narrative, Pend, PlaceHold, Reverse, Spend
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Delivery, DeliveryState, Source
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.ledger.verify import Finding
from loyalty.domain.program import Program
from loyalty.ports import Receipt
from loyalty.services.erase_member import EraseMember
from loyalty.services.identify_member import IdentifyMember
from loyalty.services.merge_members import MergeMembers
from loyalty.services.posting import Ledger
from tests.builders import BILL, SARAH, a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.table import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "ledger"


class World:
    """A program with two members that have been through everything, on moto."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.clock = FixedClock()
        self.store = DynamoLedger(client, TABLE)
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())
        self.audit = DynamoAudit(client, TABLE, self.clock)
        terms = Terms(expiry=AfterEarning(Period(days=90)), expiry_revision=1)
        self.program: Program = a_program(terms=terms)

    def post(self, address: Address, action: Any, **options: Any) -> Receipt:
        command = a_command(action, at=self.clock.now(), **options)
        outcome = self.ledger.post(self.program, address, command, newcomer=True)
        assert not isinstance(outcome, Refusal), outcome
        return outcome

    def live(self) -> MemberId:
        """Let Sarah earn, spend, hold, wait, be identified and be corrected."""
        sarah = self.post(SARAH, Earn(100, rule="review"), reason="Review", event_type="points_earned_review").member_id
        self.clock.advance(days=1)
        spent = self.post(SARAH, Spend(30), natural=True)
        self.post(SARAH, PlaceHold("cart", 10, self.clock.now() + timedelta(hours=1)))
        self.post(SARAH, Pend("order", 25, self.clock.now() + timedelta(days=9)))
        original = self.store.entry(self.program.slug, sarah, spent.seq)
        assert original is not None
        self.post(SARAH, Reverse(original, 5), key="refund")
        self.identify(SARAH, phone="+4915112345678", external_id="c-1", email="sarah@klaviyo-demo.com")
        entry = self.store.entry(self.program.slug, sarah, 1)
        assert entry is not None
        DynamoOutbox(self.client, TABLE).mark_event(entry, Delivery(DeliveryState.SENT, self.clock.now()))
        return sarah

    def merge(self, ending: MemberId, staying: MemberId) -> None:
        outcome = MergeMembers(self.ledger)(self.program, ending, staying, actor="operator")
        assert isinstance(outcome, Receipt), outcome

    def identify(self, address: Address, **profile: str) -> None:
        story = Narrative(Source("test"), "tester", self.clock.now())
        IdentifyMember(self.ledger)(
            self.program, address, profile, key=CommandKey("test", repr(profile)), narrative=story
        )

    def items(self) -> list[dict[str, Any]]:
        return [plain(item) for item in self.client.scan(TableName=TABLE)["Items"]]

    def readable(self) -> list[dict[str, Any]]:
        """All items, the packed words of entries as text."""
        return [item | {"private": str(entry_of(item).private)} if "private" in item else item for item in self.items()]

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=TABLE, Item=wire(item))

    def damages(self, *member_ids: MemberId) -> list[Finding]:
        """What is wrong with these members' items, whatever else there is."""
        return [finding for each in member_ids for finding in self.audit.check(self.program, each).findings]

    def findings(self, member_id: MemberId) -> list[str]:
        found = self.audit.check(self.program, member_id).findings or tuple(self.audit.strays(self.program))
        return [f"{finding.item}: {finding.attribute}: {finding.message}" for finding in found]


@pytest.fixture
def world() -> Iterator[World]:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        create_table(client, TABLE)
        yield World(client)


def damaged(value: Any) -> Any:
    """The value with one thing about it changed."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return value[:-1] + ("0" if value[-1:] != "0" else "1")
        case list():
            return [damaged(value[0]), *value[1:]]
        case dict() if value:
            first = next(iter(value))
            return {**value, first: damaged(value[first])}
        case _:
            return "damaged"


def test_an_undamaged_ledger_has_no_findings(world: World) -> None:
    assert world.findings(world.live()) == []


@pytest.mark.slow
def test_any_damaged_or_missing_attribute_of_any_item_is_found(world: World) -> None:
    """Every attribute of every item, changed and removed in turn, and each whole item deleted (docs/ledger.md)."""
    member_id = world.live()
    missed = []
    for item in world.items():
        for attribute in sorted(set(item) - {"pk", "sk"}):
            without = {name: value for name, value in item.items() if name != attribute}
            for variant in (item | {attribute: damaged(item[attribute])}, without):
                world.put(variant)
                if not world.findings(member_id):
                    missed.append((item["pk"], item["sk"], attribute, variant.get(attribute)))
        world.put(item)
    assert missed == []
    assert world.findings(member_id) == []


@pytest.mark.parametrize(
    ("attribute", "damage"),
    [
        ("effect", {"kind": "earn", "change": {"available": "100", "earned": 100}}),
        ("effect", {"kind": "earn", "lots": "2026-06-01"}),
        ("after", {"available": 100, "earned": 100, "spent": ""}),
        ("key", True),
        ("actor", b"tester"),
        ("recorded_at", 10**20),
    ],
)
def test_an_entry_that_holds_what_no_entry_can_hold_is_named_and_not_rebuilt_from(
    world: World, attribute: str, damage: object
) -> None:
    """Whatever takes it apart fails in a way of its own; that must end neither ``verify`` nor ``rebuild``."""
    member_id = world.post(SARAH, Earn(100)).member_id
    world.post(SARAH, Spend(30))
    (item,) = [item for item in world.items() if item["sk"] == keys.entry_sk(1)]
    world.put(item | {attribute: damage})
    assert any(finding.item in ("entry 1", item["sk"], "journal") for finding in world.damages(member_id))
    with pytest.raises(Rejected, match="journal is broken at") as rejected:
        world.audit.rebuild(world.program, member_id)
    assert rejected.value.code == "broken_journal"


def test_a_finding_names_the_item_and_the_attribute(world: World) -> None:
    member_id = world.live()
    (item,) = [item for item in world.items() if item["type"] == "member"]
    world.put(item | {"available": item["available"] + 1000})
    assert world.findings(member_id) == ["member: available: is not what the journal says"]


def test_rebuild_restores_every_projection_from_the_journal(world: World) -> None:
    member_id = world.live()
    before = {(item["pk"], item["sk"]): item for item in world.items()}
    for item in world.items():
        if item["type"] == "member":
            kept = {name: item[name] for name in ("pk", "sk", "type", "profile_owed_since", "feed_pk", "feed_sk")}
            world.put(kept | {"available": 5})
        elif item["type"] in ("record", "alias"):
            world.client.delete_item(TableName=TABLE, Key=wire({"pk": item["pk"], "sk": item["sk"]}))
    assert world.findings(member_id) != []
    assert "member" in world.audit.rebuild(world.program, member_id)
    assert world.findings(member_id) == []
    assert {(item["pk"], item["sk"]): item for item in world.items()} == before


def test_rebuild_writes_nothing_when_the_journal_is_broken(world: World) -> None:
    member_id = world.live()
    (first,) = [item for item in world.items() if item["sk"] == "ENTRY#0000000001"]
    world.put(first | {"actor": "somebody else"})
    with pytest.raises(Rejected, match="journal is broken at entry 1"):
        world.audit.rebuild(world.program, member_id)


def test_erasure_leaves_no_word_about_the_member_and_a_journal_that_holds(world: World) -> None:
    """R25: personal data is gone from every item, the chain and the sums still verify."""
    member_id = world.live()
    world.post(BILL, Earn(40), reason="reason of Bill")
    before = world.audit.check(world.program, member_id).amounts
    EraseMember(world.ledger, DynamoDecisions(world.client, TABLE))(world.program, member_id, actor="operator")
    report = world.audit.check(world.program, member_id)
    assert report.findings == ()
    assert report.amounts == before
    stored = repr([item for item in world.readable() if member_id in repr(item)])
    for word in ("sarah", "4915112345678", "c-1", "Review"):
        assert word not in stored
    assert "reason of Bill" in repr(world.readable())
    assert world.ledger.find(world.program, SARAH) is None
    assert world.ledger.find(world.program, Address("phone", "+4915112345678")) is None


def test_somebody_who_comes_back_after_erasure_is_a_new_member(world: World) -> None:
    member_id = world.live()
    EraseMember(world.ledger, DynamoDecisions(world.client, TABLE))(world.program, member_id, actor="operator")
    returned = world.post(SARAH, Earn(7))
    assert returned.member_id != member_id
    assert returned.after.available == 7
    assert world.findings(returned.member_id) == []


def test_merged_members_keep_both_histories_and_the_sum_of_points(world: World) -> None:
    """W13: whoever asks for either address finds the member that goes on, with everything both had."""
    sarah = world.live()
    bill = world.post(BILL, Earn(40)).member_id
    both = world.audit.check(world.program, sarah).amounts + world.audit.check(world.program, bill).amounts
    first = MergeMembers(world.ledger)(world.program, sarah, bill, actor="operator")
    assert isinstance(first, Receipt)
    assert MergeMembers(world.ledger)(world.program, sarah, bill, actor="operator") == replace(first, replayed=True)
    for address in (SARAH, BILL, Address("external_id", "c-1"), Address("email", "sarah@klaviyo-demo.com")):
        found = world.ledger.find(world.program, address)
        assert found is not None
        assert found.member_id == bill
        assert found.amounts == both
    assert world.findings(sarah) == []
    assert world.findings(bill) == []
    EraseMember(world.ledger, DynamoDecisions(world.client, TABLE))(world.program, bill, actor="operator")
    assert world.findings(sarah) == []
    assert world.findings(bill) == []
    assert "sarah" not in repr(world.readable())


def test_what_a_merged_member_left_behind_is_watched_too(world: World) -> None:
    """Its external id leads to the one that goes on; its entries say what was reversed of them, wherever that was."""
    sarah, bill = world.live(), world.post(BILL, Earn(40)).member_id
    world.identify(BILL, external_id="c-2")
    world.merge(sarah, bill)
    earned = world.store.entry(world.program.slug, sarah, 1)
    assert earned is not None
    world.post(BILL, Reverse(earned, 10))
    assert world.damages(sarah, bill) == []
    behind = [item for item in world.items() if item["member_id"] == sarah]
    for item in behind:
        watched = "member_id" if item["type"] == "alias" else "reversals"
        if watched not in item:
            continue
        for variant in (item | {watched: damaged(item[watched])}, {k: v for k, v in item.items() if k != watched}):
            world.put(variant)
            assert world.damages(sarah, bill), (item["pk"], item["sk"], watched)
        if item["type"] == "alias":
            world.client.delete_item(TableName=TABLE, Key=wire({"pk": item["pk"], "sk": item["sk"]}))
            assert world.damages(sarah, bill), item["pk"]
        world.put(item)


def test_a_lost_mark_of_a_reversal_after_a_merge_is_restored(world: World) -> None:
    """R167: without it, the same points could be taken back twice."""
    sarah, bill = (world.post(address, Earn(40)).member_id for address in (SARAH, BILL))
    world.merge(sarah, bill)
    earned = world.store.entry(world.program.slug, sarah, 1)
    assert earned is not None
    world.post(BILL, Reverse(earned))
    (marked,) = [item for item in world.items() if "reversals" in item]
    world.put({name: value for name, value in marked.items() if name != "reversals"})
    assert world.findings(sarah) == ["entry 1: reversals: is not what the journal says"]
    assert world.audit.rebuild(world.program, sarah) == ["entry 1"]
    assert marked in world.items()


def test_identities_that_went_through_several_merges_are_in_order(world: World) -> None:
    """W13: taken over twice, then given up; the pointer goes on leading to whoever had it first."""
    sarah, bill = world.live(), world.post(BILL, Earn(40)).member_id
    ann = world.post(Address("email", "ann@klaviyo-demo.com"), Earn(5)).member_id
    world.merge(sarah, bill)
    world.merge(bill, ann)
    assert world.damages(sarah, bill, ann) == []
    world.identify(Address("external_id", "c-1"), external_id="c-9", phone="")
    assert world.ledger.find(world.program, Address("external_id", "c-1")) is None
    assert world.damages(sarah, bill, ann) == []
