"""Writes ``docs/schemas``, JSON Schemas of what Klaviyo is told, and ``docs/events.md``, its list, from the code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "layers" / "loyalty" / "python"))

from loyalty.domain.catalogue import EVENT_TYPES, EventType  # noqa: E402 - found only now
from loyalty.domain.naming import PRESETS  # noqa: E402
from loyalty.domain.profile_fields import PROFILE_FIELDS, RESERVED, ProfileField  # noqa: E402
from loyalty.domain.samples import PRODUCED  # noqa: E402

DOCS = ROOT / "docs"
APPS = ("tallyhook", "smile", "rijoy")

INTRODUCTION = """# What Klaviyo is told

Written by `tools/catalogue.py` from the catalogue in the code; edit that. A JSON Schema of each event's properties is
in `docs/schemas`, one of all profile properties in [profile.json](schemas/profile.json).

Names come from the program's setting `naming`; setting `names` puts a program's own above them, for events, their
properties and profile fields. A metric can neither be renamed nor deleted in Klaviyo once it has an event, so choose
before the first sync. Klaviyo drops an event property that is 0, null or empty: those are left out, and what must
arrive as 0 also comes as text (`balance_after_text`). Dates are sent as their noon in UTC.
"""

PLANNED_EVENTS = (
    "### Not sent yet",
    "Their names and schemas are fixed, so that flows can be planned; nothing in the product causes them so far.",
    "",
)
RESERVED_FIELDS = (
    "### Not filled yet",
    "Their names are fixed. They are left as they are in Klaviyo, since another app may still be filling them.",
    "",
)


def documents() -> dict[Path, str]:
    """All files with what belongs into them."""
    found = {DOCS / "schemas" / f"{kind.id}.json": _json(kind.schema) for kind in EVENT_TYPES.values()}
    found[DOCS / "schemas" / "profile.json"] = _json(profile_schema())
    found[DOCS / "events.md"] = "\n".join([INTRODUCTION, *_events(), "", *_fields(), ""])
    return found


def profile_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the properties a profile may have, by their default names."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profile",
        "description": "What the product keeps up to date on a profile; a field that is empty is absent.",
        "type": "object",
        "properties": {
            each.name: {**each.type.schema, "description": each.description} for each in PROFILE_FIELDS.values()
        },
    }


def main() -> None:
    """Write the files, and remove schemas of events that are gone."""
    wanted = documents()
    (DOCS / "schemas").mkdir(exist_ok=True)
    for path in set((DOCS / "schemas").glob("*.json")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


def _events() -> list[str]:
    sent = [kind for kind in EVENT_TYPES.values() if kind.id in PRODUCED]
    planned = [kind for kind in EVENT_TYPES.values() if kind.id not in PRODUCED]
    mark = "A question mark means: absent when there is nothing to say."
    return ["## Events", "", *_event_table(sent), "", mark, "", *PLANNED_EVENTS, *_event_table(planned)]


def _event_table(kinds: Iterable[EventType]) -> list[str]:
    lines = [
        "| Type | Says that | Metric by default | Smile | Rijoy | Properties |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in kinds:
        default, smile, rijoy = (PRESETS[app].metric(kind) for app in APPS)
        names = ", ".join(f"`{each.name}`" + ("" if each.required else "?") for each in kind.properties)
        words = [f"[`{kind.id}`](schemas/{kind.id}.json)", kind.description, default]
        lines.append(f"| {' | '.join([*words, _same(smile, default), _same(rijoy, default), names])} |")
    return lines


def _fields() -> list[str]:
    filled = [each for each in PROFILE_FIELDS.values() if each.id not in RESERVED]
    reserved = [PROFILE_FIELDS[name] for name in PROFILE_FIELDS if name in RESERVED]
    return ["## Profile properties", "", *_field_table(filled), "", *RESERVED_FIELDS, *_field_table(reserved)]


def _field_table(fields: Iterable[ProfileField]) -> list[str]:
    lines = ["| Field | Says | Name by default | Smile | Rijoy | Type |", "| --- | --- | --- | --- | --- | --- |"]
    for each in fields:
        default, smile, rijoy = (PRESETS[app].property(each) for app in APPS)
        words = [f"`{each.id}`", each.description, f"`{default}`", _same(smile, default), _same(rijoy, default)]
        lines.append(f"| {' | '.join([*words, each.type.value])} |")
    return lines


def _same(name: str, default: str) -> str:
    return "the same" if name == default else f"`{name}`"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
