"""Templates: create_template."""

from datetime import datetime

from local.fake_klaviyo.accounts import Asset
from local.fake_klaviyo.documents import asset_resource
from local.fake_klaviyo.errors import refused
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings
from local.fake_klaviyo.identifiers import short_id
from local.fake_klaviyo.operations import Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import LARGE

_PATH = "/api/templates"
_EDITORS = ("CODE", "USER_DRAGGABLE")
_MOST_TEMPLATES = 1_000


def check_create_template(body: JsonObject, _now: datetime) -> None:
    """Refuse a create_template body that breaks a rule."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "template")
    pointer = "/data/attributes"
    attributes = found.object(
        data.get("attributes"), pointer, ("name", "editor_type"), ("html", "text", "amp", "definition")
    )
    found.text(attributes.get("name"), f"{pointer}/name", shortest=1)
    for name in ("html", "text", "amp"):
        found.text(attributes.get(name), f"{pointer}/{name}")
    if attributes.get("editor_type") not in (None, *_EDITORS):
        found.add(f"{pointer}/editor_type", f"Must be one of {', '.join(_EDITORS)}.")
    found.raise_if_any()


def create_template(call: Call) -> Reply:
    """Create a template; an account with 1,000 of them takes no more through the API."""
    if len(call.account.templates) >= _MOST_TEMPLATES:
        raise refused(f"An account can have at most {_MOST_TEMPLATES} templates.")
    given = call.body["data"]["attributes"]
    attributes = {
        "name": given["name"],
        "editor_type": given["editor_type"],
        "html": given.get("html") or "",
        "text": given.get("text"),
        "amp": given.get("amp"),
    }
    now = call.now
    template = Asset(short_id(), attributes, now, now)
    call.account.templates[template.id] = template
    resource = call.query.trimmed(asset_resource("template", template, call.request.base_url))
    return Reply(201, {"data": resource, "links": {"self": call.link(_PATH)}})


OPERATIONS = (
    Operation(
        "create_template",
        "POST",
        _PATH,
        ("templates:write",),
        LARGE,
        create_template,
        QueryRules(fields=("template",), additional_fields=("template",)),
        check=check_create_template,
    ),
)
