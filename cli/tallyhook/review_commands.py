"""Commands about reviews: pay those of the time before a program was connected."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from loyalty.services.import_reviews import ImportReviews
from tallyhook.output import json_option
from tallyhook.progress import shown

if TYPE_CHECKING:
    from tallyhook.stack import Stack

TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command("import-reviews")
@click.argument("slug")
@click.option("--since", type=TIME, required=True, help="When the first of them was written, UTC.")
@click.option("--until", type=TIME, required=True, help="When the last of them was written, UTC.")
@click.option("--dry-run", is_flag=True, help="Say what would be paid, and change nothing.")
@json_option
@click.pass_obj
def import_reviews(stack: Stack, slug: str, since: datetime, until: datetime, dry_run: bool, as_json: bool) -> None:
    """Pay reviews of program SLUG that were written in Klaviyo Reviews before it was connected, by its review rule.

    Each review pays once, however often it is imported or comes in by another way. Flows are not set off.
    """
    program = stack.program(slug)
    api = stack.klaviyo.open(program)
    importing = ImportReviews(stack.programs, stack.store, stack.decisions, stack.clock, stack.randomness)
    steps = importing(program, api, since.replace(tzinfo=UTC), until.replace(tzinfo=UTC), rehearse=dry_run)
    *_, done = shown(steps, label="reviews", quiet=as_json)
    if as_json:
        facts = {"dry_run": dry_run, "reviews": done.reviews, "points": done.points, "outcomes": dict(done.outcomes)}
        click.echo(json.dumps(facts, indent=2))
        return
    for outcome, count in sorted(done.outcomes.items()):
        click.echo(f"{count:>7}  {outcome}")
    would = "would bring" if dry_run else "brought"
    click.echo(f"{done.reviews} reviews {would} {done.points} points")
