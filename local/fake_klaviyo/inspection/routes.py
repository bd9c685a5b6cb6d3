"""What an inspection address is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.fake_klaviyo.accounts import Account
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.services import Services


class InspectionError(Exception):
    """A bad request to the inspection API."""


@dataclass(frozen=True)
class Ask:
    """One call of the inspection API."""

    services: Services
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: JsonObject

    def account(self, account_id: str | None) -> Account:
        """The account of that id, or the first one; KeyError when there is none."""
        accounts = self.services.world.accounts
        return accounts[account_id if account_id is not None else next(iter(accounts))]

    def accounts(self) -> list[Account]:
        """The accounts that `?account=` picks: one, or all."""
        chosen = self.query.get("account")
        return [self.account(chosen)] if chosen else list(self.services.world.accounts.values())


@dataclass(frozen=True)
class Route:
    """One address of the inspection API."""

    method: str
    path: str
    purpose: str
    act: Callable[[Ask], Any]
