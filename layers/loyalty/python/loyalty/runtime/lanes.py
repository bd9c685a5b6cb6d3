"""The lanes to Klaviyo as queue work: messages in, what has to come back out, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

from loyalty.contracts.deliveries import EventsMessage, OwedEvent, OwedProfiles, ReplayStep, SyncTask
from loyalty.domain.errors import Transient
from loyalty.ports import Clock
from loyalty.runtime.batch import Message, Return
from loyalty.runtime.observability import count, logger, report, report_error
from loyalty.services.deliver_events import DeliverEvents, ProgramEvents
from loyalty.services.deliver_profiles import DeliverProfiles
from loyalty.services.follow_job import FollowJob
from loyalty.services.program_run import ProgramRun
from loyalty.services.replay_events import ReplayEvents
from loyalty.services.walk_members import WalkMembers

MOST_TRIES = 90
"""After so many, about a day of trouble that passes, a message is let go: what is to be done stands in the table, and
the upkeep queues it again. So the dead letters hold what nobody understands, and nothing else."""

RESERVE = timedelta(seconds=20)
"""Kept of a function's time for the last call to Klaviyo to run into its time limit and for noting what was done."""

_ModelT = TypeVar("_ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class EventsLane:
    """The events lane: a batch of messages, each of one owed event or one step of a replay, of any programs."""

    deliver: DeliverEvents
    give_back: Return
    clock: Clock
    replay: ReplayEvents

    def __call__(self, messages: Sequence[Message], context: LambdaContext) -> Iterable[str]:
        """Deliver the events, then go on with replays; ids of messages that must come back."""
        parsed, unreadable = _parsed(messages, EventsMessage)
        read = {message: said.root for message, said in parsed.items()}
        readable = {message: said for message, said in read.items() if isinstance(said, OwedEvent)}
        done = self.deliver(list(readable.values()), until=_until(self.clock, context))
        waiting: dict[OwedEvent, ProgramEvents] = {}
        for work in done:
            _tell(work.program, work.trouble)
            report(work)
            waiting.update(dict.fromkeys(work.later.values(), work))
        back = _tried_again({message: waiting[owed] for message, owed in readable.items() if owed in waiting})
        steps = {message: said for message, said in read.items() if isinstance(said, ReplayStep)}
        return [*unreadable, *self.give_back(back | self._replayed(steps, context))]

    def _replayed(self, steps: Mapping[Message, ReplayStep], context: LambdaContext) -> dict[Message, int | None]:
        back: dict[Message, int | None] = {}
        for step in dict.fromkeys(steps.values()):
            work = self.replay(step, until=_until(self.clock, context))
            _tell(work.program, work.trouble)
            report(work)
            if work.trouble is not None:
                back |= {message: work.retry_after for message, asked in steps.items() if asked == step}
        return back


@dataclass(frozen=True, slots=True)
class ProfilesLane:
    """The profiles lane: each message is a program whose owed profiles are to be sent, one at a time."""

    deliver: DeliverProfiles
    give_back: Return
    clock: Clock

    def __call__(self, messages: Sequence[Message], context: LambdaContext) -> Iterable[str]:
        """Send the profiles; ids of messages that must come back. Messages of one program are one piece of work."""
        readable, unreadable = _parsed(messages, OwedProfiles)
        unfinished: dict[Message, ProgramRun] = {}
        for owed in dict.fromkeys(readable.values()):
            work = self.deliver(owed.program, until=_until(self.clock, context))
            _tell(work.program, work.trouble)
            report(work)
            if work.comes_back:
                unfinished |= {message: work for message, asked in readable.items() if asked == owed}
        return [*unreadable, *self.give_back(_tried_again(unfinished))]


@dataclass(frozen=True, slots=True)
class SyncsLane:
    """The lane of full syncs and bulk imports: each message is a sync to go on with, or a job to look at."""

    walk: WalkMembers
    follow: FollowJob
    give_back: Return
    clock: Clock

    def __call__(self, messages: Sequence[Message], context: LambdaContext) -> Iterable[str]:
        """Do what the messages ask for; ids of those that must come back."""
        readable, unreadable = _parsed(messages, SyncTask)
        unfinished: dict[Message, ProgramRun] = {}
        for message, task in readable.items():
            until = _until(self.clock, context)
            walks = not task.job
            work = self.walk(task.program, until=until) if walks else self.follow(task.program, task.job, until=until)
            _tell(task.program, work.trouble)
            report(work)
            if work.comes_back:
                unfinished[message] = work
        return [*unreadable, *self.give_back(_tried_again(unfinished))]


def _until(clock: Clock, context: LambdaContext) -> datetime:
    left = timedelta(milliseconds=context.get_remaining_time_in_millis())
    return clock.now() + max(timedelta(), left - RESERVE)


def _parsed(messages: Sequence[Message], model: type[_ModelT]) -> tuple[dict[Message, _ModelT], list[str]]:
    """Read the messages; ids of those that cannot be read, which end among the dead letters."""
    readable: dict[Message, _ModelT] = {}
    unreadable: list[str] = []
    for message in messages:
        try:
            readable[message] = model.model_validate_json(message.body)
        except ValidationError:
            logger.error("message not readable", extra={"message_id": message.id})
            unreadable.append(message.id)
    return readable, unreadable


def _tried_again(unfinished: Mapping[Message, ProgramRun]) -> dict[Message, int | None]:
    """When messages come back, by what became of their work; those missing are left to the upkeep."""
    back = {message: work.retry_after for message, work in unfinished.items() if not _is_left(message, work)}
    count("MessagesLeftToUpkeep", len(unfinished) - len(back))
    return back


def _is_left(message: Message, work: ProgramRun) -> bool:
    return message.received >= MOST_TRIES and (work.trouble is None or isinstance(work.trouble, Transient))


def _tell(program: str, trouble: Exception | None) -> None:
    if trouble is None:
        return
    logger.append_keys(program=program)
    report_error("delivery interrupted", trouble)
    logger.remove_keys(["program"])
