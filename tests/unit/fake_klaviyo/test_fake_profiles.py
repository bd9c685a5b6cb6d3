"""Profiles as Klaviyo keeps them: upserts, nulls, patches, duplicates, bulk imports."""

from typing import Any

import pytest

from tests.unit.fake_klaviyo.driving import (
    EMAIL,
    EVENTS,
    IMPORT_JOBS,
    PROFILE_IMPORT,
    Driver,
    event,
    import_body,
    profile,
    single,
)

PROFILES = "/data/attributes/profiles/data"


def submit(klaviyo: Driver, *profiles: dict[str, Any]) -> str:
    """Submit an import job; returns its id."""
    seen = klaviyo.post(IMPORT_JOBS, import_body(*profiles))
    assert seen.status == 202, seen.body
    return str(seen.body["data"]["id"])


def job(klaviyo: Driver, job_id: str) -> Any:
    """A job's attributes."""
    klaviyo.fake.advance(1)
    return klaviyo.get(f"{IMPORT_JOBS}/{job_id}").body["data"]["attributes"]


def test_an_upsert_creates_then_updates_by_identifier(klaviyo: Driver) -> None:
    first = klaviyo.post(PROFILE_IMPORT, {"data": profile(external_id="cust_1", first_name="Sarah")})
    klaviyo.fake.advance(5)
    second = klaviyo.post(PROFILE_IMPORT, {"data": profile(None, external_id="cust_1", last_name="Mason")})
    assert (first.status, second.status) == (201, 200)
    assert first.body["data"]["id"] == second.body["data"]["id"]
    attributes = second.body["data"]["attributes"]
    assert (attributes["first_name"], attributes["last_name"]) == ("Sarah", "Mason")
    assert (attributes["created"], attributes["updated"]) == (
        "2026-08-20T14:00:00+00:00",
        "2026-08-20T14:00:05+00:00",
    )


def test_addresses_are_the_same_in_any_case(klaviyo: Driver) -> None:
    klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL)})
    assert klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL.upper())}).status == 200


def test_null_clears_omission_leaves_and_zero_stays(klaviyo: Driver) -> None:
    klaviyo.post(PROFILE_IMPORT, {"data": profile(title="Dr", properties={"a": 1, "b": 2, "c": 3})})
    klaviyo.post(PROFILE_IMPORT, {"data": profile(title=None, properties={"a": None, "b": 0})})
    stored = klaviyo.profile()
    assert stored["title"] is None
    assert stored["properties"] == {"b": 0, "c": 3}


def test_patches_append_unappend_and_unset(klaviyo: Driver) -> None:
    klaviyo.post(PROFILE_IMPORT, {"data": profile(properties={"tags": ["a", "b"], "old": 1, "keep": 2})})
    patch = {"append": {"tags": ["c"]}, "unappend": {"tags": "a"}, "unset": ["old", "never"]}
    body = {"data": {**profile(), "meta": {"patch_properties": patch}}}
    assert klaviyo.post(PROFILE_IMPORT, body).status == 200
    assert klaviyo.profile()["properties"] == {"tags": ["b", "c"], "keep": 2}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"data": profile(meta={})}, "/data/attributes/meta"),
        ({"data": {**profile(), "meta": {"patch_propertys": {}}}}, "/data/meta/patch_propertys"),
        ({"data": {**profile(), "meta": {"patch_identifiers": {}}}}, "/data/meta/patch_identifiers"),
        ({"data": {**profile(), "meta": {"patch_properties": {"unset": [1]}}}}, "/data/meta/patch_properties/unset"),
        ({"data": profile(None, first_name="No one")}, "/data/attributes"),
        ({"data": profile(anonymous_id="a")}, "/data/attributes/anonymous_id"),
        ({"data": profile(properties={"text": "x" * 100_000})}, "/data"),
        ({"data": {**profile(), "type": "person"}}, "/data/type"),
    ],
)
def test_a_bad_upsert_is_refused_at_its_place(klaviyo: Driver, body: dict[str, Any], pointer: str) -> None:
    seen = klaviyo.post(PROFILE_IMPORT, body)
    assert (seen.status, seen.pointers) == (400, [pointer])


def test_identifiers_of_two_profiles_are_a_conflict(klaviyo: Driver) -> None:
    klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL)})
    other = klaviyo.post(PROFILE_IMPORT, {"data": profile(None, phone_number="+15005550006")})
    seen = klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL, phone_number="+15005550006")})
    assert (seen.status, seen.code) == (409, "duplicate_profile")
    assert seen.body["errors"][0]["meta"] == {"duplicate_profile_id": other.body["data"]["id"]}


def test_an_upsert_by_id_may_change_the_address(klaviyo: Driver) -> None:
    created = klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL)})
    body = {"data": {**profile("new@klaviyo-demo.com"), "id": created.body["data"]["id"]}}
    assert klaviyo.post(PROFILE_IMPORT, body).status == 200
    assert klaviyo.profile("new@klaviyo-demo.com")["id"] == created.body["data"]["id"]
    assert klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL)}).status == 201


def test_an_unknown_id_is_404(klaviyo: Driver) -> None:
    assert klaviyo.post(PROFILE_IMPORT, {"data": {**profile(), "id": "01UNKNOWN"}}).status == 404


def test_get_profiles_filters_by_address_and_external_id_and_pages(klaviyo: Driver) -> None:
    for i in range(5):
        klaviyo.post(PROFILE_IMPORT, {"data": profile(f"p{i}@klaviyo-demo.com", external_id=f"c{i}")})
    one = klaviyo.get("/api/profiles", {"filter": 'equals(external_id,"c3")'}).body["data"]
    assert [p["attributes"]["email"] for p in one] == ["p3@klaviyo-demo.com"]
    two = klaviyo.get("/api/profiles", {"filter": 'any(email,["p1@klaviyo-demo.com","p2@klaviyo-demo.com","x@y.io"])'})
    assert len(two.body["data"]) == 2
    found, query = [], {"page[size]": "2", "sort": "-email"}
    while True:
        seen = klaviyo.get("/api/profiles", query)
        found += [p["attributes"]["external_id"] for p in seen.body["data"]]
        if seen.body["links"]["next"] is None:
            break
        assert seen.body["links"]["next"].startswith("http://127.0.0.1/api/profiles?")
        query["page[cursor]"] = seen.body["links"]["next"].rpartition("=")[2].replace("%3D", "=")
    assert found == ["c4", "c3", "c2", "c1", "c0"]


def test_an_import_job_is_queued_then_processing_then_complete(klaviyo: Driver) -> None:
    klaviyo.switch(job_queue_seconds=10, job_processing_seconds=20)
    job_id = submit(klaviyo, profile(), profile("bill.joel@klaviyo-demo.com"))
    assert job(klaviyo, job_id)["status"] == "queued"
    klaviyo.fake.advance(10)
    processing = job(klaviyo, job_id)
    assert (processing["status"], processing["completed_count"]) == ("processing", 0)
    assert klaviyo.inspect("GET", "/profiles")["count"] == 0
    klaviyo.fake.advance(20)
    complete = job(klaviyo, job_id)
    assert {key: complete[key] for key in ("status", "total_count", "completed_count", "failed_count")} == {
        "status": "complete",
        "total_count": 2,
        "completed_count": 2,
        "failed_count": 0,
    }
    assert klaviyo.inspect("GET", "/profiles")["count"] == 2


def test_an_import_ignores_nulls_and_honours_unset(klaviyo: Driver) -> None:
    klaviyo.post(PROFILE_IMPORT, {"data": profile(title="Dr", properties={"a": 1, "b": 2, "c": 3})})
    patch = {"patch_properties": {"unset": ["c"]}}
    submit(klaviyo, {**profile(title=None, properties={"a": None, "b": 0}), "meta": patch})
    klaviyo.fake.advance(5)
    stored = klaviyo.profile()
    assert stored["title"] == "Dr"
    assert stored["properties"] == {"a": 1, "b": 0}


def test_a_conflict_inside_a_job_becomes_an_import_error(klaviyo: Driver) -> None:
    klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL)})
    klaviyo.post(PROFILE_IMPORT, {"data": profile(None, external_id="cust_2")})
    bad = profile(EMAIL, external_id="cust_2")
    job_id = submit(klaviyo, profile("bill.joel@klaviyo-demo.com"), bad)
    klaviyo.fake.advance(5)
    attributes = job(klaviyo, job_id)
    assert (attributes["status"], attributes["completed_count"], attributes["failed_count"]) == ("complete", 1, 1)
    (error,) = klaviyo.get(f"{IMPORT_JOBS}/{job_id}/import-errors").body["data"]
    assert error["attributes"]["code"] == "duplicate_profile"
    assert error["attributes"]["source"] == {"pointer": f"{PROFILES}/1/attributes"}
    assert error["attributes"]["original_payload"] == bad


def test_a_bad_address_refuses_the_job_or_becomes_an_import_error_by_switch(klaviyo: Driver) -> None:
    profiles = (profile(), profile("nonsense"))
    seen = klaviyo.post(IMPORT_JOBS, import_body(*profiles))
    assert (seen.status, seen.pointers) == (400, [f"{PROFILES}/1/attributes/email"])
    klaviyo.switch(invalid_email_in_import="import_error")
    job_id = submit(klaviyo, *profiles)
    klaviyo.fake.advance(5)
    (error,) = klaviyo.get(f"{IMPORT_JOBS}/{job_id}/import-errors").body["data"]
    assert error["attributes"]["source"] == {"pointer": f"{PROFILES}/1/attributes/email"}
    assert job(klaviyo, job_id)["completed_count"] == 1


def test_a_profile_without_identifier_or_an_unknown_list_refuses_the_job(klaviyo: Driver) -> None:
    seen = klaviyo.post(IMPORT_JOBS, import_body(profile(), profile(None, first_name="No one")))
    assert seen.pointers == [f"{PROFILES}/1/attributes"]
    seen = klaviyo.post(IMPORT_JOBS, import_body(profile(), lists=("Y6nRLr",)))
    assert seen.pointers == ["/data/relationships/lists/data/0/id"]
    klaviyo.inspect("PATCH", "/accounts/AbC123", {"lists": ["Y6nRLr"]})
    assert klaviyo.post(IMPORT_JOBS, import_body(profile(), lists=("Y6nRLr",))).status == 202


@pytest.mark.parametrize(("count", "status"), [(0, 400), (10_000, 202), (10_001, 400)])
def test_a_job_takes_one_to_ten_thousand_profiles(klaviyo: Driver, count: int, status: int) -> None:
    body = import_body(*(profile(f"p{i}@klaviyo-demo.com") for i in range(count)))
    assert klaviyo.post(IMPORT_JOBS, body).status == status


def test_jobs_may_be_processed_out_of_order(klaviyo: Driver) -> None:
    klaviyo.switch(job_order="newest_first")
    for balance in (1, 2, 3):
        submit(klaviyo, profile(properties={"balance": balance}))
    klaviyo.fake.advance(5)
    assert klaviyo.profile()["properties"] == {"balance": 1}


def test_manual_jobs_wait_until_they_are_run_in_the_order_asked_for(klaviyo: Driver) -> None:
    klaviyo.switch(job_mode="manual")
    first, second = (submit(klaviyo, profile(properties={"balance": balance})) for balance in (1, 2))
    klaviyo.fake.advance(3_600)
    assert job(klaviyo, first)["status"] == "queued"
    assert klaviyo.inspect("POST", "/jobs/run", {"ids": [second, first]})["completed"] == [second, first]
    assert klaviyo.profile()["properties"] == {"balance": 1}


def test_a_job_can_be_read_for_seven_days(klaviyo: Driver) -> None:
    job_id = submit(klaviyo, profile())
    klaviyo.fake.advance(7 * 86_400)
    assert klaviyo.get(f"{IMPORT_JOBS}/{job_id}").status == 200
    klaviyo.fake.advance(1)
    assert klaviyo.get(f"{IMPORT_JOBS}/{job_id}").status == 404


def test_events_take_the_strongest_identifier_instead_of_a_conflict(klaviyo: Driver) -> None:
    by_email = klaviyo.post(PROFILE_IMPORT, {"data": profile(EMAIL)}).body["data"]["id"]
    klaviyo.post(PROFILE_IMPORT, {"data": profile(None, external_id="cust_2")})
    assert klaviyo.post(EVENTS, single(event(), profile(EMAIL, external_id="cust_2"))).status == 202
    assert klaviyo.events()[0]["profile_id"] == by_email
    assert klaviyo.profile()["external_id"] is None
