"""Profiles on the deployed stack: nothing before the first full sync, everybody once, then changes, one or many."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.inspection import Inspection
from local.stack import Stack
from local.waiting import eventually
from loyalty.domain.connection import ConnectionStatus, losing
from loyalty.domain.ledger.commands import Earn, Erase
from loyalty.domain.profile_jobs import FEW
from tests.contract.storage import Pen, TableStorage
from tests.e2e.merchants import Tenant, moved_in
from tests.fakes.clocks import START

FIELDS = {
    "loyalty_points_balance",
    "loyalty_points_pending",
    "loyalty_points_lifetime_earned",
    "loyalty_points_lifetime_spent",
    "loyalty_state",
}


@dataclass
class Merchant(Tenant):
    """A merchant who connects by private key."""

    key: str

    def connects(self) -> None:
        status, document = self.asks("POST", "/klaviyo/connect", mode="api_key", private_key=self.key)
        assert (status, document["status"]) == (200, "connected"), document

    def profiles(self) -> dict[str, dict[str, Any]]:
        """What the account holds, properties by address."""
        found = self.klaviyo.get("/profiles", account=self.account)["profiles"]
        return {profile["email"]: profile["properties"] for profile in found}

    def sync(self) -> dict[str, Any]:
        status, document = self.asks("GET", "/klaviyo/sync")
        assert status == 200, document
        return document


@pytest.fixture
def merchant(stack: Stack, klaviyo: Inspection) -> Iterator[Merchant]:
    key = f"pk_{uuid.uuid4().hex}"
    tenant = moved_in(stack, klaviyo, private_keys=[{"key": key}])
    merchant = Merchant(stack, klaviyo, tenant.slug, tenant.account, key)
    merchant.connects()
    assert merchant.health()["first_sync"] == "not_started"
    yield merchant
    merchant.asks("POST", "/klaviyo/disconnect", confirm=True)


def becomes(merchant: Merchant, email: str, balance: int) -> Callable[[], bool]:
    """Whether a profile shows a balance by now."""
    return lambda: merchant.profiles().get(email, {}).get("loyalty_points_balance") == balance


def test_the_first_full_sync(merchant: Merchant, stack: Stack) -> None:
    """R27, R28, R30, R31, R154, R155: three members of different values, one without an address, one erased."""
    assert merchant.asks("GET", "/klaviyo/sync")[1]["code"] == "no_sync"
    pen = Pen(TableStorage(stack.client("dynamodb"), stack.description.table), merchant.program)
    points = {"sarah": 10, "bill": 250, "mo": 3_000}
    for name, earned in points.items():
        pen.write(name, Earn(earned))
    pen.write("phone-only", Earn(5), introduced=False)
    pen.write("gone", Earn(5))
    pen.write("gone", Erase())
    assert merchant.profiles() == {}

    status, started = merchant.asks("POST", "/klaviyo/sync")
    assert (status, started["state"]) == (202, "running"), started
    eventually("end of the sync", lambda: merchant.sync()["state"] == "done")
    document = merchant.sync()
    assert document["id"] == started["id"]
    assert (document["total"], document["done"], document["failed"], document["open_jobs"]) == (5, 3, 0, 0)
    assert document["skipped"] == {"no_email": 1, "erased": 1}
    told = merchant.profiles()
    assert {email: each["loyalty_points_balance"] for email, each in told.items()} == {
        f"{name}@klaviyo-demo.com": earned for name, earned in points.items()
    }
    assert all(set(each) >= FIELDS for each in told.values())
    assert merchant.health()["first_sync"] == "done"

    pen.program = merchant.program
    pen.write("sarah", Earn(7))
    eventually("live change in Klaviyo", becomes(merchant, "sarah@klaviyo-demo.com", 17))
    assert merchant.asks("DELETE", "/klaviyo/sync")[1]["code"] == "no_sync_running"
    written = "\n".join(stack.logs("klaviyo_sync"))
    assert written
    assert "@klaviyo-demo.com" not in written


def test_many_changes_at_once_go_as_one_bulk_job(merchant: Merchant, stack: Stack) -> None:
    """R17, R19, R37: what came together while access was lost is told in one call when it is back."""
    assert merchant.asks("POST", "/klaviyo/sync")[0] == 202
    eventually("end of the sync of nobody", lambda: merchant.sync()["state"] == "done")
    connection = merchant.program.connection
    assert connection is not None
    lost = losing(connection, ConnectionStatus.ACCESS_LOST, "revoked", START)
    merchant.programs.save_connection(merchant.slug, lost)
    pen = Pen(TableStorage(stack.client("dynamodb"), stack.description.table), merchant.program)
    names = [f"member-{number}" for number in range(FEW + 5)]
    for number, name in enumerate(names, 1):
        pen.write(name, Earn(number))
    assert merchant.profiles() == {}

    merchant.klaviyo.delete("/calls")
    merchant.connects()
    eventually("everybody in Klaviyo", lambda: len(merchant.profiles()) == len(names), seconds=120)
    told = {email: each["loyalty_points_balance"] for email, each in merchant.profiles().items()}
    assert told == {f"{name}@klaviyo-demo.com": number for number, name in enumerate(names, 1)}
    calls = merchant.klaviyo.get("/calls", account=merchant.account)["calls"]
    assert [call["operation"] for call in calls].count("bulk_import_profiles") == 1
    assert "create_or_update_profile" not in [call["operation"] for call in calls]
    eventually("nothing owed", lambda: merchant.health()["owed"]["profiles"] == 0, seconds=120)
