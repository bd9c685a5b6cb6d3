"""Inspection: accounts, keys, apps, installs, tokens."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from local.fake_klaviyo.accounts import Account
from local.fake_klaviyo.inspection.routes import Ask, Route
from local.fake_klaviyo.lifecycle import plant_account, plant_app, plant_install
from local.fake_klaviyo.seed import SeedAccount, SeedApp, SeedInstall, SeedKey
from local.fake_klaviyo.topics import REVIEW_TOPICS


class AccountChange(BaseModel):
    """What may change about an account while the fake runs; absent fields stay."""

    model_config = ConfigDict(extra="forbid")

    advanced_kdp: bool | None = None
    review_topics: bool | None = None
    private_keys: list[SeedKey] | None = None
    """Replaces all keys; an empty list revokes every one."""
    lists: list[str] | None = None


class Uninstall(BaseModel):
    """Which install ends."""

    model_config = ConfigDict(extra="forbid")

    client_id: str
    account: str | None = None


def _document(account: Account) -> Any:
    return {
        "id": account.id,
        "organization_name": account.organization_name,
        "advanced_kdp": account.advanced_kdp,
        "private_keys": {k: None if v is None else sorted(v) for k, v in account.private_keys.items()},
        "lists": sorted(account.lists),
        "topics": account.known_topics(),
        "counts": {
            "events": len(account.events),
            "dropped_events": len(account.dropped),
            "profiles": len(account.profiles),
            "reviews": len(account.reviews),
            "webhooks": len(account.webhooks),
            "jobs": len(account.jobs),
        },
    }


def _accounts(ask: Ask) -> Any:
    with ask.services.world.lock:
        return {"accounts": [_document(account) for account in ask.accounts()]}


def _add_account(ask: Ask) -> Any:
    with ask.services.world.lock:
        return _document(plant_account(ask.services, SeedAccount.model_validate(ask.body)))


def _change_account(ask: Ask) -> Any:
    change = AccountChange.model_validate(ask.body)
    with ask.services.world.lock:
        account = ask.account(ask.params["id"])
        if change.advanced_kdp is not None:
            account.advanced_kdp = change.advanced_kdp
        if change.review_topics is not None:
            kept = [topic for topic in account.topics if topic not in REVIEW_TOPICS]
            account.topics = [*kept, *(REVIEW_TOPICS if change.review_topics else ())]
        if change.private_keys is not None:
            account.private_keys = {
                key.key: None if key.scopes is None else frozenset(key.scopes) for key in change.private_keys
            }
        if change.lists is not None:
            account.lists = set(change.lists)
        return _document(account)


def _add_app(ask: Ask) -> Any:
    with ask.services.world.lock:
        return {"client_id": plant_app(ask.services, SeedApp.model_validate(ask.body)).client_id}


def _installs(ask: Ask) -> Any:
    with ask.services.world.lock:
        return {
            "installs": [
                {
                    "account": install.account,
                    "client_id": install.client_id,
                    "scopes": sorted(install.scopes),
                    "refresh_token": install.refresh_token,
                    "access_tokens": list(install.access_tokens),
                }
                for install in ask.services.oauth.installs
            ]
        }


def _add_install(ask: Ask) -> Any:
    with ask.services.world.lock:
        access, refresh = plant_install(ask.services, SeedInstall.model_validate(ask.body))
    return {"access_token": access, "refresh_token": refresh}


def _uninstall(ask: Ask) -> Any:
    wanted = Uninstall.model_validate(ask.body)
    with ask.services.world.lock:
        account = ask.account(wanted.account)
        return {"ended": ask.services.oauth.uninstall(account.id, wanted.client_id)}


def _expire(ask: Ask) -> Any:
    with ask.services.world.lock:
        return {"expired": ask.services.oauth.expire_access_tokens(ask.body.get("account"))}


ROUTES = (
    Route("GET", "/_fake/accounts", "accounts with keys, topics and counts", _accounts),
    Route("POST", "/_fake/accounts", "add an account (as in a seed)", _add_account),
    Route("PATCH", "/_fake/accounts/<id>", "change KDP, review topics, keys or lists", _change_account),
    Route("POST", "/_fake/apps", "add an OAuth app (as in a seed)", _add_app),
    Route("GET", "/_fake/installs", "OAuth grants with their tokens", _installs),
    Route("POST", "/_fake/installs", "add a ready grant; returns tokens", _add_install),
    Route("POST", "/_fake/uninstall", "end the grants of {client_id, account?}", _uninstall),
    Route("POST", "/_fake/tokens/expire", "let access tokens (of {account?}) expire now", _expire),
)
