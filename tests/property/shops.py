"""One program of the ledger machine: the real ledger and the napkin, compared member by member."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from loyalty.domain.identity import Address, Email, EntryId, MemberId
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.program import Program
from loyalty.ports import LedgerStore
from loyalty.services.posting import Ledger
from tests.fakes.naive_ledger import Identity, NaiveLedger
from tests.fakes.naive_member import Page, Person
from tests.property import steps
from tests.property.evidence import Witness, sum_of

PURSES = ("earned", "spent", "expired", "deducted", "reversed")


@dataclass
class Shop:
    """A program and its napkin."""

    program: Program
    naive: NaiveLedger
    ids: dict[int, MemberId] = field(default_factory=dict)
    pages: dict[EntryId, tuple[Person, Page]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    witnesses: dict[MemberId, Witness] = field(default_factory=dict)

    @classmethod
    def open(cls, program: Program, *, newcomers: str, most_lots: int) -> Shop:
        """A shop without customers."""

        def same_name(name: Identity) -> Identity:
            kind, value = name
            return ("member", program.member_id(Email(value))) if kind == "email" else name

        naive = NaiveLedger(program.terms, newcomers=newcomers, most_lots=most_lots, same_name=same_name)
        return cls(program, naive)

    def name(self, address: Address) -> Identity:
        """An address as the napkin knows it."""
        if address.kind == "member":
            for person in self.naive.people:
                self.naive.book.setdefault(("member", self.ids[id(person)]), person)
        return steps.name_of(address)

    def compare(self, store: LedgerStore, ledger: Ledger) -> None:
        """Every member is what the napkin says, every journal proves it, and the program adds up."""
        self._look_for_newcomers(ledger)
        for person in self.naive.people:
            self._compare(store, person)
        total = sum_of([witness.member for witness in self.witnesses.values()])
        issued = sum(witness.issued for witness in self.witnesses.values())
        assert total.is_conserved
        assert total.earned == issued, "a program has other points than its entries issued"

    def reread(self, store: LedgerStore) -> None:
        """Every journal, once more from its first entry."""
        for witness in self.witnesses.values():
            witness.rereads(list(store.journal(self.program.slug, witness.member.member_id)))

    def _look_for_newcomers(self, ledger: Ledger) -> None:
        for (kind, value), person in self.naive.book.items():
            if id(person) not in self.ids and kind == "email":
                found = ledger.locate(self.program, Address("email", value))
                assert found.version, "the napkin knows somebody whom the ledger does not"
                assert found.member_id not in self.witnesses
                self.ids[id(person)] = found.member_id
                self.witnesses[found.member_id] = Witness(self.program.slug, found.member_id)

    def _compare(self, store: LedgerStore, person: Person) -> None:
        member_id = self.ids[id(person)]
        witness = self.witnesses[member_id]
        stored = store.find(self.program.slug, member_id)
        assert isinstance(stored, Member)
        if stored.version != witness.member.version:
            forgotten = stored.profile.email == "" and stored.standing in (Standing.ERASED, Standing.MERGED)
            assert len(person.pages) == stored.version, "the napkin has other pages than the journal"
            for entry in store.journal(self.program.slug, member_id, after=len(witness.seen)):
                witness.hears(entry, forgotten=forgotten)
                page = person.pages[entry.seq - 1]
                assert (entry.kind.value, entry.points) == (page.kind, page.points)
                self.pages[entry.id] = (person, page)
                self.entries.append(entry)
        witness.compares(stored)
        assert dict(Counter(person.slips)) == stored.lots
        assert stored.lots.keys() <= {*person.slips}
        assert len(stored.lots) <= max(self.naive.rules.most_lots, len({slip[:4] for slip in stored.lots}))
        assert (stored.standing.value, stored.profile) == (person.standing, type(stored.profile)(**person.profile))
        assert stored.amounts.available == person.available
        assert {
            name: getattr(stored.amounts, name) for name in ("spent", "expired", "deducted", "reversed", "earned")
        } == {name: person.purses[name] for name in ("spent", "expired", "deducted", "reversed", "earned")}
        assert {name: (claim.points, claim.due_at) for name, claim in stored.pendings.items()} == person.pendings
        assert {name: (dict(hold.lots), hold.due_at) for name, hold in stored.holds.items()} == {
            name: (dict(Counter(hold.slips)), hold.due) for name, hold in person.holds.items()
        }
