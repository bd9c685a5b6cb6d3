"""Twenty workers find the token expired at the same moment: Klaviyo is asked for a new one exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
import requests

from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.seed import DEFAULT_ACCOUNT, DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET
from local.fake_klaviyo.server import FakeServer
from loyalty.adapters.dynamodb.program_store import DynamoPrograms
from loyalty.adapters.klaviyo.connections import KlaviyoClients, KlaviyoConnections, new_session
from loyalty.adapters.klaviyo.oauth import KlaviyoOAuth
from loyalty.adapters.system import SystemClock
from loyalty.domain.connection import ConnectionMode, ConnectionStatus
from loyalty.domain.oauth import REQUIRED_SCOPES, SealedTokens
from loyalty.ports import ProgramStore
from loyalty.services.keep_tokens import TokenKeeper
from tests.builders import a_connection, a_program
from tests.fakes.memory_oauth import MemoryApp, MemoryNotices
from tests.fakes.memory_programs import MemoryPrograms
from tests.fakes.memory_vault import MemoryVault

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WORKERS = 20


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(FakeKlaviyo()) as running:
        yield running


@pytest.fixture(params=["memory", pytest.param("emulator", marks=pytest.mark.emulator)])
def programs(request: pytest.FixtureRequest) -> ProgramStore:
    if request.param == "memory":
        return MemoryPrograms()
    client: DynamoDBClient = request.getfixturevalue("emulated_dynamodb")
    return DynamoPrograms(client, request.getfixturevalue("new_table"))


@pytest.mark.parametrize("mode", ["same", "rotate"])
def test_twenty_workers_make_one_refresh(server: FakeServer, programs: ProgramStore, mode: str) -> None:
    fake = f"{server.base_url}/_fake"
    requests.patch(f"{fake}/switches", json={"refresh_token_mode": mode}, timeout=5).raise_for_status()
    installed = {"account": DEFAULT_ACCOUNT, "client_id": DEFAULT_CLIENT_ID}
    tokens = requests.post(f"{fake}/installs", json=installed, timeout=5).json()
    requests.post(f"{fake}/tokens/expire", json={}, timeout=5).raise_for_status()
    vault, clock, notices = MemoryVault(), SystemClock(), MemoryNotices()
    program = a_program(connection=None)
    programs_of = programs.programs if isinstance(programs, MemoryPrograms) else None
    if programs_of is None:
        programs.create(program)
    else:
        programs_of[program.slug] = program
    past = clock.now() - timedelta(minutes=1)
    connection = a_connection(
        mode=ConnectionMode.OAUTH,
        credential=vault.encrypt(program.slug, tokens["access_token"]),
        tokens=SealedTokens(vault.encrypt(program.slug, tokens["refresh_token"]), past, past),
        scopes=tuple(sorted(REQUIRED_SCOPES)),
    )
    program = replace(program, connection=programs.save_connection(program.slug, connection))
    barrier = Barrier(WORKERS)

    def work(_: int) -> str:
        """One worker with everything of its own, as in a process of its own."""
        session = new_session()
        oauth = KlaviyoOAuth(session, server.base_url, MemoryApp(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET))
        keeper = TokenKeeper(programs, vault, oauth, notices, clock)
        klaviyo = KlaviyoConnections(KlaviyoClients(server.base_url, clock, session=session), keeper)
        barrier.wait()
        klaviyo.open(program)
        return keeper.current(program)

    with ThreadPoolExecutor(WORKERS) as pool:
        used = set(pool.map(work, range(WORKERS)))
    calls = requests.get(f"{fake}/calls", params={"operation": "oauth_token"}, timeout=5).json()["calls"]
    stored = programs.load(program.slug)
    assert stored is not None
    assert stored.connection is not None
    assert (len(calls), len(used)) == (1, 1)
    assert used == {vault.decrypt(program.slug, stored.connection.credential)}
    assert (stored.connection.status, stored.connection.leased_until) == (ConnectionStatus.CONNECTED, None)
    assert notices.told == []
