"""Commands about what waits: dead letters to give back, and history to tell Klaviyo of."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from loyalty.contracts.deliveries import ReplayStep
from loyalty.contracts.replays import replay_document
from loyalty.domain.replay import Replay, ReplayState, replay_of
from tallyhook.delivery import QUEUES
from tallyhook.output import json_option
from tallyhook.progress import counted

if TYPE_CHECKING:
    from loyalty.adapters.dead_letters import SqsDeadLetters
    from tallyhook.stack import Stack

UNFINISHED = 1
"""Exit code of ``replay`` when it did not get to its end."""

TURN = timedelta(seconds=2)
"""How long a replay works before its progress is shown again."""


@click.command()
@click.argument("queues", nargs=-1, type=click.Choice([*QUEUES, "all"]), required=True)
@json_option
@click.pass_obj
def redrive(stack: Stack, queues: tuple[str, ...], as_json: bool) -> None:
    """Give messages that a queue gave up on back to it, after what was wrong is mended.

    Every consumer can work twice on the same message, so this is always safe. What cannot be worked on comes back to
    the dead letters after the queue's number of tries.
    """
    names = list(QUEUES) if "all" in queues else list(dict.fromkeys(queues))
    moved: dict[str, int] = {}
    for name in names:
        dead = stack.delivery.dead_letters(name)
        given = counted(_given_back(dead), label=name, length=dead.waiting(), quiet=as_json)
        moved[name] = sum(given)
    if as_json:
        click.echo(json.dumps({"given_back": moved}, indent=2))
    else:
        for name, number in moved.items():
            click.echo(f"{name}: {number} given back")


@click.command()
@click.argument("slug")
@click.option("--from", "begin", type=click.DateTime(["%Y-%m-%d"]), required=True, help="First day, in UTC.")
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Last day, in UTC.")
@click.option("--type", "types", multiple=True, help="Only this event type; may be repeated.")
@click.option("--flows", is_flag=True, help="Let Klaviyo's flows react as if it had happened now.")
@json_option
@click.pass_obj
def replay(
    stack: Stack, slug: str, begin: datetime, end: datetime, types: tuple[str, ...], flows: bool, as_json: bool
) -> None:
    """Tell Klaviyo of events of program SLUG that were skipped or failed, by the days they were recorded.

    Interrupted, it goes on where it was when asked for the same again. Exits with 1 when it was stopped.
    """
    program = stack.program(slug)
    asked = replay_of(
        program.slug,
        begin.replace(tzinfo=UTC),
        end.replace(tzinfo=UTC) + timedelta(days=1),
        types=frozenset(types),
        off=program.events_off,
        backfill=not flows,
        now=stack.clock.now(),
    )
    began = stack.delivery.begin_replay(program, asked)
    for _ in counted(_turns(stack, began), label="days", length=began.days[1], quiet=as_json):
        pass
    found = stack.delivery.begin_replay.newest(program)
    document = replay_document(found)
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(f"{document['state']}: {found.looked} entries looked at, {found.owed} events owed again")
    if found.state is not ReplayState.DONE:
        sys.exit(UNFINISHED)


def _given_back(dead: SqsDeadLetters) -> Iterator[int]:
    """Numbers of messages given back, call by call; it ends although what is given back may come again."""
    left = dead.waiting()
    while left > 0 and (number := dead.give_back()):
        left -= number
        yield number


def _turns(stack: Stack, began: Replay) -> Iterator[int]:
    """Days done, turn by turn, until the replay is over; the workers may be at it too."""
    behind, step = 0, ReplayStep(program=began.program, replay=began.id)
    while True:
        work = stack.delivery.replay_events(step, until=stack.clock.now() + TURN)
        if work.trouble is not None:
            raise work.trouble
        newest = stack.delivery.replays.load(began.program)
        if newest is None or newest.id != began.id or newest.state is not ReplayState.RUNNING:
            yield began.days[1] - behind
            return
        yield newest.days[0] - behind
        behind = newest.days[0]
