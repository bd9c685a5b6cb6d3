"""Pass on what the ledger has just recorded as owed: events one by one, profiles as one wake-up per program.

Nothing depends on a message getting through: what is owed stays marked in the table, messages only say when to look.
So repeats, from a stream batch that comes again, do no harm either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loyalty.contracts.deliveries import OwedEvent, OwedProfiles
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock, MessageQueue, QueueMessage

BUCKET = 2
"""Seconds of wake-ups of one program that become one message.

The profiles queue holds a message back for 5 seconds. A change whose wake-up is dropped as a repeat came at most
2 seconds after the first one, so the work the first one starts always sees it, with 3 seconds to spare for the index
that it is found through.
"""


@dataclass(frozen=True, slots=True)
class Relayed:
    """How much was passed on."""

    events: int
    programs: int

    @property
    def message(self) -> str:
        """What happened."""
        return "outbox relayed"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts."""
        return {"EventsRelayed": self.events, "ProfileWakeUps": self.programs}

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Nothing to find it by: it concerns many members."""
        return {}


@dataclass(frozen=True, slots=True)
class RelayOutbox:
    """The relay between the table's stream and the two lanes."""

    events: MessageQueue
    profiles: MessageQueue
    clock: Clock

    def __call__(self, owed: Iterable[OwedEvent | OwedProfiles]) -> Relayed:
        """Queue a message for each owed event, and one for each program with owed profiles.

        Raises:
            Transient: not everything is queued; doing all of it again is safe.
            Misconfigured: a queue does not take the messages.
        """
        everything = list(owed)
        events = dict.fromkeys(each for each in everything if isinstance(each, OwedEvent))
        programs = dict.fromkeys(each.program for each in everything if isinstance(each, OwedProfiles))
        if events:
            self.events.send([QueueMessage(each.model_dump_json(), group=each.program) for each in events])
        if programs:
            self.profiles.send([wake_up(program, self._bucket()) for program in programs])
        return Relayed(len(events), len(programs))

    def _bucket(self) -> str:
        return str(int(self.clock.now().timestamp()) // BUCKET)


def wake_up(program: ProgramSlug, distinction: str) -> QueueMessage:
    """The message that has a program's owed profiles looked for; repeats of one ``distinction`` are one message."""
    return QueueMessage(
        OwedProfiles(program=program).model_dump_json(),
        group=program,
        deduplication_id=f"{program}-{distinction}",
        attributes={"program": program},
    )
