"""Inspection: events, profiles, metrics, import jobs, reviews."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from local.fake_klaviyo.accounts import Account, Event, ImportJob, Review
from local.fake_klaviyo.documents import profile_resource
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.inspection.routes import Ask, Route
from local.fake_klaviyo.review_desk import moderate, submit_review
from local.fake_klaviyo.seed import ReviewInput


class ReviewSubmission(ReviewInput):
    """A review to submit now, `times` times (each with an id of its own) to `account`."""

    account: str | None = None
    times: int = 1


class Moderation(BaseModel):
    """A new status for a review."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["pending", "published", "unpublished", "featured", "rejected"]
    reason: Literal[
        "other", "fake", "false_or_misleading", "private_information", "profanity_or_inappropriate", "unrelated"
    ] = "other"


_Ids: TypeAdapter[list[str] | None] = TypeAdapter(list[str] | None)


def _event(account: Account, event: Event) -> JsonObject:
    return {
        "account": account.id,
        "id": event.id,
        "unique_id": event.unique_id,
        "metric": event.metric.name,
        "integration": event.metric.integration.key,
        "profile_id": event.profile.id,
        "profile": dict(event.profile.identifiers),
        "properties": event.properties,
        "time": event.time.isoformat(),
        "received": event.received.isoformat(),
        "backfill": event.backfill,
        "operation": event.operation,
    }


def _events(ask: Ask) -> Any:
    query = ask.query
    with ask.services.world.lock:
        found = [
            _event(account, event)
            for account in ask.accounts()
            for event in account.events
            if query.get("metric") in (None, event.metric.name)
            and query.get("email", "").lower() in ("", event.profile.identifiers.get("email"))
            and query.get("unique_id") in (None, event.unique_id)
        ]
    return {"count": len(found), "events": found}


def _dropped(ask: Ask) -> Any:
    with ask.services.world.lock:
        found = [
            {
                "account": account.id,
                "reason": dropped.reason,
                "metric": dropped.metric,
                "unique_id": dropped.unique_id,
                "profile": dropped.profile,
                "received": dropped.received.isoformat(),
            }
            for account in ask.accounts()
            for dropped in account.dropped
        ]
    return {"count": len(found), "events": found}


def _profiles(ask: Ask) -> Any:
    email, external_id = ask.query.get("email", "").lower(), ask.query.get("external_id")
    with ask.services.world.lock:
        found = []
        for account in ask.accounts():
            for profile in account.profiles:
                known = profile.identifiers
                if email in ("", known.get("email")) and external_id in (None, known.get("external_id")):
                    attributes = profile_resource(profile, "")["attributes"]
                    found.append({"account": account.id, "id": profile.id, **attributes})
    return {"count": len(found), "profiles": found}


def _metrics(ask: Ask) -> Any:
    with ask.services.world.lock:
        return {
            "metrics": [
                {
                    "account": account.id,
                    "id": metric.id,
                    "name": metric.name,
                    "integration": metric.integration.key,
                    "topic": metric.topic,
                    "events": sum(event.metric is metric for event in account.events),
                }
                for account in ask.accounts()
                for metric in account.metrics.values()
            ]
        }


def _job(account: Account, job: ImportJob) -> JsonObject:
    return {
        "account": account.id,
        "id": job.id,
        "status": job.status,
        "created": job.created.isoformat(),
        "total": len(job.profiles),
        "completed": job.completed_count,
        "failed": len(job.failures),
        "emails": [profile["attributes"].get("email") for profile in job.profiles],
        "failures": [
            {"pointer": f.pointer, "code": f.code, "detail": f.detail, "payload": f.payload} for f in job.failures
        ],
    }


def _jobs(ask: Ask) -> Any:
    with ask.services.world.lock:
        return {"jobs": [_job(account, job) for account in ask.accounts() for job in account.jobs.values()]}


def _run_jobs(ask: Ask) -> Any:
    return {"completed": ask.services.jobs.run_now(_Ids.validate_python(ask.body.get("ids")))}


def _review(account: Account, review: Review) -> JsonObject:
    return {
        "account": account.id,
        "id": review.id,
        "event_ids": review.event_ids,
        "created": review.created.isoformat(),
        "updated": review.updated.isoformat(),
        **review.attributes,
    }


def _reviews(ask: Ask) -> Any:
    with ask.services.world.lock:
        found = [_review(account, r) for account in ask.accounts() for r in account.reviews.values()]
    return {"count": len(found), "reviews": found}


def _submit_review(ask: Ask) -> Any:
    given = ReviewSubmission.model_validate(ask.body)
    plain = ReviewInput.model_validate(given.model_dump(exclude={"account", "times"}))
    submitted = []
    with ask.services.world.lock:
        account = ask.account(given.account)
        for i in range(given.times):
            one = plain if i == 0 else plain.model_copy(update={"id": None})
            submission = submit_review(ask.services, account, one)
            submitted.append(
                {
                    "review": _review(account, submission.review),
                    "event": None if submission.event is None else _event(account, submission.event),
                    "webhooks": submission.webhooks,
                }
            )
    return {**submitted[0], "submitted": submitted}


def _moderate(ask: Ask) -> Any:
    change = Moderation.model_validate(ask.body)
    with ask.services.world.lock:
        for account in ask.services.world.accounts.values():
            if (review := account.reviews.get(ask.params["id"])) is not None:
                moderate(review, change.status, change.reason, ask.services.clock.now())
                return _review(account, review)
    raise KeyError(ask.params["id"])


ROUTES = (
    Route("GET", "/_fake/events", "recorded events; ?account= metric= email= unique_id=", _events),
    Route("GET", "/_fake/dropped-events", "events accepted and then dropped, with the reason", _dropped),
    Route("GET", "/_fake/profiles", "profiles; ?account= email= external_id=", _profiles),
    Route("GET", "/_fake/metrics", "metrics with their topics and event counts", _metrics),
    Route("GET", "/_fake/jobs", "bulk import jobs with their failures", _jobs),
    Route("POST", "/_fake/jobs/run", "complete queued jobs now, all or {ids} in that order", _run_jobs),
    Route("GET", "/_fake/reviews", "reviews", _reviews),
    Route("POST", "/_fake/reviews", "a customer submits a review: event and webhook deliveries", _submit_review),
    Route("PATCH", "/_fake/reviews/<id>", "the merchant moderates: {status, reason?}", _moderate),
)
