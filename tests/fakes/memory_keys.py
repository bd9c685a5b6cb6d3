"""API keys, request counts and unfinished requests in memory."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

from loyalty.domain.api_keys import ApiKey
from loyalty.domain.identity import ProgramSlug


class MemoryKeys:
    """The key port in a dictionary; ``notes`` counts how often a use was written down."""

    def __init__(self) -> None:
        self.keys: dict[str, ApiKey] = {}
        self.notes = 0

    def add(self, key: ApiKey) -> None:
        self.keys[key.key_id] = key

    def load(self, key_id: str) -> ApiKey | None:
        return self.keys.get(key_id)

    def all_of(self, program: ProgramSlug) -> list[ApiKey]:
        found = [key for key in self.keys.values() if key.program == program]
        return sorted(found, key=lambda key: (key.created_at, key.key_id))

    def revoke(self, key: ApiKey, at: datetime) -> ApiKey:
        stored = self.keys[key.key_id]
        self.keys[key.key_id] = replace(stored, revoked_at=stored.revoked_at or at)
        return self.keys[key.key_id]

    def note_use(self, key: ApiKey, at: datetime) -> None:
        self.notes += 1
        self.keys[key.key_id] = replace(self.keys[key.key_id], last_used_at=at)


class MemoryCounter:
    """The counter port in a dictionary, safe between threads."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def take(self, key_id: str, limit: int, now: datetime) -> bool:
        minute = (key_id, f"{now:%Y-%m-%dT%H:%M}")
        with self._lock:
            if self.requests.get(minute, 0) >= limit:
                return False
            self.requests[minute] = self.requests.get(minute, 0) + 1
        return True


class MemoryUnfinished:
    """The port of unfinished requests in a dictionary."""

    def __init__(self) -> None:
        self.names: dict[tuple[ProgramSlug, str], str] = {}

    def find(self, program: ProgramSlug, digest: str) -> str:
        return self.names.get((program, digest), "")

    def remember(self, program: ProgramSlug, digest: str, name: str, now: datetime) -> None:
        self.names[(program, digest)] = name

    def forget(self, program: ProgramSlug, digest: str) -> None:
        self.names.pop((program, digest), None)
