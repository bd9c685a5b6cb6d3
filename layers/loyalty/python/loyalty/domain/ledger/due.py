"""What falls due on a member, and when the next thing does.

Due acts are ordinary commands with natural keys. The sweep posts them on time; a command that comes first posts
them before itself, so nobody spends points that are over, however late the sweep is.
"""

from __future__ import annotations

from datetime import date, datetime

from loyalty.domain.ledger.commands import (
    Action,
    Activate,
    Command,
    CommandKey,
    Expire,
    Narrative,
    Redate,
    Release,
)
from loyalty.domain.ledger.entry import Source
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Member, Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.moments import end_of_day, local_date

SCHEDULE = Source("schedule")
ACTOR = "tallyhook"


def next_due(member: Member, terms: Terms) -> datetime | None:
    """When the member next needs attention (aware UTC), or None; kept in the ``due`` index."""
    if member.standing is Standing.MERGED:
        return None
    moments = [pending.due_at for pending in member.pendings.values()]
    moments += [hold.due_at for hold in member.holds.values()]
    days = [day for day in member.lots if day != NEVER]
    if days:
        moments.append(end_of_day(date.fromisoformat(min(days)), terms.timezone))
    return min(moments, default=None)


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
        if overdue := _overdue(member, min(change.since, today)):
            return _expire(member, overdue, now)
        return _command(member, "redate", str(change.revision), Redate(), now)
    claims = [(pending.due_at, "activate", name) for name, pending in member.pendings.items()]
    claims += [(hold.due_at, "release", name) for name, hold in member.holds.items()]
    when, what, name = min(claims, default=(now, "", ""))
    if overdue := _overdue(member, local_date(min(when, now), terms.timezone)):
        return _expire(member, overdue, now)
    if not what or when > now:
        return None
    action = Activate(name) if what == "activate" else Release(name)
    return _command(member, what, name, action, when)


def _overdue(member: Member, today: date) -> date | None:
    """The last day of the lots that are over when ``today`` begins."""
    over = [day for day in member.lots if day < today.isoformat()]
    return date.fromisoformat(max(over)) if over else None


def _expire(member: Member, through: date, now: datetime) -> Command:
    return _command(member, "expire", through.isoformat(), Expire(through), now)


def _command(member: Member, scope: str, what: str, action: Action, occurred_at: datetime) -> Command:
    """A due act, named by the state it is due on: it happens once for that state and is never taken for another."""
    key = CommandKey(scope, f"{member.member_id}|{what}|{member.version}", natural=True)
    return Command(key, action, Narrative(SCHEDULE, ACTOR, occurred_at, event_type=_EVENTS.get(scope, "")))


_EVENTS = {"expire": "points_expired"}
