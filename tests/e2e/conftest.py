"""One deployed stack for all end-to-end tests, and ways to look at both of its sides."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from local.inspection import Inspection
from local.records import Records
from local.stack import Stack, running_stack
from tests.e2e.watch import Watch


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The product as `sam deploy` made it, on an emulator that enforces permissions, with a connected program.

    When all tests are over, whatever it has logged, stored and answered is looked through for what must not be there.
    """
    with running_stack("e2e") as running:
        watch = Watch(running)
        with watch.watching():
            yield running
        assert watch.findings() == []


@pytest.fixture
def klaviyo(stack: Stack) -> Inspection:
    """The fake Klaviyo, to submit reviews to and to look into."""
    return Inspection(stack.klaviyo.url)


@pytest.fixture
def records(stack: Stack) -> Records:
    """Members, journals and decisions as the product stored them."""
    return stack.records


@pytest.fixture
def customer() -> str:
    """The address of somebody whom no other test knows."""
    return f"customer-{uuid.uuid4().hex}@klaviyo-demo.com"
