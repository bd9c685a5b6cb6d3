"""All commands of the ledger in any order, with duplicates, crashes, overtaking and jumps of the clock.

The machine drives the real services on a store and the naive ledger side by side. After every step both must agree
on every member, and every journal must prove what docs/ledger.md promises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty.domain.errors import KeyReused, Transient
from loyalty.domain.identity import Address, ProgramSlug
from loyalty.domain.ledger import lots
from loyalty.domain.ledger.commands import (
    Action,
    Activate,
    Cancel,
    Capture,
    Command,
    CommandKey,
    Earn,
    Identify,
    Narrative,
    Release,
    Reverse,
)
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Source
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import local_date
from loyalty.ports import Receipt
from loyalty.services.erase_member import EraseMember
from loyalty.services.identify_member import IdentifyMember
from loyalty.services.merge_members import MergeMembers
from loyalty.services.posting import Ledger
from tests.builders import a_program
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_decisions import MemoryDecisions
from tests.fakes.naive_ledger import REUSED, Answer
from tests.fakes.troubled_ledger import Crash, Trouble, TroubledLedger
from tests.property import steps
from tests.property.benches import Bench, StandingClock
from tests.property.shops import Shop
from tests.property.steps import Wish


@dataclass(frozen=True)
class Sent:
    """A command as it was sent, to be sent again."""

    shop: int
    address: Address
    command: Command
    newcomer: bool


class LedgerMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.clock = StandingClock()
        self.store = bench.open(self.clock)
        self.troubled = TroubledLedger(self.store)
        self.ledger = Ledger(self.troubled, self.clock, SeededRandomness())
        self.others = Ledger(self.store, self.clock, SeededRandomness(11))
        self.shops: list[Shop] = []
        self.sent: list[Sent] = []
        self.numbers = 0
        self.most_lots = lots.MAX_LOTS

    @initialize(first=steps.terms, second=steps.terms, most_lots=steps.most_lots, newcomers=steps.newcomers)
    def open_shops(self, first: Terms, second: Terms, most_lots: int, newcomers: Standing) -> None:
        """Two programs; a low limit on lots makes the merging of lots an everyday thing."""
        lots.MAX_LOTS = most_lots
        for slug, terms in (("candles", first), ("soaps", second)):
            program = a_program(slug=ProgramSlug(slug), terms=terms, newcomers=newcomers)
            self.shops.append(Shop.open(program, newcomers=newcomers.value, most_lots=most_lots))
            for name in ("ann", "bob"):
                welcome = Wish(Earn(50), steps.email(name), shop=len(self.shops) - 1)
                self._send(self._sending(welcome), None)

    # Commands

    @rule(wish=steps.wishes_for(steps.earnings), trouble=steps.troubles)
    def earn(self, wish: Wish, trouble: Trouble | None) -> None:
        """Somebody earns points."""
        self._send(self._sending(wish), trouble)

    @rule(wish=steps.wishes_for(steps.spendings, steps.spendings, steps.holds), trouble=steps.troubles)
    def spend(self, wish: Wish, trouble: Trouble | None) -> None:
        """Somebody spends points, or holds some for a checkout."""
        self._send(self._sending(wish), trouble)

    @rule(
        wish=steps.wishes_for(steps.corrections, steps.corrections, steps.notices, steps.mistakes, steps.endings),
        trouble=steps.troubles,
    )
    def post(self, wish: Wish, trouble: Trouble | None) -> None:
        """Somebody corrects something, notes something, or asks for what cannot be."""
        self._send(self._sending(wish), trouble)

    @rule(wish=steps.wishes_for(steps.pendings, steps.holds), trouble=steps.troubles)
    def open_claim(self, wish: Wish, trouble: Trouble | None) -> None:
        """Points wait, or are held."""
        self._send(self._sending(wish), trouble)

    @precondition(lambda self: any(person.pendings or person.holds for person in self.shops[0].naive.people))
    @rule(wish=steps.wishes_for(steps.endings), trouble=steps.troubles)
    def end_claim(self, wish: Wish, trouble: Trouble | None) -> None:
        """Points that wait or are held are settled, one way or another."""
        self._send(self._ending(wish), trouble)

    @rule(wish=steps.wishes, other=steps.wishes)
    def post_and_be_overtaken(self, wish: Wish, other: Wish) -> None:
        """Somebody else does something between this one's reading and writing."""
        sending = self._sending(wish)
        overtaking = self._sending(replace(other, shop=wish.shop))
        self._send(sending, None, overtaking)

    @rule(wish=steps.wishes)
    def post_twice_at_once(self, wish: Wish) -> None:
        """The same request arrives twice at the same time."""
        sending = self._sending(wish)
        self._send(sending, None, sending)

    @precondition(lambda self: any(shop.entries for shop in self.shops))
    @rule(wish=steps.reversals, trouble=steps.troubles)
    def reverse(self, wish: Wish, trouble: Trouble | None) -> None:
        """Some entry, of whatever kind and whoever's, is reversed whole or in part."""
        if sending := self._reversal(wish):
            self._send(sending, trouble)

    @precondition(lambda self: any(shop.entries for shop in self.shops))
    @rule(wish=steps.reversals, other=steps.reversals)
    def reverse_and_be_overtaken(self, wish: Wish, other: Wish) -> None:
        """Two reversals, often of one entry, at the same time."""
        sending, overtaking = self._reversal(wish), self._reversal(replace(other, shop=wish.shop))
        if sending and overtaking:
            self._send(sending, None, overtaking)

    @precondition(lambda self: self.sent)
    @rule(which=steps.choices, trouble=steps.troubles)
    def repeat(self, which: int, trouble: Trouble | None) -> None:
        """An old command is delivered again, however late."""
        self._send(self.sent[-1 - which % len(self.sent)], trouble)

    @precondition(lambda self: self.sent)
    @rule(which=steps.choices, wish=steps.wishes)
    def reuse_key(self, which: int, wish: Wish) -> None:
        """Another request comes with the key of an old one."""
        old = self.sent[-1 - which % len(self.sent)]
        if isinstance(old.command.action, Reverse):
            return
        new = self._sending(replace(wish, shop=old.shop))
        self._send(replace(new, command=replace(new.command, key=old.command.key)), None)

    @rule(shop=steps.shops, name=steps.names, trouble=steps.troubles)
    def settle(self, shop: int, name: str, trouble: Trouble | None) -> None:
        """The sweep comes by."""
        chosen, address = self.shops[shop], steps.email(name)
        if chosen.naive.locate(("email", address.value)) is None:
            return
        commits = self._try(trouble, lambda: self.ledger.settle(chosen.program, address))[1]
        chosen.naive.settle(("email", address.value), self.clock.now(), commits=commits)

    # Who is who

    @rule(wish=steps.identities, trouble=steps.troubles)
    def identify(self, wish: Wish, trouble: Trouble | None) -> None:
        """Somebody is said to be somebody."""
        shop, address = self.shops[wish.shop], wish.address
        assert isinstance(wish.action, Identify)
        command = self._command(wish)
        identify = IdentifyMember(self.ledger)
        profile, standing = wish.action.profile, wish.action.standing
        told, commits = self._try(
            trouble,
            lambda: identify(
                shop.program, address, profile, key=command.key, narrative=command.narrative, standing=standing
            ),
        )
        expected = shop.naive.identify(steps.name_of(address), command, self.clock.now(), commits=commits)
        self._agree(told, expected)

    @precondition(lambda self: self._is_old_enough(10))
    @rule(shop=steps.shops, ending=steps.names, staying=steps.names, trouble=steps.troubles)
    def merge(self, shop: int, ending: str, staying: str, trouble: Trouble | None) -> None:
        """Two members turn out to be one; told again, it is a replay."""
        chosen = self.shops[shop]
        people = [chosen.naive.locate(("email", steps.email(name).value)) for name in (ending, staying)]
        if None in people or (people[0] is people[1] and self.numbers % 5):
            return
        old, new = (chosen.ids[id(person)] for person in people)
        merge = MergeMembers(self.ledger)
        told, commits = self._try(trouble, lambda: merge(chosen.program, old, new, actor="tester"))
        one, other = people
        assert one is not None
        assert other is not None
        expected = chosen.naive.merge(one, other, self.clock.now(), commits=commits)
        self._agree(told, expected)
        if isinstance(told, Receipt):
            self.troubled.expect(None)
            again = merge(chosen.program, old, new, actor="tester")
            assert again == replace(told, replayed=True)

    @precondition(lambda self: self._is_old_enough(16))
    @rule(shop=steps.shops, name=steps.names, trouble=steps.troubles)
    def erase(self, shop: int, name: str, trouble: Trouble | None) -> None:
        """Somebody asks to be forgotten; an erasure that broke off is asked for again."""
        chosen = self.shops[shop]
        person = chosen.naive.locate(("email", steps.email(name).value))
        if person is None:
            return
        member_id = chosen.ids[id(person)]
        erase = EraseMember(self.ledger, MemoryDecisions())
        self._try(trouble, lambda: erase(chosen.program, member_id, actor="tester"))
        self.troubled.expect(None)
        assert isinstance(erase(chosen.program, member_id, actor="tester"), Receipt)
        chosen.naive.erase(person)
        for witness in chosen.witnesses.values():
            member = self.store.find(chosen.program.slug, witness.member.member_id)
            assert isinstance(member, Member)
            if member.standing is Standing.ERASED:
                words = [entry.private for entry in self.store.journal(chosen.program.slug, member.member_id)]
                assert words == [None] * len(words), "words of an erased member are still there"

    # The world around

    @rule(elapsed=steps.moments)
    def wait(self, elapsed: timedelta) -> None:
        """Moments or hours go by."""
        self.clock.time += elapsed

    @rule(elapsed=steps.ages)
    def wait_long(self, elapsed: timedelta) -> None:
        """Days or months go by."""
        self.clock.time += elapsed

    @rule(shop=steps.shops, terms=steps.terms, which=steps.term_changes)
    def change_terms(self, shop: int, terms: Terms, which: str) -> None:
        """The merchant changes the terms."""
        chosen = self.shops[shop]
        present = chosen.program.terms
        if which == "expiry":
            changed = present.with_expiry(terms.expiry, local_date(self.clock.now(), present.timezone))
        else:
            changed = replace(present, **{which: getattr(terms, which)})
        chosen.naive.change_terms(changed, self.clock.now())
        chosen.program = replace(chosen.program, terms=changed)

    # What always holds

    @invariant()
    def both_agree(self) -> None:
        """Every member is what the napkin says, and every journal proves it."""
        for shop in self.shops:
            shop.compare(self.store, self.others)

    def teardown(self) -> None:
        """Read everything once more from the start."""
        try:
            for shop in self.shops:
                shop.reread(self.store)
                self.bench.audit(shop.program)
        finally:
            lots.MAX_LOTS = self.most_lots

    # How it is done

    def _sending(self, wish: Wish) -> Sent:
        return Sent(wish.shop, wish.address, self._command(wish), wish.newcomer)

    def _ending(self, wish: Wish) -> Sent:
        """The end of some claim that is open, if there is one."""
        wish = replace(wish, shop=0)
        shop = self.shops[0]
        claims: list[tuple[Address, list[Action]]] = []
        points = getattr(wish.action, "points", None)
        for kind, value in shop.naive.book:
            person = shop.naive.locate((kind, value))
            if person is not None and kind == "email":
                address = Address("email", value)
                claims += [(address, [Activate(name), Cancel(name, points)]) for name in person.pendings]
                claims += [(address, [Capture(name, points), Release(name)]) for name in person.holds]
        if claims:
            address, actions = claims[wish.which % len(claims)]
            wish = replace(wish, action=actions[wish.which % 2], address=address)
        return self._sending(wish)

    def _is_old_enough(self, entries: int) -> bool:
        """What ends a member comes late, so that there is something to end."""
        return sum(len(shop.entries) for shop in self.shops) >= entries

    def _reversal(self, wish: Wish) -> Sent | None:
        shop = self.shops[wish.shop]
        if not shop.entries:
            return None
        entries = shop.entries
        if not wish.any_kind:
            entries = [entry for entry in entries if shop.pages[entry.id][1].left] or entries
        original = entries[-1 - wish.which % len(entries)]
        address = wish.address
        if wish.by_member_id:
            address = Address("member", original.member_id)
        action = Reverse(original, wish.points)
        return Sent(wish.shop, address, self._command(replace(wish, action=action)), newcomer=False)

    def _command(self, wish: Wish) -> Command:
        self.numbers += 1
        scope = "refund" if isinstance(wish.action, Reverse) else "test"
        key = CommandKey(scope, f"{wish.key or self.numbers}", wish.natural)
        action: Any = wish.action
        if hasattr(action, "due_at"):
            action = replace(action, due_at=self.clock.now() + wish.due_in)
        story = Narrative(Source("test"), "tester", self.clock.now(), reason=wish.reason)
        return Command(key, action, story)

    def _send(self, sent: Sent, trouble: Trouble | None, overtaking: Sent | None = None) -> None:
        shop = self.shops[sent.shop]
        overtaken: list[Any] = []
        others = None
        if overtaking:
            others = lambda: overtaken.append(self._post(self.others, overtaking))  # noqa: E731
        look = self.numbers % self.bench.looks == 0
        before = self.bench.snapshot() if look else None
        told, commits = self._try(trouble, lambda: self._post(self.ledger, sent), others)
        if look and isinstance(told, Refusal) and not overtaken and self.troubled.commits == 0:
            assert self.bench.snapshot() == before, "a refusal changed the store"
        if overtaken and overtaking:
            self._agree(overtaken[0], self._expected(shop, overtaking, None))
            self._remember(overtaking)
        # Overtaken in what was due before it, a command begins anew, and settles what is due by then.
        late = self.troubled.overtaken
        at_last = late is not None and late.record is not None and late.record.key == sent.command.key.text
        self._agree(told, self._expected(shop, sent, commits, overtaken=at_last))
        self._remember(sent)

    def _remember(self, sent: Sent) -> None:
        if sent not in self.sent[-30:]:
            self.sent.append(sent)

    def _post(self, ledger: Ledger, sent: Sent) -> Any:
        program = self.shops[sent.shop].program
        try:
            return ledger.post(program, sent.address, sent.command, newcomer=sent.newcomer)
        except KeyReused as reused:
            return reused

    def _try(
        self, trouble: Trouble | None, call: Callable[[], Any], overtaking: Callable[[], None] | None = None
    ) -> tuple[Any, int | None]:
        """What a call answered, or None and the commits that landed before it broke off."""
        self.troubled.expect(trouble, overtaking)
        try:
            return call(), None
        except (Crash, Transient):
            return None, self.troubled.commits

    def _expected(self, shop: Shop, sent: Sent, commits: int | None, *, overtaken: bool = False) -> Answer | None:
        page, writer = None, None
        if isinstance(sent.command.action, Reverse):
            writer, page = shop.pages[sent.command.action.original.id]
        return shop.naive.post(
            shop.name(sent.address),
            sent.command,
            self.clock.now(),
            newcomer=sent.newcomer,
            reversed_page=page,
            written_by=writer,
            commits=commits,
            overtaken=overtaken,
        )

    def _agree(self, told: Any, expected: Answer | None) -> None:
        match told:
            case None:
                """Nobody heard the answer; what is stored tells."""
            case Receipt():
                answer = Answer("done", told.points, told.after.available, told.replayed)
                assert answer == expected
            case Refusal():
                assert expected is not None
                assert (told.code, expected.replayed) == (expected.outcome, False)
            case KeyReused():
                assert expected == REUSED
            case _:
                raise AssertionError(told)
