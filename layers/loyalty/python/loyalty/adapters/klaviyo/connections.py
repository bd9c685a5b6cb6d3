"""Opening Klaviyo for a program: its credential, and what all programs share."""

from __future__ import annotations

from dataclasses import dataclass

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from loyalty.adapters.klaviyo.client import Access, KlaviyoClient, Timeouts
from loyalty.adapters.klaviyo.limits import CallLimits
from loyalty.connection_ports import Credentials
from loyalty.delivery_ports import CallPermits
from loyalty.domain.connection import ConnectionMode
from loyalty.domain.errors import LoyaltyError, Misconfigured
from loyalty.domain.identity import ProgramSlug
from loyalty.domain.klaviyo_errors import KlaviyoForbidden, KlaviyoUnauthorized
from loyalty.domain.program import Program
from loyalty.ports import Clock, KlaviyoApi

_POOLED = 10


def new_session(transport: BaseAdapter | None = None) -> requests.Session:
    """A pool of connections to Klaviyo; ``transport`` carries the requests in place of the network."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, transport or HTTPAdapter(pool_maxsize=_POOLED, max_retries=0))
    return session


class KlaviyoClients:
    """Makes clients. One pool of connections for the whole process.

    ``permits`` counts the calls of all workers; without it the process counts its own.
    """

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        timeouts: Timeouts | None = None,
        session: requests.Session | None = None,
        permits: CallPermits | None = None,
    ) -> None:
        self._base_url = base_url
        self._clock = clock
        self._timeouts = timeouts or Timeouts()
        self._permits = permits or CallLimits(clock)
        self._session = session or new_session()

    def holding(self, program: ProgramSlug, mode: ConnectionMode, secret: str) -> KlaviyoClient:
        """A client that speaks with this very secret, and has no other when it is refused."""
        return self.using(program, _Held(mode, secret))

    def using(self, program: ProgramSlug, access: Access) -> KlaviyoClient:
        """A client whose calls count against the program's limits."""
        return KlaviyoClient(
            self._session,
            self._base_url,
            access,
            quota=program,
            permits=self._permits,
            clock=self._clock,
            timeouts=self._timeouts,
        )


@dataclass(frozen=True, slots=True)
class KlaviyoConnections:
    """The Klaviyo port over HTTP."""

    clients: KlaviyoClients
    credentials: Credentials

    def open(self, program: Program) -> KlaviyoClient:
        """A client that speaks for the program's connection.

        Raises:
            Misconfigured: there is no connection, or its credential cannot be decrypted.
            KlaviyoAccessLost: access is known to be lost.
            Transient: the key service is out of reach, or a new token cannot be had just now.
        """
        if program.connection is None:
            raise Misconfigured("The program has no connection to Klaviyo.", program=program.slug)
        secret = self.credentials.current(program)
        return self.clients.using(program.slug, _Stored(program, program.connection.mode, secret, self.credentials))

    def holding(self, program: ProgramSlug, mode: ConnectionMode, secret: str) -> KlaviyoApi:
        """A client that speaks with this very secret."""
        return self.clients.holding(program, mode, secret)


@dataclass(slots=True)
class _Stored:
    """A program's stored credential, renewed when Klaviyo refuses it."""

    program: Program
    mode: ConnectionMode
    secret: str
    credentials: Credentials

    def renew(self) -> bool:
        """Get a secret to try once more with."""
        self.secret = self.credentials.after_refusal(self.program, self.secret)
        return True

    def give_up(self, error: KlaviyoUnauthorized | KlaviyoForbidden) -> LoyaltyError:
        """What a second refusal in a row means."""
        return self.credentials.given_up(self.program, self.secret, error)


@dataclass(slots=True)
class _Held:
    """A secret that there is no other for."""

    mode: ConnectionMode
    secret: str

    def renew(self) -> bool:
        """There is nothing else to try."""
        return False

    def give_up(self, error: KlaviyoUnauthorized | KlaviyoForbidden) -> LoyaltyError:
        """It means what it says."""
        return error
