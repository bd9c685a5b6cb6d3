"""What no file of the repository holds: traces of one machine, places to download from, unfinished work."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

TEXT = {".cfg", ".ini", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml", ""}
HIDDEN_BUT_OURS = {".ci", ".github", ".gitignore"}
# In pieces, so that this file does not find itself.
FORBIDDEN = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:" + "root|home|Users" + r")/\w"),
    "a package index": re.compile(
        "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "--(?:extra-)?" + "index-url"))
    ),
    "unfinished work": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    "a conflict marker": re.compile(r"^(?:<{7}|>{7}|={7})(?: |$)", re.MULTILINE),
    "a private key": re.compile("-----BEGIN (?:[A-Z]+ )?PRIVATE " + "KEY-----"),
}


def is_ours(path: Path) -> bool:
    """Tell whether the file belongs to the repository and is text."""
    first = path.relative_to(ROOT).parts[0]
    if (first.startswith(".") and first not in HIDDEN_BUT_OURS) or first == "build":
        return False
    return path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts


def findings(name: str, text: str) -> Iterator[str]:
    """Yield where the text holds something that does not belong in it."""
    for what, pattern in FORBIDDEN.items():
        for match in pattern.finditer(text):
            yield f"{name}:{text.count(chr(10), 0, match.start()) + 1} holds {what}: {match.group()}"


def test_no_file_holds_what_does_not_belong_in_it() -> None:
    """The repository reads and works the same on every machine."""
    files = [path for path in ROOT.rglob("*") if is_ours(path)]
    assert ROOT / "pyproject.toml" in files
    found = [line for path in files for line in findings(str(path.relative_to(ROOT)), path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "cd /" + "home/ada/tallyhook",
        "pip install --index-" + "url=x",
        "# TO" + "DO later",
        "<" * 7 + " HEAD",
        "-----BEGIN RSA PRIVATE " + "KEY-----",
    ],
)
def test_each_of_these_is_recognised(text: str) -> None:
    """A pattern that no longer matches would let everything pass."""
    assert list(findings("planted", f"first line\n{text}\n")) != []


def test_common_text_is_left_alone() -> None:
    """Routes, folders below a home directory's sign and rules under headings are nobody's machine."""
    assert list(findings("planted", "GET /v1/home/x\n~/.aws/config\nTitle\n=====\n")) == []
