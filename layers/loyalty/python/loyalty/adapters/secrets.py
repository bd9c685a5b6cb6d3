"""Secrets of the deployment as a whole, in Secrets Manager: the operator's key, and our app at Klaviyo."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from loyalty.adapters.aws import service_errors
from loyalty.domain.errors import Misconfigured
from loyalty.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

REMEMBERED_FOR = timedelta(minutes=5)
"""How long a secret is used after it was read: a rotated one works everywhere within that time."""


class StoredSecret:
    """One secret, read when it is first needed and remembered for a while."""

    def __init__(self, client: Callable[[], SecretsManagerClient], secret_id: str, clock: Clock) -> None:
        """``client`` is asked for the first time that the secret is: many a process never needs it."""
        self._client = client
        self._secret_id = secret_id
        self._clock = clock
        self._value = ""
        self._read_at: datetime | None = None

    def value(self) -> str:
        """The secret.

        Raises:
            Transient: the service is out of reach.
            Misconfigured: there is no such secret, or it may not be read.
        """
        now = self._clock.now()
        if self._read_at is None or not timedelta() <= now - self._read_at < REMEMBERED_FOR:
            with service_errors("The secret store"):
                self._value = self._client().get_secret_value(SecretId=self._secret_id).get("SecretString", "")
            self._read_at = now
        return self._value


@dataclass(frozen=True, slots=True)
class OperatorSecret:
    """The operator's key."""

    secret: StoredSecret

    def opens(self, presented: str) -> bool:
        """Whether this is the operator's key; the time it takes tells nothing about how much of it is right.

        Raises:
            Transient, Misconfigured: the key cannot be looked up.
        """
        expected = self.secret.value()
        return bool(expected) and hmac.compare_digest(expected.encode(), presented.encode())


@dataclass(frozen=True, slots=True)
class AppSecret:
    """What the operator enters about our app at Klaviyo: JSON with ``client_id``, ``client_secret``, ``public_url``."""

    secret: StoredSecret = field(repr=False)

    def client(self) -> tuple[str, str]:
        """Client id and secret.

        Raises:
            Misconfigured: the operator has not set the app up yet.
            Transient: it cannot be looked up now.
        """
        return self._entry("client_id"), self._entry("client_secret")

    def public_url(self) -> str:
        """Root of our HTTP API as Klaviyo and browsers reach it, without a slash at its end."""
        return self._entry("public_url").rstrip("/")

    def _entry(self, name: str) -> str:
        try:
            value = str(json.loads(self.secret.value())[name])
        except (ValueError, KeyError, TypeError):
            value = ""
        if not value:
            raise Misconfigured(f"The secret of the Klaviyo app lacks {name}.", code="klaviyo_app_not_set_up")
        return value
