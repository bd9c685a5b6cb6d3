"""Profiles of one account: finding them by identifier, creating and updating them.

Sources: "Profiles API overview", "Bulk Import Profiles API guide", operation create_or_update_profile.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.identifiers import ulid
from local.fake_klaviyo.profile_checks import DETAILS, IDENTIFIERS, valid_phone


class Nulls(enum.Enum):
    """What a null means: profile-import clears the field, bulk import and events leave it."""

    CLEAR = "clear"
    IGNORE = "ignore"


@dataclass
class Profile:
    """One person."""

    id: str
    created: datetime
    updated: datetime
    identifiers: dict[str, str] = field(default_factory=dict)
    details: JsonObject = field(default_factory=dict)
    properties: JsonObject = field(default_factory=dict)
    last_event: datetime | None = None


class DuplicateProfileError(Exception):
    """The identifiers of one request belong to different profiles."""

    def __init__(self, other: Profile) -> None:
        self.duplicate_profile_id = other.id
        super().__init__("A profile already exists with one of these identifiers.")


class UnknownProfileError(Exception):
    """The request names a profile by an id that does not exist."""


def given_identifiers(attributes: JsonObject) -> dict[str, str]:
    """The usable identifiers among a profile's attributes, e-mail in lower case, bad telephone numbers left out."""
    found = {name: str(attributes[name]) for name in IDENTIFIERS if attributes.get(name)}
    if "email" in found:
        found["email"] = found["email"].lower()
    if "phone_number" in found and not valid_phone(found["phone_number"]):
        del found["phone_number"]
    return found


class ProfileBook:
    """The profiles of one account, each findable by any of its identifiers."""

    def __init__(self) -> None:
        self._by_id: dict[str, Profile] = {}
        self._index: dict[tuple[str, str], str] = {}

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, profile_id: str) -> Profile | None:
        """The profile of that id."""
        return self._by_id.get(profile_id)

    def find(self, resource: JsonObject) -> list[Profile]:
        """Profiles that the resource's identifiers point at, the strongest identifier first, each once."""
        ids: list[str] = [resource["id"]] if resource.get("id") else []
        keys = given_identifiers(resource.get("attributes") or {}).items()
        ids += [self._index[key] for key in keys if key in self._index]
        return [self._by_id[i] for i in dict.fromkeys(ids) if i in self._by_id]

    def upsert(self, resource: JsonObject, now: datetime, nulls: Nulls, *, merge: bool) -> tuple[Profile, bool]:
        """Create or update a profile from a JSON:API resource; returns it and whether it is new.

        Args:
            resource: The profile as sent, with an optional `meta.patch_properties`.
            now: Time of the change.
            nulls: What null values mean here.
            merge: With identifiers of two profiles, take the strongest (events) instead of refusing (imports).

        Raises:
            DuplicateProfileError: The identifiers belong to different profiles and `merge` is off.
            UnknownProfileError: The id is unknown; with `merge` only if there is no other identifier.
        """
        attributes = resource.get("attributes") or {}
        found = self.find(resource)
        if len(found) > 1 and not merge:
            raise DuplicateProfileError(found[1])
        unknown_id = bool(resource.get("id")) and resource["id"] not in self._by_id
        if (unknown_id and not merge) or (not found and not given_identifiers(attributes)):
            raise UnknownProfileError
        profile = found[0] if found else Profile(ulid(), now, now)
        self._by_id[profile.id] = profile
        self._set_identifiers(profile, attributes, nulls)
        _set_values(profile.details, {k: attributes[k] for k in DETAILS if k in attributes}, nulls)
        _set_values(profile.properties, attributes.get("properties") or {}, nulls)
        _patch(profile.properties, (resource.get("meta") or {}).get("patch_properties") or {})
        profile.updated = now
        return profile, not found

    def _set_identifiers(self, profile: Profile, attributes: JsonObject, nulls: Nulls) -> None:
        for name, value in given_identifiers(attributes).items():
            if self._index.get((name, value), profile.id) == profile.id:
                self._forget(profile, name)
                profile.identifiers[name] = value
                self._index[(name, value)] = profile.id
        if nulls is Nulls.CLEAR:
            for name in IDENTIFIERS:
                if name in attributes and attributes[name] is None:
                    self._forget(profile, name)

    def _forget(self, profile: Profile, name: str) -> None:
        old = profile.identifiers.pop(name, None)
        if old is not None:
            self._index.pop((name, old), None)


def _set_values(target: JsonObject, values: JsonObject, nulls: Nulls) -> None:
    for key, value in values.items():
        if value is not None:
            target[key] = value
        elif nulls is Nulls.CLEAR:
            target.pop(key, None)


def _patch(properties: JsonObject, patch: JsonObject) -> None:
    for key, value in (patch.get("append") or {}).items():
        properties[key] = [*_as_list(properties.get(key)), *_as_list(value)]
    for key, value in (patch.get("unappend") or {}).items():
        removed = _as_list(value)
        properties[key] = [item for item in _as_list(properties.get(key)) if item not in removed]
    for key in _as_list(patch.get("unset")):
        properties.pop(key, None)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
