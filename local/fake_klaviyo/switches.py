"""Behaviours of the fake that a test can switch, where Klaviyo's own is undocumented, varies or takes long.

Every duration is in seconds of Klaviyo time. The defaults are the documented or observed behaviour.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Switches(BaseModel):
    """All switches; change them with `PATCH /_fake/switches`."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    repeated_unique_id_in_bulk: Literal["discard", "fail"] = "discard"
    """An already stored unique_id in bulk_create_events: dropped in silence, or the whole request fails with 400.
    The contract says the latter, the Events overview the former."""
    invalid_email_in_import: Literal["reject", "import_error"] = "reject"
    """A bad address in bulk_import_profiles: 400 at submission, or an import error of the job; docs say both."""

    job_mode: Literal["timed", "manual"] = "timed"
    """Whether import jobs run by time or only by `POST /_fake/jobs/run`."""
    job_queue_seconds: float = Field(default=1.0, ge=0)
    job_processing_seconds: float = Field(default=1.0, ge=0)
    job_order: Literal["oldest_first", "newest_first", "shuffled"] = "oldest_first"
    """Which queued job is taken next; Klaviyo promises no order."""

    delivery_delay_seconds: float = Field(default=0.0, ge=0)
    """From event to first webhook delivery (live: one to three minutes); events of that time share a batch."""
    webhook_activation_seconds: float = Field(default=0.0, ge=0)
    """From creating or enabling a webhook until events flow to it (live: up to three minutes)."""
    signature_clock_offset_seconds: float = -18_000.0
    """Added to the Klaviyo-Timestamp header: on the live platform it was five hours off."""
    allow_loopback_http_webhooks: bool = True
    """Accept `http://127.0.0.1` and `http://localhost` as endpoint_url; the live platform wants https."""

    rate_limits: bool = True
    """Refuse calls above the published limits; off, they are only counted."""

    authorize_decision: Literal["allow", "deny", "role_missing"] = "allow"
    """What the merchant does on the authorize page."""
    authorize_account: str | None = None
    """The account that authorizes; the first one when not set."""
    granted_scopes: list[str] | None = None
    """Grant at most these scopes, whatever was asked for."""
    refresh_token_mode: Literal["same", "rotate", "rotate_with_grace", "omit"] = "same"
    """What a refresh returns: the same refresh token (observed), a new one that ends the old at once or as soon as the
    new tokens are used, or none."""
    access_token_seconds: float = Field(default=3_600.0, gt=0)
