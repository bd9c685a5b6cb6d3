"""The vault's port, held to by the fake and by KMS (as moto plays it)."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from loyalty.adapters.kms import KmsVault
from loyalty.domain.errors import Misconfigured
from loyalty.domain.identity import ProgramSlug
from loyalty.ports import Vault
from tests.fakes.memory_vault import MemoryVault

CANDLES, SOAPS = ProgramSlug("candles"), ProgramSlug("soaps")
SECRET = "pk_0123456789 – ü"  # noqa: RUF001 - a secret may hold any character


@pytest.fixture(scope="module", params=["memory", "kms"])
def vault(request: pytest.FixtureRequest) -> Iterator[Vault]:
    if request.param == "memory":
        yield MemoryVault()
        return
    with mock_aws(), pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        client = boto3.client("kms", region_name="eu-central-1")
        yield KmsVault(client, client.create_key()["KeyMetadata"]["Arn"])


def test_a_secret_comes_back_as_it_was(vault: Vault) -> None:
    assert vault.decrypt(CANDLES, vault.encrypt(CANDLES, SECRET)) == SECRET


def test_what_is_kept_does_not_show_the_secret(vault: Vault) -> None:
    assert SECRET.encode() not in vault.encrypt(CANDLES, SECRET)


def test_the_same_secret_is_kept_differently_each_time(vault: Vault) -> None:
    """Whoever reads the table cannot tell that two programs share a secret."""
    assert vault.encrypt(CANDLES, SECRET) != vault.encrypt(CANDLES, SECRET)


def test_a_secret_of_one_program_is_closed_to_another(vault: Vault) -> None:
    sealed = vault.encrypt(CANDLES, SECRET)
    with pytest.raises(Misconfigured):
        vault.decrypt(SOAPS, sealed)


def test_what_was_never_sealed_cannot_be_opened(vault: Vault) -> None:
    with pytest.raises(Misconfigured):
        vault.decrypt(CANDLES, b"not sealed by anybody")
