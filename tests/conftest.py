"""What all tests share: the tier of each test, and what a tier may do.

A test belongs to the tier of its folder; the marker is applied here, so that nobody has to remember it.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Fixtures that several tiers share.
pytest_plugins = ("tests.emulator",)

TESTS = Path(__file__).parent
# In the order in which a full run takes them: one process builds while the other gives cheap answers; later one waits
# for the deployed stack, which is slow and not busy, while the other does the rest.
TIERS = ("bundle", "architecture", "unit", "property", "e2e", "contract", "integration")
# Tiers in which a test that opens any socket is a mistake, and not just slow.
WITHOUT_SOCKETS = frozenset({"architecture", "unit", "property"})
# Tiers whose tests share one expensive thing, a build or a stack, and so stay in one process, one by one.
TOGETHER = frozenset({"bundle", "e2e"})
# No test reaches beyond this machine.
ONLY_LOOPBACK = pytest.mark.allow_hosts(["127.0.0.1", "::1"])

settings.register_profile("default", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "nightly",
    deadline=None,
    max_examples=2000,
    stateful_step_count=50,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


def tier_of(item: pytest.Item) -> str | None:
    """Return the name of the folder under tests/ that the test lives in, if that is a tier."""
    folder = item.path.relative_to(TESTS).parts[0]
    return folder if folder in TIERS else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test with its tier and with what that may do.

    Raises:
        UsageError: the test is in no tier.
    """
    tier = tier_of(item)
    if tier is None:
        raise pytest.UsageError(f"{item.path} is in no tier: {', '.join(TIERS)}")
    item.add_marker(tier)
    needs_sockets = tier not in WITHOUT_SOCKETS or "emulator" in item.keywords
    item.add_marker(ONLY_LOOPBACK if needs_sockets else pytest.mark.disable_socket)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tiers in their order; within a tier the order stays random."""
    items.sort(key=lambda item: TIERS.index(str(tier_of(item))))


class TiersTogether(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist ships no types
    """Hands a tier that shares one expensive thing to one process, and any other test to whichever is free."""

    def _split_scope(self, nodeid: str) -> str:
        tier = Path(nodeid).parts[1]
        return tier if tier in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TiersTogether:
    """Tell pytest-xdist how to spread the tests."""
    config.option.loadscopereorder = False  # the order of the tiers is wanted
    return TiersTogether(config, log)
