"""Examples for the description of the HTTP API: an answer of each operation, and a problem of each status.

What has defaults is made of them, so that an example does not fall behind the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from loyalty.contracts.builder import build_webhook
from loyalty.contracts.settings import settings_form
from loyalty.domain.adjustments import Direction
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.program import Program

_EMAIL = "sarah.mason@klaviyo-demo.com"
_MEMBER_ID = "srwgd2yhhjdlfcpj6diwchnvsv"
_ENTRY_ID = f"{_MEMBER_ID}-0000000001"
_REVIEW_ID = "925e385b52fb405715f3616c337cc65c"
_KEY_ID = "abcdefghijklmnop"
_API_KEY = f"tk_{_KEY_ID}_{'a2b3c4d5' * 6}efgh"
_ROOT = "https://loyalty.klaviyo-demo.com/v1"
_THEN = "2026-03-02T12:00:00.000Z"
_LATER = "2026-03-02T12:00:05.000Z"

_DEFAULTS = Program(
    slug=ProgramSlug("candles"), name="Candle Club", id_key="", created_at=datetime(2026, 3, 2, 12, tzinfo=UTC)
)

SETTINGS: Mapping[str, Any] = settings_form(_DEFAULTS).model_dump(mode="json")
"""A new program's settings."""

_KEY = {
    "key_id": _KEY_ID,
    "prefix": f"tk_{_KEY_ID}_",
    "name": "Klaviyo flows",
    "scopes": ["balance:write"],
    "per_minute": 600,
    "created_at": _THEN,
    "last_used_at": _LATER,
    "revoked_at": None,
    "replaces": None,
}
_PROGRAM = {
    "slug": "candles",
    "version": 1,
    "created_at": _THEN,
    "settings": SETTINGS,
    "technical": {"slug": "candles", "api_keys": [_KEY]},
    "entitlements": {"klaviyo": True},
}
_MEMBER = {
    "member_id": _MEMBER_ID,
    "state": "member",
    "version": 1,
    "email": _EMAIL,
    "external_id": "7216503423213",
    "phone": "",
    "first_name": "Sarah",
    "last_name": "Mason",
    "birthday": "1989-12-13",
    "balances": {
        "available": 100,
        "pending": 0,
        "held": 0,
        "earned": 100,
        "spent": 0,
        "expired": 0,
        "deducted": 0,
        "reversed": 0,
    },
    "expiry_schedule": [{"expires_on": "2027-03-02", "points": 100}],
    "never_expiring": 0,
    "pending": [],
    "created_at": _THEN,
    "last_activity_at": _THEN,
}
_ENTRY = {
    "entry_id": _ENTRY_ID,
    "seq": 1,
    "kind": "adjust",
    "event_type": "points_adjusted_up",
    "points": 100,
    "balance": 100,
    "reason": "Bonus points from Klaviyo flow",
    "details": {},
    "source": {"kind": "flow", "id": "VeYaWr"},
    "actor": _KEY_ID,
    "occurred_at": _THEN,
    "recorded_at": _THEN,
    "delivery": {"state": "sent", "at": _LATER, "why": ""},
    "reverses": "",
    "reversed_points": 0,
}
_NEEDS = [
    {
        "code": "klaviyo_connected",
        "met": True,
        "text": "Connect this program to Klaviyo, so that it is told of reviews.",
        "link": f"{_ROOT}/programs/candles/klaviyo/connect",
    }
]
_RULE = {
    "id": "review",
    "name": "Review a product (Klaviyo)",
    "version": 1,
    "since": None,
    "requires": _NEEDS,
    "rule": SETTINGS["review_rule"],
}
_DECISION = {
    "review_id": _REVIEW_ID,
    "outcome": "refused",
    "code": "not_verified",
    "message": "The review app does not mark this review as verified, and only verified ones earn.",
    "fix": "Ask for reviews by Klaviyo's review request messages, which makes them verified, or let the rule pay "
    "unverified reviews.",
    "points": 0,
    "entry_id": None,
    "member_id": None,
    "rule_version": 1,
    "review_app": "klaviyo_reviews",
    "came_by": "webhook",
    "status": "published",
    "status_at": None,
    "submitted_at": _THEN,
    "decided_at": _LATER,
    "conditions": [],
}
_CONNECTION = {
    "program": "candles",
    "status": "connected",
    "owed": {"events": 0, "profiles": 0, "counted_to": 1000},
    "events": {
        "points_adjusted_up": {"selected": True, "sent": 1, "last_sent_at": _LATER},
        "points_expired": {"selected": False, "sent": 0, "last_sent_at": None},
    },
    "customer_hub": {
        "status": "unknown",
        "setup_url": "https://help.klaviyo.com/hc/en-us/articles/36271755028507",
    },
    "warnings": [],
    "mode": "oauth",
    "account_id": "AbC123",
    "connected_at": _THEN,
    "granted_at": _THEN,
    "missing_scopes": [],
    "upgrade_available": False,
    "first_sync": "done",
    "capabilities": {"reviews": True, "reviews_detected_at": _THEN, "webhooks": True},
    "last_success_at": _LATER,
}
_FEED = {"source": "judgeme", "enabled": True, "since": _THEN, "webhook_url": f"{_ROOT}/webhooks/judgeme/candles"}
_SYNC = {
    "id": "20260302-120000",
    "program": "candles",
    "state": "running",
    "total": 12000,
    "done": 4000,
    "skipped": {"no_email": 3},
    "failed": 0,
    "open_jobs": 1,
    "waiting_for": None,
    "started_at": _THEN,
    "estimated_end_at": "2026-03-02T12:10:00.000Z",
    "ended_at": None,
}
_REPLAY = {
    "id": "20260302-120000",
    "state": "running",
    "from": "2026-01-01T00:00:00.000Z",
    "to": "2026-02-01T00:00:00.000Z",
    "types": ["points_adjusted_up"],
    "backfill": True,
    "days_done": 3,
    "days": 31,
    "looked_at": 420,
    "owed_again": 17,
    "started_at": _THEN,
    "finished_at": None,
}
_ISSUED = {"api_key": _API_KEY, "key": _KEY}
_BUILT = build_webhook(_DEFAULTS, _ROOT, _API_KEY, direction=Direction.INCREASE, idea="bonus", amount=100)


def _adjusted(points: int, balance: int) -> Mapping[str, Any]:
    result = {
        "index": 0,
        "status": "posted",
        "entry_id": _ENTRY_ID,
        "points": points,
        "balance": balance,
        "replayed": False,
        "warnings": [],
    }
    return {"results": [result]}


ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "increase_balance": _adjusted(100, 100),
    "decrease_balance": _adjusted(-100, 0),
    "submit_review": {"review": _REVIEW_ID},
    "create_program": {"program": _PROGRAM, "api_key": _API_KEY},
    "read_settings": _PROGRAM,
    "change_settings": _PROGRAM | {"version": 2},
    "change_entitlements": _PROGRAM | {"version": 2},
    "list_keys": {"keys": [_KEY]},
    "create_key": _ISSUED,
    "rotate_key": _ISSUED,
    "revoke_key": _KEY | {"revoked_at": _LATER},
    "find_member": _MEMBER,
    "read_member": _MEMBER,
    "change_member": _MEMBER,
    "read_activity": {"entries": [_ENTRY], "next_cursor": None},
    "read_summary": {
        "member_id": _MEMBER_ID,
        "points_balance": 100,
        "points_pending": 0,
        "next_expiry": {"expires_on": "2027-03-02", "points": 100},
        "tier": {"id": 1, "name": "Silver", "from_points": 0, "benefits": ""},
        "next_tier": {"id": 2, "name": "Gold", "from_points": 1000, "benefits": "", "missing_points": 900},
        "best_reward": None,
        "next_reward": {"id": "off-5", "name": "5 EUR off", "points": 500, "missing_points": 400},
    },
    "undo_entry": {"entry_id": f"{_MEMBER_ID}-0000000002", "points": -100, "balance": 0, "replayed": False},
    "merge_member": _MEMBER,
    "list_earning_rules": {
        "earning_rules": [
            {"id": "review", "name": _RULE["name"], "enabled": True, "points": 50, "requires": _NEEDS},
            {"id": "birthday", "name": "Celebrate a birthday", "enabled": False, "points": 0, "requires": []},
        ]
    },
    "read_review_rule": _RULE,
    "change_review_rule": _RULE | {"version": 2, "since": _LATER},
    "remove_review_rule": _RULE | {"version": 2, "since": _LATER},
    "read_review_decision": _DECISION,
    "read_member_reviews": {"reviews": [_DECISION], "next_cursor": None, "unheard": None},
    "list_integrations": {
        "integrations": [{"name": "klaviyo", "status": "connected", "href": "/programs/candles/klaviyo"}]
    },
    "read_connection": _CONNECTION,
    "connect": {"start_url": f"{_ROOT}/klaviyo/oauth/start?ticket=3q2-7wAB", "valid_for_seconds": 3600},
    "disconnect": {"program": "candles", "status": "disconnected", "webhooks_deleted": True, "access_revoked": True},
    "read_judgeme": _FEED,
    "connect_judgeme": _FEED,
    "disconnect_judgeme": _FEED | {"enabled": False, "since": None},
    "start_sync": _SYNC | {"total": None, "done": 0, "skipped": {}, "open_jobs": 0, "estimated_end_at": None},
    "read_sync": _SYNC,
    "cancel_sync": _SYNC | {"state": "cancelled", "open_jobs": 0, "estimated_end_at": None, "ended_at": _LATER},
    "replay_events": _REPLAY | {"days_done": 0, "looked_at": 0, "owed_again": 0},
    "read_replay": _REPLAY,
    "send_sample_events": {"sent": 1, "events": [{"type": "points_expiring", "metric": "Points Expiring"}]},
    "build_webhook": _BUILT.model_dump(mode="json"),
    "draft_flow": {"flow_id": "VeYaWr", "name": "Loyalty - birthday bonus", "created": True, "warnings": []},
}
"""By operation id."""


def _problem(status: int, code: str, detail: str, **facts: Any) -> Mapping[str, Any]:
    words = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    return words | {"request_id": "11111111-2222-3333-4444-555555555555"} | facts


PROBLEMS: Mapping[int, Mapping[str, Any]] = {
    400: _problem(400, "malformed_json", "The body is not proper JSON: look at line 1, column 2."),
    401: _problem(401, "invalid_api_key", "This API key is not valid; it may have been revoked."),
    403: _problem(403, "key_of_another_program", "This API key belongs to another program."),
    404: _problem(404, "unknown_program", "There is no such program."),
    409: _problem(409, "not_connected", "The program is not connected to Klaviyo."),
    412: _problem(412, "version_outdated", "The settings were changed since you read them; read them again."),
    413: _problem(413, "body_too_large", "A request's body has at most 65536 bytes."),
    422: _problem(
        422,
        "invalid_items",
        "The request is wrong in one place, and nothing of it was done; see errors.",
        errors=[{"where": "0.amount", "code": "greater_than", "message": "Input should be greater than 0"}],
    ),
    428: _problem(428, "version_missing", "Name the version you read in the header If-Match."),
    429: _problem(429, "too_many_requests", "This API key may make 600 requests a minute."),
    503: _problem(503, "temporarily_unavailable", "Storage is busy; try again shortly."),
}
"""By status."""
