"""A program's own names in Klaviyo, over those of its preset (R74)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from loyalty.contracts.forms import Form, Refused
from loyalty.domain.catalogue import EVENT_TYPES
from loyalty.domain.naming import NAMES_TO_KEEP, Naming, doubled_names
from loyalty.domain.profile_fields import PROFILE_FIELDS


def _name(text: str) -> str:
    if "$" in text:
        raise Refused("reserved_name", "Klaviyo reserves names with $")
    if text != text.strip() or not text.isprintable():
        raise Refused("invalid_name", "A name has no space at its ends and no control characters")
    return text


def _event_types(names: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(names) - set(EVENT_TYPES)):
        raise Refused("unknown_event_type", f"The event catalogue has no {', '.join(unknown)}"[:200])
    return names


def _fields(names: dict[str, str]) -> dict[str, str]:
    if unknown := sorted(set(names) - set(PROFILE_FIELDS)):
        raise Refused("unknown_profile_field", f"There is no profile field {', '.join(unknown)}"[:200])
    return names


Name = Annotated[str, StringConstraints(min_length=1, max_length=127), AfterValidator(_name)]
"""Klaviyo takes metric names of fewer than 128 characters (docs/klaviyo.md 3)."""


class EventNamesForm(Form):
    """How one type of event and its properties are called."""

    name: Annotated[Name | None, Field(description="The metric's name.", examples=["Punkte verdient"])] = None
    properties: Annotated[dict[str, Name], Field(description="Names of properties by catalogue id.")] = Field(
        default_factory=dict
    )


class NamesForm(Form):
    """Names that differ from those of the preset; Klaviyo can neither rename nor delete a metric that has an event."""

    events: Annotated[
        dict[str, EventNamesForm], AfterValidator(_event_types), Field(description="By event type of the catalogue.")
    ] = Field(default_factory=dict)
    profile_fields: Annotated[
        dict[str, Name], AfterValidator(_fields), Field(description="By profile field of the catalogue.")
    ] = Field(default_factory=dict)


def names_of(form: NamesForm) -> Naming:
    """The names that a form gives."""
    return Naming(
        metrics={kind: each.name for kind, each in form.events.items() if each.name},
        fields=dict(form.profile_fields),
        properties={kind: dict(each.properties) for kind, each in form.events.items() if each.properties},
    )


def name_facts(names: Naming) -> Mapping[str, Any]:
    """Names as the form shows them."""
    kinds = sorted(set(names.metrics) | set(names.properties))
    return {
        "events": {
            kind: {"name": names.metrics.get(kind), "properties": dict(names.properties.get(kind, {}))}
            for kind in kinds
        },
        "profile_fields": dict(names.fields),
    }


def check_names(preset: str, form: NamesForm) -> None:
    """See that names and preset together give every thing a name of its own.

    Raises:
        Refused: ``unknown_property``, ``fixed_property`` or ``doubled_name``.
    """
    for kind, names in form.events.items():
        known = {each.name for each in EVENT_TYPES[kind].properties}
        if unknown := sorted(set(names.properties) - known):
            raise Refused("unknown_property", f"{kind} has no property {', '.join(unknown)}"[:200])
        if fixed := sorted(set(names.properties) & NAMES_TO_KEEP):
            raise Refused("fixed_property", f"{', '.join(fixed)} keeps its name: flows find our entries by it")
    if doubled := doubled_names(preset, names_of(form)):
        raise Refused("doubled_name", f"Two things would be called {doubled[0]!r}"[:200])
