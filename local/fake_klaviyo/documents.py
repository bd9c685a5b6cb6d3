"""Resources as the API writes them."""

from datetime import datetime

from local.fake_klaviyo.accounts import Asset, Event, Metric
from local.fake_klaviyo.exchange import JsonObject
from local.fake_klaviyo.profile_book import Profile


def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601 with offset, to the second."""
    return None if moment is None else moment.replace(microsecond=0).isoformat()


def resource_links(base_url: str, path: str) -> JsonObject:
    """The `links` of one resource; Klaviyo ends them in a slash."""
    return {"self": f"{base_url}{path}/"}


def related(base_url: str, path: str, name: str) -> JsonObject:
    """The `links` of a relationship."""
    return {
        "self": f"{base_url}{path}/relationships/{name}/",
        "related": f"{base_url}{path}/{name}/",
    }


def event_resource(event: Event, base_url: str, separator: str = "T") -> JsonObject:
    """An event; `separator` stands between date and time (webhook deliveries use a space)."""
    path = f"/api/events/{event.id}"
    return {
        "type": "event",
        "id": event.id,
        "attributes": {
            "timestamp": int(event.time.timestamp()),
            "event_properties": event.properties,
            "datetime": event.time.isoformat(sep=separator),
            "uuid": event.uuid,
        },
        "relationships": {
            "profile": {
                "data": {"type": "profile", "id": event.profile.id},
                "links": related(base_url, path, "profile"),
            },
            "metric": {
                "data": {"type": "metric", "id": event.metric.id},
                "links": related(base_url, path, "metric"),
            },
        },
        "links": resource_links(base_url, path),
    }


def asset_resource(kind: str, asset: Asset, base_url: str, relationships: tuple[str, ...] = ()) -> JsonObject:
    """A segment, flow or template; `kind` is its resource type."""
    path = f"/api/{kind}s/{asset.id}"
    resource = {
        "type": kind,
        "id": asset.id,
        "attributes": {
            **asset.attributes,
            "created": timestamp(asset.created),
            "updated": timestamp(asset.updated),
        },
        "links": resource_links(base_url, path),
    }
    if relationships:
        resource["relationships"] = {name: {"links": related(base_url, path, name)} for name in relationships}
    return resource


def metric_resource(metric: Metric, base_url: str) -> JsonObject:
    """A metric with its integration."""
    integration = metric.integration
    return {
        "type": "metric",
        "id": metric.id,
        "attributes": {
            "name": metric.name,
            "created": timestamp(metric.created),
            "updated": timestamp(metric.created),
            "integration": {
                "object": "integration",
                "id": integration.id,
                "key": integration.key,
                "name": integration.name,
                "category": integration.category,
            },
        },
        "links": resource_links(base_url, f"/api/metrics/{metric.id}"),
    }


def profile_resource(profile: Profile, base_url: str) -> JsonObject:
    """A profile with its custom properties."""
    details = {name: profile.details.get(name) for name in _PROFILE_DETAILS}
    location = profile.details.get("location")
    path = f"/api/profiles/{profile.id}"
    return {
        "type": "profile",
        "id": profile.id,
        "attributes": {
            **{name: profile.identifiers.get(name) for name in ("email", "phone_number", "external_id")},
            **details,
            "created": timestamp(profile.created),
            "updated": timestamp(profile.updated),
            "last_event_date": timestamp(profile.last_event),
            "location": location,
            "properties": profile.properties,
        },
        "relationships": {
            name: {"links": related(base_url, path, name)} for name in ("lists", "segments", "push-tokens")
        },
        "links": resource_links(base_url, path),
    }


_PROFILE_DETAILS = ("first_name", "last_name", "organization", "locale", "title", "image")
