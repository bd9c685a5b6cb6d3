"""Every operation of the HTTP API: the one table behind its routes, its template events and its OpenAPI document."""

from __future__ import annotations

from loyalty.contracts.balance_operations import BALANCE_OPERATIONS
from loyalty.contracts.connection_operations import CONNECTION_OPERATIONS
from loyalty.contracts.program_operations import PROGRAM_OPERATIONS
from loyalty.contracts.review_operations import REVIEW_OPERATIONS
from loyalty.contracts.rule_operations import RULE_OPERATIONS

OPERATIONS = (
    *BALANCE_OPERATIONS,
    *REVIEW_OPERATIONS,
    *PROGRAM_OPERATIONS,
    *RULE_OPERATIONS,
    *CONNECTION_OPERATIONS,
)
