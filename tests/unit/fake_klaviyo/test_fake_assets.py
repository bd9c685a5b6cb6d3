"""Segments, flows and templates: made, found, changed, deleted."""

from typing import Any

import pytest

from tests.unit.fake_klaviyo.driving import EVENTS, Driver, event, single

SEGMENTS, FLOWS, TEMPLATES = "/api/segments", "/api/flows", "/api/templates"
DEFINITION = "/data/attributes/definition"


def definition(value: str = "Gold") -> dict[str, Any]:
    """Members of one tier."""
    condition = {
        "type": "profile-property",
        "property": "properties['loyalty_vip_tier']",
        "filter": {"type": "string", "operator": "equals", "value": value},
    }
    return {"condition_groups": [{"conditions": [condition]}]}


def segment_body(name: str = "Gold", **attributes: Any) -> dict[str, Any]:
    """A create_segment body."""
    given = {"name": name, "definition": definition(), **attributes}
    return {"data": {"type": "segment", "attributes": given}}


def make_segment(klaviyo: Driver, name: str = "Gold") -> str:
    """A new segment's id."""
    seen = klaviyo.post(SEGMENTS, segment_body(name))
    assert seen.status == 201, seen.body
    klaviyo.fake.advance(1)
    return str(seen.body["data"]["id"])


def make_template(klaviyo: Driver) -> str:
    """A new template's id."""
    attributes = {"name": "Points", "editor_type": "CODE", "html": "<p>Hi</p>"}
    seen = klaviyo.post(TEMPLATES, {"data": {"type": "template", "attributes": attributes}})
    assert seen.status == 201, seen.body
    return str(seen.body["data"]["id"])


def metric_id(klaviyo: Driver) -> str:
    """The id of the metric that a seed event makes."""
    klaviyo.post(EVENTS, single(event()))
    return str(klaviyo.get("/api/metrics").body["data"][0]["id"])


def flow_body(metric: str, template: str, **changes: Any) -> dict[str, Any]:
    """A create_flow body: a mail, then a wait without content."""
    mail = {
        "temporary_id": "mail",
        "type": "send-email",
        "links": {"next": "end"},
        "data": {"status": "draft", "message": {"template_id": template}},
    }
    end = {"temporary_id": "end", "type": "time-delay", "links": {"next": None}}
    given = {
        "triggers": [{"type": "metric", "id": metric}],
        "actions": [mail, end],
        "entry_action_id": "mail",
        **changes,
    }
    return {"data": {"type": "flow", "attributes": {"name": "Points earned", "definition": given}}}


def test_segments_are_found_by_name_although_names_need_not_be_unique(klaviyo: Driver) -> None:
    first, second = make_segment(klaviyo), make_segment(klaviyo)
    make_segment(klaviyo, "Silver")
    seen = klaviyo.get(SEGMENTS, {"filter": 'equals(name,"Gold")'})
    assert [s["id"] for s in seen.body["data"]] == [first, second]
    assert seen.body["data"][0]["attributes"]["definition"] == definition()
    assert seen.body["data"][0]["attributes"]["is_active"] is True


def test_at_most_ten_segments_come_in_a_page(klaviyo: Driver) -> None:
    for _ in range(11):
        make_segment(klaviyo)
    seen = klaviyo.get(SEGMENTS)
    assert len(seen.body["data"]) == 10
    assert seen.body["links"]["next"] is not None
    assert klaviyo.get(SEGMENTS, {"page[size]": "11"}).status == 400


def test_a_segment_is_changed_and_deleted(klaviyo: Driver) -> None:
    segment = make_segment(klaviyo)
    change = {"data": {"type": "segment", "id": segment, "attributes": {"name": "Golden", "is_starred": True}}}
    attributes = klaviyo.send("PATCH", f"{SEGMENTS}/{segment}", change).body["data"]["attributes"]
    assert (attributes["name"], attributes["is_starred"]) == ("Golden", True)
    assert klaviyo.send("DELETE", f"{SEGMENTS}/{segment}").status == 204
    assert klaviyo.send("DELETE", f"{SEGMENTS}/{segment}").status == 404


def test_is_active_must_be_changed_alone(klaviyo: Driver) -> None:
    segment = make_segment(klaviyo)
    both = {"data": {"type": "segment", "id": segment, "attributes": {"name": "x", "is_active": False}}}
    seen = klaviyo.send("PATCH", f"{SEGMENTS}/{segment}", both)
    assert (seen.status, seen.pointers) == (400, ["/data/attributes/is_active"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (segment_body(""), "/data/attributes/name"),
        (segment_body(definition={}), f"{DEFINITION}/condition_groups"),
        (
            segment_body(definition={"condition_groups": [{"conditions": [{}]}]}),
            f"{DEFINITION}/condition_groups/0/conditions/0/type",
        ),
        (segment_body(is_active=True), "/data/attributes/is_active"),
    ],
)
def test_a_bad_segment_is_refused_at_its_place(klaviyo: Driver, body: dict[str, Any], pointer: str) -> None:
    seen = klaviyo.post(SEGMENTS, body)
    assert seen.status == 400
    assert pointer in seen.pointers


def test_a_hundred_segments_a_day_are_the_most(klaviyo: Driver) -> None:
    statuses = []
    for _ in range(101):
        statuses.append(klaviyo.post(SEGMENTS, segment_body()).status)
        klaviyo.fake.advance(5)
    assert statuses == [201] * 100 + [429]


def test_a_flow_is_a_draft_with_real_ids_and_a_copy_of_its_template(klaviyo: Driver) -> None:
    template = make_template(klaviyo)
    seen = klaviyo.post(FLOWS, flow_body(metric_id(klaviyo), template))
    assert seen.status == 201, seen.body
    attributes = seen.body["data"]["attributes"]
    mail, end = attributes["definition"]["actions"]
    assert (attributes["status"], attributes["trigger_type"]) == ("draft", "Metric")
    assert attributes["definition"]["entry_action_id"] == mail["id"]
    assert mail["links"]["next"] == end["id"]
    assert "temporary_id" not in mail
    copied = mail["data"]["message"]["template_id"]
    assert copied != template
    assert {t["id"] for t in klaviyo.inspect("GET", "/templates")["templates"]} == {template, copied}


def test_switching_a_flow_on_switches_its_actions_on(klaviyo: Driver) -> None:
    flow = klaviyo.post(FLOWS, flow_body(metric_id(klaviyo), make_template(klaviyo))).body["data"]["id"]
    change = {"data": {"type": "flow", "id": flow, "attributes": {"status": "live"}}}
    assert klaviyo.send("PATCH", f"{FLOWS}/{flow}", change).status == 200
    (stored,) = klaviyo.inspect("GET", "/flows")["flows"]
    assert stored["status"] == stored["definition"]["actions"][0]["data"]["status"] == "live"
    assert [f["id"] for f in klaviyo.get(FLOWS, {"filter": 'equals(status,"live")'}).body["data"]] == [flow]
    assert klaviyo.send("DELETE", f"{FLOWS}/{flow}").status == 204
    assert klaviyo.get(FLOWS).body["data"] == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"triggers": []}, "/triggers"),
        ({"triggers": [{"type": "metric", "id": "nope"}]}, "/triggers/0/id"),
        ({"entry_action_id": "nope"}, "/entry_action_id"),
        ({"actions": [{"temporary_id": "mail", "type": "x", "id": "1"}]}, "/actions/0/id"),
        ({"actions": [{"temporary_id": "mail", "type": "x", "links": {"next": "nope"}}]}, "/actions/0/links/next"),
        ({"actions": [{"temporary_id": "mail", "type": "x"}] * 2}, "/actions/0/temporary_id"),
        (
            {"actions": [{"temporary_id": "mail", "type": "x", "data": {"message": {"template_id": "nope"}}}]},
            "/actions/0/data/message/template_id",
        ),
    ],
)
def test_a_bad_flow_is_refused_at_its_place(klaviyo: Driver, changes: dict[str, Any], pointer: str) -> None:
    seen = klaviyo.post(FLOWS, flow_body(metric_id(klaviyo), make_template(klaviyo), **changes))
    assert seen.status == 400
    assert f"{DEFINITION}{pointer}" in seen.pointers
    assert klaviyo.inspect("GET", "/flows")["count"] == 0


def test_a_template_needs_a_known_editor(klaviyo: Driver) -> None:
    attributes = {"name": "Points", "editor_type": "WORD"}
    seen = klaviyo.post(TEMPLATES, {"data": {"type": "template", "attributes": attributes}})
    assert (seen.status, seen.pointers) == (400, ["/data/attributes/editor_type"])
