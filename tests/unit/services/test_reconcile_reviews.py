"""Looking through an account's reviews: what no webhook told is found, once, at a cost that follows what changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from local.fake_klaviyo.accounts import Account
from local.fake_klaviyo.review_desk import add_review, moderate, submit_review
from local.fake_klaviyo.seed import DEFAULT_PRIVATE_KEY, ReviewInput, SeedKey
from loyalty.contracts.review_messages import ReviewMessage, UnusableMessage, parse_message
from loyalty.domain.reconciliation import MOST_MARKS, OVERLAP
from loyalty.domain.reviews import ReviewWay
from loyalty.services import reconcile_reviews
from loyalty.services.look_after_connections import LookedAfter
from tests.connection_world import CANDLES, Office

EMAIL = "sarah.mason@klaviyo-demo.com"


@pytest.fixture
def office() -> Office:
    connected = Office()
    connected.connects()
    turn(connected)
    connected.reviews.messages.clear()
    return connected


def account(office: Office) -> Account:
    return office.account.fake.services.world.accounts["AbC123"]


def turn(office: Office, *, hours: float = 1.1, seconds: float = 60) -> LookedAfter:
    office.clock.sleep(hours * 3600)
    (work,) = office.upkeep(until=office.clock.now() + timedelta(seconds=seconds))
    return work


def reviewed(office: Office, **given: Any) -> str:
    """A customer submits a review; its id."""
    services = office.account.fake.services
    return submit_review(services, account(office), ReviewInput.model_validate({"email": EMAIL, **given})).review.id


def found(office: Office) -> list[ReviewMessage]:
    """What was queued since last asked."""
    messages = [parse_message(message.body) for message in office.reviews.messages]
    office.reviews.messages.clear()
    assert all(isinstance(message, ReviewMessage) for message in messages), messages
    return [message for message in messages if isinstance(message, ReviewMessage)]


def test_a_review_that_never_reached_us_is_found(office: Office) -> None:
    """R118: the webhook was disabled meanwhile. The message says all that the webhook's would have said, and more."""
    (webhook,) = account(office).webhooks.values()
    webhook.enabled = False
    review = reviewed(office, rating=4, verified=True, status="pending", content="  Lovely  scent ")
    work = turn(office)
    assert (work.webhook_enabled_again, work.reviews_found, work.trouble) == (True, 1, None)
    (message,) = found(office)
    assert (message.review_key, message.way, message.email) == (review, ReviewWay.POLL, EMAIL)
    assert (message.rating, message.verified, message.status, message.text_length) == (4, True, "pending", 13)
    assert message.other_keys == tuple(account(office).reviews[review].event_ids)
    assert message.updated_at == account(office).reviews[review].updated


def test_nothing_new_costs_one_call_and_queues_nothing(office: Office) -> None:
    for _ in range(3):
        reviewed(office)
    assert turn(office).reviews_found == 3
    found(office)
    for _ in range(3):
        before = office.account.calls("get_reviews")
        assert turn(office).reviews_found == 0
        assert office.account.calls("get_reviews") == before + 1
    assert found(office) == []


def test_a_moderation_is_found_with_its_reason(office: Office) -> None:
    """Published later and rejected later: no webhook tells of either (docs/klaviyo.md 6)."""
    review = reviewed(office, status="pending")
    turn(office)
    found(office)
    moderate(account(office).reviews[review], "published", "", office.clock.now())
    turn(office)
    moderate(account(office).reviews[review], "rejected", "fake", office.clock.now())
    turn(office)
    assert [(each.status, each.status_reason) for each in found(office)] == [("published", ""), ("rejected", "fake")]


def test_what_shows_up_late_is_found(office: Office) -> None:
    """A change that is listed after newer ones."""
    reviewed(office)
    turn(office)
    found(office)
    late = add_review(account(office), ReviewInput(email=EMAIL), office.clock.now())
    newest = max(each.updated for each in account(office).reviews.values() if each is not late)
    late.updated = newest - OVERLAP + timedelta(seconds=1)
    assert turn(office).reviews_found == 1
    assert turn(office).reviews_found == 0


def test_nothing_before_the_connection_is_looked_for() -> None:
    """R112: what did not change since is not even listed to us."""
    office = Office()
    for _ in range(3):
        add_review(account(office), ReviewInput(email=EMAIL), office.clock.now())
    office.clock.sleep(3600)
    office.connects()
    assert turn(office).reviews_found == 0
    assert office.account.calls("get_reviews") == 1


def test_after_a_disconnect_the_time_between_is_left_out(office: Office) -> None:
    """R112, on reconnect too."""
    office.disconnect(CANDLES, confirmed=True)
    reviewed(office)
    office.clock.sleep(3600)
    office.connects()
    later = reviewed(office)
    turn(office)
    assert [message.review_key for message in found(office)] == [later]


def test_a_long_look_goes_on_where_it_stopped(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reviews that change meanwhile are not lost: the next look finds them."""
    monkeypatch.setattr(reconcile_reviews, "MOST_PAGES", 1)
    ids = {reviewed(office) for _ in range(250)}
    work = turn(office)
    assert work.reviews_found == 100
    oldest = min(account(office).reviews.values(), key=lambda review: review.updated)
    moderate(oldest, "rejected", "fake", office.clock.now())
    # The next runs go on, each a quarter of an hour later; the rejection is found an hour after the look's end.
    assert [turn(office, hours=0.25).reviews_found for _ in range(2)] == [100, 50]
    assert turn(office).reviews_found == 1
    messages = found(office)
    assert {message.review_key for message in messages} == ids
    assert [each.status for each in messages if each.review_key == oldest.id][-1] == "rejected"
    assert MOST_MARKS >= 250


def test_a_crash_reports_again_and_loses_nothing(office: Office) -> None:
    """The queue takes half and fails: nothing counts as reported."""
    ids = {reviewed(office) for _ in range(10)}
    office.reviews.troubles = 1
    work = turn(office)
    assert work.trouble is not None
    office.reviews.messages.clear()
    turn(office)
    assert {message.review_key for message in found(office)} == ids


@pytest.mark.parametrize("status", [429, 503])
def test_klaviyos_trouble_leaves_the_rest_of_the_turn_alone(office: Office, status: int) -> None:
    review = reviewed(office)
    office.account.goes_wrong(operation="get_reviews", kind="status", status=status, retry_after=60)
    work = turn(office)
    assert (work.trouble is None, work.lost) == (False, False)
    assert turn(office).trouble is None
    assert [message.review_key for message in found(office)] == [review]


def test_a_cursor_that_klaviyo_forgot_starts_the_look_anew(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile_reviews, "MOST_PAGES", 1)
    ids = {reviewed(office) for _ in range(120)}
    turn(office)
    state = office.reconciliations.states[CANDLES]
    assert state.cursor
    office.account.goes_wrong(operation="get_reviews", kind="status", status=400)
    monkeypatch.setattr(reconcile_reviews, "MOST_PAGES", 40)
    assert turn(office).trouble is None
    assert {message.review_key for message in found(office)} == ids
    assert office.reconciliations.states[CANDLES].cursor == ""


def test_a_missing_scope_is_told_and_not_asked_about_again(office: Office) -> None:
    """R6: by OAuth the grant says so; the rest of the turn goes on."""
    scopes = tuple(scope for scope in office.connection().scopes if scope != "reviews:read")
    office.changes(scopes=scopes)
    before = office.account.calls("get_reviews")
    assert turn(office).trouble is None
    assert office.account.calls("get_reviews") == before
    told = office.health(office.programs.programs[CANDLES])
    assert any(warning.startswith("reviews_scope_missing") for warning in told["warnings"])
    office.changes(scopes=(*scopes, "reviews:read"))
    turn(office)
    told = office.health(office.programs.programs[CANDLES])
    assert not any(warning.startswith("reviews_scope_missing") for warning in told["warnings"])
    assert told["reviews_looked_through_at"]


def test_an_account_with_a_legacy_key_gets_its_reviews_this_way() -> None:
    """No webhook without OAuth (R14); the listing is all there is."""
    office = Office()
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    office.clock.sleep(60)
    review = reviewed(office)
    assert turn(office).reviews_found == 1
    assert [message.review_key for message in found(office)] == [review]


def test_a_legacy_key_without_the_scope_is_told() -> None:
    keys = [SeedKey(key=DEFAULT_PRIVATE_KEY, scopes=["accounts:read", "events:write", "profiles:write"])]
    office = Office(private_keys=keys)
    office.by_key(CANDLES, DEFAULT_PRIVATE_KEY)
    assert turn(office).trouble is None
    told = office.health(office.programs.programs[CANDLES])
    assert any(warning.startswith("reviews_scope_missing") for warning in told["warnings"])


def test_questions_are_passed_over_and_what_cannot_be_decided_is_told(office: Office) -> None:
    reviewed(office, review_type="question", rating=None)
    nameless = add_review(account(office), ReviewInput(email=EMAIL), office.clock.now())
    nameless.attributes["email"] = None
    turn(office)
    (message,) = [parse_message(message.body) for message in office.reviews.messages]
    assert isinstance(message, UnusableMessage)
    assert (message.code, message.review_key) == ("missing_email", nameless.id)


def test_limits_are_kept(office: Office) -> None:
    """10 calls a second and 150 a minute for get_reviews."""
    for _ in range(1500):
        add_review(account(office), ReviewInput(email=EMAIL), office.clock.now())
    assert turn(office, seconds=240).reviews_found == 1500
    assert office.account.exceeded() == []
