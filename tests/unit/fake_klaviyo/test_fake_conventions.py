"""The fake keeps Klaviyo's API conventions: headers, credentials, scopes, sizes, error documents."""

import gzip
import json

import pytest

from local.fake_klaviyo.pipeline import LARGEST_BODY
from local.fake_klaviyo.seed import Seed, SeedAccount, SeedKey
from tests.unit.fake_klaviyo.driving import EVENTS, Driver, event, single


def test_an_error_has_klaviyos_shape(klaviyo: Driver) -> None:
    seen = klaviyo.send("GET", "/api/metrics", headers={"authorization": "Klaviyo-API-Key pk_wrong"})
    (error,) = seen.body["errors"]
    assert seen.headers["Content-Type"] == "application/vnd.api+json"
    assert {key: error[key] for key in ("status", "code", "title", "detail", "source")} == {
        "status": 401,
        "code": "authentication_failed",
        "title": "Incorrect authentication credentials.",
        "detail": "Incorrect authentication credentials.",
        "source": {"pointer": "/data/"},
    }
    assert error["id"]


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("revision", None, 400, "invalid"),
        ("revision", "latest", 400, "invalid"),
        ("revision", "2099-01-15", 400, "invalid"),
        ("revision", "2023-02-22", 410, "gone"),
        ("authorization", None, 401, "authentication_failed"),
        ("authorization", "Bearer nonsense", 401, "authentication_failed"),
        ("authorization", "Basic pk_local_0123456789abcdef0123456789abcdef", 401, "authentication_failed"),
        ("accept", "text/html", 406, "not_acceptable"),
        ("content-type", "application/json", 415, "unsupported_media_type"),
        ("content-encoding", "br", 415, "unsupported_media_type"),
    ],
)
def test_a_wrong_header_is_refused(klaviyo: Driver, header: str, value: str | None, status: int, code: str) -> None:
    seen = klaviyo.send("POST", EVENTS, single(event()), headers={header: value})
    assert (seen.status, seen.code) == (status, code)
    assert klaviyo.events() == []


def test_an_unknown_path_is_404_and_a_wrong_method_405(klaviyo: Driver) -> None:
    assert klaviyo.get("/api/nothing").status == 404
    seen = klaviyo.send("DELETE", EVENTS)
    assert (seen.status, seen.code) == (405, "method_not_allowed")


def test_every_scope_of_an_operation_is_needed() -> None:
    """Bulk import needs lists:write although no list is used."""
    key = SeedKey(key="pk_narrow", scopes=["profiles:write", "events:write"])
    klaviyo = Driver(Seed(accounts=[SeedAccount(id="AbC123", private_keys=[key])]))
    klaviyo.authorization = "Klaviyo-API-Key pk_narrow"
    seen = klaviyo.post("/api/profile-bulk-import-jobs", {})
    assert (seen.status, seen.code) == (403, "permission_denied")
    assert "lists:write" in seen.body["errors"][0]["detail"]
    assert klaviyo.post(EVENTS, single(event())).status == 202


def test_five_megabytes_are_the_limit_also_after_decompression(klaviyo: Driver) -> None:
    body = single(event(properties={f"text{i}": "x" * 99_000 for i in range(60)}))
    raw = json.dumps(body).encode()
    assert len(raw) > LARGEST_BODY
    assert klaviyo.send("POST", EVENTS, raw).status == 413
    compressed = gzip.compress(raw)
    assert len(compressed) < LARGEST_BODY
    assert klaviyo.send("POST", EVENTS, compressed, headers={"content-encoding": "gzip"}).status == 413


def test_a_compressed_body_is_read(klaviyo: Driver) -> None:
    raw = gzip.compress(json.dumps(single(event())).encode())
    assert klaviyo.send("POST", EVENTS, raw, headers={"content-encoding": "gzip"}).status == 202
    assert len(klaviyo.events()) == 1


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'"text"', b'{"data": 1, "data": 2}', b'{"data": NaN}', b"\xff\xfe{}"]
)
def test_a_body_that_is_not_a_plain_json_object_is_refused(klaviyo: Driver, raw: bytes) -> None:
    assert klaviyo.send("POST", EVENTS, raw).status == 400


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"filtre": "x"}, "filtre"),
        ({"page[size]": "101"}, "page[size]"),
        ({"page[size]": "many"}, "page[size]"),
        ({"page[cursor]": "?"}, "page[cursor]"),
        ({"sort": "phone"}, "sort"),
        ({"filter": 'equals(nickname,"x")'}, "filter"),
        ({"filter": "equals(email,unquoted)"}, "filter"),
        ({"fields[event]": "time"}, "fields[event]"),
    ],
)
def test_an_unknown_or_bad_query_parameter_is_named(klaviyo: Driver, query: dict[str, str], parameter: str) -> None:
    seen = klaviyo.get("/api/profiles", query)
    assert (seen.status, seen.parameter) == (400, parameter)


def test_fields_are_trimmed_to_what_was_asked_for(klaviyo: Driver) -> None:
    (account,) = klaviyo.get("/api/accounts", {"fields[account]": "timezone"}).body["data"]
    assert account["id"] == "AbC123"
    assert account["attributes"] == {"timezone": "US/Eastern"}
