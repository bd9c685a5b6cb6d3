"""A queue in memory, and when its messages come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.domain.errors import Transient
from loyalty.ports import QueueMessage


class MemoryQueue:
    """Keeps what is sent. ``troubles`` is how many sends in a row fail, each after storing half of its messages."""

    def __init__(self) -> None:
        self.messages: list[QueueMessage] = []
        self.troubles = 0

    def waiting(self) -> int:
        return len(self.messages)

    def send(self, messages: Sequence[QueueMessage]) -> None:
        if self.troubles:
            self.troubles -= 1
            self.messages += messages[: len(messages) // 2]
            raise Transient("The queue did not take all messages; try again shortly.")
        self.messages += messages


@dataclass
class MemoryVisibility:
    """Remembers what was postponed by how many seconds."""

    delays: dict[str, int] = field(default_factory=dict)
    broken: bool = False

    def postpone(self, delays: Mapping[str, int]) -> None:
        if self.broken:
            raise Transient("The queue is busy.")
        self.delays.update(delays)
