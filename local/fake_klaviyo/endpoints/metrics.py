"""get_metrics: every kind of event the account has seen."""

from typing import Any

from local.fake_klaviyo.documents import metric_resource
from local.fake_klaviyo.operations import Call, Operation, Reply
from local.fake_klaviyo.query import QueryRules
from local.fake_klaviyo.rate_limits import MEDIUM

_PAGE = 200

_ACCESSORS: dict[str, Any] = {
    "integration.name": lambda metric: metric.integration.name,
    # Live, a filter by category finds nothing.
    "integration.category": lambda _: None,
}


def get_metrics(call: Call) -> Reply:
    """Metrics, filtered by integration; there is no filter by name."""
    metrics = call.query.select(list(call.account.metrics.values()), _ACCESSORS)
    page = metrics[call.query.offset : call.query.offset + _PAGE]
    data = [call.query.trimmed(metric_resource(metric, call.request.base_url)) for metric in page]
    return Reply(200, {"data": data, "links": call.query.links(call.request, len(metrics), _PAGE)})


OPERATIONS = (
    Operation(
        "get_metrics",
        "GET",
        "/api/metrics",
        ("metrics:read",),
        MEDIUM,
        get_metrics,
        QueryRules(
            fields=("metric", "flow"),
            filters={"integration.name": ("equals",), "integration.category": ("equals",)},
            cursor=True,
        ),
    ),
)
