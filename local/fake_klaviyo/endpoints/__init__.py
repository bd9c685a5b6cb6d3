"""The API's endpoints: one small module per resource, each with a tuple `OPERATIONS`.

To add an endpoint, write its handler and its `Operation` in a module here and list the module's tuple below.
"""

from local.fake_klaviyo.endpoints import (
    accounts,
    events,
    flows,
    metrics,
    profile_imports,
    profiles,
    reviews,
    segments,
    templates,
    webhooks,
)
from local.fake_klaviyo.operations import Operation

OPERATIONS: tuple[Operation, ...] = (
    *accounts.OPERATIONS,
    *events.OPERATIONS,
    *flows.OPERATIONS,
    *metrics.OPERATIONS,
    *profile_imports.OPERATIONS,
    *profiles.OPERATIONS,
    *reviews.OPERATIONS,
    *segments.OPERATIONS,
    *templates.OPERATIONS,
    *webhooks.OPERATIONS,
)
