"""ProgramStore: settings and connection, whole and apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync, Webhook
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Overdraft, Terms
from loyalty.domain.reviews import ReviewRule
from tests.builders import a_connection, a_program
from tests.contract.storage import Storage
from tests.fakes.clocks import START

EVERYTHING = a_program(
    name="Kerzenklub „Nord“",
    version=7,
    created_at=START + timedelta(milliseconds=123),
    terms=Terms(
        timezone="Europe/Berlin",
        expiry=AfterEarning(Period(months=12, days=3)),
        expiry_revision=4,
        expiry_since=date(2026, 2, 28),
        balance_cap=10_000,
        overdraft=Overdraft.ALLOW_NEGATIVE,
        restored_days=14,
    ),
    review_rule=ReviewRule(enabled=False, points=75, verified_only=False, version=3),
    naming="smile",
    events_off=frozenset({"points_expired", "points_adjusted_up"}),
    newcomers=Standing.CANDIDATE,
    connection=None,
)


def test_an_unknown_program_is_not_there(storage: Storage) -> None:
    assert storage.programs.load(ProgramSlug("nobody")) is None


def test_a_program_comes_back_as_it_was_created(storage: Storage) -> None:
    storage.programs.create(EVERYTHING)
    assert storage.programs.load(EVERYTHING.slug) == EVERYTHING


@pytest.mark.parametrize(
    "policy",
    [
        NoExpiry(),
        AfterEarning(Period(days=90)),
        Inactivity(Period(months=6)),
        Calendar(month=12, day=31, keep_days=60),
    ],
    ids=lambda policy: type(policy).__name__,
)
def test_every_expiry_policy_comes_back(storage: Storage, policy: ExpiryPolicy) -> None:
    program = a_program(terms=Terms(expiry=policy), connection=None)
    storage.programs.create(program)
    assert storage.programs.load(program.slug) == program


def test_a_slug_is_taken_once(storage: Storage) -> None:
    storage.programs.create(EVERYTHING)
    with pytest.raises(Conflict) as conflict:
        storage.programs.create(a_program(name="Second"))
    assert conflict.value.code == "program_exists"
    assert storage.programs.load(EVERYTHING.slug) == EVERYTHING


def test_a_connection_is_stored_beside_the_settings(storage: Storage) -> None:
    """Encrypted secrets are bytes, and come back as the bytes they were."""
    storage.programs.create(EVERYTHING)
    connection = Connection(
        mode=ConnectionMode.OAUTH,
        status=ConnectionStatus.ACCESS_LOST,
        account_id="AbC123",
        credential=bytes(range(256)),
        connected_at=START,
        first_sync=FirstSync.RUNNING,
        reviews_detected=True,
        webhooks=(
            Webhook("01HF", ("event:klaviyo.submitted_review",), (b"\x00old", b"\xffnew")),
            Webhook("02", (), ()),
        ),
    )
    storage.programs.save_connection(EVERYTHING.slug, connection)
    assert storage.programs.load(EVERYTHING.slug) == replace(EVERYTHING, connection=connection)


def test_a_connection_is_replaced_as_a_whole(storage: Storage) -> None:
    storage.programs.create(EVERYTHING)
    storage.programs.save_connection(EVERYTHING.slug, a_connection(reviews_detected=True))
    storage.programs.save_connection(EVERYTHING.slug, a_connection(status=ConnectionStatus.DISCONNECTED))
    loaded = storage.programs.load(EVERYTHING.slug)
    assert loaded is not None
    assert loaded.connection == a_connection(status=ConnectionStatus.DISCONNECTED)


def test_programs_are_apart(storage: Storage) -> None:
    """A slug that starts like another one is another program."""
    storage.programs.create(EVERYTHING)
    longer = a_program(slug=ProgramSlug(f"{EVERYTHING.slug}-2"), connection=None)
    storage.programs.create(longer)
    storage.programs.save_connection(EVERYTHING.slug, a_connection())
    assert storage.programs.load(longer.slug) == longer
