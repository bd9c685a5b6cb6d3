"""Attempts, tickets and account claims: used once, by one browser, in time; one program for an account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from loyalty.domain.errors import Conflict, LoyaltyError, Rejected
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.oauth import Attempt, Ticket
from tests.contract.storage import Storage, TableStorage
from tests.fakes.clocks import START

CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")
ATTEMPT = Attempt("state-digest", CANDLES, "cookie-digest", b"\x00sealed", START)
END = START + timedelta(minutes=30)


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


def test_an_account_has_one_holder(storage: Storage) -> None:
    """R10."""
    assert storage.oauth.account_holder("AbC123") is None
    storage.oauth.claim_account("AbC123", CANDLES, None)
    for held_by in (None, SOAPS):
        with pytest.raises(Conflict):
            storage.oauth.claim_account("AbC123", SOAPS, held_by)
    assert storage.oauth.account_holder("AbC123") == CANDLES
    storage.oauth.claim_account("AbC123", SOAPS, CANDLES)
    assert storage.oauth.account_holder("AbC123") == SOAPS


def test_only_the_holder_gives_an_account_up(storage: Storage) -> None:
    storage.oauth.claim_account("AbC123", CANDLES, None)
    storage.oauth.release_account("AbC123", SOAPS)
    assert storage.oauth.account_holder("AbC123") == CANDLES
    storage.oauth.release_account("AbC123", CANDLES)
    storage.oauth.release_account("AbC123", CANDLES)
    assert storage.oauth.account_holder("AbC123") is None
