"""Segments: list, create, change, delete. Who is in one is not computed.

Source: "Segments API overview" and the operations in the official contract.
"""

from datetime import datetime
from typing import Any

from local.fake_klaviyo.accounts import Asset
from local.fake_klaviyo.documents import asset_resource
from local.fake_klaviyo.errors import ApiError, Problem, not_found
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings
from local.fake_klaviyo.identifiers import short_id
from local.fake_klaviyo.operations import Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import EXTRA_SMALL_DAILY, LARGE, SMALL

_PATH = "/api/segments"
_CHANGEABLE = ("name", "definition", "is_starred", "is_active")
_RELATIONSHIPS = ("profiles", "tags", "flow-triggers")
_FIELDS = QueryRules(fields=("segment",))

_ACCESSORS: dict[str, Any] = {
    "id": lambda segment: segment.id,
    "created": lambda segment: segment.created,
    "updated": lambda segment: segment.updated,
    **{name: lambda segment, name=name: segment.attributes[name] for name in ("name", "is_active", "is_starred")},
}


def check_create_segment(body: JsonObject, _now: datetime) -> None:
    """Refuse a create_segment body that breaks a rule."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "segment")
    required = ("name", "definition")
    attributes = found.object(data.get("attributes"), "/data/attributes", required, ("is_starred",))
    _check(found, attributes)
    found.raise_if_any()


def check_update_segment(body: JsonObject, _now: datetime) -> None:
    """Refuse an update_segment body that breaks a rule; `is_active` must be the only attribute."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "segment", required=("type", "id", "attributes"))
    attributes = found.object(data.get("attributes"), "/data/attributes", optional=_CHANGEABLE)
    _check(found, attributes)
    if "is_active" in attributes and len(attributes) > 1:
        found.add("/data/attributes/is_active", "'is_active' cannot be changed with other attributes.")
    found.raise_if_any()


def get_segments(call: Call) -> Reply:
    """Segments by name, id or date."""
    segments = call.query.select(list(call.account.segments.values()), _ACCESSORS)
    data = [_resource(call, segment) for segment in call.query.page(segments)]
    return Reply(200, {"data": data, "links": call.query.links(call.request, len(segments))})


def create_segment(call: Call) -> Reply:
    """Create a segment; names need not be unique."""
    attributes = call.body["data"]["attributes"]
    state = {"is_active": True, "is_processing": False, "is_starred": bool(attributes.get("is_starred"))}
    kept = {"name": attributes["name"], "definition": attributes["definition"], **state}
    now = call.now
    segment = Asset(short_id(), kept, now, now)
    call.account.segments[segment.id] = segment
    return _reply(call, 201, segment, _PATH)


def update_segment(call: Call) -> Reply:
    """Change what is given and not null."""
    segment = _segment(call)
    if call.body["data"]["id"] != segment.id:
        detail = "The id of the body is not the id of the path."
        raise ApiError(409, [Problem(detail, "/data/id", code="conflict")])
    segment.attributes |= {k: v for k, v in call.body["data"]["attributes"].items() if v is not None}
    segment.updated = call.now
    return _reply(call, 200, segment, f"{_PATH}/{segment.id}")


def delete_segment(call: Call) -> Reply:
    """Delete a segment."""
    del call.account.segments[_segment(call).id]
    return Reply(204)


def _check(found: Findings, attributes: JsonObject) -> None:
    pointer = "/data/attributes"
    found.text(attributes.get("name"), f"{pointer}/name", shortest=1)
    for name in ("is_starred", "is_active"):
        if attributes.get(name) is not None and not isinstance(attributes[name], bool):
            found.add(f"{pointer}/{name}", "A boolean is required.")
    if attributes.get("definition") is None:
        return
    groups_pointer = f"{pointer}/definition/condition_groups"
    definition = found.object(attributes["definition"], f"{pointer}/definition", ("condition_groups",), ())
    groups = found.list(definition.get("condition_groups"), groups_pointer)
    for i, group in enumerate(groups):
        place = f"{groups_pointer}/{i}"
        conditions = found.object(group, place, ("conditions",), ()).get("conditions")
        for j, condition in enumerate(found.list(conditions, f"{place}/conditions")):
            found.object(condition, f"{place}/conditions/{j}", ("type",))


def _segment(call: Call) -> Asset:
    segment = call.account.segments.get(call.params["id"])
    if segment is None:
        raise not_found("A segment with this id does not exist.")
    return segment


def _resource(call: Call, segment: Asset) -> JsonObject:
    return call.query.trimmed(asset_resource("segment", segment, call.request.base_url, _RELATIONSHIPS))


def _reply(call: Call, status: int, segment: Asset, self_path: str) -> Reply:
    return Reply(status, {"data": _resource(call, segment), "links": {"self": call.link(self_path)}})


OPERATIONS = (
    Operation(
        "get_segments",
        "GET",
        _PATH,
        ("segments:read",),
        LARGE,
        get_segments,
        QueryRules(
            fields=("segment",),
            sort=("created", "id", "name", "updated"),
            filters={
                "name": ("any", "equals"),
                "id": ("any", "equals"),
                "created": ("greater-than",),
                "updated": ("greater-than",),
                "is_active": ("any", "equals"),
                "is_starred": ("equals",),
            },
            page_size=(10, 10),
            cursor=True,
        ),
    ),
    Operation(
        "create_segment",
        "POST",
        _PATH,
        ("segments:write",),
        EXTRA_SMALL_DAILY,
        create_segment,
        _FIELDS,
        check=check_create_segment,
    ),
    Operation(
        "update_segment",
        "PATCH",
        f"{_PATH}/<id>",
        ("segments:write",),
        EXTRA_SMALL_DAILY,
        update_segment,
        _FIELDS,
        check=check_update_segment,
    ),
    Operation("delete_segment", "DELETE", f"{_PATH}/<id>", ("segments:write",), SMALL, delete_segment),
)
