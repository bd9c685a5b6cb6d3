"""The inspection API: starting over, the log of calls, switches, time, seeds."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.fake_klaviyo.inspection import ROUTES
from local.fake_klaviyo.seed import Seed
from local.fake_klaviyo.sending import SendResult
from tests.unit.fake_klaviyo.driving import BULK_EVENTS, EVENTS, Driver, bulk, event, profile, single

README = Path(__file__).parents[3] / "local" / "fake_klaviyo" / "README.md"


def test_a_reset_forgets_everything_and_puts_the_switches_back(klaviyo: Driver) -> None:
    klaviyo.post(EVENTS, single(event()))
    klaviyo.switch(rate_limits=False)
    klaviyo.inspect("POST", "/faults", {"kind": "status"})
    assert klaviyo.inspect("POST", "/reset") == {"accounts": ["AbC123"]}
    assert klaviyo.events() == []
    assert klaviyo.inspect("GET", "/faults") == {"faults": []}
    assert klaviyo.inspect("GET", "/switches")["rate_limits"] is True
    assert klaviyo.inspect("GET", "/calls")["count"] == 0
    assert klaviyo.post(EVENTS, single(event())).status == 202


def test_a_reset_drops_deliveries_on_their_way(klaviyo: Driver) -> None:
    klaviyo.webhook()
    klaviyo.switch(delivery_delay_seconds=60)
    klaviyo.inspect("POST", "/reviews", {"email": "a@klaviyo-demo.com"})
    klaviyo.inspect("POST", "/reset")
    klaviyo.fake.advance(3_600)
    assert klaviyo.receiver.received == []
    assert klaviyo.inspect("POST", "/deliveries/settle", {"timeout": 0})["settled"] is True


def test_a_retry_does_not_outlive_a_reset(klaviyo: Driver) -> None:
    """Even one that was being sent while everything was forgotten."""
    klaviyo.webhook()

    def reset_while_sending(_url: str, _body: bytes, _headers: Mapping[str, str]) -> SendResult:
        klaviyo.inspect("POST", "/reset")
        klaviyo.fake.services.deliveries.send = klaviyo.receiver.take
        return SendResult(500, None, "", 0.0)

    klaviyo.fake.services.deliveries.send = reset_while_sending
    klaviyo.inspect("POST", "/reviews", {"email": "a@klaviyo-demo.com"})
    klaviyo.fake.advance(86_400)
    assert klaviyo.receiver.received == []


def test_a_reset_can_start_from_another_seed(klaviyo: Driver) -> None:
    account = {"id": "XyZ789", "private_keys": [{"key": "pk_other"}], "reviews": [{"email": "a@klaviyo-demo.com"}]}
    klaviyo.inspect("POST", "/reset", {"accounts": [account]})
    assert klaviyo.get("/api/accounts").status == 401
    klaviyo.authorization = "Klaviyo-API-Key pk_other"
    assert klaviyo.get("/api/accounts").body["data"][0]["id"] == "XyZ789"
    assert len(klaviyo.get("/api/reviews").body["data"]) == 1
    assert klaviyo.events() == []


def test_the_log_of_calls_holds_no_credentials(klaviyo: Driver) -> None:
    klaviyo.post(BULK_EVENTS, bulk((profile(), [event("a"), event("b")])))
    klaviyo.get("/oauth/authorize", {"client_id": "x", "state": "secret-state"})
    document = klaviyo.inspect("GET", "/calls")
    call = document["calls"][0]
    assert {key: call[key] for key in ("method", "path", "status", "account", "client", "items")} == {
        "method": "POST",
        "path": BULK_EVENTS,
        "status": 202,
        "account": "AbC123",
        "client": "private-key",
        "items": 2,
    }
    assert call["headers"]["authorization"] == "Klaviyo-API-Key (redacted)"
    assert call["headers"]["revision"] == "2026-07-15"
    assert "pk_local" not in json.dumps(document)
    assert "secret-state" not in json.dumps(document)


def test_a_revoked_key_stops_working(klaviyo: Driver) -> None:
    klaviyo.inspect("PATCH", "/accounts/AbC123", {"private_keys": []})
    assert klaviyo.get("/api/accounts").status == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("DELETE", "/events", None, 405),
        ("PATCH", "/switches", {"unknown": 1}, 400),
        ("PATCH", "/switches", {"job_order": "alphabetical"}, 400),
        ("POST", "/clock/advance", {"seconds": -1}, 400),
        ("POST", "/reviews", {"email": "a@klaviyo-demo.com", "account": "nobody"}, 404),
        ("POST", "/reviews", {"rating": 6, "email": "a@klaviyo-demo.com"}, 400),
        ("PATCH", "/reviews/none", {"status": "published"}, 404),
        ("POST", "/webhooks/none/deliver", {"raw": ""}, 404),
        ("POST", "/reset", {"accounts": [{"id": "too long"}]}, 400),
    ],
)
def test_a_bad_inspection_call_says_so(
    klaviyo: Driver, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    seen = klaviyo.try_inspect(method, path, body)
    assert seen.status == status
    assert seen.body["error"]


def test_time_can_be_advanced(klaviyo: Driver) -> None:
    assert klaviyo.inspect("POST", "/clock/advance", {"seconds": 90})["now"] == "2026-08-20 14:01:30+00:00"


def test_a_seed_file_is_read_and_a_misspelt_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(Seed.default().model_dump(mode="json")), encoding="utf-8")
    assert Seed.read(path) == Seed.default()
    path.write_text('{"acounts": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="acounts"):
        Seed.read(path)


def test_every_address_is_listed_and_documented(klaviyo: Driver) -> None:
    listed = klaviyo.inspect("GET", "")["routes"]
    assert len(listed) == len(ROUTES)
    text = README.read_text(encoding="utf-8")
    missing = [route.path for route in ROUTES if route.path not in text]
    assert missing == []


def test_every_switch_is_documented(klaviyo: Driver) -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in klaviyo.inspect("GET", "/switches") if f"`{name}`" not in text] == []
