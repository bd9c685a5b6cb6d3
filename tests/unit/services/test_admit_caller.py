"""Who gets in: keys and their life, scopes, programs, limits (R123, R124)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from loyalty.domain.api_keys import OPERATOR, Scope, presented_key
from loyalty.domain.errors import (
    Forbidden,
    Invalid,
    LoyaltyError,
    NotFound,
    Rejected,
    TooManyRequests,
    Transient,
    Unauthenticated,
)
from loyalty.domain.identity import ProgramSlug
from loyalty.services.admit_caller import AdmitCaller, Caller
from loyalty.services.keep_keys import MOST_LIVE_KEYS, IssuedKey, KeepKeys
from tests.builders import a_program
from tests.fakes.clocks import FixedClock, SeededRandomness
from tests.fakes.memory_keys import MemoryCounter, MemoryKeys
from tests.fakes.memory_programs import MemoryPrograms

CANDLES, SOAP = ProgramSlug("candles"), ProgramSlug("soap")


class Operator:
    """An operator with an easy key."""

    def opens(self, presented: str) -> bool:
        return presented == "operators-own"


@dataclass
class Door:
    """Two programs, and whoever knocks."""

    keys: MemoryKeys = field(default_factory=MemoryKeys)
    clock: FixedClock = field(default_factory=FixedClock)
    randomness: SeededRandomness = field(default_factory=SeededRandomness)

    def __post_init__(self) -> None:
        programs = MemoryPrograms(a_program(), a_program(slug=SOAP))
        self.admit = AdmitCaller(self.keys, programs, MemoryCounter(), self.clock, Operator())
        self.keep = KeepKeys(self.keys, self.clock, self.randomness)

    def key(self, *scopes: Scope, per_minute: int = 600) -> IssuedKey:
        return self.keep.create(CANDLES, "Flows", scopes or (Scope.BALANCE_WRITE,), per_minute=per_minute)

    def knock(self, key: str, slug: str = "candles", scope: Scope = Scope.BALANCE_WRITE, flow: str = "") -> str:
        admitted = self.admit(Caller.of({"api-key": key, "x-klaviyo-flow-id": flow}), slug, scope)
        assert admitted.program.slug == slug
        return admitted.actor


@pytest.fixture
def door() -> Door:
    return Door()


def refusal(door: Door, key: str, slug: str = "candles", *, kind: type[LoyaltyError] = Unauthenticated) -> str:
    with pytest.raises(kind) as refused:
        door.knock(key, slug)
    return refused.value.code


def test_a_key_is_shown_once_and_kept_as_a_digest(door: Door) -> None:
    issued = door.key()
    assert presented_key(issued.text) == issued.presented
    assert issued.text.startswith(issued.key.prefix)
    assert issued.presented.secret not in repr(door.keys.keys)
    assert issued.presented.secret not in repr(issued)


def test_a_live_key_opens_its_program_and_is_the_actor(door: Door) -> None:
    issued = door.key()
    assert door.knock(issued.text) == issued.key.key_id


def test_no_key_and_wrong_keys_are_refused_alike(door: Door) -> None:
    issued = door.key()
    other_secret = door.key().presented.secret
    assert refusal(door, "") == "missing_api_key"
    for wrong in ("nonsense", issued.text[:-1], f"{issued.key.prefix}{other_secret}", f"tk_{'z' * 16}_{other_secret}"):
        assert refusal(door, wrong) == "invalid_api_key"


def test_a_key_opens_no_other_program_and_none_that_is_not_there(door: Door) -> None:
    issued = door.key()
    assert refusal(door, issued.text, "soap", kind=Forbidden) == "key_of_another_program"
    assert refusal(door, issued.text, "wax", kind=NotFound) == "unknown_program"
    assert refusal(door, issued.text, "NO SLUG", kind=NotFound) == "unknown_program"


def test_a_key_may_do_what_its_scopes_say_and_admin_everything(door: Door) -> None:
    reader, admin = door.key(Scope.MEMBERS_READ), door.key(Scope.ADMIN)
    assert refusal(door, reader.text, kind=Forbidden) == "missing_scope"
    assert door.knock(admin.text) == admin.key.key_id


def test_two_keys_live_while_one_is_rotated(door: Door) -> None:
    old = door.key()
    new = door.keep.rotate(CANDLES, old.key.key_id)
    assert (new.key.replaces, new.key.scopes) == (old.key.key_id, old.key.scopes)
    assert {door.knock(old.text), door.knock(new.text)} == {old.key.key_id, new.key.key_id}
    door.keep.revoke(CANDLES, old.key.key_id)
    assert refusal(door, old.text) == "invalid_api_key"
    assert door.knock(new.text) == new.key.key_id
    with pytest.raises(Rejected, match="revoked"):
        door.keep.rotate(CANDLES, old.key.key_id)


def test_keys_of_another_program_cannot_be_touched(door: Door) -> None:
    issued = door.key()
    for act in (door.keep.rotate, door.keep.revoke):
        with pytest.raises(NotFound):
            act(SOAP, issued.key.key_id)


def test_use_is_written_down_once_an_hour_at_most(door: Door) -> None:
    issued = door.key()
    for _ in range(5):
        door.knock(issued.text)
        door.clock.advance(minutes=20)
    assert door.keys.notes == 2


def test_a_limit_is_429_for_systems_and_503_for_klaviyos_flows(door: Door) -> None:
    """W14. Both name the second at which the next minute begins (docs/klaviyo.md 7)."""
    issued = door.key(per_minute=2)
    door.clock.advance(seconds=15)
    door.knock(issued.text)
    door.knock(issued.text)
    with pytest.raises(TooManyRequests) as limited:
        door.knock(issued.text)
    assert limited.value.retry_after == 45
    with pytest.raises(Transient) as from_flow:
        door.knock(issued.text, flow="VeYaWr")
    assert not isinstance(from_flow.value, TooManyRequests)
    assert (from_flow.value.code, from_flow.value.retry_after) == ("too_many_requests", 45)
    door.clock.time += timedelta(seconds=45)
    door.knock(issued.text)


def test_a_wrong_secret_does_not_use_up_anybodys_limit(door: Door) -> None:
    issued, other = door.key(per_minute=1), door.key()
    for _ in range(3):
        refusal(door, f"{issued.key.prefix}{other.presented.secret}")
    assert door.knock(issued.text) == issued.key.key_id


def test_the_operator_opens_every_program(door: Door) -> None:
    assert door.knock("operators-own", "soap", Scope.ADMIN) == OPERATOR
    assert refusal(door, "operators-own", "wax", kind=NotFound) == "unknown_program"


def test_what_only_the_operator_may_do_is_closed_to_programs_keys(door: Door) -> None:
    issued = door.key(Scope.ADMIN)
    with pytest.raises(Forbidden):
        door.admit.operator_only(Caller(issued.text))
    with pytest.raises(Unauthenticated):
        door.admit.operator_only(Caller("nonsense"))
    door.admit.operator_only(Caller("operators-own"))


@pytest.mark.parametrize(
    ("flow", "taken"), [("VeYaWr", "VeYaWr"), (" VeYaWr ", "VeYaWr"), ("a b", ""), ("x" * 65, ""), ("ß", "")]
)
def test_a_flow_id_is_taken_only_in_the_form_of_one(flow: str, taken: str) -> None:
    assert Caller.of({"x-klaviyo-flow-id": flow}).flow_id == taken


def test_a_key_needs_a_name_a_scope_and_a_sensible_limit(door: Door) -> None:
    for name, scopes, limit in (("", [Scope.ADMIN], 1), ("x" * 101, [Scope.ADMIN], 1), ("x", [], 1), ("x", Scope, 0)):
        with pytest.raises(Invalid):
            door.keep.create(CANDLES, name, scopes, per_minute=limit)


def test_a_program_has_a_limited_number_of_live_keys(door: Door) -> None:
    made = [door.key() for _ in range(MOST_LIVE_KEYS)]
    with pytest.raises(Rejected, match="at most"):
        door.key()
    door.keep.revoke(CANDLES, made[0].key.key_id)
    door.key()
