"""What Klaviyo demands of a webhook in a request.

Sources: "Working with system webhooks" (secret of at least 16 characters, https), schemas WebhookCreateQuery and
WebhookPartialUpdateQuery.
"""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.findings import Findings

_SHORTEST_SECRET = 16
_LOOPBACK = ("127.0.0.1", "localhost")


def check_create_webhook(body: JsonObject, _now: datetime) -> None:
    """Refuse a create_webhook body that breaks a rule."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(body.get("data"), "/data", "webhook", required=("type", "attributes", "relationships"))
    pointer = "/data/attributes"
    required = ("name", "endpoint_url", "secret_key")
    attributes = found.object(data.get("attributes"), pointer, required, ("description",))
    _check_texts(found, attributes, pointer)
    relationships = found.object(data.get("relationships"), "/data/relationships", ("webhook-topics",), ())
    if not _check_topics(found, relationships.get("webhook-topics")):
        found.add("/data/relationships/webhook-topics/data", "At least one topic is required.")
    found.raise_if_any()


def check_update_webhook(body: JsonObject, _now: datetime) -> None:
    """Refuse an update_webhook body that breaks a rule."""
    found = Findings()
    found.object(body, "", ("data",), ())
    data = found.resource(
        body.get("data"),
        "/data",
        "webhook",
        required=("type", "id", "attributes"),
        optional=("relationships",),
    )
    pointer = "/data/attributes"
    optional = ("name", "description", "endpoint_url", "secret_key", "enabled")
    attributes = found.object(data.get("attributes"), pointer, optional=optional)
    _check_texts(found, attributes, pointer)
    enabled = attributes.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        found.add(f"{pointer}/enabled", "A boolean is required.")
    if data.get("relationships") is not None:
        relationships = found.object(data["relationships"], "/data/relationships", (), ("webhook-topics",))
        if "webhook-topics" in relationships:
            _check_topics(found, relationships["webhook-topics"])
    found.raise_if_any()


def topic_ids(body: JsonObject) -> list[str] | None:
    """The topics a checked body names, each once; None when it names none at all."""
    relationships = body["data"].get("relationships") or {}
    if "webhook-topics" not in relationships:
        return None
    return list(dict.fromkeys(topic["id"] for topic in relationships["webhook-topics"]["data"]))


def fitting_url(url: str, *, loopback_http: bool) -> bool:
    """Whether Klaviyo takes the endpoint: https, or (by switch) plain http on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return loopback_http and parts.scheme == "http" and parts.hostname in _LOOPBACK


def _check_texts(found: Findings, attributes: JsonObject, pointer: str) -> None:
    found.text(attributes.get("name"), f"{pointer}/name", shortest=1)
    found.text(attributes.get("description"), f"{pointer}/description")
    found.text(attributes.get("endpoint_url"), f"{pointer}/endpoint_url")
    found.text(attributes.get("secret_key"), f"{pointer}/secret_key", shortest=_SHORTEST_SECRET)


def _check_topics(found: Findings, value: Any) -> list[Any]:
    pointer = "/data/relationships/webhook-topics"
    holder = found.object(value, pointer, ("data",), ())
    topics = found.list(holder.get("data"), f"{pointer}/data")
    for i, topic in enumerate(topics):
        found.resource(topic, f"{pointer}/data/{i}", "webhook-topic", required=("type", "id"))
    return topics
