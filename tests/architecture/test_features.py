"""docs/features.md has every row, and what it calls true is cited by a test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tests.architecture.sources import PACKAGE, ROOT, everything, sources

DOCUMENT = ROOT / "docs" / "features.md"
ROWS = {f"R{number}" for number in range(1, 192)} | {f"W{number}" for number in range(1, 16)}
CITED = re.compile(r"\b([RW])(\d{1,3})(?:-\1?(\d{1,3}))?\b")


def rows_of(text: str) -> list[str]:
    """The rows of a cell or a list: ``38, 43, W4``, with ``56-58`` for all three."""
    rows = []
    for kind, first, last in re.findall(r"(W?)(\d+)(?:-(\d+))?", text):
        rows += [f"{kind or 'R'}{number}" for number in range(int(first), int(last or first) + 1)]
    return rows


def tables(head: str) -> Iterator[list[str]]:
    """The cells of each line of the tables whose second column has this head."""
    for table in re.findall(rf"^\| Row \| {head} \|.*\n\| --- .*\n((?:\|.*\n)+)", DOCUMENT.read_text(), re.MULTILINE):
        for line in table.splitlines():
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def told(head: str) -> list[str]:
    """The rows of the tables whose second column has this head."""
    return [row for cells in tables(head) for row in rows_of(cells[0])]


TRUE = told("True today")
PARTLY = told("What is there")
NOT_YET = rows_of(DOCUMENT.read_text().partition("## Not yet\n")[2])


def cited_in(text: str) -> set[str]:
    """The rows that a text cites, every one of a range such as ``R93-R97``."""
    return {
        f"{kind}{number}"
        for kind, first, last in CITED.findall(text)
        for number in range(int(first), int(last or first) + 1)
    }


def test_every_row_has_one_place() -> None:
    """True, partly true or not yet."""
    assert Counter([*TRUE, *PARTLY, *NOT_YET]) == Counter(ROWS)


def test_every_row_that_is_cited_exists() -> None:
    """A docstring or document that names a row can be looked up."""
    texts = {source.name: source.text for source in everything()}
    texts |= {path.name: path.read_text() for path in DOCUMENT.parent.rglob("*.md")}
    unknown = {row: name for name, text in texts.items() for row in cited_in(text) - ROWS}
    assert unknown == {}


def test_every_row_that_is_true_is_cited_by_a_test() -> None:
    """By number, so that whoever doubts it finds the proof."""
    here = ROOT / "tests" / "architecture"
    cited = {
        row for source in sources(ROOT / "tests") if here not in source.path.parents for row in cited_in(source.text)
    }
    assert set(TRUE) - cited == set()


def test_every_place_that_is_named_exists() -> None:
    """A module of the package; links are checked with those of all documents."""
    named = {name for cells in tables("True today") for name in re.findall(r"^`([\w/]+)`$", cells[2])}
    assert len(named) > 30
    assert [name for name in sorted(named) if not (PACKAGE / f"{name}.py").exists()] == []


def test_ranges_are_read_whole() -> None:
    """Of the page and of docstrings."""
    assert rows_of("7, 56-58, W2") == ["R7", "R56", "R57", "R58", "W2"]
    assert cited_in("R1, R93-R95 and W4; not R2D2, XR5 or R1234") == {"R1", "R93", "R94", "R95", "W4"}
