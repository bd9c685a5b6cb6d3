"""Who sends which of a program's e-mails, as its settings say it (R140, R151, R191)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from loyalty.contracts.forms import Form
from loyalty.domain.email_channels import EmailChannel, EmailType, Sender


class ChannelForm(Form):
    """How e-mails of one type are sent."""

    sender: Annotated[
        Literal["own", "klaviyo", "none"],
        Field(description="Who is to send them: the merchant's own e-mail app, a flow in Klaviyo, or nobody."),
    ]
    own_email: Annotated[
        bool, Field(description="Whether the merchant's own e-mail app has them switched on; beside Klaviyo's: twice.")
    ]


class ChannelsForm(Form):
    """E-mail types that the merchant has said something of."""

    points_earned: ChannelForm | None = None
    reward_redeemed: ChannelForm | None = None
    birthday_reward: ChannelForm | None = None
    points_expiry_warning: ChannelForm | None = None
    points_expiry_last_chance: ChannelForm | None = None
    friend_received_referral: ChannelForm | None = None
    referral_completed: ChannelForm | None = None
    vip_tier_achieved: ChannelForm | None = None
    reward_expiry_reminder: ChannelForm | None = None


def channels_of(form: ChannelsForm) -> dict[EmailType, EmailChannel]:
    """The channels that a form names."""
    said: dict[EmailType, ChannelForm | None] = {kind: getattr(form, kind) for kind in EmailType}
    return {kind: EmailChannel(Sender(it.sender), it.own_email) for kind, it in said.items() if it is not None}


def channel_facts(channels: Mapping[EmailType, EmailChannel]) -> dict[str, dict[str, Any]]:
    """Channels as the form shows them."""
    return {kind.value: {"sender": it.sender.value, "own_email": it.own_email} for kind, it in channels.items()}
