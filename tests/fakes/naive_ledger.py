"""The ledger as one would keep it on a napkin, to compare the real one with.

It is slow, keeps no versions, hashes or lots, and shares no code with the ledger but the form of its questions:
actions, policies and terms are plain data. It says what docs/ledger.md says; where the two differ in a test, one of
ledger, document and napkin is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from loyalty.domain.ledger.commands import Activate, Command, Expire, Identify, Redate, Release
from loyalty.domain.ledger.expiry import ExpiryPolicy
from loyalty.domain.ledger.terms import Terms
from tests.fakes.naive_dates import UNDATED, followed
from tests.fakes.naive_member import (
    PROFILE,
    NaiveTerms,
    No,
    Page,
    Person,
    act_on,
    thin_out,
)

Identity = tuple[str, str]
"""How a member is named: a kind and a value in its one form."""


@dataclass(frozen=True)
class Answer:
    """What a command answers: ``done`` with the points moved and the balance left, or why not."""

    outcome: str
    points: int = 0
    available: int = 0
    replayed: bool = False


REUSED = Answer("idempotency_key_reused")
NOBODY = Answer("unknown_member")


class NaiveLedger:
    """One program: its people, who answers to which name, and what was answered under which key.

    ``same_name`` gives names that are one and the same one form: an e-mail address and the member id made of it.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        newcomers: str = "member",
        most_lots: int = 100,
        same_name: Callable[[Identity], Identity] = lambda name: name,
    ) -> None:
        self.rules = NaiveTerms(terms, [(terms.expiry_since, terms.expiry)], most_lots)
        self.newcomers = newcomers
        self.same_name = same_name
        self.people: list[Person] = []
        self.book: dict[Identity, Person] = {}
        self.answers: dict[Any, tuple[Any, Answer]] = {}
        self._commits: int | None = None

    def change_terms(self, terms: Terms, now: datetime) -> None:
        """Put other terms in force; another expiry policy begins on the local day that it is."""
        policy: ExpiryPolicy = terms.expiry
        if policy != self.rules.terms.expiry:
            self.rules.history.append((self.rules.day(now), policy))
        self.rules.terms = terms

    def locate(self, name: Identity) -> Person | None:
        """Who answers to a name."""
        person = self.book.get(name)
        while person is not None and person.merged_into is not None:
            person = person.merged_into
        return person

    def post(
        self,
        name: Identity,
        command: Command,
        now: datetime,
        *,
        newcomer: bool = False,
        reversed_page: Page | None = None,
        written_by: Person | None = None,
        commits: int | None = None,
        overtaken: bool = False,
    ) -> Answer | None:
        """Carry out a command; None if it broke off after so many ``commits``.

        A reversal names the page it reverses and who it was ``written_by``. ``overtaken`` says that somebody else came
        first after this one had looked at what is due.
        """
        with_key = (*_key(command), reversed_page and id(reversed_page))
        if reversed_page is not None and (first := self._first(with_key, name, command)):
            return first
        person = self.locate(name)
        if person is None and not (newcomer and name[0] == "email"):
            return self._first(with_key, name, command) or NOBODY
        if reversed_page is not None and person is not _final(written_by):
            return Answer("entry_of_another_member")
        if overtaken and (first := self._first(with_key, name, command)):
            return first
        self._commits = commits
        if person is not None and not self._settle(person, now):
            return None
        if first := self._first(with_key, name, command):
            return first
        return self._finish(person, name, command, now, reversed_page, with_key)

    def settle(self, name: Identity, now: datetime, *, commits: int | None = None) -> None:
        """Do what is due."""
        person = self.locate(name)
        assert person is not None
        self._commits = commits
        self._settle(person, now)

    def identify(self, name: Identity, command: Command, now: datetime, *, commits: int | None = None) -> Answer | None:
        """Change who somebody is known as."""
        person = self.locate(name)
        if first := self._first(_key(command), name, command):
            return first
        if person is None and name[0] != "email":
            return NOBODY
        assert isinstance(command.action, Identify)
        profile = command.action.profile
        if command.action.standing in ("erased", "merged"):
            return Answer("invalid_standing")
        for kind in ("email", "external_id", "phone"):
            holder = self.locate((kind, profile[kind])) if profile.get(kind) else None
            if holder is not None and holder is not person:
                return Answer("identity_taken")
        before = dict(person.profile) if person else dict.fromkeys(PROFILE, "")
        self._commits = commits
        answer = self._finish(person, name, command, now, None, _key(command))
        if answer is not None and answer.outcome == "done":
            person = self.locate(name)
            assert person is not None
            self._rename(person, before, profile)
        return answer

    def merge(self, ending: Person, staying: Person, now: datetime, *, commits: int | None = None) -> Answer | None:
        """Make one member of two."""
        if ending is staying:
            return Answer("same_member")
        self._commits = commits
        if not (self._settle(ending, now) and self._settle(staying, now)):
            return None
        for person in (ending, staying):
            if not person.takes_part:
                return Answer(f"member_{person.standing}")
        if {*ending.pendings, *ending.holds} & {*staying.pendings, *staying.holds}:
            return Answer("claims_collide")
        if not self._may_commit():
            return None
        moved = ending.available
        staying.slips = sorted(staying.slips + ending.slips)
        staying.debt += ending.debt
        paid = min(staying.debt, len(staying.slips))
        staying.slips, staying.debt = staying.slips[paid:], staying.debt - paid
        staying.purses.update(ending.purses)
        staying.pendings |= ending.pendings
        staying.holds |= ending.holds
        staying.awards += ending.awards
        staying.profile = {key: value or ending.profile[key] for key, value in staying.profile.items()}
        thin_out(staying, self.rules.most_lots)
        ending.slips, ending.debt, ending.purses, ending.awards = [], 0, Counter(), []
        ending.pendings, ending.holds = {}, {}
        ending.standing, ending.merged_into = "merged", staying
        ending.pages.append(Page("merge", -moved, 0))
        staying.pages.append(Page("merge", moved, staying.available))
        return Answer("done", moved, staying.available)

    def erase(self, person: Person) -> None:
        """Forget who somebody is, and who everybody was that became this person."""
        for other in self.people:
            if other is person or _final(other) is person:
                other.profile = dict.fromkeys(PROFILE, "")
                other.pages.append(Page("notice", 0, other.available))
        self.book = {name: other for name, other in self.book.items() if _final(other) is not person}
        person.standing = "erased"

    def _finish(
        self, person: Person | None, name: Identity, command: Command, now: datetime, page: Page | None, key: Any
    ) -> Answer | None:
        newcomer = person is None
        person = person or self._newcomer(name)
        try:
            # On a copy: what is refused, or never committed, has changed nothing.
            act_on(_copy(person), command.action, self.rules, now, page and replace(page))
        except No as no:
            return Answer(no.code)
        if not self._may_commit():
            return None
        act_on(person, command.action, self.rules, now, page)
        if newcomer:
            self.people.append(person)
            self.book[name] = person
        written = person.pages[-1]
        answer = Answer("done", written.points, written.available)
        self.answers[key] = (_asked(self.same_name(name), command), replace(answer, replayed=True))
        return answer

    def _newcomer(self, name: Identity) -> Person:
        person = Person(standing=self.newcomers, changes_followed=len(self.rules.history) - 1)
        person.profile["email"] = name[1]
        return person

    def _rename(self, person: Person, before: Mapping[str, str], profile: Mapping[str, str]) -> None:
        for kind in ("external_id", "phone"):
            value = profile.get(kind, before[kind])
            if value != before[kind]:
                self.book.pop((kind, before[kind]), None)
                if value:
                    self.book.setdefault((kind, value), person)
        if profile.get("email"):
            self.book.setdefault(("email", profile["email"]), person)

    def _first(self, key: Any, name: Identity, command: Command) -> Answer | None:
        if key not in self.answers:
            return None
        asked, answer = self.answers[key]
        return answer if command.key.natural or asked == _asked(self.same_name(name), command) else REUSED

    def _settle(self, person: Person, now: datetime) -> bool:
        """Do what is due, one thing after another; False if that broke off."""
        for act in self._due(person, now):
            if not self._may_commit():
                return False
            act_on(person, act, self.rules, now)
        return True

    def _due(self, person: Person, now: datetime) -> Iterator[Any]:
        while act := self._unfollowed(person, now) or self._first_due(person, now):
            yield act

    def _unfollowed(self, person: Person, now: datetime) -> Any:
        for index in range(person.changes_followed + 1, len(self.rules.history)):
            since, policy = self.rules.history[index]
            if followed(person.slips, policy, since) != person.slips:
                begins = min(since, self.rules.day(now)).isoformat()
                over = [slip for slip in person.slips if slip < begins]
                return Expire(_day(max(over))) if over else Redate()
            person.changes_followed = index
        return None

    def _first_due(self, person: Person, now: datetime) -> Any:
        timeline: list[tuple[datetime, int, str, str]] = []
        timeline += [(self.rules.midnight_after(slip), 0, "expire", slip) for slip in {*person.slips} - {UNDATED}]
        timeline += [(due, 1, "activate", name) for name, (_, due) in person.pendings.items()]
        timeline += [(hold.due, 1, "release", name) for name, hold in person.holds.items()]
        past = sorted(event for event in timeline if event[0] <= now)
        if not past:
            return None
        _, _, what, name = past[0]
        if what != "expire":
            return Activate(name) if what == "activate" else Release(name)
        last = name
        for _, _, what, name in past:
            if what != "expire":
                break
            last = name
        return Expire(_day(last))

    def _may_commit(self) -> bool:
        if self._commits is None:
            return True
        self._commits -= 1
        return self._commits >= 0


def _final(person: Person | None) -> Person | None:
    while person is not None and person.merged_into is not None:
        person = person.merged_into
    return person


def _copy(person: Person) -> Person:
    return replace(
        person,
        slips=list(person.slips),
        purses=Counter(person.purses),
        pendings=dict(person.pendings),
        holds=dict(person.holds),
        awards=list(person.awards),
        pages=list(person.pages),
        profile=dict(person.profile),
    )


def _key(command: Command) -> tuple[Any, ...]:
    return (command.key.scope, command.key.value, command.key.natural)


def _asked(name: Identity, command: Command) -> tuple[Any, ...]:
    """What counts as the request: everything but when it was made, when claims are due, and the caps in force."""
    action = command.action
    asked = {key: value for key, value in vars_of(action).items() if key not in ("due_at", "caps", "original")}
    return (name, type(action).__name__, repr(asked), command.narrative.reason, repr(command.narrative.details))


def vars_of(action: Any) -> dict[str, Any]:
    """The fields of an action."""
    return {name: getattr(action, name) for name in action.__dataclass_fields__}


def _day(slip: str) -> date:
    return date.fromisoformat(slip)
