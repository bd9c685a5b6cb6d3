"""ProgramStore: settings and connection, whole and apart."""

from __future__ import annotations

from dataclasses import MISSING, Field, fields, replace
from datetime import date, timedelta

import pytest

from loyalty.domain.adjustments import AdjustmentRule, UnknownMember
from loyalty.domain.connection import Connection, ConnectionMode, ConnectionStatus, FirstSync, Loss, Webhook
from loyalty.domain.email_channels import EmailChannel, EmailType, Sender
from loyalty.domain.errors import Conflict
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.ledger.expiry import AfterEarning, Calendar, ExpiryPolicy, Inactivity, NoExpiry, Period
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import BirthdayRule, Overdraft, PolicyChange, Terms
from loyalty.domain.naming import Naming
from loyalty.domain.oauth import SealedTokens
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.review_rule import AwardOn, Burst, ReviewApp, ReviewLimit, ReviewRule
from loyalty.domain.reviews import ReviewSource
from loyalty.domain.rewards import Reward
from loyalty.domain.tiers import Tier
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
        warning_days=(14, 1),
        warned_first=True,
        birthday=BirthdayRule(100, date(2026, 3, 1)),
        expiry_past=(
            PolicyChange(0, NoExpiry(), date(1970, 1, 1)),
            PolicyChange(3, Inactivity(Period(months=6)), date(2025, 7, 1)),
        ),
    ),
    review_rule=ReviewRule(
        enabled=False,
        points=75,
        verified_only=False,
        version=3,
        app=ReviewApp.JUDGEME,
        text_points=10,
        media_points=25,
        stars_only=False,
        min_characters=20,
        min_rating=2,
        award_on=AwardOn.PUBLICATION,
        take_back_rejected=False,
        take_back_unpublished=True,
        limit=ReviewLimit(2, CapPeriod.MONTH),
        product_limit=ReviewLimit(1, CapPeriod.EVER),
        member_limit=30,
        refuse_duplicates=True,
        burst=Burst(3, 10),
        refuse_disposable=True,
        disposable_domains=("throwaway.example",),
        staff=("candles.example", "bill.joel@klaviyo-demo.com"),
        since=START,
        past=(
            ReviewRule(version=1),
            ReviewRule(points=60, limit=ReviewLimit(1, CapPeriod.DAY), version=2, since=START),
        ),
    ),
    naming="smile",
    names=Naming(
        metrics={"points_expired": "Punkte verfallen"},
        fields={"points_balance": "Punkte"},
        properties={"points_expired": {"points": "Punkte"}},
    ),
    events_off=frozenset({"points_expired", "points_adjusted_up"}),
    newcomers=Standing.CANDIDATE,
    adjustment_rule=AdjustmentRule(UnknownMember.REFUSE, derived_keys=True),
    rewards=(Reward("five-off", "5 € off", 500), Reward("mug", "Mug", 900, enabled=False)),
    tiers=(Tier(1, "Bronze", 0), Tier(7, "Gold", 1000, "Free delivery")),
    channels={EmailType.POINTS_EARNED: EmailChannel(Sender.KLAVIYO, own_email=True)},
    shows_in_customer_hub=True,
    klaviyo_included=False,
    connection=None,
)


def test_everything_is_said_in_this_example() -> None:
    """A field left at its default could be lost on its way and nobody would notice.

    The connection and other review apps are stored apart, by tests of their own.
    """
    program = replace(EVERYTHING, connection=a_connection(), feeds=(ReviewFeed(ReviewSource.JUDGEME, START),))
    for part in (program, program.terms, program.review_rule, program.adjustment_rule):
        silent = [field.name for field in fields(part) if getattr(part, field.name) == _default(field)]
        assert silent == []


def _default(field: Field[object]) -> object:
    return field.default_factory() if field.default_factory is not MISSING else field.default


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
            Webhook("02", (), (), enabled=False),
        ),
        tokens=SealedTokens(b"\x00refresh", START, START, forced_at=START),
        scopes=("accounts:read", "events:write"),
        granted_at=START,
        leased_until=START,
        loss=Loss(START, "The app was removed.", notified_at=START),
        webhooks_allowed=False,
        webhook_problem="An account can have at most 10 webhooks.",
        detected_at=START,
        upkeep_at=START,
    )
    stored = storage.programs.save_connection(EVERYTHING.slug, connection)
    assert stored == replace(connection, version=1)
    assert storage.programs.load(EVERYTHING.slug) == replace(EVERYTHING, connection=stored)


def test_a_connection_is_replaced_as_a_whole(storage: Storage) -> None:
    storage.programs.create(EVERYTHING)
    first = storage.programs.save_connection(EVERYTHING.slug, a_connection(reviews_detected=True))
    gone = a_connection(status=ConnectionStatus.DISCONNECTED, credential=b"", version=first.version)
    stored = storage.programs.save_connection(EVERYTHING.slug, gone)
    loaded = storage.programs.load(EVERYTHING.slug)
    assert loaded is not None
    assert loaded.connection == stored == replace(gone, version=2)


def test_only_the_newest_version_of_a_connection_can_be_replaced(storage: Storage) -> None:
    """A worker that was left behind overwrites nothing (R7, R13)."""
    storage.programs.create(EVERYTHING)
    first = storage.programs.save_connection(EVERYTHING.slug, a_connection())
    second = storage.programs.save_connection(EVERYTHING.slug, first)
    for stale in (a_connection(), first, replace(second, version=second.version + 1)):
        with pytest.raises(Conflict) as conflict:
            storage.programs.save_connection(EVERYTHING.slug, stale)
        assert conflict.value.code == "connection_changed"
    loaded = storage.programs.load(EVERYTHING.slug)
    assert loaded is not None
    assert loaded.connection == second


def test_connections_have_their_turn_in_the_order_of_time(storage: Storage) -> None:
    slugs = [ProgramSlug(f"shop-{number}") for number in range(5)]
    for number, slug in enumerate(slugs):
        storage.programs.create(a_program(slug=slug, connection=None))
        at = START + timedelta(minutes=10 - number) if number < 4 else None
        storage.programs.save_connection(slug, a_connection(upkeep_at=at))
    assert storage.programs.connections_due(START, limit=10) == []
    due = START + timedelta(minutes=9, seconds=30)
    assert storage.programs.connections_due(due, limit=10) == [slugs[3], slugs[2], slugs[1]]
    assert storage.programs.connections_due(due, limit=1) == [slugs[3]]


def test_programs_are_apart(storage: Storage) -> None:
    """A slug that starts like another one is another program."""
    storage.programs.create(EVERYTHING)
    longer = a_program(slug=ProgramSlug(f"{EVERYTHING.slug}-2"), connection=None)
    storage.programs.create(longer)
    storage.programs.save_connection(EVERYTHING.slug, a_connection())
    assert storage.programs.load(longer.slug) == longer
