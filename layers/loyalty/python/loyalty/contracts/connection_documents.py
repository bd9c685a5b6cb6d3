"""What the API tells of a program's connection to Klaviyo, for its description (R9, R20, R23)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from loyalty.contracts.forms import Form, Told

Status = Literal["not_connected", "connected", "reconnect_required", "access_lost", "disconnected"]


class IntegrationDocument(Told):
    """One integration of a program."""

    name: str
    status: Status
    href: Annotated[str, Field(description="Path of its own page.")]


class IntegrationsDocument(Told):
    """A program's integrations."""

    integrations: tuple[IntegrationDocument, ...]


class OwedDocument(Told):
    """What Klaviyo is still to hear of."""

    events: int
    profiles: int
    counted_to: Annotated[int, Field(description="Counting ends here.")]


class EventsOfTypeDocument(Told):
    """Events of one type."""

    selected: Annotated[bool, Field(description="Whether they are sent to Klaviyo.")]
    sent: int
    last_sent_at: str | None


class CustomerHubDocument(Told):
    """Whether Klaviyo's Customer Hub shows the program, as far as the merchant has said so in the settings."""

    status: Literal["unknown", "enabled"]
    setup_url: str


class CapabilitiesDocument(Told):
    """What the account and the connection can do."""

    reviews: Annotated[bool, Field(description="Whether Klaviyo Reviews is installed in the account.")]
    reviews_detected_at: str | None
    webhooks: Annotated[bool, Field(description="Whether this connection may have webhooks.")]


class WebhookDocument(Told):
    """The webhook that reviews come by."""

    id: str
    topics: tuple[str, ...]
    enabled: bool
    last_delivery_at: str | None = None


class LossDocument(Told):
    """Since when access is lost, and why."""

    since: str
    detail: str
    notified_at: str | None


class ChecklistDocument(Told):
    """Something the merchant has to have in place for review points; ``seen`` is null where we cannot see it."""

    item: str
    text: str
    seen: bool | None


class ConnectionDocument(Told):
    """How a program's connection is. Before the first connect only the required fields are there."""

    program: str
    status: Status
    owed: OwedDocument
    events: Annotated[dict[str, EventsOfTypeDocument], Field(description="By event type.")]
    customer_hub: CustomerHubDocument
    warnings: Annotated[
        tuple[str, ...],
        Field(examples=[["duplicate_channel:points_earned"]], description="A code, then a colon and more about it."),
    ]
    mode: Literal["oauth", "api_key"] | None = None
    account_id: str | None = None
    connected_at: str | None = None
    granted_at: str | None = None
    missing_scopes: tuple[str, ...] | None = None
    reconnect_reason: str | None = None
    upgrade_available: bool | None = None
    upgrade_hint: str | None = None
    first_sync: Literal["not_started", "running", "done"] | None = None
    capabilities: CapabilitiesDocument | None = None
    webhook: WebhookDocument | None = None
    reviews_looked_through_at: str | None = None
    last_success_at: str | None = None
    last_error: LossDocument | None = None
    checklist: tuple[ChecklistDocument, ...] | None = None


class StartLinkDocument(Told):
    """A connection by OAuth has begun."""

    start_url: Annotated[str, Field(description="For the merchant's browser; whoever opens it connects the program.")]
    valid_for_seconds: int


class ConnectedDocument(RootModel[StartLinkDocument | ConnectionDocument]):
    """Where the merchant agrees, or how the new connection by private key is."""


class DisconnectedDocument(Told):
    """A connection has ended. What is false here could not be taken back at Klaviyo: remove it there."""

    program: str
    status: Literal["disconnected"]
    webhooks_deleted: bool
    access_revoked: bool


class ConnectForm(Form):
    """How to connect; without a body by OAuth."""

    mode: Literal["oauth", "api_key"] = "oauth"
    private_key: Annotated[
        str | None,
        Field(pattern=r"^\s*pk_[!-~]{1,250}\s*$", description="A private API key of Klaviyo, for the mode api_key."),
    ] = None


class DisconnectForm(Form):
    """The merchant's confirmation."""

    confirm: Literal[True]
