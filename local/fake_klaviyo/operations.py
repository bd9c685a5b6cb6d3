"""What an API operation is: one entry per endpoint, made in the modules of `endpoints`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from local.fake_klaviyo.accounts import Account, Integration
from local.fake_klaviyo.exchange import JsonObject, Request
from local.fake_klaviyo.query import Query, QueryRules
from local.fake_klaviyo.rate_limits import Limits
from local.fake_klaviyo.services import Services


@dataclass(frozen=True)
class Principal:
    """Who calls: an account through one of its private keys or through an installed app."""

    account: Account
    client: str
    """`private-key`, or the app's client id; quotas are kept per account and client."""
    scopes: frozenset[str] | None
    """None stands for full access."""
    integration: Integration
    is_app: bool


@dataclass(frozen=True)
class Call:
    """One checked call, as a handler sees it."""

    services: Services
    principal: Principal
    request: Request
    params: Mapping[str, str]
    query: Query
    body: JsonObject

    @property
    def account(self) -> Account:
        """The caller's account."""
        return self.principal.account

    @property
    def now(self) -> datetime:
        """Wall-clock time."""
        return self.services.clock.now()

    def link(self, path: str) -> str:
        """A full URL on this server."""
        return f"{self.request.base_url}{path}"


@dataclass(frozen=True)
class Reply:
    """A handler's result; no document means an empty body."""

    status: int
    document: JsonObject | None = None


@dataclass(frozen=True)
class BodyItem:
    """One item of a body in flat form, for faults that pick an item, and its JSON pointer."""

    fields: JsonObject
    pointer: str


@dataclass(frozen=True, eq=False)
class Operation:
    """One endpoint with its published scopes and limits."""

    name: str
    method: str
    path: str
    """With parameters in angle brackets: `/api/webhooks/<id>`."""
    scopes: tuple[str, ...]
    limits: Limits
    handle: Callable[[Call], Reply]
    query: QueryRules = field(default_factory=QueryRules)
    check: Callable[[JsonObject, datetime], None] | None = None
    """Structural rules of the body; an operation with a check takes a body."""
    items: Callable[[JsonObject], list[BodyItem]] | None = None
    webhook_access: bool = False
    """Needs an OAuth app or an account with Advanced KDP."""
