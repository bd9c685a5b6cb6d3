"""What Klaviyo is told: a journal entry as an event, a member as a profile. Pure.

Rules of Klaviyo that shape it (Events API and Profiles API overviews): in an event a property that is 0, null or
empty text is dropped, in a profile 0 is kept; keys that start with ``$`` are reserved; ``value`` is money, so points
never go there; a bare date becomes midnight UTC, which is the day before in America, so dates are sent as noon.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from loyalty.domain.catalogue import event_type
from loyalty.domain.ledger.entry import Entry, Scalar
from loyalty.domain.ledger.expiry import schedule
from loyalty.domain.ledger.member import Member
from loyalty.domain.moments import noon
from loyalty.domain.naming import Naming, naming_of
from loyalty.domain.profile_fields import PROFILE_FIELDS
from loyalty.domain.program import Program
from loyalty.domain.rewards import reward_outlook
from loyalty.domain.tiers import tier_progress

BACKFILL = "backfill"
"""Why an event is owed, and later was sent, that is to set off no flow: somebody asked for history (R95)."""

SCHEDULE_HEAD = 5
"""How many coming expiries a profile lists."""


@dataclass(frozen=True, slots=True)
class MetricEvent:
    """One event of the profile with ``email``. ``unique_id`` is the entry id, ``time`` when it happened, aware UTC.

    Klaviyo records a ``backfill`` without setting off flows.
    """

    email: str
    unique_id: str
    metric: str
    time: datetime
    properties: Mapping[str, Any]
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class ProfileState:
    """One profile for Klaviyo: the identifier known to be right, its properties, and those to remove.

    Only one identifier: Klaviyo refuses several that belong to different profiles with 409.
    """

    email: str
    properties: Mapping[str, Any]
    unset: tuple[str, ...] = ()


def event_of(program: Program, entry: Entry, email: str) -> MetricEvent:
    """The event that an entry of the member with ``email`` causes, in the program's naming (R75).

    It carries no profile properties: events may arrive late, and the profile must keep its newest state.

    Raises:
        Invalid: the entry's event type is not in the catalogue.
    """
    kind = event_type(entry.event_type)
    told: dict[str, Scalar] = dict(entry.private.details) if entry.private else {}
    told = {name: value for name, value in told.items() if not name.startswith("$")}
    told |= {
        "ledger_entry_id": entry.id,
        "points": abs(entry.points) or told.get("points", 0),
        "balance_after": entry.after.available,
        "balance_after_text": str(entry.after.available),
        "source": entry.source.kind,
        "source_id": entry.source.id,
        "reason": entry.private.reason if entry.private else "",
    }
    naming = naming_of(program.naming, program.names)
    return MetricEvent(
        email=email,
        unique_id=entry.id,
        metric=naming.metric(kind),
        time=entry.occurred_at,
        properties={naming.event_property(kind, name): value for name, value in told.items() if _survives(value)},
        backfill=entry.delivery.why == BACKFILL,
    )


def profile_of(program: Program, member: Member) -> ProfileState | None:
    """A member's newest state, or None when there is no address to find the profile by (R31, R33).

    Fields that turned empty are named for removal; fields nothing fills yet are not touched, nor are those of tiers
    and rewards in a program that has none: another app may still be filling them.
    """
    if not member.profile.email:
        return None
    naming = naming_of(program.naming, program.names)
    properties: dict[str, Any] = {}
    unset: list[str] = []
    values = {name: value_of(member, naming) for name, value_of in _FILLED.items()}
    for name, value in (values | _tier_fields(program, member) | _reward_fields(program, member)).items():
        target = naming.property(PROFILE_FIELDS[name])
        if value is None:
            unset.append(target)
        else:
            properties[target] = value
    return ProfileState(member.profile.email, properties, tuple(unset))


def _tier_fields(program: Program, member: Member) -> dict[str, Any]:
    """R41, R42, R47-R49, R51: the tier, and how far it is to the next; empty for whoever has not joined."""
    if not program.tiers:
        return {}
    progress = tier_progress(program.tiers, member)
    present = progress.present if progress else None
    following = progress.next if progress else None
    return {
        "vip_tier": present.name if present else None,
        "vip_tier_id": present.id if present else None,
        "vip_next_tier": following.name if following else None,
        "vip_progress_current": progress.points if progress else None,
        "vip_progress_required": following.from_points if following else None,
    }


def _reward_fields(program: Program, member: Member) -> dict[str, Any]:
    """W4, R161: the best reward the points suffice for, and the next one; empty for whoever has not joined."""
    if not program.rewards:
        return {}
    outlook = reward_outlook(program.rewards, member)
    best = outlook.best if outlook else None
    following = outlook.next if outlook else None
    return {
        "best_reward": best.name if best else None,
        "next_reward": following.name if following else None,
        "points_to_next_reward": outlook.missing if outlook else None,
    }


def _survives(value: Scalar) -> bool:
    """False for what Klaviyo drops, and for numbers that JSON cannot hold."""
    return isinstance(value, bool) or (bool(value) and (isinstance(value, str) or math.isfinite(value)))


def _next_expiry_date(member: Member, _: Naming) -> str | None:
    return next((noon(day) for day, _ in schedule(member.lots)), None)


def _next_expiry_points(member: Member, _: Naming) -> int | None:
    return next((points for _, points in schedule(member.lots)), None)


def _expiry_schedule(member: Member, _: Naming) -> list[str] | None:
    return [f"{day}: {points}" for day, points in schedule(member.lots)[:SCHEDULE_HEAD]] or None


def _birthday(member: Member, _: Naming) -> str | None:
    try:
        return noon(date.fromisoformat(member.profile.birthday))
    except ValueError:
        return None


_FILLED: Mapping[str, Callable[[Member, Naming], Any]] = {
    "points_balance": lambda member, _: member.amounts.available,
    "points_pending": lambda member, _: member.amounts.pending,
    "points_lifetime_earned": lambda member, _: member.amounts.earned,
    "points_lifetime_spent": lambda member, _: member.amounts.spent,
    "state": lambda member, naming: naming.state(member.standing),
    "next_expiry_date": _next_expiry_date,
    "next_expiry_points": _next_expiry_points,
    "expiry_schedule": _expiry_schedule,
    "birthday": _birthday,
}
"""How to fill the fields that the product fills by now; None stands for empty."""
