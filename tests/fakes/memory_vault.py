"""A vault in memory."""

from __future__ import annotations

import json

from loyalty.domain.errors import Misconfigured
from loyalty.domain.identity import ProgramSlug


class MemoryVault:
    """Seals by turning the text round, and remembers for whom. ``decryptions`` counts how often it was asked."""

    def __init__(self) -> None:
        self.decryptions = 0
        self._sealed = 0

    def encrypt(self, program: ProgramSlug, secret: str) -> bytes:
        self._sealed += 1
        return json.dumps([program, secret[::-1], self._sealed]).encode()

    def decrypt(self, program: ProgramSlug, sealed: bytes) -> str:
        self.decryptions += 1
        try:
            owner, secret, _ = json.loads(sealed)
        except ValueError:
            raise Misconfigured("This was not sealed here.") from None
        if owner != program:
            raise Misconfigured("This was sealed for another program.")
        return str(secret[::-1])
