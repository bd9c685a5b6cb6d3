"""System webhooks: create, read, change, delete, and the topics to choose from."""

from urllib.parse import urlsplit

from local.fake_klaviyo.accounts import Webhook
from local.fake_klaviyo.documents import resource_links
from local.fake_klaviyo.errors import ApiError, Problem, not_found, refused
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.identifiers import ulid
from local.fake_klaviyo.operations import Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import EXTRA_SMALL
from local.fake_klaviyo.webhook_checks import (
    check_create_webhook,
    check_update_webhook,
    fitting_url,
    topic_ids,
)

_MOST_WEBHOOKS = 10
_READ, _WRITE = ("webhooks:read",), ("webhooks:write",)


def get_webhooks(call: Call) -> Reply:
    """Every webhook of the account, without secrets and with masked URLs."""
    data = [_resource(call, webhook) for webhook in call.account.webhooks.values()]
    links = {"self": call.link("/api/webhooks"), "next": None, "prev": None}
    return Reply(200, _with_topics(call, {"data": data, "links": links}))


def get_webhook(call: Call) -> Reply:
    """One webhook."""
    webhook = _webhook(call)
    return Reply(200, _with_topics(call, _document(call, webhook)))


def create_webhook(call: Call) -> Reply:
    """Create a webhook; at most ten per account."""
    attributes = call.body["data"]["attributes"]
    topics = _known_topics(call, topic_ids(call.body) or [])
    _check_url(call, attributes["endpoint_url"])
    if len(call.account.webhooks) >= _MOST_WEBHOOKS:
        raise refused(f"An account can have at most {_MOST_WEBHOOKS} webhooks.")
    now = call.now
    webhook = Webhook(
        id=ulid(),
        name=attributes["name"],
        description=attributes.get("description"),
        endpoint_url=attributes["endpoint_url"],
        secret_key=attributes["secret_key"],
        topics=topics,
        created=now,
        updated=now,
        active_from=_active_from(call),
        client=call.principal.client,
    )
    call.account.webhooks[webhook.id] = webhook
    document = _document(call, webhook)
    return Reply(201, {**document, "links": {"self": call.link("/api/webhooks")}})


def update_webhook(call: Call) -> Reply:
    """Change what is given and not null; topics replace the old set; enabling ends the failure series."""
    webhook = _webhook(call)
    if call.body["data"]["id"] != webhook.id:
        detail = "The id of the body is not the id of the path."
        raise ApiError(409, [Problem(detail, "/data/id", code="conflict")])
    attributes = {k: v for k, v in call.body["data"]["attributes"].items() if v is not None}
    topics = topic_ids(call.body)
    known = None if topics is None else _known_topics(call, topics)
    if "endpoint_url" in attributes:
        _check_url(call, attributes["endpoint_url"])
    if attributes.get("enabled") and not webhook.enabled:
        webhook.failing_since = None
        webhook.active_from = _active_from(call)
    for name, value in attributes.items():
        setattr(webhook, name, value)
    webhook.topics = webhook.topics if known is None else known
    webhook.updated = call.now
    return Reply(200, _document(call, webhook))


def delete_webhook(call: Call) -> Reply:
    """Delete a webhook; what was on its way to it is dropped."""
    del call.account.webhooks[_webhook(call).id]
    return Reply(204)


def get_webhook_topics(call: Call) -> Reply:
    """The topics of this account: Klaviyo's own and one per metric."""
    data = [_topic(call, topic) for topic in call.account.known_topics()]
    links = {"self": call.link("/api/webhook-topics"), "next": None, "prev": None}
    return Reply(200, {"data": data, "links": links})


def _webhook(call: Call) -> Webhook:
    webhook = call.account.webhooks.get(call.params["id"])
    if webhook is None:
        raise not_found("A webhook with this id does not exist.")
    return webhook


def _active_from(call: Call) -> float:
    return call.services.clock.elapsed() + call.services.switches.webhook_activation_seconds


def _known_topics(call: Call, topics: list[str]) -> list[str]:
    known = set(call.account.known_topics())
    for i, topic in enumerate(topics):
        if topic not in known:
            pointer = f"/data/relationships/webhook-topics/data/{i}/id"
            raise refused(f"'{topic}' is not a valid webhook topic.", pointer)
    return topics


def _check_url(call: Call, url: str) -> None:
    if not fitting_url(url, loopback_http=call.services.switches.allow_loopback_http_webhooks):
        raise refused("The endpoint_url must be an https URL.", "/data/attributes/endpoint_url")


def _masked(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/*****"


def _document(call: Call, webhook: Webhook) -> JsonObject:
    links = {"self": call.link(f"/api/webhooks/{webhook.id}")}
    return {"data": _resource(call, webhook), "links": links}


def _resource(call: Call, webhook: Webhook) -> JsonObject:
    return call.query.trimmed(
        {
            "type": "webhook",
            "id": webhook.id,
            "attributes": {
                "name": webhook.name,
                "description": webhook.description,
                "endpoint_url": _masked(webhook.endpoint_url),
                "enabled": webhook.enabled,
                "created_at": webhook.created.isoformat(),
                "updated_at": webhook.updated.isoformat(),
            },
            "relationships": {"webhook-topics": {"data": [{"type": "webhook-topic", "id": t} for t in webhook.topics]}},
            "links": resource_links(call.request.base_url, f"/api/webhooks/{webhook.id}"),
        }
    )


def _topic(call: Call, topic: str) -> JsonObject:
    links = resource_links(call.request.base_url, f"/api/webhook-topics/{topic}")
    return {"type": "webhook-topic", "id": topic, "attributes": [], "links": links}


def _with_topics(call: Call, document: JsonObject) -> JsonObject:
    if "webhook-topics" not in call.query.include:
        return document
    data = document["data"] if isinstance(document["data"], list) else [document["data"]]
    used = {t["id"] for webhook in data for t in webhook["relationships"]["webhook-topics"]["data"]}
    return {**document, "included": [_topic(call, topic) for topic in sorted(used)]}


_FIELDS = QueryRules(fields=("webhook",))
_FIELDS_AND_TOPICS = QueryRules(fields=("webhook", "webhook-topic"), include=("webhook-topics",))

OPERATIONS = (
    Operation(
        "get_webhooks",
        "GET",
        "/api/webhooks",
        _READ,
        EXTRA_SMALL,
        get_webhooks,
        _FIELDS_AND_TOPICS,
        webhook_access=True,
    ),
    Operation(
        "create_webhook",
        "POST",
        "/api/webhooks",
        _WRITE,
        EXTRA_SMALL,
        create_webhook,
        _FIELDS,
        check=check_create_webhook,
        webhook_access=True,
    ),
    Operation(
        "get_webhook",
        "GET",
        "/api/webhooks/<id>",
        _READ,
        EXTRA_SMALL,
        get_webhook,
        _FIELDS_AND_TOPICS,
        webhook_access=True,
    ),
    Operation(
        "update_webhook",
        "PATCH",
        "/api/webhooks/<id>",
        _WRITE,
        EXTRA_SMALL,
        update_webhook,
        _FIELDS,
        check=check_update_webhook,
        webhook_access=True,
    ),
    Operation(
        "delete_webhook",
        "DELETE",
        "/api/webhooks/<id>",
        _WRITE,
        EXTRA_SMALL,
        delete_webhook,
        webhook_access=True,
    ),
    Operation(
        "get_webhook_topics",
        "GET",
        "/api/webhook-topics",
        _READ,
        EXTRA_SMALL,
        get_webhook_topics,
        QueryRules(fields=("webhook-topic",)),
        webhook_access=True,
    ),
)
