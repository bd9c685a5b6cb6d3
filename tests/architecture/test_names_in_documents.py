"""What documents call things by exists: operations of the API, commands, alarms, metrics, headings of other pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from tallyhook.commands import main
from tests.architecture.sources import ROOT
from tests.architecture.template import functions, resources
from tests.architecture.test_documents import CODE, DOCUMENTS, TREE_FOLDERS, name_of

HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
ANCHOR = re.compile(r"\]\(([^)#\s:]*)#([^)\s]+)\)")
OPERATION = re.compile(
    r"((?:(?:GET|POST|PUT|PATCH|DELETE)(?:, | and |`, `|` and `)?)+) (?:/v1)?(/(?:programs|webhooks)[^\s`?]*)"
)
SPAN = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"```.*?```", re.DOTALL)
CAMEL = re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b")
SNAKE = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b|\b[A-Z]+(?:_[A-Z]+)+\b")
# Other people's names, and codes that are put together from a standing.
ELSEWHERE = {"ClientRequestToken", "ManualClock", "member_erased", "member_merged"}


@cache
def names_of_code() -> set[str]:
    """Every word of the code, of the template and of what is generated from the code, and the name of every file."""
    folders = ("layers", "functions", "cli", "local", "benchmarks", "tools", "docs/schemas")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".json"}]
    text = "\n".join(path.read_text() for path in [*files, ROOT / "template.yaml", ROOT / "Makefile"])
    alarms = (name.removesuffix("Alarm") for name in resources("AWS::CloudWatch::Alarm"))
    below = (path for folder in TREE_FOLDERS for path in (ROOT / folder).rglob("*"))
    return {*re.findall(r"\w+", text), *alarms, *(path.stem for path in below)}


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = FENCE.sub("", path.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def commands(text: str) -> Iterator[list[str]]:
    """What stands behind ``tallyhook`` in code, and code spans that begin with one of its commands and a SLUG."""
    for code in CODE.findall(text):
        for line in code.strip("`").splitlines():
            before, name, behind = line.rpartition("tallyhook ")
            if name and re.fullmatch(r"|.*[ /]?", before):
                yield shlex.split(behind)
    for span in SPAN.findall(text):
        if re.match(r"(?!tallyhook)[a-z-]+(?: [a-z-]+)? (?:SLUG|QUEUE)\b", span):
            yield shlex.split(span)


def complaints(words: list[str]) -> Iterator[str]:
    """What of a command line ``tallyhook`` would not understand; words in capitals stand for something."""
    command: click.Command = main
    while words:
        word, *words = words
        known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        if word.startswith("-"):
            if word not in known:
                yield f"{command.name} has no option {word}"
            words = words[1:] if word in {"--stack", "--local"} else words
        elif isinstance(command, click.Group):
            if word.isupper():
                return
            if word not in command.commands:
                yield f"{command.name} has no command {word}"
                return
            command = command.commands[word]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_to_a_heading_finds_it(document: Path) -> None:
    links = [
        (document.parent / page if page else document, anchor) for page, anchor in ANCHOR.findall(document.read_text())
    ]
    assert [f"{page.name}#{anchor}" for page, anchor in links if anchor not in anchors(page)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_operation_in_a_document_is_one_of_the_api(document: Path) -> None:
    served = {
        (event["Method"], re.sub(r"\{\w+\}", "{}", event["Path"]))
        for each in functions()
        for event in each.events("Api")
    }
    assert served
    named = {
        (method, re.sub(r"[{<][\w ]+[}>]", "{}", path))
        for methods, path in OPERATION.findall(document.read_text())
        for method in re.findall(r"[A-Z]+", methods)
    }
    assert named - served == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_in_a_document_is_one_of_tallyhook(document: Path) -> None:
    lines = list(commands(document.read_text()))
    assert [complaint for line in lines for complaint in complaints(line)] == []


def test_commands_are_found_and_mistakes_noticed() -> None:
    """The tests above look at something, and would say so."""
    (line,) = commands("`tallyhook --stack NAME sync SLUG --status`")
    assert list(complaints(line)) == []
    assert list(complaints(["member", "vanish", "SLUG"])) == ["member has no command vanish"]
    assert list(complaints(["verify", "SLUG", "--quick"])) == ["verify has no option --quick"]
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert len(list(commands(operations))) > 10
    assert OPERATION.findall("`GET`, `PUT` and `DELETE /v1/programs/{slug}/x?y=1`") == [
        ("GET`, `PUT` and `DELETE", "/programs/{slug}/x")
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_name_of_code_in_a_document_is_in_the_code(document: Path) -> None:
    """Metrics, alarms, parameters, outputs, variables; settings, codes, properties, functions and modules."""
    spans = "\n".join(SPAN.findall(document.read_text()))
    named = {*CAMEL.findall(spans), *SNAKE.findall(spans)} - ELSEWHERE
    assert named - names_of_code() == set()


def leaves(group: click.Group, *path: str) -> Iterator[str]:
    """The commands that do something, with their groups before them."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *path, name)
        else:
            yield " ".join((*path, name))


def test_operations_list_every_command() -> None:
    """An operator need not look for them in the code."""
    listed = " ".join(SPAN.findall((ROOT / "docs" / "operations.md").read_text()))
    assert [command for command in leaves(main) if f"{command} " not in listed] == []


def test_operations_say_what_to_do_about_each_alarm() -> None:
    """And about none that there is not."""
    table = (ROOT / "docs" / "operations.md").read_text().partition("## Alarms\n")[2].partition("\n## ")[0]
    explained = {name for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in SPAN.findall(cell)}
    assert explained == {name.removesuffix("Alarm") for name in resources("AWS::CloudWatch::Alarm")}
