"""A webhook's flow as a draft in Klaviyo: what is asked for, and what is answered (R14, R135-R138)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from loyalty.contracts.adjustments import Warned
from loyalty.contracts.builder import BuilderForm
from loyalty.contracts.forms import Text, Told

KlaviyoId = Annotated[str, Field(pattern="^[A-Za-z0-9]{1,32}$", examples=["WzaXsg"])]


class FlowDraftForm(BuilderForm):
    """A flow to create."""

    name: Annotated[
        Text | None,
        Field(pattern=r'^[^"\\\x00-\x1f]{1,100}$', description="The flow's name; each idea has one."),
    ] = None
    api_key: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_-]{1,100}$",
            description="The key for the webhook's header, of scope balance:write. It goes into the flow and is not "
            "stored; without it a placeholder stands there.",
        ),
    ] = None
    metric: Annotated[
        str | None, Field(min_length=1, max_length=128, description="Name of the metric that starts a bonus.")
    ] = None
    list_id: Annotated[KlaviyoId | None, Field(description="The list that a welcome bonus is for.")] = None
    segment_id: Annotated[KlaviyoId | None, Field(description="The segment that a win-back bonus is for.")] = None


class FlowDraftDocument(Told):
    """A draft in Klaviyo; it does nothing until the merchant switches it on there."""

    flow_id: Annotated[str, Field(description="Klaviyo's id of the flow.")]
    name: str
    created: Annotated[bool, Field(description="False when a flow of this name was there already, and was left as is.")]
    warnings: tuple[Warned, ...]
