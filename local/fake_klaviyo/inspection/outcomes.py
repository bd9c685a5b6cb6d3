"""Inspection: the log of calls and the report on rate limits."""

from typing import Any

from local.fake_klaviyo.inspection.routes import Ask, Route


def _calls(ask: Ask) -> Any:
    wanted = {name: ask.query[name] for name in ("operation", "account", "client") if name in ask.query}
    calls = [call.document() for call in ask.services.recorder.calls()]
    found = [call for call in calls if all(call[name] == value for name, value in wanted.items())]
    return {"count": len(found), "calls": found}


def _forget_calls(ask: Ask) -> Any:
    ask.services.recorder.clear()
    return {}


def _limits(ask: Ask) -> Any:
    report = ask.services.limiter.report()
    return {"exceeded": any(quota["exceeded"] for quota in report), "quotas": report}


def _forget_limits(ask: Ask) -> Any:
    ask.services.limiter.clear()
    return {}


ROUTES = (
    Route("GET", "/_fake/calls", "API calls, oldest first; ?operation= account= client=", _calls),
    Route("DELETE", "/_fake/calls", "forget the calls", _forget_calls),
    Route("GET", "/_fake/limits", "per quota: calls, refusals, busiest windows", _limits),
    Route("DELETE", "/_fake/limits", "forget the counts and open every window", _forget_limits),
)
