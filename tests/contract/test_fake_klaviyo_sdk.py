"""The official SDK talks to the fake Klaviyo: a second opinion on requests, answers and errors.

The SDK parses answers into its generated models, so an answer of the wrong shape fails here.
"""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from klaviyo_api import KlaviyoAPI
from openapi_client.exceptions import ApiException

from local.fake_klaviyo.accounts import Event
from local.fake_klaviyo.clock import RunningClock
from local.fake_klaviyo.fake import FakeKlaviyo
from local.fake_klaviyo.faults import Fault
from local.fake_klaviyo.lifecycle import plant_install
from local.fake_klaviyo.review_desk import Submission, submit_review
from local.fake_klaviyo.seed import DEFAULT_CLIENT_ID, DEFAULT_PRIVATE_KEY, ReviewInput, SeedInstall
from local.fake_klaviyo.server import FakeServer
from local.fake_klaviyo.signing import signature
from tests.unit.fake_klaviyo.driving import (
    EMAIL,
    REVIEW_TOPIC,
    SECRET,
    bulk,
    event,
    import_body,
    profile,
    single,
    webhook_body,
)

# Windows of a second and a minute pass within milliseconds, so that no test waits for them.
TIME_SCALE = 10_000.0


@pytest.fixture(scope="module")
def server() -> Iterator[FakeServer]:
    with FakeServer(FakeKlaviyo(clock=RunningClock(TIME_SCALE))) as running:
        yield running


@pytest.fixture
def fake(server: FakeServer) -> FakeKlaviyo:
    """The fake behind the server, as new."""
    server.fake.reset()
    return server.fake


def client(server: FakeServer, **credential: str) -> KlaviyoAPI:
    """An SDK client that tries once."""
    given: dict[str, Any] = {"api_key": DEFAULT_PRIVATE_KEY, **credential}
    return KlaviyoAPI(max_retries=0, test_host=server.base_url, **given)


@pytest.fixture
def sdk(server: FakeServer, fake: FakeKlaviyo) -> KlaviyoAPI:
    return client(server)


def stored(fake: FakeKlaviyo) -> list[Event]:
    return fake.services.world.accounts["AbC123"].events


def reviewed(fake: FakeKlaviyo, **fields: Any) -> Submission:
    with fake.services.world.lock:
        account = fake.services.world.accounts["AbC123"]
        return submit_review(fake.services, account, ReviewInput(email=EMAIL, **fields))


def test_reads_the_account(sdk: KlaviyoAPI) -> None:
    (account,) = sdk.Accounts.get_accounts().data
    assert (account.id, account.attributes.timezone) == ("AbC123", "US/Eastern")


def test_creates_an_event(sdk: KlaviyoAPI, fake: FakeKlaviyo) -> None:
    sdk.Events.create_event(single(event("one")))
    assert [(e.unique_id, e.properties["points"]) for e in stored(fake)] == [("one", 50)]


def test_creates_events_in_bulk(sdk: KlaviyoAPI, fake: FakeKlaviyo) -> None:
    sdk.Events.bulk_create_events(bulk((profile(), [event("one"), event("two")])))
    assert [e.unique_id for e in stored(fake)] == ["one", "two"]


def test_reads_events_and_metrics(sdk: KlaviyoAPI) -> None:
    sdk.Events.create_event(single(event("one")))
    (metric,) = sdk.Metrics.get_metrics(filter='equals(integration.name,"API")').data
    (found,) = sdk.Events.get_events(filter=f'equals(metric_id,"{metric.id}")', include=["profile"]).data
    assert found.attributes.event_properties["points"] == 50


def test_upserts_and_finds_a_profile(sdk: KlaviyoAPI) -> None:
    created = sdk.Profiles.create_or_update_profile({"data": profile(properties={"loyalty_points_balance": 0})})
    found = sdk.Profiles.get_profiles(filter=f'equals(email,"{EMAIL}")').data
    assert [p.id for p in found] == [created.data.id]
    assert found[0].attributes.properties == {"loyalty_points_balance": 0}


def test_imports_profiles_and_reads_the_job_with_its_errors(sdk: KlaviyoAPI, fake: FakeKlaviyo) -> None:
    fake.services.switches.job_mode = "manual"
    fake.services.faults.add(Fault.model_validate({"kind": "import_error", "match": {"email": EMAIL}}))
    job = sdk.Profiles.bulk_import_profiles(import_body(profile(), profile("bill.joel@klaviyo-demo.com")))
    assert job.data.attributes.status == "queued"
    fake.services.jobs.run_now()
    done = sdk.Profiles.get_bulk_import_profiles_job(job.data.id).data.attributes
    assert (done.status, done.completed_count, done.failed_count) == ("complete", 1, 1)
    (error,) = sdk.Profiles.get_errors_for_bulk_import_profiles_job(job.data.id).data
    assert error.attributes.source.pointer == "/data/attributes/profiles/data/0/attributes"


def test_reads_reviews(sdk: KlaviyoAPI, fake: FakeKlaviyo) -> None:
    review = reviewed(fake, rating=4).review
    (listed,) = sdk.Reviews.get_reviews(sort="-updated", filter="equals(rating,4)").data
    assert listed.id == review.id
    assert sdk.Reviews.get_review(review.id).data.attributes.rating == 4


def test_manages_webhooks(sdk: KlaviyoAPI) -> None:
    assert REVIEW_TOPIC in {topic.id for topic in sdk.Webhooks.get_webhook_topics().data}
    webhook_id = sdk.Webhooks.create_webhook(webhook_body()).data.id
    change = {"data": {"type": "webhook", "id": webhook_id, "attributes": {"enabled": False}}}
    assert sdk.Webhooks.update_webhook(webhook_id, change).data.attributes.enabled is False
    assert [webhook.id for webhook in sdk.Webhooks.get_webhooks().data] == [webhook_id]
    assert sdk.Webhooks.get_webhook(webhook_id).data.attributes.endpoint_url.endswith("/*****")
    sdk.Webhooks.delete_webhook(webhook_id)
    assert sdk.Webhooks.get_webhooks().data == []


def test_an_access_token_works_as_well(server: FakeServer, fake: FakeKlaviyo) -> None:
    access, _ = plant_install(fake.services, SeedInstall(account="AbC123", client_id=DEFAULT_CLIENT_ID))
    (account,) = client(server, access_token=access).Accounts.get_accounts().data
    assert account.id == "AbC123"


@pytest.mark.parametrize(("status", "code"), [(401, "authentication_failed"), (503, "service_unavailable")])
def test_errors_are_understood(sdk: KlaviyoAPI, fake: FakeKlaviyo, status: int, code: str) -> None:
    fake.services.faults.add(Fault.model_validate({"kind": "status", "status": status}))
    with pytest.raises(ApiException) as refused:
        sdk.Accounts.get_accounts()
    assert refused.value.status == status
    assert code in str(refused.value.body)


def test_a_refused_body_names_the_place(sdk: KlaviyoAPI) -> None:
    with pytest.raises(ApiException) as refused:
        sdk.Events.create_event(single(event(""), profile()))
    assert refused.value.status == 400
    assert "/data/attributes/unique_id" in str(refused.value.body)


def test_a_closed_connection_is_an_error_whether_or_not_the_event_was_taken(sdk: KlaviyoAPI, fake: FakeKlaviyo) -> None:
    for kind, recorded in (("reset_before", 0), ("hang", 0), ("reset_after", 1)):
        fault = {"kind": kind, "operation": "create_event", "seconds": 0.05}
        fake.services.faults.add(Fault.model_validate(fault))
        with pytest.raises(Exception, match=r"Connection|aborted|Max retries"):
            sdk.Events.create_event(single(event("one")))
        assert len(stored(fake)) == recorded, kind
    sdk.Accounts.get_accounts()


class _Receiver(BaseHTTPRequestHandler):
    """Keeps deliveries, fails the first and takes the others."""

    received: list[tuple[bytes, dict[str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((body, dict(self.headers)))
        self.send_response(500 if len(self.received) == 1 else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        pass


def test_a_review_is_delivered_over_http_and_tried_again(sdk: KlaviyoAPI, fake: FakeKlaviyo) -> None:
    received: list[tuple[bytes, dict[str, str]]] = []
    handler = type("Receiver", (_Receiver,), {"received": received})
    with HTTPServer(("127.0.0.1", 0), handler) as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{receiver.server_port}/hooks"
        webhook = sdk.Webhooks.create_webhook(webhook_body(url=url))
        reviewed(fake)
        fake.services.deliveries.wait_until(lambda batches: [b.state for b in batches] == ["delivered"], 10)
        receiver.shutdown()
    (batch,) = fake.services.deliveries.batches
    assert batch.state == "delivered"
    (first, _), (second, headers) = received
    assert first == second
    assert headers["Klaviyo-Webhook-Id"] == webhook.data.id
    assert headers["Klaviyo-Signature"] == signature(SECRET, second, headers["Klaviyo-Timestamp"])
