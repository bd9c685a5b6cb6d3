"""DynamoDB's errors, mapped to the exception tree in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from loyalty.domain.errors import LoyaltyError, Misconfigured, Transient

_PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "ThrottlingError",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ReplicatedWriteConflictException",
    }
)
_WRONG_SETUP = frozenset(
    {
        "AccessDeniedException",
        "AccessDenied",
        "ExpiredTokenException",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)


def mapped(error: ClientError) -> LoyaltyError | None:
    """The error of our tree that a service error means; None for conditions, which are answers, and unknown codes."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500:
        return Transient("Storage is busy; try again shortly.", aws_code=code)
    if code in _WRONG_SETUP:
        return Misconfigured(f"Storage refused the request ({code}).", aws_code=code)
    return None


@contextmanager
def storage_errors() -> Iterator[None]:
    """Let errors of the service leave the block as errors of our tree.

    Raises:
        Transient: throttled, busy or out of reach.
        Misconfigured: the table, a permission or the request itself is wrong.
    """
    try:
        yield
    except ClientError as error:
        if ours := mapped(error):
            raise ours from error
        raise
    except BotoCoreError as error:
        raise Transient("Storage is out of reach; try again shortly.", cause=type(error).__name__) from error


def is_failed_condition(error: ClientError) -> bool:
    """True when a single write's condition did not hold."""
    return error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
