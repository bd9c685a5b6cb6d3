"""What our AWS clients share: their time limits and retries, and the meaning of their errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from loyalty.domain.errors import Misconfigured, Transient

CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=20,
    tcp_keepalive=True,
)
"""Klaviyo hangs up after five seconds and a queue hands its message to somebody else: better to fail soon."""

BY_THE_HUNDRED = CONFIG.merge(Config(parameter_validation=False, user_agent="tallyhook"))
"""For calls that come by the hundred, in a form that our own code decides: what the SDK does for each of them beside
sending it is a third of its processor time."""

_PASSING = frozenset(
    {
        "DependencyTimeout",
        "DependencyTimeoutException",
        "InternalError",
        "InternalFailure",
        "KMSInternalException",
        "KmsThrottled",
        "OverLimit",
        "RequestThrottled",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
    }
)


@contextmanager
def service_errors(service: str) -> Iterator[None]:
    """Let errors of an AWS service leave the block as errors of our tree.

    What is neither throttling nor the service's own trouble will be the same at the next try: a permission, a key, a
    queue that is not there.

    Raises:
        Transient: throttled, busy or out of reach.
        Misconfigured: anything else that the service refuses.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code.rpartition(".")[2] in _PASSING or status >= 500 or status == 429:
            raise Transient(f"{service} is busy; try again shortly.", aws_code=code) from error
        raise Misconfigured(f"{service} refused the request ({code}).", aws_code=code) from error
    except BotoCoreError as error:
        raise Transient(f"{service} is out of reach; try again shortly.", cause=type(error).__name__) from error
