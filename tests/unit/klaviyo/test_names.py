"""A program's own names, and the names that must never change by themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loyalty.domain.catalogue import EVENT_TYPES
from loyalty.domain.ledger.commands import Adjust
from loyalty.domain.naming import PRESETS, Naming, doubled_names, naming_of
from loyalty.domain.profile_fields import PROFILE_FIELDS
from tests.klaviyo_world import World
from tools import catalogue

NAMES = json.loads((Path(__file__).parent / "stable_names.json").read_text())
SARAH = "sarah.mason@klaviyo-demo.com"


@pytest.mark.parametrize("preset", PRESETS)
def test_names_that_stores_build_flows_on_stay_as_they_are(preset: str) -> None:
    """R74: Klaviyo cannot rename a metric. A name may be added to stable_names.json; a change there breaks stores."""
    naming = PRESETS[preset]
    assert {kind.id: naming.metric(kind) for kind in EVENT_TYPES.values()} == NAMES[preset]["metrics"]
    assert {each.id: naming.property(each) for each in PROFILE_FIELDS.values()} == NAMES[preset]["fields"]


def test_properties_of_events_stay_too() -> None:
    """R61, R75: flows and segments read them by name, and by type."""
    told = {kind.id: {each.name: each.type.value for each in kind.properties} for kind in EVENT_TYPES.values()}
    assert told == NAMES["properties"]


def test_own_names_stand_above_the_preset_in_events_and_profiles() -> None:
    world = World()
    own = Naming(
        metrics={"points_adjusted_up": "Punkte"},
        fields={"points_balance": "Punktestand"},
        properties={"points_adjusted_up": {"points": "Anzahl"}},
    )
    world.changed_settings(naming="rijoy", names=own)
    world.send(world.gets(SARAH, Adjust(40)), world.gets(SARAH, Adjust(-15), event_type="points_adjusted_down"))
    world.drain()
    up, down = world.account.stored_events()
    assert (up.metric.name, up.properties["Anzahl"], "points" in up.properties) == ("Punkte", 40, False)
    assert (down.metric.name, down.properties["points"]) == ("rijoy_points_deducted_manual", 15)
    profile = world.account.profiles()[SARAH]
    assert (profile["Punktestand"], profile["rijoy_points_pending"]) == (25, 0)


def test_own_names_of_one_event_leave_those_of_others() -> None:
    naming = naming_of("smile", Naming(metrics={"points_expired": "Gone"}))
    assert naming.metric(EVENT_TYPES["points_expired"]) == "Gone"
    assert naming.metric(EVENT_TYPES["points_redeemed"]) == "Points Redeemed"
    assert naming.states == PRESETS["smile"].states


def test_a_name_that_another_thing_has_is_found() -> None:
    assert doubled_names("tallyhook", Naming()) == []
    assert doubled_names("tallyhook", Naming(metrics={"points_expired": "Points Added"})) == ["Points Added"]
    assert doubled_names("smile", Naming(fields={"state": "Smile Points Balance"})) == ["Smile Points Balance"]
    assert doubled_names("rijoy", Naming(properties={"reward_used": {"reason": "source"}})) == ["source"]


def test_the_published_schemas_are_fresh() -> None:
    """After a change of the catalogue: ``python tools/catalogue.py``."""
    wanted = catalogue.documents()
    assert {path.name for path in (catalogue.DOCS / "schemas").glob("*.json")} == {
        path.name for path in wanted if path.suffix == ".json"
    }
    assert [path.name for path, text in wanted.items() if path.read_text(encoding="utf-8") != text] == []
