"""Reviews: listed, filtered, sorted, moderated."""

import pytest

from tests.unit.fake_klaviyo.driving import EMAIL, Driver


def ids(klaviyo: Driver, **query: str) -> list[str]:
    """Ids that get_reviews returns."""
    seen = klaviyo.get("/api/reviews", query)
    assert seen.status == 200, seen.body
    return [review["id"] for review in seen.body["data"]]


@pytest.fixture
def shop(klaviyo: Driver) -> Driver:
    """Three reviews, an hour apart."""
    for name, rating, kind in (("a", 5, "review"), ("b", 2, "store"), ("c", 4, "rating")):
        body = {"email": EMAIL, "id": name, "rating": rating, "review_type": kind, "verified": name != "b"}
        klaviyo.inspect("POST", "/reviews", body)
        klaviyo.fake.advance(3_600)
    return klaviyo


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("greater-or-equal(rating,4)", ["a", "c"]),
        ('equals(review_type,"store")', ["b"]),
        ("equals(verified,true)", ["a", "c"]),
        ("equals(verified,false)", ["b"]),
        ('any(id,["a","c","x"])', ["a", "c"]),
        ("greater-or-equal(created,2026-08-20T15:00:00Z)", ["b", "c"]),
        ("less-or-equal(created,2026-08-20T14:00:00+00:00),less-or-equal(rating,5)", ["a"]),
        ('contains(content,"GREAT")', ["a", "b", "c"]),
        ('equals(item.id,"$shopify:::$default:::123456789"),equals(rating,2)', ["b"]),
    ],
)
def test_reviews_are_filtered(shop: Driver, wanted: str, found: list[str]) -> None:
    assert ids(shop, filter=wanted) == found


@pytest.mark.parametrize(
    "bad",
    [
        "greater-or-equal(updated,2026-08-20T15:00:00Z)",
        "equals(rating,5",
        "equals(rating,5),",
        'any(rating,"5")',
        "greater-or-equal(created,2026-08-20T15:00:00)",
        "greater-or-equal(created,5)",
        'equals(email,"a@b.co")',
    ],
)
def test_a_bad_filter_is_refused(shop: Driver, bad: str) -> None:
    seen = shop.get("/api/reviews", {"filter": bad})
    assert (seen.status, seen.parameter) == (400, "filter")


def test_a_moderated_review_moves_to_the_front_of_the_latest_updates(shop: Driver) -> None:
    assert ids(shop, sort="-updated") == ["c", "b", "a"]
    shop.inspect("PATCH", "/reviews/a", {"status": "rejected", "reason": "fake"})
    assert ids(shop, sort="-updated") == ["a", "c", "b"]
    attributes = shop.get("/api/reviews/a").body["data"]["attributes"]
    assert attributes["status"] == {"value": "rejected", "rejection_reason": {"reason": "fake"}}
    assert ids(shop, filter='equals(status,"published")') == ["b", "c"]


def test_a_review_knows_its_event(shop: Driver) -> None:
    seen = shop.get("/api/reviews/a", {"include": "events"})
    (event,) = seen.body["included"]
    assert seen.body["data"]["relationships"]["events"]["data"] == [{"type": "event", "id": event["id"]}]
    assert event["attributes"]["event_properties"]["review_id"] == "a"


def test_the_event_keeps_the_status_of_submission(shop: Driver) -> None:
    shop.inspect("PATCH", "/reviews/a", {"status": "unpublished"})
    (event,) = shop.get("/api/reviews/a", {"include": "events"}).body["included"]
    assert event["attributes"]["event_properties"]["review_status"] == "published"


def test_pages_of_reviews_follow_each_other(shop: Driver) -> None:
    first = shop.get("/api/reviews", {"page[size]": "2", "sort": "created"})
    assert [review["id"] for review in first.body["data"]] == ["a", "b"]
    assert first.body["links"]["prev"] is None
    assert "page%5Bcursor%5D=" in first.body["links"]["next"]


def test_an_unknown_review_is_404(shop: Driver) -> None:
    assert shop.get("/api/reviews/zzz").status == 404
