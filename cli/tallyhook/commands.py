"""The commands. ``--json`` prints one JSON document on standard output; people's progress goes to standard error."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loyalty.domain.errors import Conflict, LoyaltyError, Rejected
from loyalty.domain.identity import MemberId
from loyalty.services.verify_ledger import Totals, VerifyLedger
from tallyhook import delivery_commands, due_commands, member_commands, program_commands, review_commands, sync_commands
from tallyhook.output import json_option
from tallyhook.progress import shown
from tallyhook.stack import Stack, open_stack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loyalty.domain.ledger.verify import Finding
    from loyalty.domain.program import Program
    from loyalty.ports import MemberReport

DAMAGED = 1
"""Exit code when something is not as the journal says, or was left so."""


class Commands(click.Group):
    """Turns the product's errors into messages for a terminal."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command named."""
        try:
            return super().invoke(ctx)
        except LoyaltyError as error:
            places = [f"\n  {each['where']}: {each['message']}" for each in error.facts.get("errors", [])]
            raise click.ClickException(f"{error.message} ({error.code}){''.join(places)}") from error


@click.group(cls=Commands)
@click.option("--stack", "name", help="CloudFormation stack on AWS, reached with the credentials of the environment.")
@click.option(
    "--local",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Description file of a local stack, such as .local/stack.json.",
)
@click.pass_context
def main(context: click.Context, name: str | None, local: Path | None) -> None:
    """Look after a Tallyhook deployment."""
    context.obj = open_stack(name, local)


for _each in (
    program_commands.program,
    program_commands.key,
    member_commands.member,
    member_commands.adjust,
    due_commands.preview_expiry,
    due_commands.settle,
    delivery_commands.redrive,
    delivery_commands.replay,
    review_commands.import_reviews,
    sync_commands.sync,
):
    main.add_command(_each)


@main.command()
@click.argument("slug")
@click.option("--member", "member_id", help="Check this member only, by member id.")
@json_option
@click.pass_obj
def verify(stack: Stack, slug: str, member_id: str | None, as_json: bool) -> None:
    """Replay the journals of program SLUG and compare everything stored with what they say.

    Exits with 1 when anything differs, and says where.
    """
    program = stack.program(slug)
    totals, damaged = Totals(), []
    for report in shown(_reports(stack, program, member_id), quiet=as_json):
        totals.add(report)
        damaged += [(report.member_id, finding) for finding in report.findings]
    strays = [] if member_id else list(VerifyLedger(stack.audit).strays(program))
    everything = [*damaged, *(("", finding) for finding in strays)]
    if as_json:
        found = [{"member_id": owner, **asdict(finding)} for owner, finding in everything]
        click.echo(json.dumps({**asdict(totals), "findings": found}, indent=2))
    else:
        for owner, finding in everything:
            click.echo(_sentence(owner, finding))
        points = totals.amounts
        click.echo(
            f"{totals.members} members, {totals.entries} entries, {len(everything)} findings; points earned "
            f"{points.earned} = available {points.available} + held {points.held} + spent {points.spent} "
            f"+ expired {points.expired} + deducted {points.deducted} + reversed {points.reversed}"
        )
    if everything:
        sys.exit(DAMAGED)


@main.command()
@click.argument("slug")
@click.option("--member", "member_id", help="Rebuild this member only, by member id.")
@json_option
@click.pass_obj
def rebuild(stack: Stack, slug: str, member_id: str | None, as_json: bool) -> None:
    """Write what follows from the journals of program SLUG anew wherever it differs.

    The journal itself is never changed. Members whose journal is broken, or who change meanwhile, are named and left as
    they are; then it exits with 1.
    """
    program = stack.program(slug)
    members = [MemberId(member_id)] if member_id else list(stack.audit.member_ids(program.slug))
    written: list[dict[str, str]] = []
    failed = 0
    for member in shown(members, quiet=as_json):
        try:
            names = stack.audit.rebuild(program, member)
        except (Rejected, Conflict) as error:
            click.echo(f"member {member}: {error.message} ({error.code})", err=True)
            failed += 1
            continue
        for name in names:
            written.append({"member_id": member, "item": name})
            if not as_json:
                click.echo(f"member {member}: {name} written")
    if as_json:
        click.echo(json.dumps({"written": written, "failed": failed}, indent=2))
    if failed:
        sys.exit(DAMAGED)


def _reports(stack: Stack, program: Program, member_id: str | None) -> Iterable[MemberReport]:
    if member_id:
        return [stack.audit.check(program, MemberId(member_id))]
    return VerifyLedger(stack.audit).members(program)


def _sentence(owner: str, finding: Finding) -> str:
    whose = f"member {owner}, " if owner else ""
    attribute = f" {finding.attribute}" if finding.attribute else ""
    return f"{whose}{finding.item}:{attribute} {finding.message}"
