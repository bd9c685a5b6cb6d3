"""The terms of a program that ledger decisions depend on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from loyalty.domain.ledger.expiry import ExpiryPolicy, NoExpiry, redated
from loyalty.domain.ledger.lots import LotDate, Lots


class Overdraft(StrEnum):
    """What happens when points are to be taken back or off that the member no longer has (W1)."""

    REFUSE = "refuse"
    FLOOR_AT_ZERO = "floor_at_zero"
    ALLOW_NEGATIVE = "allow_negative"


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """An expiry policy that came into force on the local day ``since``, as change number ``revision``."""

    revision: int
    policy: ExpiryPolicy
    since: date


@dataclass(frozen=True, slots=True)
class BirthdayRule:
    """What a birthday brings: points, 0 for nothing, for birthdays from the local day ``since`` on (R169)."""

    points: int = 0
    since: date = date(1970, 1, 1)

    def paying(self, points: int, today: date) -> BirthdayRule:
        """This rule with other points from ``today`` on; switching it on pays no birthday that was before."""
        if points == self.points:
            return self
        return BirthdayRule(points, self.since if self.points else today)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms in force.

    ``timezone`` is an IANA name; days begin and end there. ``expiry_revision`` counts changes of the expiry policy,
    ``expiry_since`` is the local day of the last one and ``expiry_past`` are those before it, oldest first: a member
    nobody looked at meanwhile follows them one by one. ``balance_cap`` limits available plus held points.
    ``restored_days`` is how long points live at least when they come back after their lot's date.
    ``warning_days`` are the thresholds of warnings, in days before a lot's last day. With ``warned_first`` no points
    expire before the nearest of these warnings has had its days, however late it was given.
    """

    timezone: str = "UTC"
    expiry: ExpiryPolicy = field(default_factory=NoExpiry)
    expiry_revision: int = 0
    expiry_since: date = date(1970, 1, 1)
    expiry_past: tuple[PolicyChange, ...] = ()
    balance_cap: int | None = None
    overdraft: Overdraft = Overdraft.REFUSE
    restored_days: int = 30
    warning_days: tuple[int, ...] = ()
    warned_first: bool = False
    birthday: BirthdayRule = field(default_factory=BirthdayRule)

    def with_expiry(self, policy: ExpiryPolicy, today: date) -> Terms:
        """These terms with another expiry policy from ``today``, a local day, on."""
        if policy == self.expiry:
            return self
        return replace(
            self,
            expiry=policy,
            expiry_revision=self.expiry_revision + 1,
            expiry_since=today,
            expiry_past=(*self.expiry_past, self._last_change),
        )

    def unfollowed(self, lots: Lots, revision: int) -> tuple[PolicyChange, dict[LotDate, int]] | None:
        """The first policy change after ``revision`` that gives points of these lots another date, with the moves."""
        for change in (*self.expiry_past, self._last_change):
            if change.revision > revision and (moves := redated(lots, change.policy, change.since)):
                return change, moves
        return None

    @property
    def _last_change(self) -> PolicyChange:
        return PolicyChange(self.expiry_revision, self.expiry, self.expiry_since)
