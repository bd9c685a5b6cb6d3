"""Begin a sweep: one message for each shard of the due index, so that workers share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loyalty.contracts.sweeps import SweepShard
from loyalty.ports import Clock, MessageQueue, QueueMessage


@dataclass(frozen=True, slots=True)
class SweepBegun:
    """How many shards were handed out."""

    shards: int

    @property
    def message(self) -> str:
        """What happened."""
        return "sweep begun"

    @property
    def counts(self) -> Mapping[str, int]:
        """Business facts; the alarm for a sweep that did not run watches this one."""
        return {"SweepsBegun": 1}

    @property
    def ids(self) -> Mapping[str, str | int]:
        """Nothing to find it by: it concerns every program."""
        return {"shards": self.shards}


@dataclass(frozen=True, slots=True)
class BeginSweep:
    """What the hourly schedule does. Beginning twice, or while another sweep runs, does no harm."""

    queue: MessageQueue
    clock: Clock
    shards: int

    def __call__(self) -> SweepBegun:
        """Hand out every shard.

        Raises:
            Transient: not every shard was handed out; beginning again is safe.
        """
        now = self.clock.now()
        work = [SweepShard(shard=shard, until=now, begun=now) for shard in range(self.shards)]
        self.queue.send([QueueMessage(each.model_dump_json()) for each in work])
        return SweepBegun(len(work))
