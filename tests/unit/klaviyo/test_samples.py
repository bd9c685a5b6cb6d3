"""Samples: one for every type that is produced and selected, valid by the published schema, in the program's names."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from loyalty.domain.catalogue import EVENT_TYPES, event_type
from loyalty.domain.naming import Naming, naming_preset
from loyalty.domain.samples import PRODUCED, SAMPLE, sample_of, sampled_types
from loyalty.domain.telling import MetricEvent
from tests.architecture.sources import PACKAGE, ROOT, sources
from tests.builders import a_program
from tests.fakes.clocks import START

EMAIL = "sarah.mason@klaviyo-demo.com"


def a_sample(name: str, **program: Any) -> MetricEvent:
    return sample_of(a_program(**program), event_type(name), EMAIL, START)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_sample_is_valid_by_the_published_schema_and_fills_every_property_of_it(name: str) -> None:
    """R153: whoever builds a flow sees each property that the event may have."""
    schema = json.loads((ROOT / "docs" / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    properties = a_sample(name).properties
    Draft202012Validator(schema).validate(properties)
    assert set(properties) == {*schema["properties"], SAMPLE}
    assert properties[SAMPLE] is True
    assert all(value for value in properties.values()), "Klaviyo drops what is 0, null or empty"


def test_what_has_a_sample_is_what_the_code_produces() -> None:
    """A metric cannot be deleted in Klaviyo, so there is none of what never comes; whatever comes has one."""
    # What e-mails are called stands for no event.
    tables = {"catalogue.py", "naming.py", "samples.py", "email_channels.py"}
    written = {
        node.value
        for source in sources(PACKAGE / "domain", PACKAGE / "services")
        if source.path.name not in tables
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert written & EVENT_TYPES.keys() == PRODUCED


def test_a_type_that_is_not_selected_has_no_sample() -> None:
    """R92."""
    program = a_program(events_off=frozenset({"points_expired", "tier_upgraded"}))
    assert {kind.id for kind in sampled_types(program)} == PRODUCED - {"points_expired"}
    assert {kind.id for kind in sampled_types(a_program())} == PRODUCED


@pytest.mark.parametrize("preset", ["tallyhook", "smile", "rijoy"])
def test_a_sample_has_the_name_that_the_event_will_have(preset: str) -> None:
    """R75."""
    for kind in sampled_types(a_program()):
        assert a_sample(kind.id, naming=preset).metric == naming_preset(preset).metric(kind)


def test_a_programs_own_names_of_metrics_and_properties_are_used() -> None:
    names = Naming(metrics={"points_expired": "Lost points"}, properties={"points_expired": {"points": "lost"}})
    sample = a_sample("points_expired", names=names)
    assert sample.metric == "Lost points"
    assert sample.properties["lost"]
    assert "points" not in sample.properties


def test_samples_are_back_fill_and_have_ids_of_their_own_that_never_change() -> None:
    """docs/klaviyo.md 3: no flow may fire, and a repeat is dropped by its unique_id, of 255 characters at most."""
    program = a_program(slug="s" * 63)
    samples = [sample_of(program, kind, EMAIL, START) for kind in sampled_types(program)]
    later = [sample_of(program, kind, EMAIL, START.replace(year=2030)) for kind in sampled_types(program)]
    assert all(sample.backfill for sample in samples)
    assert [each.unique_id for each in samples] == [each.unique_id for each in later]
    assert len({each.unique_id for each in samples}) == len(samples)
    assert all(each.unique_id == each.properties["ledger_entry_id"] for each in samples)
    assert all(len(each.unique_id) <= 255 for each in samples)
    assert a_sample("points_expired", slug="soaps").unique_id != a_sample("points_expired").unique_id
