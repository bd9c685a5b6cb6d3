"""A webhook whose registration was carried out and never answered is ours all the same (docs/klaviyo.md 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loyalty.domain.errors import Transient
from tests.connection_world import CANDLES, Browser, Office


def connects(office: Office) -> str:
    browser = Browser(office)
    query = browser.opens(office.authorize.start_link(CANDLES))
    return browser.returns(query).connection.webhooks[0].id


@pytest.mark.parametrize("kind", ["reset_after", "malformed_body", "delay"])
def test_an_answer_that_got_lost_leaves_no_orphan(kind: str) -> None:
    """The webhook that Klaviyo made is found by name and host, and its deliveries verify with the secret we chose."""
    office = Office()
    office.account.goes_wrong(operation="create_webhook", kind=kind, seconds=60)
    webhook_id = connects(office)
    assert office.webhooks() == [webhook_id]
    assert office.account.calls("create_webhook") == 1
    (webhook,) = office.connection().webhooks
    registered = office.account.fake.services.world.accounts["AbC123"].webhooks[webhook_id]
    assert [office.vault.decrypt(CANDLES, secret) for secret in webhook.secrets] == [registered.secret_key]


def test_a_registration_that_was_not_carried_out_fails_and_is_done_later() -> None:
    office = Office()
    office.account.goes_wrong(operation="create_webhook", kind="reset_before")
    with pytest.raises(Transient):
        connects(office)
    assert office.webhooks() == []
    office.clock.sleep(60)
    webhook_id = connects(office)
    assert office.webhooks() == [webhook_id]


def test_where_klaviyo_cannot_be_asked_either_the_orphan_is_replaced_by_the_next_try() -> None:
    office = Office()
    office.account.goes_wrong(operation="create_webhook", kind="reset_after")
    # The first call lists what is there, the second asks after the lost answer.
    office.account.goes_wrong(operation="get_webhooks", kind="delay", seconds=0.001)
    office.account.goes_wrong(operation="get_webhooks", kind="status", status=503)
    with pytest.raises(Transient):
        connects(office)
    (orphan,) = office.webhooks()
    office.clock.sleep(60)
    webhook_id = connects(office)
    assert office.webhooks() == [webhook_id] != [orphan]


def test_the_upkeep_adopts_it_too() -> None:
    """Somebody deleted the webhook, and the answer to its replacement gets lost."""
    office = Office()
    office.connects()
    office.account.fake.services.world.accounts["AbC123"].webhooks.clear()
    office.account.goes_wrong(operation="create_webhook", kind="reset_after")
    office.clock.sleep(4000)
    (work,) = office.upkeep(until=office.clock.now() + timedelta(seconds=60))
    assert (work.trouble, work.webhook_registered) == (None, True)
    assert office.webhooks() == [webhook.id for webhook in office.connection().webhooks]


def test_other_webhooks_of_the_account_are_left_alone() -> None:
    """Another app's webhook that appears meanwhile is not taken for ours."""
    office = Office()
    office.connects()
    account = office.account.fake.services.world.accounts["AbC123"]
    (ours,) = account.webhooks.values()
    account.webhooks.clear()
    ours.name, ours.id = "Somebody else's", "01OTHER"
    account.webhooks["01OTHER"] = ours
    office.account.goes_wrong(operation="create_webhook", kind="reset_after")
    office.clock.sleep(4000)
    office.upkeep(until=office.clock.now() + timedelta(seconds=60))
    (webhook,) = office.connection().webhooks
    assert sorted(office.webhooks()) == sorted(["01OTHER", webhook.id])
