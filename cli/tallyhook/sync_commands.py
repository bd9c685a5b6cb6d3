"""The command about full syncs: start one, watch it, look at it, cancel it (R27, R29)."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Literal

import click

from loyalty.domain.full_sync import SyncState
from loyalty.services.run_sync import described
from tallyhook.output import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loyalty.domain.full_sync import FullSync
    from tallyhook.stack import Stack

LOOK_EVERY = 2.0
"""Seconds between two looks at a sync that is watched."""

CANCELLED = 1
"""Exit code when the sync that was watched got cancelled."""


@click.command()
@click.argument("slug")
@click.option("--status", "what", flag_value="status", help="Only say how far the newest one is.")
@click.option("--cancel", "what", flag_value="cancel", help="Cancel the running one.")
@click.option("--no-wait", "what", flag_value="start", help="Start one and do not watch it.")
@json_option
@click.pass_obj
def sync(stack: Stack, slug: str, what: Literal["status", "cancel", "start"] | None, as_json: bool) -> None:
    """Send every member of program SLUG to Klaviyo, and watch until that is done.

    One that is running already is watched. It goes on when this command is stopped. Exits with 1 when it got cancelled.
    """
    program, run = stack.program(slug), stack.run_sync
    match what:
        case "status":
            newest = run.newest(program.slug)
        case "cancel":
            newest = run.cancel(program.slug)
        case "start":
            newest = run.start(program)
        case _:
            run.start(program)
            newest = _watched(stack, program.slug, quiet=as_json)
    document = described(newest, stack.clock.now())
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(_sentence(newest))
    if what is None and newest.state is SyncState.CANCELLED:
        sys.exit(CANCELLED)


def is_terminal() -> bool:
    """Whether somebody watches."""
    return sys.stderr.isatty()


def _watched(stack: Stack, slug: str, *, quiet: bool) -> FullSync:
    looks = _looks(stack, slug)
    newest = next(looks)
    if quiet or not is_terminal():
        return list(looks)[-1] if newest.state is SyncState.RUNNING else newest
    with click.progressbar(length=newest.total or 1, label="members", file=sys.stderr, show_pos=True, width=0) as bar:
        for newest in looks:
            bar.length = newest.total or 1
            bar.update(newest.settled - bar.pos)
    return newest


def _looks(stack: Stack, slug: str) -> Iterator[FullSync]:
    program = stack.program(slug)
    while True:
        newest = stack.run_sync.newest(program.slug)
        yield newest
        if newest.state is not SyncState.RUNNING:
            return
        stack.clock.sleep(LOOK_EVERY)


def _sentence(sync: FullSync) -> str:
    skipped = ", ".join(f"{number} skipped ({reason})" for reason, number in sorted(sync.skipped.items()))
    parts = [f"{sync.done} of {sync.total or 0} members done", *filter(None, [skipped]), f"{sync.failed} failed"]
    waiting = f"; waits for {sync.trouble}" if sync.trouble else ""
    return f"{sync.id} {sync.state.value}: {', '.join(parts)}, {sync.open_jobs} jobs open{waiting}"
