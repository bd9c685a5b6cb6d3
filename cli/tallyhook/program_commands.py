"""Programs, their API keys and the webhook builder, from a terminal."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, get_args

import click

from loyalty.contracts.builder import BuilderForm, IdeaName, build_webhook
from loyalty.contracts.forms import filled_in
from loyalty.contracts.keys import IssuedKeyDocument, KeyDocument, KeysDocument
from loyalty.contracts.settings import SettingsForm, settings_form
from loyalty.contracts.strict_json import read_json
from loyalty.domain.adjustments import Direction
from loyalty.domain.api_keys import REQUESTS_A_MINUTE, Scope
from loyalty.domain.ledger.amounts import MAX_POINTS
from tallyhook.output import json_option, show, tell

if TYPE_CHECKING:
    from loyalty.services.keep_keys import IssuedKey
    from tallyhook.stack import Stack

MOST_BYTES = 64 * 1024


@click.group()
def program() -> None:
    """Programs and their settings."""


@program.command("create")
@click.argument("slug")
@click.argument("name")
@click.option("--timezone", default="UTC", show_default=True, help="Where its days begin and end, as an IANA name.")
@json_option
@click.pass_obj
def create_program(stack: Stack, slug: str, name: str, timezone: str, as_json: bool) -> None:
    """Open program SLUG called NAME, and show its first API key, which has every scope."""
    opened = stack.open_program(slug, name, timezone)
    _show_issued(stack.keys.create(opened.slug, "First key", [Scope.ADMIN]), as_json=as_json)


@program.command("settings")
@click.argument("slug")
@click.pass_obj
def show_settings(stack: Stack, slug: str) -> None:
    """Print the settings of program SLUG as JSON, in the form that `program set` takes."""
    show(settings_form(stack.program(slug)), as_json=True)


@program.command("set")
@click.argument("slug")
@click.argument("file", type=click.File("rb"))
@json_option
@click.pass_obj
def change_settings(stack: Stack, slug: str, file: IO[bytes], as_json: bool) -> None:
    """Replace the settings of program SLUG by those in FILE (- is standard input)."""
    found = stack.program(slug)
    form: SettingsForm = filled_in(SettingsForm, read_json(file.read(), MOST_BYTES), "settings")
    changed = stack.settings(found, form, found.version)
    tell(f"program {slug}: settings of version {changed.version}", as_json=as_json, slug=slug, version=changed.version)


@program.command("entitle")
@click.argument("slug")
@click.option("--klaviyo/--no-klaviyo", required=True, help="Whether the program may connect to Klaviyo.")
@json_option
@click.pass_obj
def entitle(stack: Stack, slug: str, klaviyo: bool, as_json: bool) -> None:
    """Say what the plan of program SLUG includes; a connection that it has goes on."""
    changed = stack.settings.include_klaviyo(stack.program(slug), included=klaviyo)
    may = changed.klaviyo_included
    tell(f"program {slug}: {'may' if may else 'may not'} connect to Klaviyo", as_json=as_json, slug=slug, klaviyo=may)


@program.command("webhook")
@click.argument("slug")
@click.option("--direction", type=click.Choice([way.value for way in Direction]), default="increase", show_default=True)
@click.option("--idea", type=click.Choice(get_args(IdeaName)), default="bonus", show_default=True)
@click.option("--amount", type=click.IntRange(1, MAX_POINTS), default=100, show_default=True)
@click.option("--step", help="Tells it from other steps of the idea that reach the same customers, such as survey.")
@click.option("--key", "api_key", default="", help="API key to put into the headers.")
@json_option
@click.pass_obj
def webhook(stack: Stack, /, slug: str, api_key: str, as_json: bool, **asked: str | int | None) -> None:
    """Print what to paste into a Klaviyo flow's webhook action for program SLUG."""
    found = stack.program(slug)
    form: BuilderForm = filled_in(BuilderForm, asked, "webhook")
    built = build_webhook(
        found,
        stack.public_url,
        api_key,
        direction=Direction(form.direction),
        idea=form.idea,
        amount=form.amount,
        step=form.step or "",
    )
    if as_json:
        show(built, as_json=True)
        return
    click.echo(f"URL\n  {built.url}\n\nHeaders")
    for name, value in built.headers.items():
        click.echo(f"  {name}: {value}")
    click.echo(f"\nJSON body\n{built.body}")
    for warning in built.warnings:
        click.echo(f"\n{warning.message}", err=True)


@click.group()
def key() -> None:
    """API keys of programs."""


@key.command("create")
@click.argument("slug")
@click.argument("name")
@click.option("--scope", "scopes", type=click.Choice([scope.value for scope in Scope]), multiple=True, required=True)
@click.option("--per-minute", type=int, default=REQUESTS_A_MINUTE, show_default=True, help="Most requests a minute.")
@json_option
@click.pass_obj
def create_key(stack: Stack, slug: str, name: str, scopes: tuple[str, ...], per_minute: int, as_json: bool) -> None:
    """Make an API key called NAME for program SLUG. It is shown this once."""
    found = stack.program(slug)
    _show_issued(stack.keys.create(found.slug, name, map(Scope, scopes), per_minute=per_minute), as_json=as_json)


@key.command("list")
@click.argument("slug")
@json_option
@click.pass_obj
def list_keys(stack: Stack, slug: str, as_json: bool) -> None:
    """List the API keys of program SLUG, revoked ones for 90 days."""
    documents = tuple(map(KeyDocument.of, stack.keys.all_of(stack.program(slug).slug)))
    if as_json:
        show(KeysDocument(keys=documents), as_json=True)
        return
    for each in documents:
        state = f"revoked {each.revoked_at}" if each.revoked_at else f"last used {each.last_used_at or 'never'}"
        click.echo(f"{each.key_id}  {each.name}  {' '.join(each.scopes)}  {state}")


@key.command("rotate")
@click.argument("slug")
@click.argument("key_id")
@json_option
@click.pass_obj
def rotate_key(stack: Stack, slug: str, key_id: str, as_json: bool) -> None:
    """Make a key in the place of KEY_ID, which stays live until it is revoked."""
    _show_issued(stack.keys.rotate(stack.program(slug).slug, key_id), as_json=as_json)


@key.command("revoke")
@click.argument("slug")
@click.argument("key_id")
@json_option
@click.pass_obj
def revoke_key(stack: Stack, slug: str, key_id: str, as_json: bool) -> None:
    """Let KEY_ID open nothing any more, from the next request on."""
    show(KeyDocument.of(stack.keys.revoke(stack.program(slug).slug, key_id)), as_json=as_json)


def _show_issued(issued: IssuedKey, *, as_json: bool) -> None:
    show(IssuedKeyDocument(api_key=issued.text, key=KeyDocument.of(issued.key)), as_json=as_json)
