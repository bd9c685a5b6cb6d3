"""What all tests share: the tier of each test, and what a tier may do.

A test belongs to the tier of its folder; the marker is applied here, so that nobody has to remember it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
# In the order in which a full run takes them: cheap answers first, the deployed stack alone at the end.
TIERS = ("architecture", "unit", "property", "contract", "integration", "bundle", "e2e")
# Tiers in which a test that opens any socket is a mistake, and not just slow.
WITHOUT_SOCKETS = frozenset({"architecture", "unit", "property"})
# Tiers whose tests share one expensive thing, a build or a stack, and so stay in one process, one by one.
TOGETHER = frozenset({"bundle", "e2e"})
LOOPBACK = ("127.0.0.1", "::1", "localhost")

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "nightly", deadline=None, max_examples=2000, stateful_step_count=50, suppress_health_check=list(HealthCheck)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


def tier_of(item: pytest.Item) -> str | None:
    """Return the name of the folder under tests/ that the test lives in, if that is a tier."""
    folder = item.path.relative_to(TESTS).parts[0]
    return folder if folder in TIERS else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with its tier, and put the tiers in their order; within one the order stays random."""
    for item in items:
        tier = tier_of(item)
        if tier is None:
            raise pytest.UsageError(f"{item.path} is in no tier: {', '.join(TIERS)}")
        item.add_marker(tier)
        if tier in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(tier))
    items.sort(key=lambda item: TIERS.index(str(tier_of(item))))


@pytest.fixture(autouse=True)
def _network_of_the_tier(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test reach beyond this machine, and the pure tiers not even a socket."""
    if tier_of(request.node) in WITHOUT_SOCKETS and "emulator" not in request.keywords:
        pytest_socket.disable_socket(allow_unix_socket=True)
    else:
        pytest_socket.socket_allow_hosts(list(LOOPBACK), allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()
    pytest_socket._remove_restrictions()
