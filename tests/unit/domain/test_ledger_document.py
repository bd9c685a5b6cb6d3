"""The examples of docs/ledger.md, run as they stand, and its list of refusals, compared with the code."""

from __future__ import annotations

import ast
import doctest
from collections.abc import Iterator
from pathlib import Path

from loyalty.domain.ledger.member import Standing
from tests.architecture.sources import PACKAGE, ROOT

DOCUMENT = ROOT / "docs" / "ledger.md"
LEDGER = [*(PACKAGE / "domain" / "ledger").glob("*.py")] + [
    PACKAGE / "services" / f"{name}.py" for name in ("posting", "identify_member", "merge_members", "erase_member")
]


def refusal_codes(source: Path) -> Iterator[str]:
    """The codes that a file refuses with; those made of a standing are left to the caller."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal":
            code = node.args[0]
            if isinstance(code, ast.Constant):
                yield str(code.value)


def test_every_example_of_the_ledger_document_answers_what_it_says() -> None:
    result = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert result.attempted > 30
    assert result.failed == 0


def test_every_refusal_of_the_ledger_is_explained() -> None:
    codes = {code for source in LEDGER for code in refusal_codes(source)}
    codes |= {f"member_{standing.value}" for standing in (Standing.EXCLUDED, Standing.ERASED, Standing.MERGED)}
    document = DOCUMENT.read_text()
    assert len(codes) > 20
    assert {code for code in codes if f"`{code}`" not in document} == set()
