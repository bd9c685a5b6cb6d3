"""What Klaviyo is told of entries and members."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from loyalty.domain.catalogue import event_type
from loyalty.domain.errors import Invalid
from loyalty.domain.ledger.amounts import Amounts
from loyalty.domain.ledger.commands import Action, Adjust, Celebrate, Earn, Pend
from loyalty.domain.ledger.entry import Entry
from loyalty.domain.ledger.expiry import AfterEarning, Period
from loyalty.domain.ledger.lots import NEVER
from loyalty.domain.ledger.member import Member, Profile, Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.telling import event_of, profile_of
from loyalty.services.posting import Ledger
from tests.builders import SARAH, a_command, a_program
from tests.fakes.clocks import START, FixedClock, SeededRandomness
from tests.fakes.memory_ledger import MemoryLedger

PROGRAM = a_program(terms=Terms(expiry=AfterEarning(Period(days=30))))
REVIEW = {"review_id": "r-1", "review_kind": "review", "verified": False, "has_media": True, "rating": 5}


class Journal:
    """Posts to one member and gives the entries back."""

    def __init__(self) -> None:
        self.store = MemoryLedger()
        self.clock = FixedClock()
        self.ledger = Ledger(self.store, self.clock, SeededRandomness())

    def post(self, action: Action, event: str, **narrative: Any) -> Entry:
        command = a_command(action, event_type=event, **narrative)
        receipt = self.ledger.post(PROGRAM, SARAH, command, newcomer=True)
        entry = self.store.entry(PROGRAM.slug, receipt.member_id, receipt.seq)  # type: ignore[union-attr]
        assert entry is not None
        return entry

    def told(self, action: Action, event: str, **narrative: Any) -> dict[str, Any]:
        return dict(event_of(PROGRAM, self.post(action, event, **narrative), SARAH.value).properties)


@pytest.fixture
def journal() -> Journal:
    return Journal()


def a_member(**changes: Any) -> Member:
    member = Member(PROGRAM.slug, PROGRAM.member_id(SARAH.value), profile=Profile(email=SARAH.value))  # type: ignore[arg-type]
    return replace(member, **changes)


def schema_problems(event: str, properties: dict[str, Any]) -> list[str]:
    return [problem.message for problem in Draft202012Validator(event_type(event).schema).iter_errors(properties)]


def test_a_review_event_carries_points_balance_reason_source_entry_id_and_details(journal: Journal) -> None:
    """R75, R103."""
    entry = journal.post(
        Earn(50), "points_earned_review", reason='Review of "Candle"', details={**REVIEW, "product": "Candle"}
    )
    event = event_of(PROGRAM, entry, SARAH.value)
    assert (event.email, event.unique_id, event.time) == (SARAH.value, entry.id, entry.occurred_at)
    assert event.metric == "Points Earned on Review"
    assert event.properties == {
        **REVIEW,
        "product": "Candle",
        "points": 50,
        "balance_after": 50,
        "balance_after_text": "50",
        "reason": 'Review of "Candle"',
        "source": "test",
        "ledger_entry_id": entry.id,
    }
    assert schema_problems("points_earned_review", dict(event.properties)) == []


def test_a_balance_of_zero_arrives_as_text(journal: Journal) -> None:
    """Klaviyo drops a property that is 0, null or empty text, so it is left out and the text says it."""
    journal.post(Earn(50), "points_earned_review", details=REVIEW)
    told = journal.told(Adjust(-50), "points_adjusted_down", reason="")
    assert "balance_after" not in told
    assert told["balance_after_text"] == "0"
    assert not [value for value in told.values() if value in (0, None, "") and value is not False]
    assert schema_problems("points_adjusted_down", told) == []


def test_points_are_positive_whichever_way_they_go(journal: Journal) -> None:
    assert journal.told(Earn(50), "points_earned_review", details=REVIEW)["points"] == 50
    assert journal.told(Adjust(20), "points_adjusted_up")["points"] == 20
    assert journal.told(Adjust(-30), "points_adjusted_down")["points"] == 30
    assert journal.told(Pend("o-1", 70, START), "points_pending_order")["points"] == 70


def test_expired_points_are_told(journal: Journal) -> None:
    """R175."""
    journal.post(Earn(50), "points_earned_review", details=REVIEW)
    journal.clock.advance(days=40)
    journal.ledger.settle(PROGRAM, SARAH)
    entry = journal.store.entry(PROGRAM.slug, PROGRAM.member_id(SARAH.value), 2)  # type: ignore[arg-type]
    assert entry is not None
    assert entry.event_type == "points_expired"
    told = dict(event_of(PROGRAM, entry, SARAH.value).properties)
    assert (told["points"], told["balance_after_text"]) == (50, "0")
    assert schema_problems("points_expired", told) == []


def test_a_notice_tells_the_points_of_its_details(journal: Journal) -> None:
    """R67: a warning moves nothing and is about points all the same."""
    program = replace(PROGRAM, terms=replace(PROGRAM.terms, warning_days=(3,)))
    receipt = journal.ledger.post(program, SARAH, a_command(Earn(50)), newcomer=True)
    journal.clock.advance(days=28)
    assert journal.ledger.attend(program, receipt.member_id) == 1  # type: ignore[union-attr]
    entry = journal.store.entry(program.slug, receipt.member_id, 2)  # type: ignore[union-attr]
    assert entry is not None
    told = dict(event_of(program, entry, SARAH.value).properties)
    assert (told["points"], told["days_left"], told["expires_on"]) == (50, 3, "2026-04-01T12:00:00Z")
    assert (told["last_chance"], told["kept_by"]) == (True, "spending")
    assert schema_problems("points_expiring", told) == []


def test_a_birthday_is_told(journal: Journal) -> None:
    """R80, R169."""
    told = journal.told(Celebrate(date(2026, 3, 2), 20), "points_earned_birthday")
    assert (told["points"], told["balance_after"]) == (20, 20)
    assert schema_problems("points_earned_birthday", told) == []


def test_points_are_never_sent_as_money(journal: Journal) -> None:
    """`value` is money in Klaviyo; revenue reports would show points."""
    told = journal.told(Earn(50), "points_earned_review", details=REVIEW)
    assert not {"value", "$value", "value_currency"} & told.keys()


def test_details_cannot_replace_facts_or_use_reserved_names(journal: Journal) -> None:
    details = {"points": 999, "ledger_entry_id": "x", "$event_id": "y", "ratio": float("nan"), "size": float("inf")}
    entry = journal.post(Earn(50), "points_adjusted_up", details=details)
    told = event_of(PROGRAM, entry, SARAH.value).properties
    assert (told["points"], told["ledger_entry_id"]) == (50, entry.id)
    assert not {"$event_id", "ratio", "size"} & told.keys()


def test_an_entry_whose_words_were_erased_is_told_without_them(journal: Journal) -> None:
    """R25."""
    entry = journal.post(Earn(50), "points_adjusted_up", reason="Thank you, Sarah")
    told = event_of(PROGRAM, replace(entry, private=None), SARAH.value).properties
    assert "reason" not in told
    assert told["points"] == 50


def test_an_event_type_outside_the_catalogue_is_an_error(journal: Journal) -> None:
    entry = journal.post(Earn(50), "points_earned_somehow")
    with pytest.raises(Invalid, match="points_earned_somehow"):
        event_of(PROGRAM, entry, SARAH.value)


def test_the_naming_preset_names_the_metric_and_the_fields(journal: Journal) -> None:
    rijoy = replace(PROGRAM, naming="rijoy")
    entry = journal.post(Adjust(20), "points_adjusted_up")
    assert event_of(rijoy, entry, SARAH.value).metric == "rijoy_points_earned_manual"
    profile = profile_of(rijoy, a_member(amounts=Amounts(available=20, earned=20)))
    assert profile is not None
    assert profile.properties["rijoy_points_available"] == 20


def test_a_profile_keeps_zeros_and_numbers_stay_numbers() -> None:
    """R38, R43-R46, R61: profile properties may be 0, other than those of events."""
    profile = profile_of(PROGRAM, a_member(amounts=Amounts(available=0, pending=7, earned=80, spent=80)))
    assert profile is not None
    assert profile.email == SARAH.value
    assert profile.properties == {
        "loyalty_points_balance": 0,
        "loyalty_points_pending": 7,
        "loyalty_points_lifetime_earned": 80,
        "loyalty_points_lifetime_spent": 80,
        "loyalty_state": "member",
    }


def test_the_expiry_schedule_is_told_soonest_first() -> None:
    """W4. A bare date would be the day before in America, so noon is sent."""
    lots = {"2026-09-30": 120, "2026-10-31": 30, NEVER: 10}
    profile = profile_of(PROGRAM, a_member(lots=lots))
    assert profile is not None
    assert profile.properties["loyalty_next_expiry_date"] == "2026-09-30T12:00:00Z"
    assert profile.properties["loyalty_next_expiry_points"] == 120
    assert profile.properties["loyalty_expiry_schedule"] == ["2026-09-30: 120", "2026-10-31: 30"]
    assert profile.unset == ("loyalty_birthday",)


def test_fields_that_became_empty_are_removed() -> None:
    profile = profile_of(PROGRAM, a_member(lots={NEVER: 10}))
    assert profile is not None
    assert set(profile.unset) == {
        "loyalty_next_expiry_date",
        "loyalty_next_expiry_points",
        "loyalty_expiry_schedule",
        "loyalty_birthday",
    }
    assert not profile.properties.keys() & set(profile.unset)


def test_fields_nothing_fills_yet_are_left_alone() -> None:
    """A store that comes from Smile keeps its referral links until the product has its own."""
    profile = profile_of(replace(PROGRAM, naming="smile"), a_member())
    assert profile is not None
    assert "Smile Referral URL" not in {*profile.properties, *profile.unset}


@pytest.mark.parametrize("birthday", ["", "--12-13", "13.12.1989"])
def test_only_a_whole_birthday_is_told(birthday: str) -> None:
    """R59."""
    profile = profile_of(PROGRAM, a_member(profile=Profile(email=SARAH.value, birthday=birthday)))
    assert profile is not None
    assert "loyalty_birthday" in profile.unset
    whole = profile_of(PROGRAM, a_member(profile=Profile(email=SARAH.value, birthday="1989-12-13")))
    assert whole is not None
    assert whole.properties["loyalty_birthday"] == "1989-12-13T12:00:00Z"


@pytest.mark.parametrize("standing", [Standing.CANDIDATE, Standing.MEMBER, Standing.EXCLUDED])
def test_the_state_follows_the_standing(standing: Standing) -> None:
    """R40."""
    profile = profile_of(PROGRAM, a_member(standing=standing))
    assert profile is not None
    assert profile.properties["loyalty_state"] == standing.value


def test_a_member_without_an_address_has_no_profile() -> None:
    """R31."""
    assert profile_of(PROGRAM, a_member(profile=Profile(), standing=Standing.ERASED)) is None


def test_times_are_told_as_they_happened(journal: Journal) -> None:
    happened = datetime(2026, 2, 1, 8, 30, tzinfo=UTC)
    entry = journal.post(Earn(5), "points_adjusted_up", at=happened)
    assert event_of(PROGRAM, entry, SARAH.value).time == happened
    assert entry.recorded_at.date() == date(2026, 3, 2)
