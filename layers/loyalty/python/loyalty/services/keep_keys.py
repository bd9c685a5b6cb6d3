"""Create, list, rotate and revoke a program's API keys (R124, R130)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loyalty.domain.api_keys import REQUESTS_A_MINUTE, ApiKey, PresentedKey, Scope, new_key, secret_digest
from loyalty.domain.errors import Invalid, NotFound, Rejected
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Clock, KeyStore, Randomness

MOST_LIVE_KEYS = 20
LONGEST_NAME = 100
MOST_A_MINUTE = 6_000


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that was just made; ``text`` is the only time the whole of it is known."""

    key: ApiKey
    presented: PresentedKey

    @property
    def text(self) -> str:
        """The whole key."""
        return self.presented.text


@dataclass(frozen=True, slots=True)
class KeepKeys:
    """Looks after keys."""

    keys: KeyStore
    clock: Clock
    randomness: Randomness

    def create(
        self,
        program: ProgramSlug,
        name: str,
        scopes: Iterable[Scope],
        *,
        per_minute: int = REQUESTS_A_MINUTE,
        replaces: str = "",
    ) -> IssuedKey:
        """Make a key.

        Raises:
            Invalid: the name, the scopes or the limit are not acceptable.
            Rejected: ``too_many_keys``, revoke one first.
        """
        name, chosen = name.strip(), frozenset(scopes)
        if not 0 < len(name) <= LONGEST_NAME:
            raise Invalid(f"A key's name is 1 to {LONGEST_NAME} characters.", code="invalid_name")
        if not chosen:
            raise Invalid("A key needs at least one scope.", code="no_scope")
        if not 0 < per_minute <= MOST_A_MINUTE:
            raise Invalid(f"A key's limit is 1 to {MOST_A_MINUTE} requests a minute.", code="invalid_limit")
        if sum(key.revoked_at is None for key in self.keys.all_of(program)) >= MOST_LIVE_KEYS:
            raise Rejected(f"A program has at most {MOST_LIVE_KEYS} live keys; revoke one first.", code="too_many_keys")
        presented = new_key(self.randomness.salt() for _ in range(3))
        salt = self.randomness.salt()
        key = ApiKey(
            key_id=presented.key_id,
            program=program,
            name=name,
            scopes=chosen,
            salt=salt,
            digest=secret_digest(salt, presented.secret),
            created_at=self.clock.now(),
            per_minute=per_minute,
            replaces=replaces,
        )
        self.keys.add(key)
        return IssuedKey(key, presented)

    def all_of(self, program: ProgramSlug) -> list[ApiKey]:
        """A program's keys, oldest first, revoked ones for a while."""
        return self.keys.all_of(program)

    def rotate(self, program: ProgramSlug, key_id: str) -> IssuedKey:
        """Make a key with the name, scopes and limit of another; both are live until the old one is revoked.

        Raises:
            NotFound: the program has no such key.
            Rejected: ``key_revoked``, or ``too_many_keys``.
        """
        old = self._of(program, key_id)
        if old.revoked_at is not None:
            raise Rejected("This key is revoked; create a new one.", code="key_revoked")
        return self.create(program, old.name, old.scopes, per_minute=old.per_minute, replaces=old.key_id)

    def revoke(self, program: ProgramSlug, key_id: str) -> ApiKey:
        """Let a key open nothing any more, from the next request on; the key as it is then.

        Raises:
            NotFound: the program has no such key.
        """
        return self.keys.revoke(self._of(program, key_id), self.clock.now())

    def _of(self, program: ProgramSlug, key_id: str) -> ApiKey:
        key = self.keys.load(key_id)
        if key is None or key.program != program:
            raise NotFound("This program has no such key.", code="unknown_key")
        return key
