"""The fake enforces Klaviyo's published windows and can prove that a sender kept them."""

import pytest

from local.fake_klaviyo.clock import ManualClock, RunningClock, client_seconds
from local.fake_klaviyo.errors import ApiError
from local.fake_klaviyo.rate_limits import (
    EXTRA_SMALL_DAILY,
    LARGE,
    MEDIUM,
    QuotaKey,
    RateLimiter,
    sliding_peak,
)
from local.fake_klaviyo.switches import Switches
from tests.unit.fake_klaviyo.driving import START, Driver

KEY = QuotaKey("AbC123", "private-key", "some_operation")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def limiter(clock: ManualClock) -> RateLimiter:
    return RateLimiter(clock, Switches())


def taken(limiter: RateLimiter, calls: int, key: QuotaKey = KEY) -> int:
    """How many of so many calls at once are let through."""
    passed = 0
    for _ in range(calls):
        try:
            limiter.take(key, MEDIUM)
        except ApiError:
            continue
        passed += 1
    return passed


def test_headers_describe_the_steady_window(limiter: RateLimiter, clock: ManualClock) -> None:
    clock.advance(15)
    assert limiter.take(KEY, LARGE) == {
        "RateLimit-Limit": "75, 75;w=1, 750;w=60",
        "RateLimit-Remaining": "749",
        "RateLimit-Reset": "45",
    }


def test_the_daily_limit_is_part_of_the_header() -> None:
    assert EXTRA_SMALL_DAILY.header == "1, 1;w=1, 15;w=60, 100;w=86400"


def test_the_burst_window_lasts_one_second(limiter: RateLimiter, clock: ManualClock) -> None:
    assert taken(limiter, 12) == 10
    clock.advance(1)
    assert taken(limiter, 12) == 10


def test_the_steady_window_lasts_one_minute(limiter: RateLimiter, clock: ManualClock) -> None:
    total = 0
    for _ in range(20):
        total += taken(limiter, 10)
        clock.advance(1)
    assert total == 150
    with pytest.raises(ApiError) as refused:
        limiter.take(KEY, MEDIUM)
    assert refused.value.headers == {"Retry-After": "40"}
    clock.advance(40)
    assert taken(limiter, 10) == 10


def test_the_day_is_a_window_of_its_own(limiter: RateLimiter, clock: ManualClock) -> None:
    for _ in range(100):
        limiter.take(KEY, EXTRA_SMALL_DAILY)
        clock.advance(60)
    with pytest.raises(ApiError) as refused:
        limiter.take(KEY, EXTRA_SMALL_DAILY)
    assert int(refused.value.headers["Retry-After"]) == 86_400 - 6_000


def test_each_account_client_and_operation_has_its_own_quota(limiter: RateLimiter) -> None:
    assert taken(limiter, 11) == 10
    assert taken(limiter, 11, QuotaKey("XyZ789", "private-key", "some_operation")) == 10
    assert taken(limiter, 11, QuotaKey("AbC123", "an-app", "some_operation")) == 10
    assert taken(limiter, 11, QuotaKey("AbC123", "private-key", "another")) == 10


def test_a_429_has_retry_after_and_no_rate_limit_headers(klaviyo: Driver) -> None:
    assert klaviyo.get("/api/accounts").headers["RateLimit-Remaining"] == "14"
    seen = klaviyo.get("/api/accounts")
    assert (seen.status, seen.code) == (429, "throttled")
    assert seen.body["errors"][0]["detail"] == "Request was throttled. Expected available in 1 second."
    assert seen.headers["Retry-After"] == "1"
    assert not [name for name in seen.headers if name.startswith("RateLimit")]


def test_other_errors_still_carry_rate_limit_headers(klaviyo: Driver) -> None:
    seen = klaviyo.get("/api/webhooks/unknown")
    assert seen.status == 404
    assert "RateLimit-Remaining" in seen.headers


def test_the_report_tells_whether_a_limit_was_ever_exceeded(klaviyo: Driver) -> None:
    klaviyo.get("/api/accounts")
    assert klaviyo.inspect("GET", "/limits")["exceeded"] is False
    klaviyo.get("/api/accounts")
    report = klaviyo.inspect("GET", "/limits")
    (quota,) = report["quotas"]
    assert report["exceeded"] is True
    assert (quota["calls"], quota["throttled"]) == (1, 1)


def test_unenforced_limits_are_still_counted(klaviyo: Driver) -> None:
    klaviyo.switch(rate_limits=False)
    assert [klaviyo.get("/api/accounts").status for _ in range(3)] == [200, 200, 200]
    (quota,) = klaviyo.inspect("GET", "/limits")["quotas"]
    assert quota["exceeded"] is True
    assert quota["windows"][0] == {"seconds": 1, "allowed": 1, "peak": 3, "sliding_peak": 3}


def test_the_sliding_peak_sees_across_window_borders() -> None:
    assert sliding_peak([0.9, 0.95, 1.0, 1.05, 2.5], 1) == 4
    assert sliding_peak([0.0, 1.0, 2.0], 1) == 1
    assert sliding_peak([], 1) == 0


def test_a_client_is_told_real_seconds() -> None:
    """With a time scale of 60 a minute of Klaviyo time is one real second; never less than one is told."""
    clock = RunningClock(scale=60)
    assert client_seconds(clock, 60) == 1
    assert client_seconds(clock, 61) == 2
    assert client_seconds(clock, 1) == 1
