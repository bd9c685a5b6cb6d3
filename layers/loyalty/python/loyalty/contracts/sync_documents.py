"""What the API tells of a program's full sync (R27, R29, R31)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from loyalty.contracts.forms import Told


class SyncDocument(Told):
    """A full sync and how far it is."""

    id: str
    program: str
    state: Literal["running", "done", "cancelled"]
    total: Annotated[int | None, Field(description="Members, once they were counted.")]
    done: Annotated[int, Field(description="Members whose profile Klaviyo has imported.")]
    skipped: Annotated[
        dict[str, int], Field(description="Members that are not sent, by reason: no_email, erased, merged.")
    ]
    failed: Annotated[int, Field(description="Members that Klaviyo refused; why stands on each member.")]
    open_jobs: Annotated[int, Field(description="Bulk imports that Klaviyo is still at.")]
    waiting_for: Annotated[str | None, Field(description="Code of the trouble that holds it up just now.")]
    started_at: str
    estimated_end_at: Annotated[str | None, Field(description="When it ends at the pace so far.")]
    ended_at: str | None
