"""Klaviyo's API over HTTP, spoken for one program's connection."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import requests

from loyalty.adapters.klaviyo import bulk_profiles, flows, operations, payloads, reviews
from loyalty.adapters.klaviyo.bulk_profiles import BulkProfiles
from loyalty.adapters.klaviyo.errors import error_of
from loyalty.adapters.klaviyo.operations import Operation
from loyalty.connection_ports import ReviewPage
from loyalty.delivery_ports import CallPermits
from loyalty.domain.connection import ConnectionMode
from loyalty.domain.errors import LoyaltyError
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import (
    KlaviyoForbidden,
    KlaviyoIncompatible,
    KlaviyoRefused,
    KlaviyoUnauthorized,
    KlaviyoUnavailable,
)
from loyalty.domain.profile_jobs import ImportFailure, JobProgress
from loyalty.domain.telling import MetricEvent, ProfileState
from loyalty.ports import Clock, RegisteredWebhook
from loyalty.profile_ports import ProfileBulk

MEDIA_TYPE = "application/vnd.api+json"
USER_AGENT = "Tallyhook"

NOT_FOUND = 404
THROTTLED = 429

LONGEST_PAUSE = 1.01
"""Seconds to wait out a limit on the spot, with room for rounding. Giving the work back to its queue takes longer."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of an answer."""

    connect: float = 3.05
    read: float = 15.0


class Access(Protocol):
    """The credential of a client, and what to do when Klaviyo does not accept it."""

    @property
    def mode(self) -> ConnectionMode:
        """How the secret is presented."""

    @property
    def secret(self) -> str:
        """The secret to use now."""

    def renew(self) -> bool:
        """After a refusal: get a secret to try once more with. False when there is nothing to try."""

    def give_up(self, error: KlaviyoUnauthorized | KlaviyoForbidden) -> LoyaltyError:
        """The error that a second refusal in a row means."""


class Authorization:
    """Puts the credential on a request; given as ``auth``, so that no ``.netrc`` of the machine replaces it."""

    def __init__(self, access: Access) -> None:
        scheme = "Bearer" if access.mode is ConnectionMode.OAUTH else "Klaviyo-API-Key"
        self._header = f"{scheme} {access.secret}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header."""
        request.headers["Authorization"] = self._header
        return request


class KlaviyoClient:
    """Klaviyo for one connection. ``quota`` names whose limits the calls count against: the program."""

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        access: Access,
        *,
        quota: ProgramSlug,
        permits: CallPermits,
        clock: Clock,
        timeouts: Timeouts,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._access = access
        self._quota = quota
        self._permits = permits
        self._clock = clock
        self._timeouts = timeouts

    def account_id(self) -> str:
        """The id of the one account the credential belongs to."""
        accounts = self._read(operations.GET_ACCOUNTS)
        if not accounts:
            raise KlaviyoUnavailable("Klaviyo answered without an account.")
        return accounts[0]

    def webhook_topics(self) -> list[str]:
        """The topics this account offers."""
        return self._read(operations.GET_WEBHOOK_TOPICS)

    def webhooks(self) -> list[RegisteredWebhook]:
        """Every webhook of the account."""
        return [_webhook_of(resource) for resource in _resources(self._call(operations.GET_WEBHOOKS))]

    def enable_webhook(self, webhook_id: str, *, url: str) -> None:
        """Switch a webhook on and let it deliver to ``url``."""
        self._call(
            operations.UPDATE_WEBHOOK, payloads.enable_webhook(webhook_id, url), resource=f"/{quote(webhook_id)}"
        )

    def delete_webhook(self, webhook_id: str) -> None:
        """Delete a webhook; one that is gone already is fine."""
        try:
            self._call(operations.DELETE_WEBHOOK, resource=f"/{quote(webhook_id)}")
        except KlaviyoIncompatible as error:
            if error.facts.get("status") != NOT_FOUND:
                raise

    def create_webhook(self, *, name: str, url: str, secret: str, topics: Sequence[str]) -> str:
        """Register a webhook; its id."""
        answer = self._call(operations.CREATE_WEBHOOK, payloads.create_webhook(name, url, secret, topics))
        return _ids(answer)[0]

    def changed_reviews(self, cursor: str) -> ReviewPage:
        """All reviews, the newest change first."""
        return reviews.page_of(self._call(operations.GET_REVIEWS, resource=reviews.newest_change_first(cursor)))

    def reviews_created(self, since: datetime, until: datetime, cursor: str) -> ReviewPage:
        """Reviews written between two times, the oldest first."""
        asked = reviews.created_between(since, until, cursor)
        return reviews.page_of(self._call(operations.GET_REVIEWS, resource=asked))

    def ready_for_events(self) -> None:
        """Raise at once what a bulk request would have to raise, as far as it is known without asking anybody."""
        operation = operations.BULK_CREATE_EVENTS
        wait = self._permits.wait(self._quota, operation.name, operation.windows)
        if wait > LONGEST_PAUSE:
            raise _used_up(operation, wait)

    def send_events(self, events: Sequence[MetricEvent]) -> int:
        """Send as many of the events, from the first on, as one bulk request may hold; how many that was."""
        request = payloads.bulk_events(events)
        try:
            self._call(operations.BULK_CREATE_EVENTS, request.body)
        except KlaviyoRefused as refused:
            raise refused.of_bulk(request.count, request.positions(refused.pointers)) from refused
        return request.count

    def send_event(self, event: MetricEvent) -> None:
        """Send one event."""
        self._call(operations.CREATE_EVENT, payloads.create_event(event))

    def import_profile(self, profile: ProfileState) -> None:
        """Create or update one profile."""
        self._call(operations.IMPORT_PROFILE, payloads.import_profile(profile))

    def metric_id(self, name: str) -> str:
        """The id of the account's metric with this name."""
        cursor = ""
        for _ in range(flows.MOST_PAGES):
            response = self._call(operations.GET_METRICS, resource=flows.following(cursor))
            found, cursor = flows.ids_by_name(response)
            if name in found or not cursor:
                return found.get(name, "")
        return ""

    def flow_id(self, name: str) -> str:
        """The id of a flow with this name."""
        found, _ = flows.ids_by_name(self._call(operations.GET_FLOWS, resource=flows.named(name)))
        return found.get(name, "")

    def create_flow(self, flow: Mapping[str, Any]) -> str:
        """Create a flow as a draft; its id."""
        return _ids(self._call(operations.CREATE_FLOW, payloads.create_flow(flow)))[0]

    def new_bulk(self) -> ProfileBulk:
        """An empty request of many profiles."""
        return BulkProfiles()

    def submit_profiles(self, bulk: ProfileBulk) -> str:
        """Have many profiles created or updated some time later; Klaviyo's id of the job."""
        try:
            answer = self._call(operations.BULK_IMPORT_PROFILES, bulk.body)
        except KlaviyoRefused as refused:
            raise refused.of_bulk(len(bulk), bulk_profiles.positions(refused.pointers, len(bulk))) from refused
        return str(_resource(answer)["id"])

    def profile_job(self, klaviyo_id: str) -> JobProgress | None:
        """How far a job is; None when Klaviyo does not know it, not any more, or gave it up."""
        try:
            answer = self._call(operations.GET_PROFILE_JOB, resource=f"/{quote(klaviyo_id, safe='')}")
        except KlaviyoIncompatible as error:
            if error.facts.get("status") != NOT_FOUND:
                raise
            return None
        return bulk_profiles.progress_of(_resource(answer))

    def import_failures(self, klaviyo_id: str, cursor: str) -> tuple[list[ImportFailure], str]:
        """A page of what a job did not import, and the cursor of the next page."""
        query = {"page[size]": bulk_profiles.ERRORS_PER_PAGE} | ({"page[cursor]": cursor} if cursor else {})
        page = f"/{quote(klaviyo_id, safe='')}/import-errors?{urlencode(query)}"
        return bulk_profiles.failures_of(self._call(operations.GET_IMPORT_ERRORS, resource=page).content)

    def _read(self, operation: Operation) -> list[str]:
        return _ids(self._call(operation))

    def _call(self, operation: Operation, body: bytes | None = None, *, resource: str = "") -> requests.Response:
        """Make a call; where Klaviyo refuses the credential, once more with the one it renews to."""
        target = replace(operation, path=operation.path + resource)
        try:
            return self._answered(target, body)
        except (KlaviyoUnauthorized, KlaviyoForbidden) as refused:
            if not _doubts_credential(operation, refused) or not self._access.renew():
                raise
        try:
            return self._answered(target, body)
        except (KlaviyoUnauthorized, KlaviyoForbidden) as refused:
            if not _doubts_credential(operation, refused):
                raise
            raise self._access.give_up(refused) from refused

    def _answered(self, operation: Operation, body: bytes | None) -> requests.Response:
        self._keep_limits(operation)
        response = self._exchange(operation, body)
        if not 200 <= response.status_code < 300:
            error = error_of(operation.name, response.status_code, response.headers, response.content)
            if response.status_code == THROTTLED and isinstance(error, KlaviyoUnavailable):
                self._permits.close(self._quota, operation.name, error.retry_after or 1)
            raise error
        return response

    def _keep_limits(self, operation: Operation) -> None:
        slept = 0.0
        while wait := self._permits.take(self._quota, operation.name, operation.windows):
            if slept + wait > LONGEST_PAUSE:
                raise _used_up(operation, wait)
            self._clock.sleep(wait)
            slept += wait

    def _exchange(self, operation: Operation, body: bytes | None) -> requests.Response:
        """Send a request, once more when the connection broke and a repeat does no harm.

        A connection that was kept open while the function was frozen is dead more often than not.
        """
        try:
            return self._send(operation, body)
        except requests.exceptions.Timeout as error:
            raise _out_of_reach(operation, error) from error
        except requests.exceptions.RequestException as error:
            if not operation.repeatable or not isinstance(error, requests.exceptions.ConnectionError):
                raise _out_of_reach(operation, error) from error
        self._keep_limits(operation)
        try:
            return self._send(operation, body)
        except requests.exceptions.RequestException as error:
            raise _out_of_reach(operation, error) from error

    def _send(self, operation: Operation, body: bytes | None) -> requests.Response:
        headers = {"Accept": MEDIA_TYPE, "revision": operations.REVISION, "User-Agent": USER_AGENT}
        if body is not None:
            headers["Content-Type"] = MEDIA_TYPE
        return self._session.request(
            operation.method,
            self._base_url + operation.path,
            data=body,
            headers=headers,
            auth=Authorization(self._access),
            timeout=(self._timeouts.connect, self._timeouts.read),
            allow_redirects=False,
        )


def _doubts_credential(operation: Operation, refused: KlaviyoUnauthorized | KlaviyoForbidden) -> bool:
    """Whether a refusal is about the credential as a whole and not about one feature that it does not include."""
    return isinstance(refused, KlaviyoUnauthorized) or operation.sends


def _used_up(operation: Operation, wait: float) -> KlaviyoUnavailable:
    return KlaviyoUnavailable(
        "Klaviyo's limit for this call is used up.",
        code="klaviyo_throttled",
        retry_after=math.ceil(wait),
        operation=operation.name,
    )


def _out_of_reach(operation: Operation, error: Exception) -> KlaviyoUnavailable:
    return KlaviyoUnavailable("Klaviyo is out of reach.", operation=operation.name, cause=type(error).__name__)


def _ids(response: requests.Response) -> list[str]:
    return [str(resource["id"]) for resource in _resources(response)]


def _resources(response: requests.Response) -> list[dict[str, Any]]:
    """The resources of an answer, one or many.

    Raises:
        KlaviyoUnavailable: the answer is not the JSON:API document it should be.
    """
    try:
        data: Any = json.loads(response.content)["data"]
        resources = data if isinstance(data, list) else [data]
        return [{"attributes": {}, **resource, "id": str(resource["id"])} for resource in resources]
    except (ValueError, TypeError, KeyError) as error:
        raise KlaviyoUnavailable("Klaviyo's answer could not be read.", status=response.status_code) from error


def _resource(response: requests.Response) -> dict[str, Any]:
    """The one resource of an answer.

    Raises:
        KlaviyoUnavailable: there is none.
    """
    for resource in _resources(response):
        return resource
    raise KlaviyoUnavailable("Klaviyo's answer could not be read.", status=response.status_code)


def _webhook_of(resource: dict[str, Any]) -> RegisteredWebhook:
    said = resource["attributes"] or {}
    return RegisteredWebhook(
        resource["id"],
        str(said.get("name") or ""),
        str(said.get("endpoint_url") or ""),
        enabled=said.get("enabled") is not False,
    )
