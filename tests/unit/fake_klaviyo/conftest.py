"""Fixtures for the tests of the fake Klaviyo."""

import pytest

from tests.unit.fake_klaviyo.driving import Driver


@pytest.fixture
def klaviyo() -> Driver:
    """A fresh fake with its default seed."""
    return Driver()
