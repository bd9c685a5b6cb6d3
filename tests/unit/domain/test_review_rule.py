"""The review rule case by case: what a review earns, and which condition fails first (R99, R103-R112)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty.domain.ledger.caps import CapPeriod
from loyalty.domain.review_checks import CODES, Award, Refused, Surroundings, is_listed, rank
from loyalty.domain.review_rule import KEPT_VERSIONS, Burst, ReviewApp, ReviewLimit, ReviewRule
from loyalty.domain.review_tally import MOST_KEPT, Counted, Tally
from loyalty.domain.reviews import ReviewSource, ReviewWay, SubmissionKind
from tests.reviews import WRITTEN, a_submission, moment, paid_for, verdict

STARS = {"kind": SubmissionKind.RATING, "text_length": 0, "text_digest": ""}
DAY, WEEK, MONTH, YEAR, EVER = CapPeriod
BERLIN, AUCKLAND, NEW_YORK = "Europe/Berlin", "Pacific/Auckland", "America/New_York"


@dataclass(frozen=True)
class Case:
    """A review, a rule, what surrounds them, and what comes of it: points, or the code of a refusal."""

    name: str
    expected: int | str
    rule: ReviewRule = field(default_factory=ReviewRule)
    review: dict[str, Any] = field(default_factory=dict)
    around: dict[str, Any] = field(default_factory=dict)


def limit(
    name: str, expected: int | str, times: int, period: CapPeriod, at: str, *paid: str, zone: str = "UTC"
) -> Case:
    """A case of the limit per period: a review written at a time, and those that were paid."""
    around = {"timezone": zone, "tally": paid_for(*paid)}
    return Case(name, expected, ReviewRule(limit=ReviewLimit(times, period)), {"submitted_at": moment(at)}, around)


def product(name: str, expected: int | str, times: int, period: CapPeriod, of: str, at: str, *paid: str) -> Case:
    """A case of the limit per product."""
    review = {"submitted_at": moment(at), "product_key": of}
    return Case(
        name, expected, ReviewRule(product_limit=ReviewLimit(times, period)), review, {"tally": paid_for(*paid)}
    )


def burst(name: str, expected: int | str, at: str, *paid: str) -> Case:
    """A case of two reviews within ten minutes."""
    rule = ReviewRule(burst=Burst(2, 10))
    return Case(name, expected, rule, {"submitted_at": moment(at)}, {"tally": paid_for(*paid)})


CASES = (
    # R104, R107: what it is worth
    Case("a verified review with text", 50),
    Case("another number of points", 120, ReviewRule(points=120)),
    Case("stars alone", 50, review=STARS),
    Case("stars alone with a photo", 50, review={**STARS, "has_media": True}),
    Case("a text with a video", 50, review={"has_media": True}),
    Case("a text is worth more", 70, ReviewRule(text_points=20)),
    Case("but stars alone are not", 50, ReviewRule(text_points=20), STARS),
    Case("a photo is worth more", 80, ReviewRule(media_points=30), {"has_media": True}),
    Case("a review without a photo is not", 50, ReviewRule(media_points=30)),
    Case("text and photo add up", 100, ReviewRule(text_points=20, media_points=30), {"has_media": True}),
    Case("stars with a photo have no text", 80, ReviewRule(text_points=20, media_points=30), {**STARS, "has_media": 1}),
    Case("a review without a rating or product", 50, review={"rating": None, "product_key": "", "product": ""}),
    # Switched off, or another app (R99, R100)
    Case("the rule is off", "rule_disabled", ReviewRule(enabled=False)),
    Case("a review from Judge.me", "other_review_app", review={"source": ReviewSource.JUDGEME}),
    Case("Judge.me is chosen", 50, ReviewRule(app=ReviewApp.JUDGEME), {"source": ReviewSource.JUDGEME}),
    Case("Judge.me is chosen, Klaviyo tells", "other_review_app", ReviewRule(app=ReviewApp.JUDGEME)),
    Case("the flow is chosen, the webhook tells", 50, ReviewRule(app=ReviewApp.KLAVIYO_FLOW)),
    Case("Klaviyo is chosen, a flow tells", 50, review={"way": ReviewWay.FLOW}),
    # Not before the connection (R112)
    Case("one second before", "before_connection", around={"connected_at": WRITTEN + timedelta(seconds=1)}),
    Case("within the very second", 50, around={"connected_at": WRITTEN + timedelta(milliseconds=900)}),
    Case("one second after", 50, around={"connected_at": WRITTEN - timedelta(seconds=1)}),
    Case("a year before", "before_connection", around={"connected_at": WRITTEN + timedelta(days=365)}),
    Case(
        "a year before, imported",
        50,
        ReviewRule(),
        {"way": ReviewWay.IMPORT},
        {"connected_at": WRITTEN.max.replace(tzinfo=WRITTEN.tzinfo)},
    ),
    Case(
        "found by polling",
        "before_connection",
        ReviewRule(),
        {"way": ReviewWay.POLL},
        {"connected_at": moment("2027-01-01")},
    ),
    Case("without a connection", 50, ReviewRule(app=ReviewApp.KLAVIYO_FLOW), {"way": ReviewWay.FLOW}),
    # R106: verified or not
    Case("not verified", "not_verified", review={"verified": False}),
    Case("not verified, and that is fine", 50, ReviewRule(verified_only=False), {"verified": False}),
    # R107, R109: stars, characters and rating
    Case("stars do not earn", "stars_only", ReviewRule(stars_only=False), STARS),
    Case("stars with a photo are more than stars", 50, ReviewRule(stars_only=False), {**STARS, "has_media": True}),
    Case("a text is more than stars", 50, ReviewRule(stars_only=False), {"text_length": 1}),
    Case("19 of 20 characters", "too_short", ReviewRule(min_characters=20), {"text_length": 19}),
    Case("20 of 20 characters", 50, ReviewRule(min_characters=20), {"text_length": 20}),
    Case("stars have no characters", "too_short", ReviewRule(min_characters=20), STARS),
    Case("no minimum of characters", 50, ReviewRule(min_characters=0), STARS),
    Case("a photo is no text", "too_short", ReviewRule(min_characters=1), {**STARS, "has_media": True}),
    Case("3 of 4 stars", "rating_too_low", ReviewRule(min_rating=4), {"rating": 3}),
    Case("4 of 4 stars", 50, ReviewRule(min_rating=4), {"rating": 4}),
    Case("no stars where some are asked for", "rating_too_low", ReviewRule(min_rating=1), {"rating": None}),
    Case("one star where none are asked for", 50, review={"rating": 1}),
    # Who writes (R110)
    Case("an address of staff", "staff", ReviewRule(staff=("sarah.mason@klaviyo-demo.com",))),
    Case("a domain of staff", "staff", ReviewRule(staff=("klaviyo-demo.com",))),
    Case("a domain above", "staff", ReviewRule(staff=("klaviyo-demo.com",)), {"email": "a@eu.klaviyo-demo.com"}),
    Case("a domain that ends alike", 50, ReviewRule(staff=("demo.com",))),
    Case("somebody else", 50, ReviewRule(staff=("bill.joel@klaviyo-demo.com", "example.com"))),
    Case(
        "a known throw-away service",
        "disposable_address",
        ReviewRule(refuse_disposable=True),
        {"email": "a@yopmail.com"},
    ),
    Case("one below it", "disposable_address", ReviewRule(refuse_disposable=True), {"email": "a@b.yopmail.com"}),
    Case("known, and that is fine", 50, ReviewRule(), {"email": "a@yopmail.com"}),
    Case("a lasting address", 50, ReviewRule(refuse_disposable=True, disposable_domains=("throwaway.example",))),
    Case(
        "one of the merchant's",
        "disposable_address",
        ReviewRule(refuse_disposable=True, disposable_domains=("klaviyo-demo.com",)),
    ),
    # Repeated texts (R110)
    Case(
        "a text that another review had", "duplicate_text", ReviewRule(refuse_duplicates=True), {}, {"first_text": "r9"}
    ),
    Case("had, and that is fine", 50, ReviewRule(), {}, {"first_text": "r9"}),
    Case("a text nobody had", 50, ReviewRule(refuse_duplicates=True)),
    Case("a short one says nothing", 50, ReviewRule(refuse_duplicates=True), {"text_length": 19}, {"first_text": "r9"}),
    Case(
        "20 characters do",
        "duplicate_text",
        ReviewRule(refuse_duplicates=True),
        {"text_length": 20},
        {"first_text": "r9"},
    ),
    # Bursts (R110): two within ten minutes
    burst("the second within ten minutes", 50, "2026-08-20T14:09", "2026-08-20T14:00"),
    burst("the third within ten minutes", "burst", "2026-08-20T14:09", "2026-08-20T14:00", "2026-08-20T14:05"),
    burst("ten minutes later", 50, "2026-08-20T14:10", "2026-08-20T14:00", "2026-08-20T14:05"),
    burst("one told of late, between two", "burst", "2026-08-20T14:04", "2026-08-20T14:00", "2026-08-20T14:09"),
    burst("one told of late, at the edge", 50, "2026-08-20T13:59", "2026-08-20T14:00", "2026-08-20T14:09"),
    burst("across midnight", "burst", "2026-08-21T00:01", "2026-08-20T23:55", "2026-08-20T23:59"),
    # Per product (R111)
    product("the second of a product", "product_limit", 1, EVER, "candle", "2026-08-20", "2025-01-01 candle"),
    product("another product", 50, 1, EVER, "soap", "2026-08-20", "2025-01-01 candle"),
    product("a product that is not known", 50, 1, EVER, "", "2026-08-20", "2025-01-01", "2025-01-02"),
    product("the second of two", 50, 2, EVER, "candle", "2026-08-20", "2025-01-01 candle", "2026-01-01 soap"),
    product("again next year", 50, 1, YEAR, "candle", "2026-01-01", "2025-12-31 candle"),
    product("not within the year", "product_limit", 1, YEAR, "candle", "2026-12-31", "2026-01-01 candle"),
    # Per period, in the program's time zone (R105)
    limit("the third of the month", "period_limit", 2, MONTH, "2026-08-31T23:59", "2026-08-01", "2026-08-15"),
    limit("the second of the month", 50, 2, MONTH, "2026-08-31T23:59", "2026-08-01", "2026-07-31T23:59"),
    limit("the first of the next month", 50, 2, MONTH, "2026-09-01T00:00", "2026-08-01", "2026-08-15"),
    limit("still August in New York", "period_limit", 1, MONTH, "2026-09-01T03:59", "2026-08-01T12:00", zone=NEW_YORK),
    limit("September in New York", 50, 1, MONTH, "2026-09-01T04:00", "2026-08-01T12:00", zone=NEW_YORK),
    limit("September in Berlin before UTC", 50, 1, MONTH, "2026-08-31T22:00", "2026-08-31T21:59", zone=BERLIN),
    limit(
        "September in Berlin is one month",
        "period_limit",
        1,
        MONTH,
        "2026-09-30T21:59",
        "2026-08-31T22:00",
        zone=BERLIN,
    ),
    limit("the same day", "period_limit", 1, DAY, "2026-08-20T23:59", "2026-08-20T00:00"),
    limit("the next day", 50, 1, DAY, "2026-08-21T00:00", "2026-08-20T23:59"),
    limit("the next day in Auckland", 50, 1, DAY, "2026-08-20T12:00", "2026-08-20T11:59", zone=AUCKLAND),
    limit("a day of 25 hours", "period_limit", 1, DAY, "2026-10-25T22:59", "2026-10-24T22:00", zone=BERLIN),
    limit("after a day of 25 hours", 50, 1, DAY, "2026-10-25T23:00", "2026-10-24T22:00", zone=BERLIN),
    limit("a day of 23 hours", 50, 1, DAY, "2026-03-29T22:00", "2026-03-28T23:00", zone=BERLIN),
    limit("Sunday ends the week", "period_limit", 1, WEEK, "2026-08-23T23:59", "2026-08-17T00:00"),
    limit("Monday begins one", 50, 1, WEEK, "2026-08-24T00:00", "2026-08-23T23:59"),
    limit("a week across the year", "period_limit", 1, WEEK, "2027-01-03T12:00", "2026-12-28T12:00"),
    limit("29 February is February", "period_limit", 1, MONTH, "2028-02-29T23:59", "2028-02-01"),
    limit("1 March after a leap day", 50, 1, MONTH, "2028-03-01T00:00", "2028-02-29T23:59"),
    limit("1 March without a leap day", 50, 1, MONTH, "2026-03-01T00:00", "2026-02-28T23:59"),
    limit("29 February is a day of its own", 50, 1, DAY, "2028-02-29T00:00", "2028-02-28T23:59"),
    limit("the leap year's last day", "period_limit", 1, YEAR, "2028-12-31T23:59", "2028-01-01"),
    limit("the new year", 50, 1, YEAR, "2029-01-01T00:00", "2028-12-31T23:59"),
    limit("the new year in Auckland", 50, 1, YEAR, "2028-12-31T11:00", "2028-12-31T10:59", zone=AUCKLAND),
    limit("for ever", "period_limit", 1, EVER, "2036-08-20", "2016-08-20"),
    limit(
        "a late review counts when it was written", "period_limit", 1, MONTH, "2026-07-31", "2026-07-01", "2026-08-01"
    ),
    # Per member
    Case("the fourth of three", "member_limit", ReviewRule(member_limit=3), {}, {"tally": Tally(older=3)}),
    Case("the third of three", 50, ReviewRule(member_limit=3), {}, {"tally": Tally(older=2)}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_rule_says(case: Case) -> None:
    """R103-R112: points, or the first condition that fails."""
    said = verdict(a_submission(**case.review), case.rule, Surroundings(**case.around))
    assert (said.points if isinstance(said, Award) else said.code) == case.expected


def test_there_are_enough_cases_and_none_twice() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60


BROKEN: tuple[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]], ...] = (
    ("rule_disabled", {"enabled": False}, {}, {}),
    ("other_review_app", {}, {"source": ReviewSource.JUDGEME}, {}),
    ("before_connection", {}, {}, {"connected_at": WRITTEN + timedelta(days=1)}),
    ("not_verified", {}, {"verified": False}, {}),
    ("stars_only", {"stars_only": False}, STARS, {}),
    ("too_short", {"min_characters": 100}, {}, {}),
    ("rating_too_low", {"min_rating": 5}, {"rating": 1}, {}),
    ("staff", {"staff": ("klaviyo-demo.com",)}, {}, {}),
    ("disposable_address", {"refuse_disposable": True, "disposable_domains": ("klaviyo-demo.com",)}, {}, {}),
    ("duplicate_text", {"refuse_duplicates": True}, {"text_length": 39, "text_digest": "d"}, {"first_text": "r9"}),
    ("burst", {"burst": Burst(1, 10)}, {}, {}),
    ("product_limit", {"product_limit": ReviewLimit(1, EVER)}, {}, {}),
    ("period_limit", {"limit": ReviewLimit(1, EVER)}, {}, {}),
    ("member_limit", {"member_limit": 1}, {}, {}),
)
FULL = Tally().with_review(Counted("r9", WRITTEN, a_submission().product_mark))


@pytest.mark.parametrize("first", range(len(BROKEN)), ids=[code for code, *_ in BROKEN])
def test_of_several_conditions_that_fail_the_first_is_told(first: int) -> None:
    """R113: from each condition on, everything after it fails too."""
    rule, review, around = ReviewRule(), a_submission(), Surroundings(connected_at=None, tally=FULL)
    for code, in_rule, in_review, in_around in reversed(BROKEN[first:]):
        if code == "stars_only" and BROKEN[first][0] != code:
            continue
        rule, review = replace(rule, **in_rule), replace(review, **in_review)
        around = replace(around, **in_around)
    said = verdict(review, rule, around)
    assert isinstance(said, Refused)
    assert said.code == BROKEN[first][0]


@pytest.mark.parametrize("case", [case for case in CASES if isinstance(case.expected, str)], ids=lambda case: case.name)
def test_every_refusal_has_words_and_a_way_out(case: Case) -> None:
    """R113: and never says who wrote."""
    said = verdict(a_submission(**case.review), case.rule, Surroundings(**case.around))
    assert isinstance(said, Refused)
    assert said.message.endswith(".")
    assert said.fix.endswith(".")
    assert "sarah" not in said.message + said.fix


def test_codes_are_in_the_order_of_the_checks() -> None:
    assert [code for code, *_ in BROKEN] == [code for code in CODES if code in dict.fromkeys(c for c, *_ in BROKEN)]
    assert [rank(code) for code in CODES] == list(range(len(CODES)))
    assert rank("balance_cap_reached") == len(CODES)


def test_a_review_does_not_count_against_itself() -> None:
    """A redelivery finds its own place taken, and takes no other."""
    around = Surroundings(tally=Tally().with_review(Counted(a_submission().review_key, WRITTEN, "candle")))
    rule = ReviewRule(limit=ReviewLimit(1, EVER), product_limit=ReviewLimit(1, EVER), member_limit=1, burst=Burst(1, 9))
    assert verdict(a_submission(), rule, around) == Award(50)


def test_the_message_of_a_limit_names_the_reviews_that_were_paid() -> None:
    around = Surroundings(tally=paid_for(*["2026-08-20"] * 5))
    said = verdict(a_submission(), ReviewRule(limit=ReviewLimit(5, DAY)), around)
    assert isinstance(said, Refused)
    assert said.message == (
        "The customer was paid for 5 reviews in the same day; the limit is 5: r2, r3, r4 and 2 before them."
    )


def test_a_tally_forgets_the_names_of_its_oldest_reviews_and_not_their_number() -> None:
    tally = Tally()
    for number in range(MOST_KEPT + 5):
        tally = tally.with_review(Counted(f"r{number}", WRITTEN + timedelta(days=number)))
    assert (len(tally.reviews), tally.older, tally.ever()) == (MOST_KEPT, 5, MOST_KEPT + 5)
    assert tally.reviews[0].review_key == "r5"


def test_addresses_are_listed_by_themselves_or_by_any_domain_above() -> None:
    for listed in ("a@b.example.com", "b.example.com", "example.com"):
        assert is_listed("a@b.example.com", (listed,))
    for other in ("c@b.example.com", "a.b.example.com", "ample.com", ""):
        assert not is_listed("a@b.example.com", (other,))


def at(hour: int) -> datetime:
    return WRITTEN.replace(hour=hour)


def test_each_review_is_judged_by_the_version_that_was_in_force_when_it_was_written() -> None:
    """R99: edits apply to later reviews only."""
    rule = ReviewRule(points=10)
    for hour, points in ((10, 20), (12, 30)):
        rule = rule.edited(ReviewRule(points=points), at(hour))
    assert [rule.in_force_at(at(hour)).points for hour in (9, 10, 11, 12, 23)] == [10, 20, 20, 30, 30]
    assert [rule.in_force_at(at(hour)).version for hour in (9, 11, 12)] == [1, 2, 3]


def test_an_edit_that_changes_nothing_is_no_version() -> None:
    rule = ReviewRule().edited(ReviewRule(points=20), WRITTEN)
    assert rule.edited(ReviewRule(points=20), at(23)) is rule


def test_the_newest_versions_are_remembered_and_older_reviews_judged_by_the_oldest_of_them() -> None:
    rule = ReviewRule(points=1)
    for number in range(KEPT_VERSIONS + 3):
        rule = rule.edited(ReviewRule(points=number + 2), WRITTEN + timedelta(days=number))
    assert len(rule.past) == KEPT_VERSIONS
    assert rule.in_force_at(WRITTEN - timedelta(days=9)).points == 4
    assert all(version.past == () for version in rule.past)


def test_lists_of_people_hold_for_every_review() -> None:
    """They say who somebody is, not what is paid; and they are stored once."""
    rule = ReviewRule(staff=("example.com",)).edited(ReviewRule(points=9, staff=("example.org",)), WRITTEN)
    assert rule.in_force_at(at(1)).staff == ("example.org",)
    assert (rule.in_force_at(at(1)).points, rule.past[0].staff) == (50, ())
