"""What the fake starts with: accounts with keys, reviews and lists; OAuth apps; ready installs.

A seed file (`--accounts-file`) is JSON of the form of `Seed`.
"""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_ACCOUNT = "AbC123"
DEFAULT_PRIVATE_KEY = "pk_local_0123456789abcdef0123456789abcdef"
DEFAULT_CLIENT_ID = "local-tallyhook-app"
DEFAULT_CLIENT_SECRET = "local-tallyhook-app-secret-0123456789"

NEEDED_SCOPES = (
    "accounts:read",
    "events:read",
    "events:write",
    "flows:read",
    "flows:write",
    "lists:read",
    "lists:write",
    "metrics:read",
    "profiles:read",
    "profiles:write",
    "reviews:read",
    "segments:read",
    "segments:write",
    "templates:write",
    "webhooks:read",
    "webhooks:write",
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Product(_Strict):
    """The product a review is about."""

    name: str = "Candle"
    url: str = "https://shop.klaviyo-demo.com/products/candle"
    image_url: str | None = "https://shop.klaviyo-demo.com/candle.jpg"
    external_id: str | None = "123456789"


class ReviewInput(_Strict):
    """A review as a customer submits it."""

    id: str | None = None
    email: str
    author: str = "Sarah M"
    rating: int | None = Field(default=5, ge=1, le=5)
    title: str | None = "Smells great"
    content: str | None = "Great product! I will be buying again."
    review_type: Literal["question", "rating", "review", "store"] = "review"
    status: Literal["pending", "published", "unpublished", "featured", "rejected"] = "published"
    verified: bool = True
    images: list[str] = Field(default_factory=list)
    product: Product | None = Field(default_factory=Product)
    created: datetime | None = None


class SeedKey(_Strict):
    """A private key; without scopes it has full access."""

    key: str = Field(pattern=r"^pk_\S+$")
    scopes: list[str] | None = None


class SeedAccount(_Strict):
    """One account."""

    id: str = Field(pattern=r"^[A-Za-z0-9]{6}$")
    organization_name: str = "Klaviyo Demo"
    timezone: str = "US/Eastern"
    currency: str = "USD"
    website_url: str = "https://www.klaviyo-demo.com"
    advanced_kdp: bool = True
    review_topics: bool = True
    """Whether Klaviyo Reviews is on, so that its webhook topics exist."""
    private_keys: list[SeedKey] = Field(default_factory=list)
    lists: list[str] = Field(default_factory=list)
    reviews: list[ReviewInput] = Field(default_factory=list)
    """Reviews of the past: listed, without an event."""


class SeedApp(_Strict):
    """One OAuth app."""

    client_id: str = Field(min_length=1)
    client_secret: str = Field(min_length=1)
    name: str = "Tallyhook"
    redirect_uris: list[str] = Field(default_factory=list)
    scopes: list[str] = Field(default_factory=lambda: list(NEEDED_SCOPES))


class SeedInstall(_Strict):
    """An app that an account has already authorized; tokens are made up when not given."""

    account: str
    client_id: str
    scopes: list[str] | None = None
    access_token: str | None = None
    refresh_token: str | None = None


class Seed(_Strict):
    """Everything the fake starts with."""

    accounts: list[SeedAccount] = Field(default_factory=list)
    apps: list[SeedApp] = Field(default_factory=list)
    installs: list[SeedInstall] = Field(default_factory=list)

    @classmethod
    def default(cls) -> "Seed":
        """One account with Advanced KDP and one private key, and one app."""
        account = SeedAccount(id=DEFAULT_ACCOUNT, private_keys=[SeedKey(key=DEFAULT_PRIVATE_KEY)])
        app = SeedApp(
            client_id=DEFAULT_CLIENT_ID,
            client_secret=DEFAULT_CLIENT_SECRET,
            redirect_uris=["http://localhost:5001/oauth/callback"],
        )
        return cls(accounts=[account], apps=[app])

    @classmethod
    def read(cls, path: Path) -> "Seed":
        """The seed in a JSON file."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))
