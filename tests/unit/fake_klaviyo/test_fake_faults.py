"""Faults on demand: each hits the calls it is meant for, and does what it says."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.fake_klaviyo.exchange import Transport
from local.fake_klaviyo.faults import Fault, Faults
from tests.unit.fake_klaviyo.driving import (
    BULK_EVENTS,
    EMAIL,
    EVENTS,
    IMPORT_JOBS,
    PROFILE_IMPORT,
    Driver,
    bulk,
    event,
    import_body,
    profile,
    single,
)

BILL = "bill.joel@klaviyo-demo.com"


def arm(klaviyo: Driver, **fault: Any) -> int:
    """Arm a fault; returns its id."""
    return int(klaviyo.inspect("POST", "/faults", fault)["id"])


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503])
def test_a_status_is_answered_for_the_next_calls_and_nothing_is_done(klaviyo: Driver, status: int) -> None:
    arm(klaviyo, operation="create_event", kind="status", status=status, times=2)
    seen = [klaviyo.post(EVENTS, single(event())).status for _ in range(3)]
    assert seen == [status, status, 202]
    assert len(klaviyo.events()) == 1


def test_a_429_carries_retry_after_and_no_rate_limit_headers(klaviyo: Driver) -> None:
    arm(klaviyo, operation="create_event", kind="status", status=429, retry_after=17)
    seen = klaviyo.post(EVENTS, single(event()))
    assert (seen.status, seen.headers["Retry-After"]) == (429, "17")
    assert "RateLimit-Limit" not in seen.headers


def test_a_fault_without_a_count_lasts_until_it_is_cleared(klaviyo: Driver) -> None:
    fault = arm(klaviyo, operation="*", kind="status", status=500, times=None)
    assert [klaviyo.post(EVENTS, single(event())).status for _ in range(5)] == [500] * 5
    assert klaviyo.inspect("GET", "/faults")["faults"][0]["hits"] == 5
    klaviyo.inspect("DELETE", f"/faults/{fault}")
    assert klaviyo.post(EVENTS, single(event())).status == 202


def test_a_fault_may_be_meant_for_one_account_or_operation_only(klaviyo: Driver) -> None:
    arm(klaviyo, operation="create_event", kind="status", status=500, account="XyZ789")
    arm(klaviyo, operation="get_metrics", kind="status", status=500)
    assert klaviyo.post(EVENTS, single(event())).status == 202


def test_a_reset_before_does_nothing_and_one_after_has_done_it(klaviyo: Driver) -> None:
    arm(klaviyo, operation="create_event", kind="reset_before")
    assert klaviyo.post(EVENTS, single(event())).answer.transport is Transport.RESET
    assert klaviyo.events() == []
    arm(klaviyo, operation="create_event", kind="reset_after")
    assert klaviyo.post(EVENTS, single(event())).answer.transport is Transport.RESET
    assert len(klaviyo.events()) == 1


def test_a_hang_does_nothing_and_a_delay_has_done_it(klaviyo: Driver) -> None:
    arm(klaviyo, operation="create_event", kind="hang", seconds=30)
    answer = klaviyo.post(EVENTS, single(event())).answer
    assert (answer.transport, answer.seconds) == (Transport.SILENCE, 30)
    assert klaviyo.events() == []
    arm(klaviyo, operation="create_event", kind="delay", seconds=7)
    answer = klaviyo.post(EVENTS, single(event())).answer
    assert (answer.transport, answer.status, answer.seconds) == (Transport.ANSWER, 202, 7)
    assert len(klaviyo.events()) == 1


def test_a_malformed_body_comes_after_the_work_is_done(klaviyo: Driver) -> None:
    arm(klaviyo, operation="create_or_update_profile", kind="malformed_body")
    seen = klaviyo.post(PROFILE_IMPORT, {"data": profile()})
    assert (seen.status, seen.body) == (201, None)
    assert klaviyo.profile()["email"] == EMAIL


def test_a_bad_item_is_named_by_index(klaviyo: Driver) -> None:
    arm(klaviyo, operation="bulk_create_events", kind="bad_item", index=2)
    seen = klaviyo.post(BULK_EVENTS, bulk((profile(), [event("a")]), (profile(BILL), [event("b"), event("c")])))
    place = "/data/attributes/events-bulk-create/data/1/attributes/events/data/1/attributes"
    assert (seen.status, seen.pointers) == (400, [place])
    assert klaviyo.events() == []


def test_a_poisoned_event_refuses_every_request_that_holds_it_and_no_other(klaviyo: Driver) -> None:
    arm(klaviyo, operation="bulk_create_events", kind="bad_item", match={"unique_id": "b"}, times=None, pointer=False)
    all_three = bulk((profile(), [event("a"), event("b"), event("c")]))
    seen = klaviyo.post(BULK_EVENTS, all_three)
    assert (seen.status, seen.pointers) == (400, ["/data"])
    assert klaviyo.post(BULK_EVENTS, bulk((profile(), [event("a"), event("c")]))).status == 202
    assert klaviyo.post(BULK_EVENTS, bulk((profile(), [event("b")]))).status == 400


def test_a_poisoned_profile_is_named_in_an_import(klaviyo: Driver) -> None:
    arm(klaviyo, operation="bulk_import_profiles", kind="bad_item", match={"email": BILL})
    seen = klaviyo.post(IMPORT_JOBS, import_body(profile(), profile(BILL)))
    assert seen.pointers == ["/data/attributes/profiles/data/1/attributes"]


def test_an_import_error_is_reported_by_the_job(klaviyo: Driver) -> None:
    arm(klaviyo, kind="import_error", match={"email": BILL}, detail="Too much.")
    job_id = klaviyo.post(IMPORT_JOBS, import_body(profile(), profile(BILL))).body["data"]["id"]
    klaviyo.fake.advance(5)
    (error,) = klaviyo.get(f"{IMPORT_JOBS}/{job_id}/import-errors").body["data"]
    assert error["attributes"]["detail"] == "Too much."
    assert [p["email"] for p in klaviyo.inspect("GET", "/profiles")["profiles"]] == [EMAIL]


def test_clearing_any_fault_ends_what_hangs_and_later_hangs_still_hang() -> None:
    faults = Faults()
    one = faults.add(Fault(kind="hang"))
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(faults.pause, 600)
        while not hanging.done():
            faults.clear(one.id)
    started = time.monotonic()
    faults.pause(0.05)
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "explode"},
        {"kind": "status", "status": 418},
        {"kind": "import_error"},
        {"kind": "bad_item"},
        {"kind": "status", "operation": "create_event", "typo": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(klaviyo: Driver, fault: dict[str, Any]) -> None:
    assert klaviyo.try_inspect("POST", "/faults", fault).status == 400


def test_faulted_calls_count_against_the_limits_and_are_logged(klaviyo: Driver) -> None:
    arm(klaviyo, operation="get_accounts", kind="status", status=500)
    assert [klaviyo.get("/api/accounts").status for _ in range(2)] == [500, 429]
    first = klaviyo.inspect("GET", "/calls")["calls"][0]
    assert (first["operation"], first["status"], first["fault"]) == ("get_accounts", 500, "status")
