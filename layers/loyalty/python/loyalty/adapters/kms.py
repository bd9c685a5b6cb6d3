"""Secrets at rest: encrypted by KMS itself, with the program as encryption context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty.adapters.aws import service_errors
from loyalty.domain.identity import ProgramSlug

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class KmsVault:
    """A vault of one KMS key. What is kept is shorter than the 4 KB that KMS encrypts directly."""

    def __init__(self, client: KMSClient, key_id: str) -> None:
        self._client = client
        self._key_id = key_id

    def encrypt(self, program: ProgramSlug, secret: str) -> bytes:
        """Encrypt a secret of at most 4,096 bytes for a program.

        Raises:
            Transient: KMS is busy or out of reach.
            Misconfigured: the key may not be used, or the secret is too long.
        """
        with service_errors("The key service"):
            answer = self._client.encrypt(
                KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext={"program": program}
            )
        return answer["CiphertextBlob"]

    def decrypt(self, program: ProgramSlug, sealed: bytes) -> str:
        """Get a secret back.

        Raises:
            Transient: KMS is busy or out of reach.
            Misconfigured: it was encrypted for another program or with another key, or the key may not be used.
        """
        with service_errors("The key service"):
            answer = self._client.decrypt(
                KeyId=self._key_id, CiphertextBlob=sealed, EncryptionContext={"program": program}
            )
        return answer["Plaintext"].decode()
