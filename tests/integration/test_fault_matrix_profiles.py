"""The fault matrix of profiles: over HTTP, each fault in each lane; then Klaviyo holds the newest state of all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loyalty.adapters.klaviyo import bulk_profiles
from loyalty.domain.connection import ConnectionMode, FirstSync
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.ledger.member import Member
from loyalty.domain.oauth import REQUIRED_SCOPES, SealedTokens
from loyalty.services import deliver_profiles, walk_members
from tests.fault_table import FAULTS, WHOLE_BODY, HttpAccount
from tests.profile_world import ProfileWorld

pytestmark = pytest.mark.slow

LANES = {
    "a few profiles": ("few", "create_or_update_profile"),
    "many profiles": ("many", "bulk_import_profiles"),
    "many profiles, looking at the job": ("many", "get_bulk_import_profiles_job"),
    "full sync": ("sync", "bulk_import_profiles"),
    "full sync, looking at the job": ("sync", "get_bulk_import_profiles_job"),
}
NAMES = ("sarah", "bill", "mo", "ada", "kai")
CASES = [
    pytest.param(lane, operation, fault, id=f"{name}: {fault}")
    for name, (lane, operation) in LANES.items()
    for fault in FAULTS
    if operation != "get_bulk_import_profiles_job" or fault not in WHOLE_BODY
]


@pytest.fixture(scope="module")
def klaviyo() -> Iterator[HttpAccount]:
    with HttpAccount() as account:
        yield account


@pytest.fixture
def world(klaviyo: HttpAccount, monkeypatch: pytest.MonkeyPatch) -> ProfileWorld:
    """A program connected by OAuth; more than two members are many here, and three fit a request."""
    monkeypatch.setattr(deliver_profiles, "FEW", 2)
    monkeypatch.setattr(bulk_profiles, "MAX_PROFILES", 3)
    monkeypatch.setattr(walk_members, "PAGE", 2)
    klaviyo.begins_anew()
    world = ProfileWorld(klaviyo)
    slug, now = ProgramSlug("candles"), world.clock.now()
    tokens = SealedTokens(world.vault.encrypt(slug, klaviyo.refresh_token), now.replace(year=2028), now)
    world.connected(
        mode=ConnectionMode.OAUTH,
        credential=world.vault.encrypt(slug, klaviyo.access_token),
        tokens=tokens,
        scopes=tuple(REQUIRED_SCOPES),
    )
    return world


@pytest.mark.parametrize(("lane", "operation", "fault"), CASES)
def test_after_any_fault_every_profile_is_at_the_newest_state(
    world: ProfileWorld, klaviyo: HttpAccount, lane: str, operation: str, fault: str
) -> None:
    """Zero lost, none at an old state, no call above the published windows; changes go on all the while."""
    if lane == "sync":
        world.connected(first_sync=FirstSync.NOT_STARTED)
    names = NAMES[:2] if lane == "few" else NAMES
    world.has(*names)
    if lane == "sync":
        world.starts_sync()
    klaviyo.suffers(fault, operation)
    world.lets_work(between=(world.has(name, action=Adjust(number)) for number, name in enumerate(names, 1)))
    refused = [world.store.stored[key] for key in world.store.refused]
    world.has(*(each.profile.email.partition("@")[0] for each in refused if isinstance(each, Member)))
    world.lets_work()
    assert len(refused) <= (fault in WHOLE_BODY)
    assert all(armed.hits and not armed.left for armed in klaviyo.fake.services.faults.armed())
    assert world.account.profiles() == world.newest()
    assert len(world.newest()) == len(names)
    assert (world.owed_profiles(), world.jobs.open(world.candles.slug)) == (0, [])
    assert world.account.exceeded() == []
    if lane == "sync":
        assert (world.sync.done + world.sync.failed, world.sync.open_jobs) == (len(names), 0)
