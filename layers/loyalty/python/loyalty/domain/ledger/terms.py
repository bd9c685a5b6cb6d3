"""The terms of a program that ledger decisions depend on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from loyalty.domain.ledger.expiry import ExpiryPolicy, NoExpiry


class Overdraft(StrEnum):
    """What happens when points are to be taken back or off that the member no longer has (W1)."""

    REFUSE = "refuse"
    FLOOR_AT_ZERO = "floor_at_zero"
    ALLOW_NEGATIVE = "allow_negative"


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms in force.

    ``timezone`` is an IANA name; days begin and end there. ``expiry_revision`` counts changes of the expiry policy,
    ``expiry_since`` is the local day of the last one. ``balance_cap`` limits available plus held points.
    ``restored_days`` is how long points live at least when they come back after their lot's date.
    """

    timezone: str = "UTC"
    expiry: ExpiryPolicy = field(default_factory=NoExpiry)
    expiry_revision: int = 0
    expiry_since: date = date(1970, 1, 1)
    balance_cap: int | None = None
    overdraft: Overdraft = Overdraft.REFUSE
    restored_days: int = 30
