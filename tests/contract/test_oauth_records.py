"""Attempts, tickets and account claims: used once, by one browser, in time; one program for an account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from loyalty.adapters.dynamodb import keys
from loyalty.connection_ports import AccountClaim
from loyalty.domain.connection import Connection
from loyalty.domain.errors import Conflict, LoyaltyError, Rejected
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.oauth import Attempt, Ticket
from tests.builders import a_connection, a_program
from tests.contract.storage import Storage, TableStorage
from tests.fakes.clocks import START

CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")
ATTEMPT = Attempt("state-digest", CANDLES, "cookie-digest", b"\x00sealed", START)
END = START + timedelta(minutes=30)
NEW = a_connection(account_id="AbC123")


def refusal(storage: Storage, state: str = ATTEMPT.state, browser: str = ATTEMPT.browser, minutes: int = 1) -> str:
    with pytest.raises(Rejected) as refused:
        storage.oauth.take_attempt(state, browser, START + timedelta(minutes=minutes))
    return refused.value.code


def test_an_attempt_comes_back_once(storage: Storage) -> None:
    storage.oauth.keep_attempt(ATTEMPT, END)
    assert storage.oauth.take_attempt(ATTEMPT.state, ATTEMPT.browser, START) == ATTEMPT
    assert refusal(storage) == "attempt_used"


def test_whoever_asks_at_the_same_time_one_gets_it(storage: Storage, request: pytest.FixtureRequest) -> None:
    if "moto" in request.node.name:
        pytest.skip("moto isolates nothing")
    storage.oauth.keep_attempt(ATTEMPT, END)

    def take(_: int) -> str:
        try:
            storage.oauth.take_attempt(ATTEMPT.state, ATTEMPT.browser, START)
        except LoyaltyError as error:
            return error.code
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(take, range(8)))
    assert outcomes == ["attempt_used"] * 7 + ["taken"]


def test_unknown_late_and_foreign_ones_are_told_apart(storage: Storage) -> None:
    storage.oauth.keep_attempt(ATTEMPT, END)
    storage.oauth.keep_ticket(Ticket("ticket-digest", CANDLES, START), END)
    assert refusal(storage, state="made-up") == "unknown_attempt"
    assert refusal(storage, state="ticket-digest") == "unknown_attempt"
    assert refusal(storage, browser="another") == "another_browser"
    assert refusal(storage, minutes=30) == "attempt_expired"
    assert storage.oauth.take_attempt(ATTEMPT.state, ATTEMPT.browser, END - timedelta(seconds=1)) == ATTEMPT


def test_a_ticket_works_until_its_end(storage: Storage) -> None:
    ticket = Ticket("ticket-digest", CANDLES, START)
    storage.oauth.keep_ticket(ticket, END)
    storage.oauth.keep_attempt(ATTEMPT, END)
    assert storage.oauth.ticket("ticket-digest", START) == ticket
    assert storage.oauth.ticket("ticket-digest", END) is None
    assert storage.oauth.ticket("made-up", START) is None
    assert storage.oauth.ticket(ATTEMPT.state, START) is None


def test_what_is_over_is_removed_by_the_table_itself(table_storage: TableStorage) -> None:
    table_storage.oauth.keep_attempt(ATTEMPT, END)
    table_storage.oauth.keep_ticket(Ticket("ticket-digest", CANDLES, START), END)
    ends = {item["expires_at"] for item in table_storage.items()}
    assert ends == {int((END + timedelta(days=1)).timestamp())}


@pytest.fixture
def two_programs(storage: Storage) -> Storage:
    for slug in (CANDLES, SOAPS):
        storage.programs.create(a_program(slug=slug, connection=None))
    return storage


def connection_of(storage: Storage, slug: ProgramSlug) -> Connection | None:
    program = storage.programs.load(slug)
    assert program is not None
    return program.connection


def test_a_connection_is_stored_with_the_claim_to_its_account(two_programs: Storage) -> None:
    """R10."""
    records = two_programs.oauth
    assert records.claim_of("AbC123") is None
    stored = records.establish(CANDLES, NEW, None)
    assert connection_of(two_programs, CANDLES) == stored == replace(NEW, version=1)
    claim = records.claim_of("AbC123")
    assert claim == AccountClaim(CANDLES, 1)
    records.establish(SOAPS, NEW, claim)
    assert records.claim_of("AbC123") == AccountClaim(SOAPS, 2)


def test_over_a_claim_that_changed_since_it_was_read_nothing_is_stored(two_programs: Storage) -> None:
    """R10: also where the same program came back to the account meanwhile."""
    records = two_programs.oauth
    stored = records.establish(CANDLES, NEW, None)
    seen = records.claim_of("AbC123")
    records.establish(CANDLES, stored, seen)
    for outdated in (None, seen):
        with pytest.raises(Conflict):
            records.establish(SOAPS, NEW, outdated)
    assert (connection_of(two_programs, SOAPS), records.claim_of("AbC123")) == (None, AccountClaim(CANDLES, 2))


def test_over_a_connection_that_changed_since_it_was_read_nothing_is_claimed(two_programs: Storage) -> None:
    records = two_programs.oauth
    newest = two_programs.programs.save_connection(CANDLES, a_connection(account_id="XyZ789"))
    with pytest.raises(Conflict):
        records.establish(CANDLES, NEW, None)
    assert (connection_of(two_programs, CANDLES), records.claim_of("AbC123")) == (newest, None)


def test_a_claim_of_the_release_before_can_be_taken_over(table_storage: TableStorage) -> None:
    """It had no version."""
    key = keys.account_claim("AbC123")
    table_storage.put({"pk": key.pk, "sk": key.sk, "type": "account", "program": CANDLES})
    claim = table_storage.oauth.claim_of("AbC123")
    assert claim == AccountClaim(CANDLES, 0)
    table_storage.oauth.establish(SOAPS, NEW, claim)
    assert table_storage.oauth.claim_of("AbC123") == AccountClaim(SOAPS, 1)
