"""One member of the naive ledger: every point is a slip of paper with a date on it.

See ``naive_ledger`` for what this is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.domain.ledger.caps import CapPeriod, EarnCap
from loyalty.domain.ledger.expiry import ExpiryPolicy, Inactivity, NoExpiry
from loyalty.domain.ledger.terms import Overdraft, Terms
from tests.fakes.naive_dates import ONE_DAY, UNDATED, Slip, followed, last_use, next_merge, span

PROFILE = ("email", "external_id", "phone", "first_name", "last_name", "birthday")


class No(Exception):
    """The command is refused."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Page:
    """One page of a member's journal, with what a reversal of it needs: slips issued, or slips to give back."""

    kind: str
    points: int
    available: int
    issued: list[Slip] = field(default_factory=list)
    gone: list[Slip | None] = field(default_factory=list)
    left: int = 0
    purse: str = ""


@dataclass
class Hold:
    """Slips put aside."""

    slips: list[Slip]
    due: datetime


@dataclass
class Award:
    """One payment of a rule with caps, on a local day."""

    rule: str
    periods: frozenset[CapPeriod]
    day: date
    points: int


@dataclass
class Person:
    """A member: slips, debts and everything that was ever written about it."""

    slips: list[Slip] = field(default_factory=list)
    debt: int = 0
    purses: Counter[str] = field(default_factory=Counter)
    pendings: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    awards: list[Award] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    standing: str = "member"
    profile: dict[str, str] = field(default_factory=lambda: dict.fromkeys(PROFILE, ""))
    changes_followed: int = 0
    active_at: datetime | None = None
    merged_into: Person | None = None

    @property
    def available(self) -> int:
        return len(self.slips) - self.debt

    @property
    def held(self) -> int:
        return sum(len(hold.slips) for hold in self.holds.values())

    @property
    def pending(self) -> int:
        return sum(points for points, _ in self.pendings.values())

    @property
    def takes_part(self) -> bool:
        return self.standing in ("member", "candidate")


@dataclass
class NaiveTerms:
    """The terms in force, and every expiry policy there ever was with the day it began."""

    terms: Terms
    history: list[tuple[date, ExpiryPolicy]]
    most_lots: int

    def day(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.terms.timezone)).date()

    def midnight_after(self, slip: Slip) -> datetime:
        midnight = datetime.combine(date.fromisoformat(slip) + ONE_DAY, time(), ZoneInfo(self.terms.timezone))
        return midnight.astimezone(UTC)


def act_on(person: Person, action: Any, rules: NaiveTerms, now: datetime, reversed_page: Page | None = None) -> None:
    """Carry out an action and write its page.

    Raises:
        No: it is refused, and nothing changed.
    """
    page = _Act(person, rules, now, reversed_page).do(action)
    if page.kind in ("earn", "activate", "spend", "capture"):
        person.active_at = now
        if isinstance(rules.terms.expiry, Inactivity):
            fresh = last_use(rules.terms.expiry, rules.day(now))
            person.slips = [fresh if slip == UNDATED or slip < fresh else slip for slip in person.slips]
    thin_out(person, rules.most_lots)
    page.available = person.available
    person.pages.append(page)


class _Act:
    """One action under way."""

    def __init__(self, person: Person, rules: NaiveTerms, now: datetime, reversed_page: Page | None) -> None:
        self.person, self.rules, self.now, self.original = person, rules, now, reversed_page
        self.terms = rules.terms
        self.today = rules.day(now)

    def do(self, action: Any) -> Page:
        """Carry out the method of the action's name."""
        answer: Page = getattr(self, type(action).__name__.lower())(
            **{name: getattr(action, name) for name in action.__dataclass_fields__}
        )
        return answer

    # Coming in

    def earn(self, points: int, rule: str, caps: tuple[EarnCap, ...]) -> Page:
        self.needs_to_take_part()
        self.needs_amount(points)
        granted = min([points, *(room for cap in caps if (room := self.room(rule, cap)) is not None)])
        if granted <= 0:
            raise No("earn_cap_reached")
        granted = min(granted, self.balance_room())
        if granted <= 0:
            raise No("balance_cap_reached")
        if caps:
            periods = frozenset(cap.period for cap in caps)
            self.person.awards.append(Award(rule, periods, self.today, granted))
        return self.issue("earn", granted)

    def room(self, rule: str, cap: EarnCap) -> int | None:
        present = span(cap.period, self.today)
        past = [
            award.points
            for award in self.person.awards
            if award.rule == rule and cap.period in award.periods and span(cap.period, award.day) == present
        ]
        if cap.times is not None and len(past) >= cap.times:
            return 0
        return None if cap.points is None else cap.points - sum(past)

    def balance_room(self) -> int:
        if self.terms.balance_cap is None:
            return 10**12
        return max(0, self.terms.balance_cap - self.person.available - self.person.held)

    def adjust(self, points: int) -> Page:
        return self.add(points) if points > 0 else self.deduct(-points)

    def add(self, points: int) -> Page:
        self.needs_to_take_part()
        self.needs_amount(points)
        if self.balance_room() < points:
            raise No("balance_cap_reached")
        return self.issue("adjust", points)

    def pend(self, pending_id: str, points: int, due_at: datetime) -> Page:
        self.needs_to_take_part()
        self.needs_new_claim(pending_id)
        self.needs_amount(points)
        self.person.pendings[pending_id] = (points, _whole(due_at))
        return Page("pend", points, 0)

    def activate(self, pending_id: str) -> Page:
        points, _ = self.needs_pending(pending_id)
        del self.person.pendings[pending_id]
        return self.issue("activate", min(points, self.balance_room()))

    def cancel(self, pending_id: str, points: int | None) -> Page:
        pending, due = self.needs_pending(pending_id)
        points = pending if points is None else points
        if not 1 <= points <= pending:
            raise No("exceeds_pending")
        self.person.pendings[pending_id] = (pending - points, due)
        if points == pending:
            del self.person.pendings[pending_id]
        return Page("cancel", -points, 0)

    def issue(self, kind: str, points: int) -> Page:
        self.person.purses["earned"] += points
        fresh = last_use(self.terms.expiry, self.today)
        issued = self.come_in([fresh] * points)
        return Page(kind, points, 0, issued=issued, left=points, purse="reversed")

    def come_in(self, slips: list[Slip]) -> list[Slip]:
        """Take slips in, the first of them paying the debt; those that stayed."""
        paying = min(self.person.debt, len(slips))
        self.person.debt -= paying
        self.person.slips += slips[paying:]
        return slips[paying:]

    # Going out

    def spend(self, points: int) -> Page:
        self.needs_to_take_part()
        self.needs_amount(points)
        self.needs_points(points)
        self.person.purses["spent"] += points
        return Page("spend", -points, 0, gone=list(self.go_out(points)), left=points, purse="spent")

    def deduct(self, wanted: int) -> Page:
        self.needs_to_take_part()
        self.needs_amount(wanted)
        points = self.recoverable(wanted)
        if points == 0:
            raise No("insufficient_points")
        self.person.purses["deducted"] += points
        return Page("adjust", -points, 0, gone=self.go_out_into_debt(points), left=points, purse="deducted")

    def recoverable(self, wanted: int) -> int:
        match self.terms.overdraft:
            case Overdraft.ALLOW_NEGATIVE:
                return wanted
            case Overdraft.FLOOR_AT_ZERO:
                return min(wanted, max(0, self.person.available))
            case Overdraft.REFUSE:
                self.needs_points(wanted)
                return wanted

    def go_out(self, points: int) -> list[Slip]:
        """Hand out slips, those that end soonest first."""
        self.person.slips.sort()
        gone, self.person.slips = self.person.slips[:points], self.person.slips[points:]
        return gone

    def go_out_into_debt(self, points: int) -> list[Slip | None]:
        """Hand out slips and, when there are no more, promises: None."""
        gone: list[Slip | None] = list(self.go_out(points))
        promises = points - len(gone)
        self.person.debt += promises
        return gone + [None] * promises

    def placehold(self, hold_id: str, points: int, due_at: datetime) -> Page:
        self.needs_to_take_part()
        self.needs_new_claim(hold_id)
        self.needs_amount(points)
        self.needs_points(points)
        self.person.holds[hold_id] = Hold(self.go_out(points), _whole(due_at))
        return Page("hold", -points, 0)

    def capture(self, hold_id: str, points: int | None) -> Page:
        hold = self.needs_hold(hold_id)
        points = len(hold.slips) if points is None else points
        if not 1 <= points <= len(hold.slips):
            raise No("exceeds_hold")
        del self.person.holds[hold_id]
        self.person.purses["spent"] += points
        self.come_back(list(hold.slips[points:]))
        return Page("capture", -points, 0, gone=list(hold.slips[:points]), left=points, purse="spent")

    def release(self, hold_id: str) -> Page:
        hold = self.needs_hold(hold_id)
        del self.person.holds[hold_id]
        self.come_back(list(hold.slips))
        return Page("release", len(hold.slips), 0)

    def come_back(self, slips: list[Slip | None]) -> None:
        """Take back slips and promises: promises pay the debt first, then the soonest slips; the rest can be used."""
        promises: list[Slip | None] = [slip for slip in slips if slip is None]
        dated = sorted(slip for slip in slips if slip is not None)
        fresh = last_use(self.terms.expiry, self.today)
        self.come_in([fresh if slip is None else self.usable(slip) for slip in [*promises, *dated]])

    def usable(self, slip: Slip) -> Slip:
        """The date of a slip that comes back."""
        policy, since = self.terms.expiry, self.rules.history[-1][0]
        if isinstance(policy, NoExpiry):
            return UNDATED
        if slip == UNDATED:
            slip = last_use(policy, since)
        if isinstance(policy, Inactivity):
            started = since
            if self.person.active_at is not None:
                started = max(started, self.rules.day(self.person.active_at))
            slip = max(slip, last_use(policy, started))
        if slip < self.today.isoformat():
            slip = (self.today + timedelta(days=self.terms.restored_days)).isoformat()
        return slip

    def expire(self, through: date) -> Page:
        over = [slip for slip in self.person.slips if slip <= through.isoformat()]
        self.person.slips = [slip for slip in self.person.slips if slip > through.isoformat()]
        self.person.purses["expired"] += len(over)
        gone: list[Slip | None] = [*sorted(over)]
        return Page("expire", -len(over), 0, gone=gone, left=len(over), purse="expired")

    # Correcting and noting

    def reverse(self, original: object, points: int | None) -> Page:
        page = self.original
        assert (page is None) is (original is None)
        assert page is not None
        if not page.purse:
            raise No("not_reversible")
        if page.left == 0:
            raise No("already_reversed" if page.points else "not_reversible")
        points = page.left if points is None else points
        if not 1 <= points <= page.left:
            raise No("exceeds_original")
        if page.purse == "reversed":
            return self.take_back(page, points)
        return self.give_back(page, points)

    def take_back(self, page: Page, points: int) -> Page:
        taken = left = self.recoverable(points)
        page.left -= points
        self.person.purses["reversed"] += taken
        for slip in sorted(page.issued):
            # Points of the day they were issued for first, as many as were issued.
            if left and slip in self.person.slips:
                self.person.slips.remove(slip)
                left -= 1
        self.go_out_into_debt(left)
        return Page("reverse", -taken, 0)

    def give_back(self, page: Page, points: int) -> Page:
        page.left -= points
        self.person.purses[page.purse] -= points
        back = page.gone[len(page.gone) - points :]
        page.gone = page.gone[: len(page.gone) - points]
        self.come_back(back)
        return Page("reverse", points, 0)

    def redate(self) -> Page:
        index = self.person.changes_followed + 1
        since, policy = self.rules.history[index]
        self.person.slips = followed(self.person.slips, policy, since)
        self.person.changes_followed = index
        return Page("notice", 0, 0)

    def notify(self, topic: str) -> Page:
        assert topic
        self.needs_to_take_part()
        return Page("notice", 0, 0)

    def identify(self, profile: Mapping[str, str], standing: Any) -> Page:
        self.person.profile.update(profile)
        if standing is not None:
            self.person.standing = str(standing)
        return Page("notice", 0, 0)

    # Conditions

    def needs_to_take_part(self) -> None:
        if not self.person.takes_part:
            raise No(f"member_{self.person.standing}")

    def needs_amount(self, points: int) -> None:
        if not 1 <= points <= 1_000_000_000:
            raise No("invalid_points")

    def needs_points(self, points: int) -> None:
        if points > self.person.available:
            raise No("insufficient_points")

    def needs_new_claim(self, name: str) -> None:
        if name in self.person.pendings or name in self.person.holds:
            raise No("claim_exists")
        if len(self.person.pendings) + len(self.person.holds) >= 100:
            raise No("too_many_open_claims")

    def needs_pending(self, name: str) -> tuple[int, datetime]:
        if name not in self.person.pendings:
            raise No("unknown_pending")
        return self.person.pendings[name]

    def needs_hold(self, name: str) -> Hold:
        if name not in self.person.holds:
            raise No("unknown_hold")
        return self.person.holds[name]


def thin_out(person: Person, most: int) -> None:
    """Bring the number of dates down, one slip pile after another: by week, then month, then year, farthest first."""
    while len(set(person.slips)) > most:
        move = next_merge(sorted(set(person.slips) - {UNDATED}))
        if move is None:
            return
        early, late = move
        person.slips = [late if slip == early else slip for slip in person.slips]


def _whole(due: datetime) -> datetime:
    """Times count in milliseconds."""
    return due - timedelta(microseconds=due.microsecond % 1000)
