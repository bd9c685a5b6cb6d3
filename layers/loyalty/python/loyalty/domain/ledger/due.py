"""What falls due on a member, and when the next thing does.

Due acts are ordinary commands with natural keys. The sweep posts them on time; a command that comes first posts
them before itself, so nobody spends points that are over, however late the sweep is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from loyalty.domain.ledger.birthdays import due_birthday, next_birthday
from loyalty.domain.ledger.commands import (
    Action,
    Activate,
    Celebrate,
    Command,
    CommandKey,
    Expire,
    Narrative,
    Redate,
    Release,
    Warn,
)
from loyalty.domain.ledger.entry import Scalar, Source
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.ledger.warnings import due_warning, last_day, next_warning
from loyalty.domain.moments import end_of_day, local_date, noon

SCHEDULE = Source("schedule")
ACTOR = "tallyhook"


def next_due(member: Member, terms: Terms) -> datetime | None:
    """When the member next needs attention (aware UTC), or None; kept in the ``due`` index."""
    moments = [moment for next_of in DUE_KINDS if (moment := next_of(member, terms))]
    return min(moments, default=None)


def next_notice(member: Member, terms: Terms, now: datetime) -> Command | None:
    """The first thing a member is to be told of or given at ``now``, or None.

    These are the sweep's alone: nothing a member does waits for them, and what it does may make them needless.
    """
    return next((notice for notice_of in NOTICES if (notice := notice_of(member, terms, now))), None)


def _birthday(member: Member, terms: Terms, now: datetime) -> Command | None:
    found = due_birthday(member, terms, now)
    if found is None:
        return None
    day, points = found
    narrative = Narrative(SCHEDULE, ACTOR, now, "Birthday", event_type="points_earned_birthday" if points else "")
    key = CommandKey("birthday", f"{member.member_id}|{day.year}", natural=True)
    return Command(key, Celebrate(day, points), narrative)


def _warning(member: Member, terms: Terms, now: datetime) -> Command | None:
    found = due_warning(member, terms, now)
    if found is None:
        return None
    day, days = found
    points = member.lots[day]
    details: dict[str, Scalar] = {
        "points": points,
        "expires_on": noon(date.fromisoformat(day)),
        "days_left": days,
        "last_chance": days == min(terms.warning_days),
        "kept_by": "earning or spending" if terms.expiry.restarts_on_activity else "spending",
    }
    narrative = Narrative(
        SCHEDULE, ACTOR, now, reason=f"{points} points expire on {day}", details=details, event_type="points_expiring"
    )
    key = CommandKey("warn", f"{member.member_id}|{day}|{days}", natural=True)
    return Command(key, Warn(day, days), narrative)


def _next_act_due(member: Member, terms: Terms) -> datetime | None:
    if member.standing is Standing.MERGED:
        return None
    moments = [pending.due_at for pending in member.pendings.values()]
    moments += [hold.due_at for hold in member.holds.values()]
    soonest = min((last_day(member, terms, day) for day in member.lots if day != NEVER), default=date.max)
    if soonest < date.max:
        moments.append(end_of_day(soonest, terms.timezone))
    return min(moments, default=None)


DUE_KINDS: tuple[Callable[[Member, Terms], datetime | None], ...] = (_next_act_due, next_warning, next_birthday)
"""When each kind of thing falls due on a member. A new kind is registered here; index and sweep need not know it."""

NOTICES: tuple[Callable[[Member, Terms, datetime], Command | None], ...] = (_birthday, _warning)
"""What the sweep alone posts, in the order it does."""


def next_act(member: Member, terms: Terms, now: datetime) -> Command | None:
    """The first thing that is due on a member at ``now``, or None.

    Points that were over before the expiry policy changed expire first, then the lots follow the new policy, then
    everything else in the order of its time.
    """
    if member.standing is Standing.MERGED:
        return None
    today = local_date(now, terms.timezone)
    if unfollowed := terms.unfollowed(member.lots, member.expiry_revision):
        change, _ = unfollowed
        if overdue := _overdue(member, terms, min(change.since, today)):
            return _expire(member, overdue, now)
        return _command(member, "redate", str(change.revision), Redate(), now)
    claims = [(pending.due_at, "activate", name) for name, pending in member.pendings.items()]
    claims += [(hold.due_at, "release", name) for name, hold in member.holds.items()]
    when, what, name = min(claims, default=(now, "", ""))
    if overdue := _overdue(member, terms, local_date(min(when, now), terms.timezone)):
        return _expire(member, overdue, now)
    if not what or when > now:
        return None
    action = Activate(name) if what == "activate" else Release(name)
    return _command(member, what, name, action, when)


def _overdue(member: Member, terms: Terms, today: date) -> date | None:
    """The last day of the lots that are over when ``today`` begins."""
    over = [day for day in member.lots if day != NEVER and last_day(member, terms, day) < today]
    return date.fromisoformat(max(over)) if over else None


def _expire(member: Member, through: date, now: datetime) -> Command:
    return _command(member, "expire", through.isoformat(), Expire(through), now)


def _command(member: Member, scope: str, what: str, action: Action, occurred_at: datetime) -> Command:
    """A due act, named by the state it is due on: it happens once for that state and is never taken for another."""
    key = CommandKey(scope, f"{member.member_id}|{what}|{member.version}", natural=True)
    return Command(key, action, Narrative(SCHEDULE, ACTOR, occurred_at, event_type=_EVENTS.get(scope, "")))


_EVENTS = {"expire": "points_expired"}
