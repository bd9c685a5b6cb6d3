"""A sweep over the few who are due in a crowd of any size, with a meter on every read.

The meter computes read units from what is read, by DynamoDB's documented rules; moto and the emulator charge each query
half a unit, however much it reads. The crowd in memory answers the due index's queries as DynamoDB does, from sorted
shards, so that two hundred thousand members take a second; the same sweep on the emulator must come to the same counts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from loyalty.adapters.dynamodb import keys
from loyalty.adapters.dynamodb.codec import member_item
from loyalty.adapters.dynamodb.due_index import DynamoDueIndex
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.program_store import DynamoPrograms, settings_item
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.contracts.sweeps import SweepShard
from loyalty.domain.identity import Address, MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Earn
from loyalty.domain.ledger.entry import EntryKind
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.member import Member
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.program import Program
from loyalty.ports import DueIndex, LedgerStore, ProgramStore, Receipt, Redirect
from loyalty.services.posting import Ledger
from loyalty.services.sweep_due import SweepDue, Swept
from tests.builders import a_command, a_program
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_programs import MemoryPrograms
from tests.item_size import item_size

READ_UNIT = 4096
BATCH = 25
TERMS = Terms(expiry=AfterEarning(Period(days=10)), expiry_revision=1)
MIDNIGHT = START.replace(hour=0) + timedelta(days=11)
"""When the points of a crowd's due members are over; the sweep begins five minutes later."""


@dataclass
class ReadMeter:
    """Counts reads and their units: half a unit for each 4 KB read eventually, one for each read consistently."""

    calls: Counter[str] = field(default_factory=Counter)
    units: float = 0

    def read(self, what: str, size: int, *, consistent: bool) -> None:
        self.calls[what] += 1
        self.units += max(1, ceil(size / READ_UNIT)) * (1 if consistent else 0.5)


class MeteredReads:
    """A DynamoDB client with a read meter before it; queries that filter nothing read what they answer."""

    def __init__(self, client: Any, meter: ReadMeter) -> None:
        self._client = client
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, **request: Any) -> Any:
        assert "FilterExpression" not in request
        answer = self._client.query(**request)
        size = sum(item_size(plain(item)) for item in answer["Items"])
        self._meter.read("query", size, consistent=request.get("ConsistentRead", False))
        return answer

    def get_item(self, **request: Any) -> Any:
        answer = self._client.get_item(**request)
        self._meter.read("get_item", item_size(plain(answer.get("Item", {}))), consistent=request["ConsistentRead"])
        return answer


class SortedShards:
    """Answers what the due index asks: the query for who is due, and a member with its place in the index."""

    CONDITION = "due_pk = :pk AND due_sk BETWEEN :after AND :until"

    def __init__(self) -> None:
        self.shards: dict[str, list[str]] = {keys.due_shard_pk(shard): [] for shard in range(keys.DUE_SHARDS)}
        self.items: dict[str, Item] = {}

    def query(self, **request: Any) -> Any:
        assert (request["IndexName"], request["KeyConditionExpression"]) == (keys.DUE_INDEX, self.CONDITION)
        asked = plain(request["ExpressionAttributeValues"])
        found = self.shards[asked[":pk"]]
        first, last = bisect_left(found, asked[":after"]), bisect_right(found, asked[":until"])
        page = found[first : min(last, first + request["Limit"])]
        return {"Items": [wire(_projected(asked[":pk"], position)) for position in page]}

    def get_item(self, **request: Any) -> Any:
        return {"Item": wire(self.items[plain(request["Key"])["pk"]])}


def _projected(shard: str, position: str) -> Item:
    _, slug, member_id = position.split("#")
    key = keys.member(ProgramSlug(slug), MemberId(member_id))
    return {
        "pk": key.pk,
        "sk": key.sk,
        "due_pk": shard,
        "due_sk": position,
        "type": "member",
        "program": slug,
        "member_id": member_id,
    }


class CrowdLedger(MemoryLedger):
    """A ledger in memory that keeps the sorted shards, as the member's transaction does on the table."""

    def __init__(self, shards: SortedShards, meter: ReadMeter) -> None:
        super().__init__()
        self.sorted = shards
        self.meter = meter

    def find(self, program: ProgramSlug, member_id: MemberId) -> Member | Redirect | None:
        found = super().find(program, member_id)
        item = member_item(found) if isinstance(found, Member) else {}
        self.meter.read("get_item", item_size(item), consistent=True)
        return found

    def _mark(self, program: Program, member: Member, now: datetime) -> None:
        key = (program.slug, member.member_id)
        shard = self.sorted.shards[keys.due_pk(member.member_id)]
        if before := self.due.get(key):
            shard.remove(keys.due_sk(*key, before))
        super()._mark(program, member, now)
        item = member_item(member)
        if after := self.due.get(key):
            item |= {"due_pk": keys.due_pk(member.member_id), "due_sk": keys.due_sk(*key, after)}
            insort(shard, item["due_sk"])
        self.sorted.items[keys.member_pk(*key)] = item


class MeteredPrograms(MemoryPrograms):
    """Programs, each load one consistent query."""

    def __init__(self, meter: ReadMeter, *programs: Program) -> None:
        super().__init__(*programs)
        self.meter = meter

    def load(self, slug: ProgramSlug) -> Program | None:
        found = super().load(slug)
        self.meter.read("query", item_size(settings_item(found)) if found else 0, consistent=True)
        return found


@dataclass
class Crowd:
    """A program with members who are due and others who are not, and the sweep that finds out."""

    program: Program
    clock: FixedClock
    meter: ReadMeter
    store: LedgerStore
    programs: ProgramStore
    index: DueIndex
    due: list[MemberId] = field(default_factory=list)

    def earn(self, count: int) -> None:
        """Let so many members earn ten points each, which are over before the sweep begins."""
        ledger = Ledger(self.store, self.clock, SeededRandomness())
        for number in range(count):
            address = Address("email", f"customer{number}@klaviyo-demo.com")
            command = a_command(Earn(10), at=self.clock.now())
            receipt = ledger.post(self.program, address, command, newcomer=True)
            assert isinstance(receipt, Receipt)
            self.due.append(receipt.member_id)
        self.clock.time = MIDNIGHT + timedelta(minutes=5)
        self.meter.calls.clear()
        self.meter.units = 0

    def sweep(self, *, times: int = 1, workers: int = 1) -> list[Swept]:
        """Sweep every shard so many times over, by so many workers at once."""
        sweep = SweepDue(
            programs=self.programs,
            ledger=Ledger(self.store, self.clock, SeededRandomness()),
            index=self.index,
            queue=Nobody(),
            clock=self.clock,
            failed=failed,
        )
        now = self.clock.now()
        shards = [SweepShard(shard=shard, until=now, begun=now) for shard in range(keys.DUE_SHARDS)]
        messages = [shard.model_dump_json() for shard in shards for _ in range(times)]
        if workers == 1:
            return [sweep(message, seconds=3600) for message in messages]
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda message: sweep(message, seconds=3600), messages))

    def journals(self) -> set[tuple[EntryKind, ...]]:
        """What kinds of entries the journals of those who were due are made of, each sequence once."""
        journals = (self.store.journal(self.program.slug, member_id) for member_id in self.due)
        return {tuple(entry.kind for entry in journal) for journal in journals}


class Nobody:
    """A queue that no sweep needs."""

    def send(self, messages: object) -> None:
        raise AssertionError("this sweep has all the time it needs")


def failed(member: object, error: Exception) -> None:
    raise error


def a_crowd(due: int, others: int) -> Crowd:
    """So many members who are due and so many others, in memory; the others' time comes in the year after."""
    meter, shards, clock = ReadMeter(), SortedShards(), FixedClock()
    program = a_program(terms=TERMS, connection=None)
    index: Any = MeteredReads(shards, meter)
    crowd = Crowd(
        program,
        clock,
        meter,
        CrowdLedger(shards, meter),
        MeteredPrograms(meter, program),
        DynamoDueIndex(index, "loyalty"),
    )
    crowd.earn(due)
    for member_id, position in later_positions(program.slug, others, clock.now()).items():
        shards.shards[keys.due_pk(member_id)].append(position)
    for shard in shards.shards.values():
        shard.sort()
    return crowd


def a_stored_crowd(client: Any, table: str, due: int, others: int) -> Crowd:
    """The same on an empty table. The others are there as far as the index goes, and nobody reads further."""
    meter = ReadMeter()
    metered: Any = MeteredReads(client, meter)
    program = a_program(terms=TERMS, connection=None)
    programs = DynamoPrograms(metered, table)
    programs.create(program)
    crowd = Crowd(program, FixedClock(), meter, DynamoLedger(metered, table), programs, DynamoDueIndex(metered, table))
    crowd.earn(due)
    positions = list(later_positions(program.slug, others, crowd.clock.now()).items())
    for first in range(0, others, BATCH):
        items = [
            {
                "pk": keys.member_pk(program.slug, member_id),
                "sk": "MEMBER",
                "type": "member",
                "program": program.slug,
                "member_id": member_id,
                "due_pk": keys.due_pk(member_id),
                "due_sk": position,
            }
            for member_id, position in positions[first : first + BATCH]
        ]
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": wire(item)}} for item in items]})
    return crowd


def later_positions(slug: ProgramSlug, count: int, now: datetime) -> Mapping[MemberId, str]:
    """Where members stand in the due index whose time comes within a year from tomorrow on."""
    ids = (MemberId(f"{number:026d}") for number in range(count))
    return {
        member_id: keys.due_sk(slug, member_id, now + timedelta(days=1 + number % 365))
        for number, member_id in enumerate(ids)
    }
