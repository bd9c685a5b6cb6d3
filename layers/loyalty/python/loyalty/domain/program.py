"""A program: one merchant's loyalty program, the tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from loyalty.domain.adjustments import AdjustmentRule
from loyalty.domain.connection import Connection, Webhook
from loyalty.domain.email_channels import EmailChannel, EmailType
from loyalty.domain.identity import Email, MemberId, ProgramSlug, member_id_for
from loyalty.domain.ledger.entry import Delivery, DeliveryState
from loyalty.domain.ledger.member import Standing
from loyalty.domain.ledger.terms import Terms
from loyalty.domain.naming import Naming
from loyalty.domain.review_feeds import ReviewFeed
from loyalty.domain.review_rule import ReviewRule
from loyalty.domain.reviews import ReviewSource
from loyalty.domain.rewards import Reward
from loyalty.domain.tiers import Tier


@dataclass(frozen=True, slots=True)
class Program:
    """A program's settings together with its connection, None while there never was one.

    ``id_key`` is the secret that member ids are derived with. ``naming`` is the preset of Klaviyo names, ``names`` are
    the program's own above it. ``events_off`` are the catalogue types that are not sent (R92). ``newcomers`` is the
    standing of customers that an earning brings in. ``tiers`` stand lowest first. ``channels`` are the e-mails whose
    senders are known. ``shows_in_customer_hub`` is what the merchant says of Klaviyo's Customer Hub, which tells nobody
    itself (R159). ``klaviyo_included`` is the operator's word on whether the program may connect to Klaviyo (R24).
    ``version`` counts changes of the settings.
    """

    slug: ProgramSlug
    name: str
    id_key: str = field(repr=False)
    created_at: datetime
    version: int = 1
    terms: Terms = field(default_factory=Terms)
    review_rule: ReviewRule = field(default_factory=ReviewRule)
    naming: str = "tallyhook"
    names: Naming = field(default_factory=Naming)
    events_off: frozenset[str] = frozenset()
    newcomers: Standing = Standing.MEMBER
    adjustment_rule: AdjustmentRule = field(default_factory=AdjustmentRule)
    rewards: tuple[Reward, ...] = ()
    tiers: tuple[Tier, ...] = ()
    channels: Mapping[EmailType, EmailChannel] = field(default_factory=dict)
    shows_in_customer_hub: bool = False
    klaviyo_included: bool = True
    connection: Connection | None = None
    feeds: tuple[ReviewFeed, ...] = ()

    def feed_of(self, source: ReviewSource) -> ReviewFeed | None:
        """A review app's access, switched off ones too."""
        return next((feed for feed in self.feeds if feed.source is source), None)

    def reviews_since(self, source: ReviewSource) -> datetime | None:
        """Since when a review app tells this program of reviews; None where nothing connects them (R112)."""
        if source is ReviewSource.KLAVIYO:
            return self.connection.connected_at if self.connection else None
        feed = self.feed_of(source)
        return feed.since if feed else None

    def review_secrets(self, source: ReviewSource, webhook_id: str) -> tuple[bytes, ...]:
        """What proves a delivery of reviews, encrypted: of Klaviyo by webhook, of another app its own."""
        if source is not ReviewSource.KLAVIYO:
            feed = self.feed_of(source)
            return feed.secrets if feed else ()
        return tuple(secret for webhook in self._webhooks if webhook.id == webhook_id for secret in webhook.secrets)

    @property
    def all_review_secrets(self) -> frozenset[bytes]:
        """Every secret that ``review_secrets`` may give."""
        secrets = [each.secrets for each in self._webhooks] + [each.secrets for each in self.feeds]
        return frozenset(chain.from_iterable(secrets))

    @property
    def _webhooks(self) -> tuple[Webhook, ...]:
        """Klaviyo's webhooks that are listened to: one that outlived a disconnect is not (R20)."""
        return self.connection.webhooks if self.connection and self.connection.is_owed else ()

    @property
    def is_connected(self) -> bool:
        """True while Klaviyo is to hear of changes."""
        return self.connection is not None and self.connection.is_owed

    def member_id(self, email: Email, generation: int = 0) -> MemberId:
        """The id under which the member first seen with this address is stored."""
        return member_id_for(self.id_key, self.slug, email, generation)

    def delivery_of(self, event_type: str) -> Delivery:
        """Whether Klaviyo is owed an event of this type, decided once, when the entry is written (R93, R94)."""
        if not event_type:
            return Delivery()
        if not self.is_connected:
            return Delivery(DeliveryState.SKIPPED, why="not_connected")
        if event_type in self.events_off:
            return Delivery(DeliveryState.SKIPPED, why="not_selected")
        return Delivery(DeliveryState.OWED)
