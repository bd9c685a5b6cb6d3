"""What Klaviyo demands of a profile in a request.

Sources: "Profiles API overview", "Events API overview" (400 causes), operation texts of the official contract.
Sizes are read in their smaller sense (1 KB = 1,000 bytes), so a sender that passes here passes there.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings

_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_LONGEST_EMAIL = 99

IDENTIFIERS = ("email", "phone_number", "external_id", "anonymous_id", "_kx")
DETAILS = ("first_name", "last_name", "organization", "locale", "title", "image", "location")
_TEXTS = ("external_id", "anonymous_id", "_kx", *DETAILS[:-1])
_META = ("patch_properties", "patch_identifiers")
_PATCHES = ("append", "unappend", "unset")


@dataclass(frozen=True)
class ProfilePlace:
    """Where a profile stands in a request, and so what it may hold."""

    meta_in_attributes: bool = False
    """create_event wants `meta` inside the attributes; every other operation wants it beside them."""
    anonymous: bool = False
    """Whether `anonymous_id` is accepted."""
    largest: int = 100_000
    """Bytes of JSON."""


IN_EVENT = ProfilePlace(meta_in_attributes=True, anonymous=True, largest=95_000)
IN_BULK_EVENTS = ProfilePlace(anonymous=True, largest=95_000)
IN_IMPORT = ProfilePlace()


def valid_email(value: object) -> bool:
    """Whether Klaviyo takes `value` for an e-mail address: well formed and under 100 characters."""
    return isinstance(value, str) and len(value) <= _LONGEST_EMAIL and _EMAIL.fullmatch(value) is not None


def valid_phone(value: object) -> bool:
    """Whether `value` is a telephone number in E.164 form."""
    return isinstance(value, str) and _PHONE.fullmatch(value) is not None


def json_size(value: Any) -> int:
    """Bytes of `value` as compact JSON."""
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def check_profile(
    found: Findings, value: Any, pointer: str, place: ProfilePlace, *, email_may_be_bad: bool = False
) -> JsonObject:
    """Note everything wrong with the profile resource at `pointer`; returns the resource.

    Args:
        found: Where problems are noted.
        value: The resource as sent.
        pointer: JSON pointer of the resource.
        place: Which operation it is part of.
        email_may_be_bad: Leave an invalid address to a later step (an import error instead of a refusal).
    """
    optional = {"id"} if place.meta_in_attributes else {"id", "meta"}
    if place.meta_in_attributes and isinstance(value, dict) and "meta" in value:
        found.add(f"{pointer}/meta", "Misplaced: here 'meta' belongs inside 'attributes'; Klaviyo would ignore it.")
        value = {key: item for key, item in value.items() if key != "meta"}
    profile = found.resource(value, pointer, "profile", optional=optional)
    attributes = profile.get("attributes")
    if not isinstance(attributes, dict):
        return profile
    _check_attributes(found, attributes, f"{pointer}/attributes", place)
    _check_identifiers(found, profile, pointer, email_may_be_bad=email_may_be_bad)
    meta_holder, meta_pointer = (
        (attributes, f"{pointer}/attributes") if place.meta_in_attributes else (profile, pointer)
    )
    if meta_holder.get("meta") is not None:
        _check_meta(found, meta_holder["meta"], f"{meta_pointer}/meta")
    if json_size(profile) > place.largest:
        found.add(pointer, f"The profile exceeds the maximum size of {place.largest // 1000} KB.")
    return profile


def _check_attributes(found: Findings, attributes: JsonObject, pointer: str, place: ProfilePlace) -> None:
    if not place.meta_in_attributes and "meta" in attributes:
        found.add(f"{pointer}/meta", "Misplaced: here 'meta' belongs beside 'attributes'; Klaviyo would ignore it.")
        attributes = {key: item for key, item in attributes.items() if key != "meta"}
    identifiers = [name for name in IDENTIFIERS if place.anonymous or name != "anonymous_id"]
    meta = ("meta",) if place.meta_in_attributes else ()
    found.object(attributes, pointer, optional=(*identifiers, *DETAILS, "properties", *meta))
    for name in _TEXTS:
        found.text(attributes.get(name), f"{pointer}/{name}")
    for name in ("properties", "location"):
        if attributes.get(name) is not None:
            found.object(attributes[name], f"{pointer}/{name}")


def _check_identifiers(found: Findings, profile: JsonObject, pointer: str, *, email_may_be_bad: bool) -> None:
    attributes = profile["attributes"]
    if not profile.get("id") and not any(attributes.get(name) for name in IDENTIFIERS):
        found.add(
            f"{pointer}/attributes",
            "At least one of id, email, phone_number, external_id or another profile identifier is required.",
        )
    email, phone = attributes.get("email"), attributes.get("phone_number")
    if email is not None and not valid_email(email) and not email_may_be_bad:
        found.add(f"{pointer}/attributes/email", "Invalid email address.")
    if phone is not None and not valid_phone(phone) and not valid_email(email):
        found.add(f"{pointer}/attributes/phone_number", "Invalid phone number format (Example: +12345678901).")


def _check_meta(found: Findings, value: Any, pointer: str) -> None:
    meta = found.object(value, pointer, optional=_META)
    if meta.get("patch_identifiers") is not None:
        found.add(f"{pointer}/patch_identifiers", "The fake Klaviyo does not implement patch_identifiers.")
    if meta.get("patch_properties") is None:
        return
    patch_pointer = f"{pointer}/patch_properties"
    patch = found.object(meta["patch_properties"], patch_pointer, optional=_PATCHES)
    for name in ("append", "unappend"):
        if patch.get(name) is not None:
            found.object(patch[name], f"{patch_pointer}/{name}")
    unset = patch.get("unset")
    names = unset if isinstance(unset, list) else [] if unset is None else [unset]
    if not all(isinstance(name, str) for name in names):
        found.add(f"{patch_pointer}/unset", "A key or a list of keys is required.")
