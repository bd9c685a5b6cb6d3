"""What Klaviyo demands of a flow in a request.

Sources: "Flows API overview", schema FlowCreateQuery: exactly one trigger, new actions under a `temporary_id`,
linked to each other by it.
"""

from datetime import datetime
from typing import Any

from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings

_DEFINITION = "/data/attributes/definition"
_STATUSES = ("draft", "live", "manual")


def check_create_flow(body: JsonObject, _now: datetime) -> None:
    """Refuse a create_flow body that breaks a rule."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "flow")
    attributes = found.object(data.get("attributes"), "/data/attributes", ("name", "definition"), ())
    found.text(attributes.get("name"), "/data/attributes/name", shortest=1)
    definition = found.object(
        attributes.get("definition"),
        _DEFINITION,
        ("triggers", "actions", "entry_action_id"),
        ("profile_filter", "reentry_criteria"),
    )
    triggers = found.list(definition.get("triggers"), f"{_DEFINITION}/triggers")
    if len(triggers) != 1:
        found.add(f"{_DEFINITION}/triggers", "Exactly one trigger is required.")
    for i, trigger in enumerate(triggers):
        found.object(trigger, f"{_DEFINITION}/triggers/{i}", ("type",))
    _check_actions(found, definition)
    found.raise_if_any()


def check_update_flow(body: JsonObject, _now: datetime) -> None:
    """Refuse an update_flow body that breaks a rule; only the status can change."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "flow", required=("type", "id", "attributes"))
    attributes = found.object(data.get("attributes"), "/data/attributes", ("status",), ())
    if attributes.get("status") not in (None, *_STATUSES):
        found.add("/data/attributes/status", f"Must be one of {', '.join(_STATUSES)}.")
    found.raise_if_any()


def _check_actions(found: Findings, definition: JsonObject) -> None:
    pointer = f"{_DEFINITION}/actions"
    actions = [
        found.object(action, f"{pointer}/{i}", ("type", "temporary_id"))
        for i, action in enumerate(found.list(definition.get("actions"), pointer))
    ]
    names = [action.get("temporary_id") for action in actions]
    for i, action in enumerate(actions):
        if action.get("id") is not None:
            found.add(f"{pointer}/{i}/id", "A new action has a temporary_id, never an id.")
        if names.count(action.get("temporary_id")) > 1:
            found.add(f"{pointer}/{i}/temporary_id", "The temporary_id is repeated.")
        for name, target in _links(action).items():
            if target is not None and target not in names:
                found.add(f"{pointer}/{i}/links/{name}", "There is no action of this temporary_id.")
    if definition.get("entry_action_id") not in (None, *names):
        found.add(f"{_DEFINITION}/entry_action_id", "There is no action of this temporary_id.")


def _links(action: JsonObject) -> dict[str, Any]:
    links = action.get("links")
    return links if isinstance(links, dict) else {}
