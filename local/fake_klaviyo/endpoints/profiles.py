"""Profiles: create_or_update_profile and get_profiles."""

from datetime import datetime
from typing import Any

from local.fake_klaviyo.documents import profile_resource
from local.fake_klaviyo.errors import ApiError, Problem, not_found
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings
from local.fake_klaviyo.operations import BodyItem, Call, Operation, Reply
from local.fake_klaviyo.profile_book import DuplicateProfileError, Nulls, UnknownProfileError
from local.fake_klaviyo.profile_checks import IN_IMPORT, check_profile
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import LARGE

_ACCESSORS: dict[str, Any] = {
    "id": lambda profile: profile.id,
    "email": lambda profile: profile.identifiers.get("email"),
    "phone_number": lambda profile: profile.identifiers.get("phone_number"),
    "external_id": lambda profile: profile.identifiers.get("external_id"),
    "created": lambda profile: profile.created,
    "updated": lambda profile: profile.updated,
}


def check_upsert(body: JsonObject, _now: datetime) -> None:
    """Refuse a profile-import body that breaks a rule."""
    found = Findings()
    found.object(body, "", ("data",), ())
    check_profile(found, body.get("data"), "/data", IN_IMPORT)
    found.raise_if_any()


def create_or_update_profile(call: Call) -> Reply:
    """Upsert by identifier: 201 for a new profile, 200 for a known one, 409 when identifiers disagree."""
    try:
        profile, created = call.account.profiles.upsert(call.body["data"], call.now, Nulls.CLEAR, merge=False)
    except DuplicateProfileError as error:
        meta = {"duplicate_profile_id": error.duplicate_profile_id}
        problem = Problem(str(error), "/data/attributes", code="duplicate_profile", meta=meta)
        raise ApiError(409, [problem]) from error
    except UnknownProfileError as error:
        raise not_found("A profile with this id does not exist.") from error
    resource = call.query.trimmed(profile_resource(profile, call.request.base_url))
    links = {"self": call.link("/api/profile-import")}
    return Reply(201 if created else 200, {"data": resource, "links": links})


def get_profiles(call: Call) -> Reply:
    """Profiles by identifier or date."""
    profiles = call.query.select(list(call.account.profiles), _ACCESSORS)
    page = call.query.page(profiles)
    data = [call.query.trimmed(profile_resource(profile, call.request.base_url)) for profile in page]
    return Reply(200, {"data": data, "links": call.query.links(call.request, len(profiles))})


def profile_item(resource: JsonObject, pointer: str) -> BodyItem:
    """A profile of a body in flat form."""
    attributes = resource["attributes"]
    fields = {"email": attributes.get("email"), "external_id": attributes.get("external_id")}
    return BodyItem(fields, f"{pointer}/attributes")


def _items(body: JsonObject) -> list[BodyItem]:
    return [profile_item(body["data"], "/data")]


OPERATIONS = (
    Operation(
        "create_or_update_profile",
        "POST",
        "/api/profile-import",
        ("profiles:write",),
        LARGE,
        create_or_update_profile,
        QueryRules(fields=("profile",), additional_fields=("profile",)),
        check=check_upsert,
        items=_items,
    ),
    Operation(
        "get_profiles",
        "GET",
        "/api/profiles",
        ("profiles:read",),
        LARGE,
        get_profiles,
        QueryRules(
            fields=("profile",),
            additional_fields=("profile",),
            sort=("created", "email", "id", "updated"),
            filters={
                "id": ("any", "equals"),
                "email": ("any", "equals"),
                "phone_number": ("any", "equals"),
                "external_id": ("any", "equals"),
                "created": ("greater-than", "less-than"),
                "updated": ("greater-than", "less-than"),
            },
            page_size=(20, 100),
            cursor=True,
        ),
    ),
)
