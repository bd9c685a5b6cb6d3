"""Commands about what falls due: foresee it, and settle it for everybody."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loyalty.domain.errors import LoyaltyError
from loyalty.services.foresee_expiry import ForeseeExpiry
from loyalty.services.settle_members import SettleMembers
from tallyhook.output import json_option, tell
from tallyhook.progress import shown

if TYPE_CHECKING:
    from loyalty.domain.identity import MemberId
    from loyalty.domain.ledger.forecast import Foreseen
    from loyalty.domain.ledger.member import Member
    from tallyhook.stack import Stack

COLUMNS = ("date", "member_id", "email", "what", "days_left", "expires_on", "points")

INCOMPLETE = 1
"""Exit code when members could not be attended to."""


class Failed:
    """Tells of members that could not be attended to, while the command goes on with the others."""

    count = 0

    def __call__(self, member_id: MemberId, error: Exception) -> None:
        """Name a member and the trouble with it, without the words of errors that may quote what is stored."""
        self.count += 1
        why = f"cannot be attended to ({type(error).__name__}); verify it"
        if isinstance(error, LoyaltyError):
            why = f"{error.message} ({error.code})"
        click.echo(f"member {member_id}: {why}", err=True)

    def exit(self) -> None:
        """End the command, without success if there were any."""
        if self.count:
            sys.exit(INCOMPLETE)


@click.command("preview-expiry")
@click.argument("slug")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day, in the program's time zone.")
@click.option("--csv", "file", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Also write a CSV.")
@json_option
@click.pass_obj
def preview_expiry(stack: Stack, slug: str, until: datetime, file: Path | None, as_json: bool) -> None:
    """Say what members of program SLUG will be warned of and what will expire, if nobody earns or spends.

    Changes nothing. What is overdue already stands under today. Exits with 1 when members could not be attended to.
    """
    program, failed = stack.program(slug), Failed()
    members = shown(stack.audit.member_ids(program.slug), quiet=as_json)
    foreseen = ForeseeExpiry(stack.store, stack.clock, failed)(program, members, until.date())
    rows = sorted((_row(member, each) for member, each in foreseen), key=lambda row: tuple(map(str, row)))
    if file is not None:
        with file.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([COLUMNS, *rows])
    if as_json:
        click.echo(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2))
    else:
        for line in _table([COLUMNS, *rows]) if rows else ():
            click.echo(line)
        click.echo(_sums(rows, until.date()))
    failed.exit()


@click.command()
@click.argument("slug")
@json_option
@click.pass_obj
def settle(stack: Stack, slug: str, as_json: bool) -> None:
    """Post everything due on every member of program SLUG, and note when each is due next.

    Changed settings do this by themselves; it is for members that could not be attended to then.
    Safe to repeat and to run beside sweeps. Exits with 1 when members could not be attended to.
    """
    program = stack.program(slug)
    members, acts, failed = 0, 0, Failed()
    everybody = shown(stack.audit.member_ids(program.slug), quiet=as_json)
    for settled in SettleMembers(stack.ledger, stack.index)(program, everybody):
        members += 1
        acts += settled.acts
        if settled.error is not None:
            failed(settled.member_id, settled.error)
    sentence = f"{members} members, {acts} acts posted, {failed.count} failed"
    tell(sentence, as_json=as_json, members=members, acts=acts, failed=failed.count)
    failed.exit()


def _row(member: Member, each: Foreseen) -> tuple[Any, ...]:
    what = "expires" if each.days_left is None else "warned"
    left = "" if each.days_left is None else each.days_left
    last_day = each.expires_on.isoformat()
    return each.on.isoformat(), member.member_id, member.profile.email, what, left, last_day, each.points


def _table(rows: Sequence[Sequence[Any]]) -> Iterable[str]:
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        yield "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _sums(rows: Sequence[Sequence[Any]], until: date) -> str:
    warnings = sum(row[3] == "warned" for row in rows)
    expiries = [row[6] for row in rows if row[3] == "expires"]
    members = len({row[1] for row in rows})
    return f"{warnings} warnings, {len(expiries)} expiries of {sum(expiries)} points, {members} members, until {until}"
