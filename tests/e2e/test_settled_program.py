"""A merchant turns expiry on: members nobody would have looked at get their dates, under the functions' own roles."""

from __future__ import annotations

from uuid import uuid4

import requests

from local.records import Records
from local.stack import Stack
from local.waiting import eventually
from loyalty.domain.identity import ProgramSlug


def test_expiry_that_is_turned_on_reaches_members_by_itself(stack: Stack, customer: str) -> None:
    """R183: no sweep would have come by, for nothing was due on anybody."""
    slug, api = f"wax-{uuid4().hex[:12]}", f"{stack.description.api_url}/programs"
    operator = {"api-key": stack.description.operator_key}
    opened = requests.post(api, json={"slug": slug, "name": "Wax"}, headers=operator, timeout=60)
    assert opened.status_code == 201, opened.text
    key = {"api-key": opened.json()["api_key"]}
    earned = [{"email": customer, "amount": 40, "reason": "Welcome"}]
    assert requests.post(f"{api}/{slug}/balance/increase", json=earned, headers=key, timeout=60).status_code == 200
    settings = requests.get(f"{api}/{slug}/settings", headers=key, timeout=60)
    changed = settings.json()["settings"] | {"expiry": {"policy": "after_earning", "months": 12}}
    version = {"If-Match": settings.headers["ETag"]}
    kept = requests.put(f"{api}/{slug}/settings", json=changed, headers=key | version, timeout=60)
    assert kept.status_code == 200, kept.text

    records = Records(stack.client("dynamodb"), stack.description.table, ProgramSlug(slug))
    entry = eventually("dated points", lambda: records.journal(customer)[1:], seconds=180)[0]
    assert (entry.effect.topic, entry.source.kind) == ("redated", "schedule")
    member = records.member(customer)
    assert member is not None
    assert sum(member.lots.values()) == 40
    assert "never" not in member.lots
