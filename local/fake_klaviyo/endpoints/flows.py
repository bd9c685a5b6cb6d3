"""Flows: list, create, switch on and off, delete. Flows never run here.

Source: "Flows API overview", and what was observed of templates on the live platform: a flow copies its template.
"""

from typing import Any

from local.fake_klaviyo.accounts import Account, Asset
from local.fake_klaviyo.documents import asset_resource
from local.fake_klaviyo.errors import ApiError, Problem, not_found, refused
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.flow_checks import check_create_flow, check_update_flow
from local.fake_klaviyo.identifiers import short_id
from local.fake_klaviyo.operations import Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import EXTRA_SMALL_DAILY, SMALL

_PATH = "/api/flows"
_DEFINITION = "/data/attributes/definition"
_RELATIONSHIPS = ("flow-actions", "tags")
_TRIGGER_TYPES = {"metric": "Metric", "list": "Added to List", "segment": "Added to List", "date": "Date Based"}
_TEXT = ("contains", "ends-with", "equals", "starts-with")
_DATE = ("equals", "greater-or-equal", "greater-than", "less-or-equal", "less-than")
_ATTRIBUTES = ("archived", "name", "status", "trigger_type")

_ACCESSORS: dict[str, Any] = {
    "id": lambda flow: flow.id,
    "created": lambda flow: flow.created,
    "updated": lambda flow: flow.updated,
    **{name: lambda flow, name=name: flow.attributes[name] for name in _ATTRIBUTES},
}


def get_flows(call: Call) -> Reply:
    """Flows, without their definitions."""
    flows = call.query.select(list(call.account.flows.values()), _ACCESSORS)
    data = [_resource(call, flow, whole=False) for flow in call.query.page(flows)]
    return Reply(200, {"data": data, "links": call.query.links(call.request, len(flows))})


def create_flow(call: Call) -> Reply:
    """Create a flow as a draft; what it refers to has to exist."""
    given = call.body["data"]["attributes"]
    trigger = given["definition"]["triggers"][0]
    _check_trigger(call.account, trigger)
    now = call.now
    attributes = {
        "name": given["name"],
        "status": "draft",
        "archived": False,
        "trigger_type": _TRIGGER_TYPES.get(trigger["type"], "Unconfigured"),
        "definition": _stored_definition(call, given["definition"]),
    }
    flow = Asset(short_id(), attributes, now, now)
    call.account.flows[flow.id] = flow
    return Reply(201, {"data": _resource(call, flow, whole=True), "links": {"self": call.link(_PATH)}})


def update_flow(call: Call) -> Reply:
    """Set the status of a flow and of all its actions."""
    flow = _flow(call)
    if call.body["data"]["id"] != flow.id:
        detail = "The id of the body is not the id of the path."
        raise ApiError(409, [Problem(detail, "/data/id", code="conflict")])
    status = call.body["data"]["attributes"]["status"]
    flow.attributes["status"] = status
    for action in flow.attributes["definition"]["actions"]:
        if isinstance(action.get("data"), dict):
            action["data"]["status"] = status
    flow.updated = call.now
    links = {"self": call.link(f"{_PATH}/{flow.id}")}
    return Reply(200, {"data": _resource(call, flow, whole=False), "links": links})


def delete_flow(call: Call) -> Reply:
    """Delete a flow; the copies of its templates stay."""
    del call.account.flows[_flow(call).id]
    return Reply(204)


def _check_trigger(account: Account, trigger: JsonObject) -> None:
    known = {
        "metric": {metric.id for metric in account.metrics.values()},
        "segment": set(account.segments),
        "list": account.lists,
    }.get(trigger["type"])
    if known is not None and trigger.get("id") not in known:
        raise refused(f"The {trigger['type']} of the trigger does not exist.", f"{_DEFINITION}/triggers/0/id")


def _stored_definition(call: Call, definition: JsonObject) -> JsonObject:
    """The definition with real ids in place of temporary ones and copies in place of templates."""
    ids = {action["temporary_id"]: short_id() for action in definition["actions"]}
    actions = []
    for i, action in enumerate(definition["actions"]):
        stored = {key: value for key, value in action.items() if key != "temporary_id"}
        links = action.get("links")
        if isinstance(links, dict):
            stored["links"] = {name: ids.get(target) for name, target in links.items()}
        stored["data"] = _with_template_copy(call, action.get("data"), i)
        actions.append({"id": ids[action["temporary_id"]], **stored})
    return {**definition, "actions": actions, "entry_action_id": ids[definition["entry_action_id"]]}


def _with_template_copy(call: Call, data: Any, i: int) -> Any:
    message = data.get("message") if isinstance(data, dict) else None
    if not isinstance(message, dict) or message.get("template_id") is None:
        return data
    original = call.account.templates.get(message["template_id"])
    if original is None:
        pointer = f"{_DEFINITION}/actions/{i}/data/message/template_id"
        raise refused("A template with this id does not exist.", pointer)
    now = call.now
    copied = Asset(short_id(), dict(original.attributes), now, now)
    call.account.templates[copied.id] = copied
    return {**data, "message": {**message, "template_id": copied.id}}


def _flow(call: Call) -> Asset:
    flow = call.account.flows.get(call.params["id"])
    if flow is None:
        raise not_found("A flow with this id does not exist.")
    return flow


def _resource(call: Call, flow: Asset, *, whole: bool) -> JsonObject:
    resource = asset_resource("flow", flow, call.request.base_url, _RELATIONSHIPS)
    if not whole:
        del resource["attributes"]["definition"]
    return call.query.trimmed(resource)


OPERATIONS = (
    Operation(
        "get_flows",
        "GET",
        _PATH,
        ("flows:read",),
        SMALL,
        get_flows,
        QueryRules(
            fields=("flow",),
            sort=("created", "id", "name", "status", "trigger_type", "updated"),
            filters={
                "id": ("any",),
                "name": _TEXT,
                "status": ("equals",),
                "archived": ("equals",),
                "created": _DATE,
                "updated": _DATE,
                "trigger_type": ("equals",),
            },
            page_size=(50, 50),
            cursor=True,
        ),
    ),
    Operation(
        "create_flow",
        "POST",
        _PATH,
        ("flows:write",),
        EXTRA_SMALL_DAILY,
        create_flow,
        QueryRules(fields=("flow",), additional_fields=("flow",)),
        check=check_create_flow,
    ),
    Operation(
        "update_flow",
        "PATCH",
        f"{_PATH}/<id>",
        ("flows:write",),
        SMALL,
        update_flow,
        QueryRules(fields=("flow",)),
        check=check_update_flow,
    ),
    Operation("delete_flow", "DELETE", f"{_PATH}/<id>", ("flows:write",), SMALL, delete_flow),
)
