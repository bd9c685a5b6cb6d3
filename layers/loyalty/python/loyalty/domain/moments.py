"""Times as the ledger keeps them: aware, UTC, whole milliseconds, and one text form for hashing and storing."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def whole_milliseconds(moment: datetime) -> datetime:
    """Bring an aware time to UTC and cut what the text form cannot hold.

    Raises:
        ValueError: the time has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def utc_text(moment: datetime) -> str:
    """Text form of a time: ``2026-08-20T14:03:11.000Z``. Fixed width, so it sorts as the times do."""
    return whole_milliseconds(moment).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_utc(text: str) -> datetime:
    """Read the text form back.

    Raises:
        ValueError: the text is not a time with a zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def local_date(moment: datetime, timezone: str) -> date:
    """The calendar day of a time in a program's time zone (IANA name)."""
    return moment.astimezone(ZoneInfo(timezone)).date()


def end_of_day(day: date, timezone: str) -> datetime:
    """The first instant after a calendar day in a time zone, as UTC. Right on days of 23 and 25 hours."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(timezone)).astimezone(UTC)


def noon(day: date) -> str:
    """A calendar day as Klaviyo advises to send it: noon UTC is the same day nearly everywhere."""
    return f"{day.isoformat()}T12:00:00Z"
