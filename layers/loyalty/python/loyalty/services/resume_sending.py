"""Go on sending to Klaviyo once a program is connected."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.domain.connection import Connection
from loyalty.domain.errors import LoyaltyError
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock
from loyalty.services.requeue_owed import RequeueOwed
from loyalty.services.wake_syncs import WakeSyncs


@dataclass(frozen=True, slots=True)
class Resume:
    """Queues what waited for a connection, as soon as it may be sent (R19)."""

    requeue: RequeueOwed
    wake: WakeSyncs
    clock: Clock

    def __call__(self, slug: ProgramSlug, connection: Connection, *, until: datetime) -> None:
        """Queue as much as the time allows; the upkeep goes on with the rest."""
        if connection.can_send:
            with suppress(LoyaltyError):
                self.wake(slug, idle_for=timedelta())
        if connection.is_sending:
            with suppress(LoyaltyError):
                self.requeue(slug, before=self.clock.now(), until=until)
