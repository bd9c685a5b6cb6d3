"""What documents say about commands and files is so."""

import os
import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, everything

DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "build" for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")
# A command, in a code span or at the start of a line of a code block.
COMMAND = re.compile(r"(?:^|`|&& |\$ )(?:[A-Z_]+=\S+ )*make ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)", re.MULTILINE)
TREE_FOLDERS = ("functions", "layers", "events", "tests", "local", "docs", "benchmarks", "cli", "tools")
# A file or folder of the tree, alone in a code span or as part of a command; not a pattern such as `events/*/x.json`.
PATH = re.compile(rf"(?<![\w/.-])((?:{'|'.join(TREE_FOLDERS)})/[\w./-]*\w)(?![\w/.-]*[<*{{])")
# A source that a docstring names.
KLAVIYO = re.compile(r"docs/klaviyo\.md (\d+(?:, \d+)*)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def targets() -> dict[str, str]:
    """Return the Makefile's targets, each with what `make help` says of it."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z][a-z-]*):.*?## (.*)$", text, re.MULTILINE))


def name_of(path: Path) -> str:
    """Return a document's path as messages show it."""
    return str(path.relative_to(ROOT))


def test_there_are_documents() -> None:
    """The tests below look at each document; this one fails if they look at none."""
    names = {name_of(path) for path in DOCUMENTS}
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} <= names


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_make_command_in_a_document_exists(document: Path) -> None:
    """A reader can copy any command."""
    known = targets()
    named = {word for line in COMMAND.findall(document.read_text()) for word in line.split()[:1]}
    assert named - set(known) == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_in_a_document_leads_somewhere(document: Path) -> None:
    """Relative links point at files of this repository."""
    broken = [link for link in LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_path_in_a_document_exists(document: Path) -> None:
    """Where a document names a file or folder of the tree, it is there."""
    code = "\n".join(CODE.findall(document.read_text()))
    gone = [path for path in PATH.findall(code) if not (ROOT / path).exists()]
    assert gone == []


def test_readme_names_the_commands_of_the_first_hour() -> None:
    """Demo, local stack, all tests, fast tests: what a newcomer needs."""
    readme = (ROOT / "README.md").read_text()
    assert all(f"make {target}" in readme for target in ("demo", "local", "test", "test-fast"))


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """CI has no test command of its own that could drift."""
    script = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"^make .*$", script, re.MULTILINE) == ["make test &"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_what_cites_how_klaviyo_behaves_names_a_section_that_is_there() -> None:
    """Docstrings and tests name their source as ``docs/klaviyo.md 5``, several sections with commas between."""
    sections = set(re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "klaviyo.md").read_text(), re.MULTILINE))
    cited = {
        section
        for source in everything()
        for sections_cited in KLAVIYO.findall(source.text)
        for section in re.findall(r"\d+", sections_cited)
    }
    assert len(cited) > 5
    assert cited - sections == set()


def test_decision_records_are_numbered_without_gaps() -> None:
    """A record can be named by its number."""
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers
