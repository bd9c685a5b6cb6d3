"""Bulk profile imports: submit a job, read it, read its errors."""

from datetime import datetime

from local.fake_klaviyo.accounts import ImportFailure, ImportJob
from local.fake_klaviyo.documents import related, resource_links, timestamp
from local.fake_klaviyo.endpoints.profiles import profile_item
from local.fake_klaviyo.errors import ApiError, Problem, not_found
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings
from local.fake_klaviyo.import_jobs import KEPT_FOR
from local.fake_klaviyo.operations import BodyItem, Call, Operation, Reply
from local.fake_klaviyo.profile_checks import IN_IMPORT, check_profile, valid_email
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import MEDIUM

_PATH = "/api/profile-bulk-import-jobs"
_PROFILES = "/data/attributes/profiles/data"
_MOST_PROFILES = 10_000


def check_import(body: JsonObject, _now: datetime) -> None:
    """Refuse an import body that breaks a rule; addresses are judged when the job is taken in."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "profile-bulk-import-job", optional=("relationships",))
    attributes = found.object(data.get("attributes"), "/data/attributes", ("profiles",), ())
    holder = found.object(attributes.get("profiles"), "/data/attributes/profiles", ("data",), ())
    profiles = found.list(holder.get("data"), _PROFILES)
    if not 1 <= len(profiles) <= _MOST_PROFILES:
        found.add(_PROFILES, f"Between 1 and {_MOST_PROFILES} profiles are required.")
    for i, profile in enumerate(profiles):
        check_profile(found, profile, f"{_PROFILES}/{i}", IN_IMPORT, email_may_be_bad=True)
    found.raise_if_any()


def bulk_import_profiles(call: Call) -> Reply:
    """Queue a job; 202 with the job."""
    profiles = call.body["data"]["attributes"]["profiles"]["data"]
    if call.services.switches.invalid_email_in_import == "reject":
        _refuse_bad_addresses(profiles)
    lists = [item["id"] for item in _lists(call.body)]
    for i, list_id in enumerate(lists):
        if list_id not in call.account.lists:
            pointer = f"/data/relationships/lists/data/{i}/id"
            raise ApiError(400, [Problem(f"A list with id '{list_id}' does not exist.", pointer)])
    job = call.services.jobs.submit(call.account, profiles, lists)
    return Reply(202, _document(call, job, _PATH))


def get_bulk_import_profiles_job(call: Call) -> Reply:
    """How far a job is; there is no failed status, only `failed_count`."""
    job = _job(call)
    return Reply(200, _document(call, job, f"{_PATH}/{job.id}"))


def get_errors_for_bulk_import_profiles_job(call: Call) -> Reply:
    """Why profiles of a job were not imported."""
    job = _job(call)
    page = call.query.page(job.failures)
    data = [call.query.trimmed(_error_resource(failure)) for failure in page]
    return Reply(200, {"data": data, "links": call.query.links(call.request, len(job.failures))})


def _refuse_bad_addresses(profiles: list[JsonObject]) -> None:
    found = Findings()
    for i, profile in enumerate(profiles):
        email = profile["attributes"].get("email")
        if email is not None and not valid_email(email):
            found.add(f"{_PROFILES}/{i}/attributes/email", "Invalid email address.")
    found.raise_if_any()


def _lists(body: JsonObject) -> list[JsonObject]:
    relationships = body["data"].get("relationships") or {}
    lists: list[JsonObject] = (relationships.get("lists") or {}).get("data") or []
    return lists


def _job(call: Call) -> ImportJob:
    job = call.services.jobs.find(call.account, call.params["job_id"])
    if job is None:
        raise not_found("A bulk import job with this id does not exist.")
    return job


def _document(call: Call, job: ImportJob, self_path: str) -> JsonObject:
    base, path = call.request.base_url, f"{_PATH}/{job.id}"
    resource = {
        "type": "profile-bulk-import-job",
        "id": job.id,
        "attributes": {
            "status": job.status,
            "created_at": timestamp(job.created),
            "total_count": len(job.profiles),
            "completed_count": job.completed_count,
            "failed_count": len(job.failures),
            "completed_at": timestamp(job.completed),
            "expires_at": timestamp(job.created + KEPT_FOR),
            "started_at": timestamp(job.started),
        },
        "relationships": {
            "lists": {
                "data": [{"type": "list", "id": list_id} for list_id in job.list_ids],
                "links": related(base, path, "lists"),
            },
            "import-errors": {"links": {"related": f"{base}{path}/import-errors/"}},
        },
        "links": resource_links(base, path),
    }
    return {"data": call.query.trimmed(resource), "links": {"self": call.link(self_path)}}


def _error_resource(failure: ImportFailure) -> JsonObject:
    return {
        "type": "import-error",
        "id": failure.id,
        "attributes": {
            "code": failure.code,
            "title": "Invalid input.",
            "detail": failure.detail,
            "source": {"pointer": failure.pointer},
            "original_payload": failure.payload,
        },
    }


def _items(body: JsonObject) -> list[BodyItem]:
    profiles = body["data"]["attributes"]["profiles"]["data"]
    return [profile_item(profile, f"{_PROFILES}/{i}") for i, profile in enumerate(profiles)]


OPERATIONS = (
    Operation(
        "bulk_import_profiles",
        "POST",
        _PATH,
        ("lists:write", "profiles:write"),
        MEDIUM,
        bulk_import_profiles,
        QueryRules(fields=("profile-bulk-import-job",)),
        check=check_import,
        items=_items,
    ),
    Operation(
        "get_bulk_import_profiles_job",
        "GET",
        f"{_PATH}/<job_id>",
        ("lists:read", "profiles:read"),
        MEDIUM,
        get_bulk_import_profiles_job,
        QueryRules(fields=("list", "profile-bulk-import-job")),
    ),
    Operation(
        "get_errors_for_bulk_import_profiles_job",
        "GET",
        f"{_PATH}/<job_id>/import-errors",
        ("profiles:read",),
        MEDIUM,
        get_errors_for_bulk_import_profiles_job,
        QueryRules(fields=("import-error",), page_size=(20, 100), cursor=True),
    ),
)
