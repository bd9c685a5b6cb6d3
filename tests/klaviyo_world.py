"""A program, its ledger in memory, and the fake Klaviyo it is connected to: what tests of the delivery play with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

from loyalty.contracts.deliveries import OwedEvent
from loyalty.domain.connection import Connection
from loyalty.domain.identity import Address, ProgramSlug
from loyalty.domain.ledger.commands import Action, Adjust
from loyalty.domain.ledger.entry import DeliveryState, Entry
from loyalty.domain.ledger.member import Member
from loyalty.domain.program import Program
from loyalty.ports import Receipt
from loyalty.services.deliver_events import DeliverEvents, ProgramEvents
from loyalty.services.deliver_profiles import DeliverProfiles, ProfilesDelivered
from loyalty.services.import_in_bulk import ImportInBulk
from loyalty.services.posting import Ledger
from tests.builders import a_command, a_connection, a_program
from tests.fakes.clocks import SeededRandomness
from tests.fakes.klaviyo_wire import FakeAccount
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.memory_oauth import MemoryNotes, MemorySentEvents
from tests.fakes.memory_profiles import MemoryFullSyncs, MemoryMarks, MemoryProfileJobs
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_queues import MemoryQueue
from tests.fakes.memory_vault import MemoryVault


class World:
    """Two programs of one account, since private keys share an account: ``candles``, and ``soaps`` beside it."""

    def __init__(self, account: FakeAccount | None = None) -> None:
        self.account = account or FakeAccount()
        self.clock = self.account.clock
        self.vault = MemoryVault()
        self.store = MemoryLedger()
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())
        self.queue = MemoryQueue()
        self.candles = self._program("candles")
        self.soaps = self._program("soaps")
        self.programs = MemoryPrograms(self.candles, self.soaps)
        klaviyo = self.account.connections(self.programs, self.vault)
        notes, self.sent = MemoryNotes(), MemorySentEvents()
        self.deliver_events = DeliverEvents(self.programs, self.store, klaviyo, self.clock, notes, self.sent)
        self.tasks, self.jobs = MemoryQueue(), MemoryProfileJobs()
        self.syncs, marks = MemoryFullSyncs(self.jobs), MemoryMarks(self.store)
        self.import_in_bulk = ImportInBulk(self.jobs, self.tasks, self.clock, SeededRandomness())
        self.deliver_profiles = DeliverProfiles(
            programs=self.programs,
            outbox=self.store,
            marks=marks,
            syncs=self.syncs,
            klaviyo=klaviyo,
            import_in_bulk=self.import_in_bulk,
            queue=self.queue,
            clock=self.clock,
            notes=notes,
        )

    def uses(self, store: MemoryLedger) -> None:
        """Keep everything in another store from now on."""
        self.store = store
        self.ledger = replace(self.ledger, store=store)
        self.deliver_profiles = replace(self.deliver_profiles, outbox=store, marks=MemoryMarks(store))

    def connected(self, slug: str = "candles", **changes: Any) -> None:
        """Change a program's connection; ``connection=None`` removes it."""
        program = self.programs.programs[ProgramSlug(slug)]
        connection = changes["connection"] if "connection" in changes else replace(_of(program), **changes)
        self.programs.programs[program.slug] = replace(program, connection=connection)

    def changed_settings(self, slug: str = "candles", **changes: Any) -> None:
        """Change a program's settings."""
        program = self.programs.programs[ProgramSlug(slug)]
        self.programs.programs[program.slug] = replace(program, **changes)

    def gets(self, email: str, action: Action | None = None, *, program: Program | None = None, **story: Any) -> Entry:
        """Post to a member, 5 points more unless said otherwise; the entry."""
        story.setdefault("event_type", "points_adjusted_up")
        program = self.programs.programs[(program or self.candles).slug]
        command = a_command(action or Adjust(5), at=self.clock.now(), **story)
        receipt = self.ledger.post(program, Address("email", email), command, newcomer=True)
        assert isinstance(receipt, Receipt)
        return self.entry(program.slug, receipt)

    def has_owed(self, number: int, *, program: Program | None = None, members: int = 500) -> list[Entry]:
        """Many owed entries of a program, made of one that was posted for each member: much faster than posting."""
        slug = (program or self.candles).slug
        first = [self.gets(f"many-{i}@klaviyo-demo.com", program=program) for i in range(min(number, members))]
        more = [replace(first[i % len(first)], seq=2 + i // len(first)) for i in range(number - len(first))]
        self.store.written |= {(slug, entry.member_id, entry.seq): entry for entry in more}
        return [*first, *more]

    def entry(self, slug: ProgramSlug, receipt: Receipt) -> Entry:
        """The entry behind a receipt."""
        entry = self.store.entry(slug, receipt.member_id, receipt.seq)
        assert entry is not None
        return entry

    def state(self, entry: Entry) -> tuple[DeliveryState, str]:
        """What is stored of an entry's delivery: the state, and why."""
        stored = self.store.entry(entry.program, entry.member_id, entry.seq)
        assert stored is not None
        return stored.delivery.state, stored.delivery.why

    def member(self, entry: Entry) -> Member:
        """The newest state of an entry's member."""
        return self.store.members(entry.program, [entry.member_id])[entry.member_id]

    def send(self, *entries: Entry, seconds: float = 40) -> list[ProgramEvents]:
        """Run the events worker on messages of these entries."""
        owed = [OwedEvent(program=e.program, member_id=e.member_id, seq=e.seq) for e in entries]
        return self.deliver_events(owed, until=self.clock.now() + timedelta(seconds=seconds))

    def send_until_done(self, entries: Collection[Entry], *, rounds: int = 20) -> int:
        """Do as the queue does: messages that come back are handed out again after their time; rounds it took."""
        waiting = list(entries)
        for number in range(1, rounds + 1):
            done = self.send(*waiting)
            back = {(work.program, *key) for work in done for key in work.later}
            waiting = [entry for entry in waiting if (entry.program, entry.member_id, entry.seq) in back]
            if not waiting:
                return number
            self.clock.sleep(max([work.retry_after or 5 for work in done if work.later]))
        raise AssertionError(f"{len(waiting)} events were not settled in {rounds} rounds")

    def drain(self, program: Program | None = None, *, seconds: float = 40) -> ProfilesDelivered:
        """Run the profiles worker on a program."""
        slug = (program or self.candles).slug
        return self.deliver_profiles(slug, until=self.clock.now() + timedelta(seconds=seconds))

    def drain_until_done(self, *, rounds: int = 20) -> int:
        """Do as the queue does with a program's message; rounds it took."""
        for number in range(1, rounds + 1):
            work = self.drain()
            if work.trouble is None and not self.owed_profiles():
                return number
            self.clock.sleep(work.retry_after or 5)
        raise AssertionError(f"profiles were still owed after {rounds} rounds")

    def owed_profiles(self) -> int:
        """How many profiles of ``candles`` are owed."""
        return len(self.store.owed_profiles(self.candles.slug, limit=100_000))

    def _program(self, slug: str) -> Program:
        credential = self.vault.encrypt(ProgramSlug(slug), self.account.key)
        return a_program(slug=ProgramSlug(slug), connection=a_connection(credential=credential))


def _of(program: Program) -> Connection:
    assert program.connection is not None
    return program.connection
