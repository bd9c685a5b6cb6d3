"""Opening Klaviyo for a program: its credential, and what all programs share."""

from __future__ import annotations

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from loyalty.adapters.klaviyo.client import Credential, KlaviyoClient, Timeouts
from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.domain.errors import Misconfigured
from loyalty.domain.program import Program
from loyalty.ports import Clock, KlaviyoApi, Vault

_POOLED = 10


class KlaviyoConnections:
    """The Klaviyo port over HTTP. One pool of connections and one count of calls for the whole process.

    ``transport`` carries the requests in place of the network.
    """

    def __init__(
        self,
        base_url: str,
        vault: Vault,
        clock: Clock,
        *,
        timeouts: Timeouts | None = None,
        transport: BaseAdapter | None = None,
    ) -> None:
        self._base_url = base_url
        self._vault = vault
        self._clock = clock
        self._timeouts = timeouts or Timeouts()
        self._limits = CallLimits(clock)
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, transport or HTTPAdapter(pool_maxsize=_POOLED, max_retries=0))

    def open(self, program: Program) -> KlaviyoApi:
        """A client that speaks for the program's connection.

        Raises:
            Misconfigured: there is no connection, or its credential cannot be decrypted.
            Transient: the key service is out of reach.
        """
        connection = program.connection
        if connection is None:
            raise Misconfigured("The program has no connection to Klaviyo.", program=program.slug)
        secret = self._vault.decrypt(program.slug, connection.credential)
        return KlaviyoClient(
            self._session,
            self._base_url,
            Credential(connection.mode, secret),
            quota=program.slug,
            limits=self._limits,
            clock=self._clock,
            timeouts=self._timeouts,
        )
