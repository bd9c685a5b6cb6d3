"""The examples of docs/reviews.md, run as they stand, and its lists of codes and fields, compared with the code."""

from __future__ import annotations

import doctest
import re
from dataclasses import replace

from loyalty.contracts.review_rule import ReviewRuleForm
from loyalty.domain.oauth import REQUIRED_SCOPES
from loyalty.domain.review_checks import CODES
from loyalty.domain.unheard_reviews import conditions
from tests.architecture.sources import ROOT
from tests.builders import a_connection, a_program

DOCUMENT = ROOT / "docs" / "reviews.md"


def first_cells(title: str) -> list[str]:
    """The names in the first cells of the table below a heading."""
    section = DOCUMENT.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_every_example_of_the_reviews_document_answers_what_it_says() -> None:
    result = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert result.attempted > 15
    assert result.failed == 0


def test_the_checks_are_listed_in_their_order() -> None:
    """R113: the order is fixed, so that merchants can rely on what an answer rules out."""
    assert [code for code in first_cells("The order of the checks") if code in CODES] == list(CODES)


def test_every_field_of_the_rule_is_explained() -> None:
    assert set(first_cells("The rule")) == set(ReviewRuleForm.model_fields)


def test_what_stands_in_a_reviews_way_is_listed_in_its_order() -> None:
    """R113-R118."""
    connection = replace(a_connection(), scopes=tuple(REQUIRED_SCOPES))
    found = conditions(a_program(connection=connection), None)
    assert first_cells("Why no points?") == [condition.why.code for condition in found]
