"""AWS clients of one process: one of each service, made when it is used, for that takes a good part of a cold start."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import boto3

from loyalty.adapters.aws import CONFIG

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


class AwsClients:
    """Clients of a region, each made when it is first asked for."""

    def __init__(self, region: str) -> None:
        self._region = region

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The table."""
        return boto3.client("dynamodb", region_name=self._region, config=CONFIG)

    @cached_property
    def sqs(self) -> SQSClient:
        """Queues."""
        return boto3.client("sqs", region_name=self._region, config=CONFIG)

    @cached_property
    def kms(self) -> KMSClient:
        """The key of what is encrypted."""
        return boto3.client("kms", region_name=self._region, config=CONFIG)

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        """Secrets of the deployment."""
        return boto3.client("secretsmanager", region_name=self._region, config=CONFIG)

    @cached_property
    def sns(self) -> SNSClient:
        """Messages to people."""
        return boto3.client("sns", region_name=self._region, config=CONFIG)
