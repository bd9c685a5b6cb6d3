"""Inspection: segments, flows and templates."""

from typing import Any

from local.fake_klaviyo.accounts import Account, Asset
from local.fake_klaviyo.inspection.routes import Ask, Route


def _listed(ask: Ask, name: str) -> Any:
    def assets(account: Account) -> dict[str, Asset]:
        return {"segments": account.segments, "flows": account.flows, "templates": account.templates}[name]

    with ask.services.world.lock:
        found = [
            {"account": account.id, "id": asset.id, **asset.attributes}
            for account in ask.accounts()
            for asset in assets(account).values()
        ]
    return {"count": len(found), name: found}


ROUTES = (
    Route("GET", "/_fake/segments", "segments with their definitions", lambda ask: _listed(ask, "segments")),
    Route("GET", "/_fake/flows", "flows with their definitions", lambda ask: _listed(ask, "flows")),
    Route("GET", "/_fake/templates", "templates, copies included", lambda ask: _listed(ask, "templates")),
)
