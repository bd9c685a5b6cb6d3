"""What the API takes and tells of replays: admins only, precise refusals, and how far a replay is (R95)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from loyalty.domain.api_keys import Scope
from loyalty.domain.errors import Forbidden, NotFound, Rejected, Unauthenticated
from loyalty.services.admit_caller import AdmitCaller
from loyalty.services.keep_keys import KeepKeys
from loyalty.services.serve_replays import ServeReplays
from tests.fakes.clocks import SeededRandomness
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.replay_world import UP, ReplayWorld


class Counter:
    """The replay part of the API, and keys to knock with."""

    def __init__(self) -> None:
        self.world = ReplayWorld()
        keys, clock = MemoryKeys(), self.world.clock
        self.serve = ServeReplays(
            AdmitCaller(keys, self.world.programs, MemoryCounter(), clock), self.world.begin, clock
        )
        self.keep = KeepKeys(keys, clock, SeededRandomness())
        self.admin = self.key(Scope.ADMIN)

    def key(self, scope: Scope) -> str:
        return self.keep.create(self.world.candles.slug, "Back office", (scope,), per_minute=600).text

    def begins(self, *, key: str = "", **body: Any) -> dict[str, Any]:
        return self.serve.begin("candles", {"api-key": key or self.admin}, json.dumps(body).encode())

    def shows(self) -> dict[str, Any]:
        return self.serve.show("candles", {"api-key": self.admin})

    @property
    def whole(self) -> dict[str, Any]:
        """Everything so far."""
        begin, end = self.world.began - timedelta(days=1), self.world.clock.now() + timedelta(days=1)
        return {"from": begin.isoformat(), "to": end.isoformat()}


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_a_replay_is_begun_and_its_end_is_told(counter: Counter) -> None:
    counter.world.skipped(2)
    counter.world.clock.sleep(1)
    begun = counter.begins(**counter.whole, types=[UP])
    assert (begun["state"], begun["types"], begun["backfill"], begun["owed_again"]) == ("running", [UP], True, 0)
    assert (begun["days_done"], begun["days"], begun["finished_at"]) == (0, 2, None)
    counter.world.goes_on()
    shown = counter.shows()
    assert shown["id"] == begun["id"]
    assert (shown["state"], shown["owed_again"], shown["looked_at"], shown["days_done"]) == ("done", 2, 2, 2)
    assert shown["finished_at"]


def test_without_types_all_that_are_selected_are_meant(counter: Counter) -> None:
    counter.world.clock.sleep(1)
    counter.world.changed_settings(events_off=frozenset({UP}))
    types = counter.begins(**counter.whole)["types"]
    assert UP not in types
    assert "points_expired" in types


def test_before_the_first_one_there_is_none(counter: Counter) -> None:
    with pytest.raises(NotFound) as missing:
        counter.shows()
    assert missing.value.code == "no_replay"


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        ({"to": "2026-01-01T00:00:00Z"}, "from", "missing"),
        ({"from": "yesterday", "to": "2026-01-01T00:00:00Z"}, "from", "not_a_time"),
        ({"from": "2026-01-01T00:00:00", "to": "2026-01-02T00:00:00Z"}, "from", "not_a_time"),
        ({"from": 5, "to": "2026-01-01T00:00:00Z"}, "from", "string_type"),
        (
            {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "types": ["points_earnt"]},
            "types.0",
            "unknown_event_type",
        ),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "flows": True}, "flows", "extra_forbidden"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_where_it_is(
    counter: Counter, body: dict[str, Any], where: str, code: str
) -> None:
    """R92, and nothing has begun."""
    with pytest.raises(Rejected) as refused:
        counter.begins(**body)
    assert refused.value.code == "invalid_replay"
    assert [(each["where"], each["code"]) for each in refused.value.facts["errors"]] == [(where, code)]
    assert counter.world.replays.kept == {}


def test_only_admins_may(counter: Counter) -> None:
    with pytest.raises(Forbidden):
        counter.begins(key=counter.key(Scope.MEMBERS_READ), **counter.whole)
    with pytest.raises(Unauthenticated):
        counter.begins(key="nobody", **counter.whole)
    assert counter.world.replays.kept == {}
