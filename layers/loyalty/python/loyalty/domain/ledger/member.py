"""A member's state in one place: everything a decision reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from loyalty.domain.identity import MemberId, ProgramSlug
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.lots import LotDate, Lots


class Standing(StrEnum):
    """What a customer is to the program (R40, R181). ``erased`` and ``merged`` are final."""

    CANDIDATE = "candidate"
    MEMBER = "member"
    EXCLUDED = "excluded"
    ERASED = "erased"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Profile:
    """What identifies and describes the person; all of it is removed on erasure (R25)."""

    email: str = ""
    external_id: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    birthday: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """Points waiting to become available at ``due_at`` at the latest (R44, R165)."""

    points: int
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """Points reserved until captured, or released at ``due_at`` (W7); ``lots`` is where they came from."""

    points: int
    lots: Lots
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Earned:
    """How often and how much one rule has paid within one period (W10)."""

    times: int = 0
    points: int = 0


@dataclass(frozen=True, slots=True)
class Warned:
    """The nearest threshold (days before a lot's last day) a member was warned at, and the local day of that."""

    days: int
    on: str


@dataclass(frozen=True, slots=True)
class Member:
    """The fold of a member's journal.

    ``version`` is the number of the last entry, 0 for somebody who has none. ``earned_in`` maps a cap's bucket
    (see ``caps``) to what was earned in it. ``warned`` says what the member was told of its lots' dates.
    ``expiry_revision`` is the program's expiry policy these lots follow. ``birthday_since`` is since when the birthday
    of somebody who has joined is known, and ``birthday_done`` the last birthday that was dealt with (``birthdays``).
    """

    program: ProgramSlug
    member_id: MemberId
    version: int = 0
    last_hash: str = ""
    standing: Standing = Standing.MEMBER
    amounts: Amounts = field(default_factory=Amounts)
    lots: Lots = field(default_factory=dict)
    pendings: Mapping[str, Pending] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    earned_in: Mapping[str, Earned] = field(default_factory=dict)
    warned: Mapping[LotDate, Warned] = field(default_factory=dict)
    expiry_revision: int = 0
    birthday_since: datetime | None = None
    birthday_done: str = ""
    profile: Profile = field(default_factory=Profile)
    merged_into: str = ""
    created_at: datetime | None = None
    last_activity_at: datetime | None = None
