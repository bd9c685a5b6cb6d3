"""The operations we call, with the limits Klaviyo publishes for each (``x-klaviyo-ratelimit`` of its API document)."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty.domain.call_windows import Window

REVISION = "2026-07-15"
"""The revision of the API that this adapter speaks; Klaviyo supports one for two years."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint. A ``repeatable`` one ends in the same state however often it is called.

    ``sends`` marks what a connection exists for: a credential that may not do that is of no use.
    """

    name: str
    method: str
    path: str
    windows: tuple[Window, ...]
    repeatable: bool = True
    sends: bool = False


def _windows(burst: int, steady: int) -> tuple[Window, ...]:
    return (Window(burst, 1), Window(steady, 60))


_EXTRA_SMALL = _windows(1, 15)
_SMALL = _windows(3, 60)
_MEDIUM = _windows(10, 150)
_LARGE = _windows(75, 750)
_EXTRA_LARGE = _windows(350, 3500)

GET_ACCOUNTS = Operation("get_accounts", "GET", "/api/accounts", _EXTRA_SMALL)
GET_WEBHOOK_TOPICS = Operation("get_webhook_topics", "GET", "/api/webhook-topics", _EXTRA_SMALL)
CREATE_WEBHOOK = Operation("create_webhook", "POST", "/api/webhooks", _EXTRA_SMALL, repeatable=False)
GET_WEBHOOKS = Operation("get_webhooks", "GET", "/api/webhooks", _EXTRA_SMALL)
UPDATE_WEBHOOK = Operation("update_webhook", "PATCH", "/api/webhooks", _EXTRA_SMALL)
DELETE_WEBHOOK = Operation("delete_webhook", "DELETE", "/api/webhooks", _EXTRA_SMALL)
GET_METRICS = Operation("get_metrics", "GET", "/api/metrics", _MEDIUM)
GET_FLOWS = Operation("get_flows", "GET", "/api/flows", _SMALL)
CREATE_FLOW = Operation(
    "create_flow", "POST", "/api/flows", (*_EXTRA_SMALL, Window(100, 24 * 60 * 60)), repeatable=False
)
GET_REVIEWS = Operation("get_reviews", "GET", "/api/reviews", _MEDIUM)
BULK_CREATE_EVENTS = Operation("bulk_create_events", "POST", "/api/event-bulk-create-jobs", _MEDIUM, sends=True)
CREATE_EVENT = Operation("create_event", "POST", "/api/events", _EXTRA_LARGE, sends=True)
IMPORT_PROFILE = Operation("create_or_update_profile", "POST", "/api/profile-import", _LARGE, sends=True)
BULK_IMPORT_PROFILES = Operation(
    "bulk_import_profiles", "POST", "/api/profile-bulk-import-jobs", _MEDIUM, repeatable=False
)
GET_PROFILE_JOB = Operation("get_bulk_import_profiles_job", "GET", "/api/profile-bulk-import-jobs", _MEDIUM)
GET_IMPORT_ERRORS = Operation(
    "get_errors_for_bulk_import_profiles_job", "GET", "/api/profile-bulk-import-jobs", _MEDIUM
)
