"""An SQS client that answers as told, for what no real queue does on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class ScriptedSqs:
    """Answers each call as told; keeps what it took."""

    def __init__(self, answer: Callable[[int, list[Any]], dict[str, Any]] = lambda _, __: {}) -> None:
        self.calls: list[list[Any]] = []
        self.threads: set[int] = set()
        self._answer = answer
        self._lock = threading.Lock()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803 - as boto3 names them
        assert QueueUrl
        with self._lock:
            self.calls.append(Entries)
            self.threads.add(threading.get_ident())
            number = len(self.calls)
        return self._answer(number, Entries)

    @property
    def bodies(self) -> list[str]:
        return [entry["MessageBody"] for call in self.calls for entry in call]
