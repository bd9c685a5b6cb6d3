"""The examples of docs/ledger.md, run as they stand."""

from __future__ import annotations

import doctest

from tests.architecture.sources import ROOT


def test_every_example_of_the_ledger_document_answers_what_it_says() -> None:
    result = doctest.testfile(str(ROOT / "docs" / "ledger.md"), module_relative=False)
    assert result.attempted > 30
    assert result.failed == 0
