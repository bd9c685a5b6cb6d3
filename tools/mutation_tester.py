"""The mutation tester, with the tests collected once instead of once for each mutant.

    cd build/mutation && ../../.venv/bin/python ../../tools/mutation_tester.py run

Takes the same arguments as `mutmut`. Each mutant runs in a fork of a process that has everything loaded and collected
already, and nobody writes up why a test failed: that takes most of the time otherwise.
"""

from collections.abc import Iterable
from itertools import zip_longest
from unittest.mock import patch

import mutmut.__main__ as tester
import pytest
from _pytest.config import _prepareconfig
from _pytest.runner import runtestprotocol
from mutmut.runners.harness import PytestRunner
from mutmut.utils.file_utils import change_cwd
from mutmut.workers.isolation import ForkRunner, MutantRunner


class BriefReports:
    """Reports of failed tests that do not say why."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport | None:
        """The report of a failure; None leaves it to pytest."""
        if call.when == "collect" or call.excinfo is None or call.excinfo.errisinstance(pytest.skip.Exception):
            return None
        return pytest.TestReport(item.nodeid, item.location, {}, "failed", None, call.when)


class CollectedTests(PytestRunner):
    """Runs the tests of a mutant, the first that fails being the last, out of one collection."""

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[str, pytest.Item] = {}

    def collect(self) -> None:
        """Collect all tests, and leave their session open for whoever is forked from this process."""
        arguments = ["--rootdir=.", "-q", "-s", *self._pytest_add_cli_args, *self._pytest_add_cli_args_test_selection]
        with change_cwd("mutants"):
            settings = _prepareconfig(arguments)
            settings.pluginmanager.register(BriefReports())
            settings._do_configure()  # noqa: SLF001 - pytest has no public way to collect without running
            session = pytest.Session.from_config(settings)
            settings.hook.pytest_sessionstart(session=session)
            settings.hook.pytest_collection(session=session)
        self._items = {item.nodeid: item for item in session.items}

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """The exit code of a run of some tests: 0 when all passed. Without a mutant, pytest runs as always."""
        if mutant_name is None:
            return super().run_tests(mutant_name=mutant_name, tests=tests)
        items = [self._items[name] for name in tests]
        with change_cwd("mutants"):
            for item, following in zip_longest(items, items[1:]):
                if any(report.failed for report in runtestprotocol(item, nextitem=following, log=False)):
                    return 1
        return 0


class CollectingRunner(ForkRunner):
    """Forks a process for each mutant, after the tests have been collected."""

    def startup(self) -> None:
        """Collect, then be ready to fork."""
        assert isinstance(self.test_runner, CollectedTests)  # noqa: S101 - see ``runner_of_collected_tests``
        self.test_runner.collect()
        super().startup()


def runner_of_collected_tests(max_workers: int = 1) -> MutantRunner:
    """What ``mutmut`` is to run its mutants with."""
    return CollectingRunner(max_workers, CollectedTests())


if __name__ == "__main__":
    with patch.object(tester, "get_mutant_runner", runner_of_collected_tests):
        tester.cli()
