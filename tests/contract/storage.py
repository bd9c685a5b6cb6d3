"""The implementations of the storage ports that the contract suites compare, and a pen to write journals with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from loyalty.adapters.dynamodb.decision_store import DynamoDecisions
from loyalty.adapters.dynamodb.due_index import DynamoDueIndex
from loyalty.adapters.dynamodb.full_syncs import DynamoFullSyncs
from loyalty.adapters.dynamodb.keys import DUE_SHARDS, Key
from loyalty.adapters.dynamodb.keys import member as member_key
from loyalty.adapters.dynamodb.ledger_store import DynamoLedger
from loyalty.adapters.dynamodb.oauth_records import DynamoOAuthRecords
from loyalty.adapters.dynamodb.outbox import DynamoOutbox
from loyalty.adapters.dynamodb.profile_jobs import DynamoProfileJobs
from loyalty.adapters.dynamodb.profile_marks import DynamoProfileMarks
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.dynamodb.roster import DynamoRoster
from loyalty.adapters.dynamodb.typed_json import Item, plain, wire
from loyalty.connection_ports import OAuthRecords
from loyalty.domain.identity import Email, MemberId, ProgramSlug
from loyalty.domain.ledger.commands import Action, CommandKey, Introduction, Reverse
from loyalty.domain.ledger.decide import decide
from loyalty.domain.ledger.decisions import Posting
from loyalty.domain.ledger.entry import Entry, Reversal
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.moments import parse_utc
from loyalty.domain.program import Program
from loyalty.ports import (
    Claim,
    DueIndex,
    KeyRecord,
    LedgerStore,
    Outbox,
    Plan,
    ProgramStore,
    Receipt,
    ReversalMark,
)
from loyalty.profile_ports import FullSyncs, ProfileJobs, ProfileMarks, Roster
from loyalty.review_ports import DecisionStore, MergedReviews
from tests.builders import a_command, a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.memory_due import MemoryDueIndex
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_oauth import MemoryOAuthRecords
from tests.fakes.memory_profiles import MemoryFullSyncs, MemoryMarks, MemoryProfileJobs
from tests.fakes.memory_programs import MemoryPrograms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Marks:
    """What stands beside a member: since when its profile is owed, why it was refused, when something is due."""

    owed_since: datetime | None = None
    refused: str = ""
    due_at: datetime | None = None


class Decisions(DecisionStore, MergedReviews, Protocol):
    """Decisions on reviews, for whoever decides and for whoever merges members."""


class Storage(Protocol):
    """All storage ports on one empty store."""

    @property
    def ledger(self) -> LedgerStore: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def programs(self) -> ProgramStore: ...

    @property
    def decisions(self) -> Decisions: ...

    @property
    def due(self) -> DueIndex: ...

    @property
    def oauth(self) -> OAuthRecords: ...

    @property
    def roster(self) -> Roster: ...

    @property
    def profile_jobs(self) -> ProfileJobs: ...

    @property
    def full_syncs(self) -> FullSyncs: ...

    @property
    def profile_marks(self) -> ProfileMarks: ...

    def marks(self, program: ProgramSlug, member_id: MemberId) -> Marks:
        """What stands beside a member."""


@dataclass(frozen=True)
class MemoryStorage:
    """The fakes."""

    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    programs: MemoryPrograms = field(default_factory=MemoryPrograms)
    decisions: MemoryDecisions = field(default_factory=MemoryDecisions)
    profile_jobs: MemoryProfileJobs = field(default_factory=MemoryProfileJobs)

    @cached_property
    def oauth(self) -> MemoryOAuthRecords:
        return MemoryOAuthRecords(self.programs)

    @property
    def outbox(self) -> MemoryLedger:
        return self.ledger

    @property
    def roster(self) -> MemoryLedger:
        return self.ledger

    @property
    def full_syncs(self) -> MemoryFullSyncs:
        return MemoryFullSyncs(self.profile_jobs)

    @property
    def profile_marks(self) -> MemoryMarks:
        return MemoryMarks(self.ledger)

    @property
    def due(self) -> MemoryDueIndex:
        return MemoryDueIndex(self.ledger, DUE_SHARDS)

    def marks(self, program: ProgramSlug, member_id: MemberId) -> Marks:
        key = (program, member_id)
        return Marks(self.ledger.owed_since.get(key), self.ledger.refused.get(key, ""), self.ledger.due.get(key))


class TableStorage:
    """The adapters, on a table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self.client = client
        self.table = table
        self.ledger = DynamoLedger(client, table)
        self.outbox = DynamoOutbox(client, table)
        self.programs = DynamoPrograms(client, table)
        self.decisions = DynamoDecisions(client, table)
        self.due = DynamoDueIndex(client, table)
        self.oauth = DynamoOAuthRecords(client, table)
        self.roster = DynamoRoster(client, table)
        self.profile_jobs = DynamoProfileJobs(client, table)
        self.full_syncs = DynamoFullSyncs(client, table)
        self.profile_marks = DynamoProfileMarks(client, table)

    def item(self, key: Key) -> Item:
        """An item's attributes; empty when there is none."""
        answer = self.client.get_item(TableName=self.table, Key=wire({"pk": key.pk, "sk": key.sk}), ConsistentRead=True)
        return plain(answer.get("Item", {}))

    def put(self, item: Item) -> None:
        """Store an item as it is."""
        self.client.put_item(TableName=self.table, Item=wire(item))

    def items(self) -> list[Item]:
        """Every item of the table."""
        return [plain(item) for item in self.client.scan(TableName=self.table, ConsistentRead=True)["Items"]]

    def marks(self, program: ProgramSlug, member_id: MemberId) -> Marks:
        item = self.item(member_key(program, member_id))
        owed_since, due = item.get("profile_owed_since"), item.get("due_sk", "").partition("#")[0]
        return Marks(
            parse_utc(owed_since) if owed_since else None,
            item.get("profile_refused", ""),
            parse_utc(due) if due else None,
        )


@dataclass
class Pen:
    """Writes journals through a store's port: decides commands and commits their plans."""

    storage: Storage
    program: Program = field(default_factory=a_program)
    clock: FixedClock = field(default_factory=FixedClock)
    randomness: SeededRandomness = field(default_factory=SeededRandomness)

    def id_of(self, name: str) -> MemberId:
        """The id of the member first seen as ``name@klaviyo-demo.com``."""
        return self.program.member_id(Email(f"{name}@klaviyo-demo.com"))

    def member(self, name: str) -> Member:
        """A member as stored; one without entries when there is none."""
        found = self.storage.ledger.find(self.program.slug, self.id_of(name))
        return found if isinstance(found, Member) else Member(self.program.slug, self.id_of(name))

    def entry(self, name: str, seq: int) -> Entry:
        """An entry as stored."""
        entry = self.storage.ledger.entry(self.program.slug, self.id_of(name), seq)
        assert entry is not None
        return entry

    def journal(self, name: str) -> list[Entry]:
        """A whole journal, oldest entry first."""
        return list(self.storage.ledger.journal(self.program.slug, self.id_of(name)))

    def later(self, **units: float) -> Pen:
        """The same pen some time later."""
        self.clock.advance(**units)
        return self

    def draft(
        self,
        name: str,
        action: Action,
        *,
        key: str = "",
        natural: bool = False,
        introduced: bool = True,
        before: Member | None = None,
        claims: tuple[Claim, ...] = (),
        redirects: tuple[tuple[MemberId, MemberId], ...] = (),
        **narrative: Any,
    ) -> Plan:
        """The plan of a command on a member as it is now, or as it was ``before``; nothing is committed."""
        member = before or self.member(name)
        command = a_command(action, key=key, natural=natural, at=self.clock.now(), **narrative)
        introduction = Introduction({"email": f"{name}@klaviyo-demo.com"}, Standing.MEMBER) if introduced else None
        terms, salt = self.program.terms, self.randomness.salt()
        posting = decide(member, command, terms, self.clock.now(), salt, introduction)
        assert isinstance(posting, Posting), posting
        record = KeyRecord(command.key.text, natural, command.request_digest, Receipt.of(posting.entry))
        reversal = None
        if isinstance(action, Reverse):
            points = abs(posting.entry.points) + posting.entry.effect.shortfall
            mark = Reversal(member.member_id, posting.entry.seq, points, command.request_digest)
            reversal = ReversalMark(action.original, command.key.text, mark)
        delivery = self.program.delivery_of(posting.entry.event_type)
        return Plan(self.program, (posting,), (delivery,), None if reversal else record, reversal, claims, redirects)

    def write(self, name: str, action: Action, **more: Any) -> Posting:
        """Carry out a command; what was posted."""
        plan = self.draft(name, action, **more)
        self.storage.ledger.commit(plan)
        return plan.postings[0]

    def record(self, key: str, *, natural: bool = False) -> KeyRecord | None:
        """The record of the command with a key, as ``draft`` names it."""
        return self.storage.ledger.record(self.program.slug, CommandKey("test", key, natural))
