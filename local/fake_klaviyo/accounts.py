"""The state of the fake: accounts and everything Klaviyo keeps in them."""

import re
import threading
from dataclasses import dataclass, field
from datetime import datetime

from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.identifiers import short_id
from local.fake_klaviyo.profile_book import Profile, ProfileBook


@dataclass(frozen=True)
class Integration:
    """Where a metric comes from: Klaviyo itself, the API (private keys) or an OAuth app."""

    id: str
    key: str
    name: str
    category: str


KLAVIYO = Integration("0rG4eQ", "klaviyo", "Klaviyo", "Internal")
API = Integration("7FtS4J", "api", "API", "API")


@dataclass
class Metric:
    """A kind of event; made by its first event, never deleted."""

    id: str
    name: str
    integration: Integration
    created: datetime
    carries_value: bool = False
    """Once an event had a monetary value, later ones without get 0."""

    @property
    def topic(self) -> str:
        """The webhook topic of this metric, such as `event:klaviyo.submitted_review`."""
        return f"event:{self.integration.key}.{slug(self.name)}"


@dataclass(frozen=True)
class Event:
    """One recorded event; `properties` as stored, so without zeros, nulls and empty strings."""

    id: str
    uuid: str
    unique_id: str
    profile: Profile
    metric: Metric
    time: datetime
    received: datetime
    properties: JsonObject
    backfill: bool
    operation: str


@dataclass(frozen=True)
class DroppedEvent:
    """An event that was answered with success and then not recorded, and why."""

    reason: str
    metric: str
    unique_id: str
    profile: JsonObject
    received: datetime


@dataclass
class Review:
    """A review, rating or store review as the Reviews API shows it."""

    id: str
    attributes: JsonObject
    item_id: str | None
    event_ids: list[str]
    created: datetime
    updated: datetime


@dataclass
class Webhook:
    """A system webhook subscription; the secret never leaves through the API."""

    id: str
    name: str
    description: str | None
    endpoint_url: str
    secret_key: str
    topics: list[str]
    created: datetime
    updated: datetime
    enabled: bool = True
    active_from: float = 0.0
    """Elapsed seconds from which events reach it."""
    failing_since: float | None = None
    """Elapsed seconds of the first failure of the present series."""
    client: str = ""


@dataclass(frozen=True)
class ImportFailure:
    """Why one profile of a bulk job was not imported."""

    id: str
    code: str
    detail: str
    pointer: str
    payload: JsonObject


@dataclass
class ImportJob:
    """A bulk profile import and how far it is."""

    id: str
    profiles: list[JsonObject]
    created: datetime
    created_elapsed: float
    status: str = "queued"
    started: datetime | None = None
    completed: datetime | None = None
    completed_count: int = 0
    failures: list[ImportFailure] = field(default_factory=list)
    list_ids: list[str] = field(default_factory=list)


@dataclass
class Asset:
    """A segment, flow or template: something made by name from a definition."""

    id: str
    attributes: JsonObject
    created: datetime
    updated: datetime


@dataclass
class Account:
    """One Klaviyo account with its credentials and data."""

    id: str
    organization_name: str
    timezone: str
    currency: str
    website_url: str
    advanced_kdp: bool
    topics: list[str]
    private_keys: dict[str, frozenset[str] | None] = field(default_factory=dict)
    """Key to its scopes; None stands for full access."""
    profiles: ProfileBook = field(default_factory=ProfileBook)
    metrics: dict[tuple[str, str], Metric] = field(default_factory=dict)
    """By integration key and name: the same name through two integrations makes two metrics."""
    events: list[Event] = field(default_factory=list)
    event_keys: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(profile id, metric id, unique_id) to event id: Klaviyo's key for dropping repeats."""
    dropped: list[DroppedEvent] = field(default_factory=list)
    reviews: dict[str, Review] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    jobs: dict[str, ImportJob] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    segments: dict[str, Asset] = field(default_factory=dict)
    flows: dict[str, Asset] = field(default_factory=dict)
    templates: dict[str, Asset] = field(default_factory=dict)

    def metric(self, integration: Integration, name: str, now: datetime) -> Metric:
        """The metric of that name, made now when there is none."""
        key = (integration.key, name)
        if key not in self.metrics:
            self.metrics[key] = Metric(short_id(), name, integration, now)
        return self.metrics[key]

    def known_topics(self) -> list[str]:
        """Topics a webhook may subscribe to: Klaviyo's own, and one per metric of the account."""
        return sorted({*self.topics, *(metric.topic for metric in self.metrics.values())})


@dataclass(frozen=True)
class App:
    """An OAuth app as its developer configured it."""

    client_id: str
    client_secret: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str]

    @property
    def integration(self) -> Integration:
        """Metrics made through the app carry its name."""
        return Integration(self.client_id[:6], slug(self.name), self.name, "Internal")


@dataclass
class World:
    """All accounts and apps; `lock` is held while any of it is read or changed."""

    accounts: dict[str, Account] = field(default_factory=dict)
    apps: dict[str, App] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def clear(self) -> None:
        """Forget every account and app."""
        self.accounts.clear()
        self.apps.clear()


def slug(name: str) -> str:
    """A name as it stands in a topic: lower case, words joined by underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
