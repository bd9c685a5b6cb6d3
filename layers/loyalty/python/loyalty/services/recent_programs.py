"""Programs and their webhook secrets, remembered for a few seconds, so that a burst of deliveries costs one look-up."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loyalty.domain.identity import ProgramSlug
from loyalty.domain.program import Program
from loyalty.domain.reviews import ReviewSource
from loyalty.ports import Clock, ProgramStore, Vault

REMEMBERED_FOR = timedelta(seconds=5)
REMEMBERED_MOST = 500


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a program. ``secrets`` are those of the webhook asked for; ``fresh`` if read just now."""

    program: Program | None
    secrets: tuple[str, ...] = field(repr=False)
    fresh: bool


@dataclass(slots=True)
class _Memory:
    program: Program | None
    read_at: datetime
    opened: dict[bytes, str] = field(default_factory=dict, repr=False)


class RecentPrograms:
    """Looks programs up. That a program does not exist is remembered as well."""

    def __init__(self, programs: ProgramStore, vault: Vault, clock: Clock) -> None:
        self._programs = programs
        self._vault = vault
        self._clock = clock
        self._memories: OrderedDict[ProgramSlug, _Memory] = OrderedDict()

    def look_up(
        self,
        slug: ProgramSlug,
        webhook_id: str,
        *,
        source: ReviewSource = ReviewSource.KLAVIYO,
        fresh: bool = False,
    ) -> Known:
        """The program and the secrets of one of its webhooks, none if it is not the program's.

        ``fresh`` reads the program again, for a secret or webhook that is newer than what is remembered; what is
        still stored under the same ciphertext is not decrypted again.

        Raises:
            Transient: storage or key service are out of reach.
            Misconfigured: a secret cannot be decrypted.
        """
        now = self._clock.now()
        memory = self._memories.get(slug)
        reads = fresh or memory is None or not timedelta() <= now - memory.read_at < REMEMBERED_FOR
        if memory is None or reads:
            memory = _Memory(self._programs.load(slug), now, memory.opened if memory else {})
            self._remember(slug, memory)
        return Known(memory.program, self._secrets(memory, source, webhook_id), reads)

    def _remember(self, slug: ProgramSlug, memory: _Memory) -> None:
        stored = memory.program.all_review_secrets if memory.program else frozenset()
        memory.opened = {sealed: plain for sealed, plain in memory.opened.items() if sealed in stored}
        self._memories[slug] = memory
        self._memories.move_to_end(slug)
        if len(self._memories) > REMEMBERED_MOST:
            self._memories.popitem(last=False)

    def _secrets(self, memory: _Memory, source: ReviewSource, webhook_id: str) -> tuple[str, ...]:
        program = memory.program
        if program is None:
            return ()
        sealed = program.review_secrets(source, webhook_id)
        for secret in sealed:
            if secret not in memory.opened:
                memory.opened[secret] = self._vault.decrypt(program.slug, secret)
        return tuple(memory.opened[secret] for secret in sealed)
