"""Members and their points, from a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loyalty.contracts.adjustments import AdjustmentForm
from loyalty.contracts.corrections import FindForm, MergeForm, UndoForm
from loyalty.contracts.forms import filled_in
from loyalty.contracts.members import LONGEST_PAGE, PAGE, MemberForm
from loyalty.domain.adjustments import Direction
from loyalty.domain.api_keys import OPERATOR
from loyalty.domain.identity import Address
from loyalty.domain.ledger.amounts import MAX_POINTS
from loyalty.domain.ledger.commands import Adjust, Command, CommandKey, Narrative
from loyalty.domain.ledger.decisions import Refusal
from loyalty.domain.ledger.entry import Source
from loyalty.services.correct_members import CorrectMembers
from loyalty.services.erase_member import EraseMember
from tallyhook.output import json_option, show, tell

if TYPE_CHECKING:
    from tallyhook.stack import Stack

AMOUNT = click.IntRange(1, MAX_POINTS)


@click.group()
def member() -> None:
    """Members of programs."""


@member.command("show")
@click.argument("slug")
@click.argument("email")
@json_option
@click.pass_obj
def show_member(stack: Stack, slug: str, email: str, as_json: bool) -> None:
    """Show the member of program SLUG with the address EMAIL."""
    show(stack.members.state(stack.program(slug), email), as_json=as_json)


@member.command("find")
@click.argument("slug")
@click.option("--external-id", help="The store's own id of the customer.")
@click.option("--phone", help="In the form of E.164.")
@json_option
@click.pass_obj
def find_member(stack: Stack, slug: str, external_id: str | None, phone: str | None, as_json: bool) -> None:
    """Show the member of program SLUG that has another id than an e-mail address (W13)."""
    form: FindForm = filled_in(FindForm, {"external_id": external_id, "phone": phone}, "search")
    show(stack.members.found(stack.program(slug), external_id=form.external_id, phone=form.phone), as_json=as_json)


@member.command("undo")
@click.argument("slug")
@click.argument("email")
@click.argument("entry_id")
@click.option("--points", type=AMOUNT, help="How many of its points; all that are left without it.")
@click.option("--reason", required=True, help="Why, as the activity log shows it.")
@click.option("--key", default="", help="Idempotency key: the same correction with the same key happens once.")
@json_option
@click.pass_obj
def undo(
    stack: Stack, slug: str, email: str, entry_id: str, points: int | None, reason: str, key: str, as_json: bool
) -> None:
    """Undo ENTRY_ID of the member EMAIL of program SLUG, or some of its points (W8)."""
    form: UndoForm = filled_in(UndoForm, {"entry_id": entry_id, "points": points, "reason": reason}, "correction")
    corrections = CorrectMembers(stack.ledger, stack.decisions)
    done = corrections.undo(stack.program(slug), email, form, key=key, actor=OPERATOR, source=Source("staff"))
    show(done, as_json=as_json)


@member.command("merge")
@click.argument("slug")
@click.argument("email")
@click.argument("into")
@click.confirmation_option(prompt="This cannot be undone. Make one member of the two?")
@json_option
@click.pass_obj
def merge(stack: Stack, slug: str, email: str, into: str, as_json: bool) -> None:
    """Let the member EMAIL of program SLUG go on in the member INTO, with all points and both histories (W13)."""
    program = stack.program(slug)
    form: MergeForm = filled_in(MergeForm, {"into": into}, "merge")
    CorrectMembers(stack.ledger, stack.decisions).merge(program, email, form, actor=OPERATOR)
    show(stack.members.state(program, form.into), as_json=as_json)


@member.command("set")
@click.argument("slug")
@click.argument("email")
@click.option("--state", type=click.Choice(["candidate", "member", "excluded"]))
@click.option("--email", "new_email", help="Another address of the member.")
@click.option("--external-id")
@click.option("--phone", help="In the form of E.164.")
@click.option("--first-name")
@click.option("--last-name")
@click.option("--birthday", help="As YYYY-MM-DD.")
@json_option
@click.pass_obj
def set_member(stack: Stack, /, slug: str, email: str, as_json: bool, **given: str | None) -> None:
    """Change the member EMAIL of program SLUG, or bring it in. What is not named stays as it is."""
    found = stack.program(slug)
    given["email"] = given.pop("new_email")
    facts = {name: value for name, value in given.items() if value is not None}
    form: MemberForm = filled_in(MemberForm, facts, "member")
    _, document = stack.members.save(found, email, form, key="", actor=OPERATOR)
    show(document, as_json=as_json)


@member.command("log")
@click.argument("slug")
@click.argument("email")
@click.option("--limit", type=click.IntRange(1, LONGEST_PAGE), default=PAGE, show_default=True)
@json_option
@click.pass_obj
def show_log(stack: Stack, slug: str, email: str, limit: int, as_json: bool) -> None:
    """Show the newest entries of a member's activity log."""
    page = stack.members.activity(stack.program(slug), email, cursor="", limit=limit)
    if as_json:
        show(page, as_json=True)
        return
    for entry in page.entries:
        who = f"{entry.actor} ({entry.source.kind} {entry.source.id}".rstrip() + ")"
        click.echo(
            f"{entry.recorded_at}  {entry.points:+d}  balance {entry.balance}  {entry.kind}  {who}  "
            f"Klaviyo: {entry.delivery.state}  {entry.reason}".rstrip()
        )


@member.command("erase")
@click.argument("slug")
@click.argument("email")
@click.confirmation_option(prompt="This cannot be undone. Erase this person's data?")
@json_option
@click.pass_obj
def erase(stack: Stack, slug: str, email: str, as_json: bool) -> None:
    """Erase who the member EMAIL of program SLUG is; points and times stay (R25).

    Klaviyo's data about the person is erased in Klaviyo, by a data privacy request.
    """
    found = stack.program(slug)
    somebody = stack.ledger.find(found, Address("email", email))
    if somebody is None:
        raise click.ClickException(f"Nobody in program {slug} has this address.")
    outcome = EraseMember(stack.ledger, stack.decisions)(found, somebody.member_id, actor=OPERATOR)
    if isinstance(outcome, Refusal):
        raise click.ClickException(f"{outcome.message} ({outcome.code})")
    tell(
        f"member {somebody.member_id}: erased", as_json=as_json, member_id=somebody.member_id, entry_id=outcome.entry_id
    )


@click.command()
@click.argument("slug")
@click.argument("email")
@click.option("--add", type=AMOUNT, help="Points to add.")
@click.option("--take", type=AMOUNT, help="Points to take.")
@click.option("--reason", required=True, help="Why, as the activity log shows it.")
@click.option("--key", default="", help="Idempotency key: the same adjustment with the same key happens once.")
@json_option
@click.pass_obj
def adjust(
    stack: Stack, slug: str, email: str, add: int | None, take: int | None, reason: str, key: str, as_json: bool
) -> None:
    """Add points to, or take points from, the member EMAIL of program SLUG (R171)."""
    if (add is None) == (take is None):
        raise click.UsageError("Say either --add or --take.")
    direction = Direction.INCREASE if add else Direction.DECREASE
    facts = {"email": email, "amount": add or take, "reason": reason}
    form: AdjustmentForm = filled_in(AdjustmentForm, facts, "adjustment")
    ledger, found = stack.ledger, stack.program(slug)
    narrative = Narrative(
        Source("staff"), OPERATOR, ledger.clock.now(), reason=form.reason, event_type=direction.event_type
    )
    command = Command(
        CommandKey("adjust", f"staff|{key or ledger.randomness.salt()}"),
        Adjust(direction.signed(form.amount)),
        narrative,
    )
    outcome = ledger.post(found, Address("email", form.email), command)
    if isinstance(outcome, Refusal):
        raise click.ClickException(f"{outcome.message} ({outcome.code})")
    again = " (done before)" if outcome.replayed else ""
    tell(
        f"entry {outcome.entry_id}: {outcome.points:+d} points, balance {outcome.after.available}{again}",
        as_json=as_json,
        entry_id=outcome.entry_id,
        points=outcome.points,
        balance=outcome.after.available,
        replayed=outcome.replayed,
    )
