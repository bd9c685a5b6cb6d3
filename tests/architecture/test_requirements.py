"""The pins: current, hashed, the same where it matters, and naming no place to download from."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.sources import FUNCTIONS, PACKAGE, ROOT, at_run_time, modules_of, sources
from tools.lock import PLAN, fingerprint

PYPROJECT = ROOT / "pyproject.toml"
LAYER = "layers/dependencies/requirements.txt"
DEVELOPMENT = "requirements-dev.txt"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE)
# Import name -> the package to declare, where they differ. botocore is boto3's own core.
PACKAGES = {"aws_lambda_powertools": "aws-lambda-powertools", "botocore": "boto3"}


def pins_of(name: str) -> set[tuple[str, str]]:
    """Return every pinned (package, version) of a requirements file."""
    text = (ROOT / name).read_text()
    return {(canonicalize_name(pin["name"]), pin["version"]) for pin in PIN.finditer(text)}


def ranges_of(group: str | None) -> list[Requirement]:
    """Return the ranges of a dependency group with those it includes; of the runtime for None."""
    tables = tomllib.loads(PYPROJECT.read_text())
    if group is None:
        return [Requirement(line) for line in tables["project"]["dependencies"]]
    ranges = []
    for line in tables["dependency-groups"][group]:
        ranges += ranges_of(line["include-group"]) if isinstance(line, dict) else [Requirement(line)]
    return ranges


@pytest.mark.parametrize("name", PLAN)
def test_the_pins_were_made_from_the_present_ranges(name: str) -> None:
    """`make lock` was run after the last change of the ranges."""
    first = (ROOT / name).read_text().splitlines()[0]
    assert fingerprint(PYPROJECT.read_text()) in first, "run `make lock`"


@pytest.mark.parametrize(
    ("name", "group"),
    [
        (LAYER, None),
        (DEVELOPMENT, None),
        (DEVELOPMENT, "dev"),
        ("requirements-sam.txt", "sam"),
        ("requirements-uv.txt", "uv"),
    ],
)
def test_every_range_is_pinned_to_versions_that_it_allows(name: str, group: str | None) -> None:
    """Each declared package is in its file, at a version within the declared range."""
    pins = pins_of(name)
    for requirement in ranges_of(group):
        versions = {version for package, version in pins if package == canonicalize_name(requirement.name)}
        assert versions, f"{requirement} is not pinned in {name}"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_layer_ships_the_versions_that_the_tests_run_on() -> None:
    """What is proved here is what runs in Lambda."""
    assert pins_of(LAYER)
    assert pins_of(LAYER) <= pins_of(DEVELOPMENT)


@pytest.mark.parametrize("name", PLAN)
def test_every_pin_has_hashes_and_no_file_names_an_index(name: str) -> None:
    """A package is what it was when the file was made, wherever it comes from."""
    text = (ROOT / name).read_text()
    pins = list(PIN.finditer(text))
    assert pins
    assert [pin["name"] for pin in pins if "--hash=sha256:" not in pin["rest"]] == []
    assert re.findall(r"https?://|--(?:extra-)?index-url|--find-links", text) == []


def test_shipped_code_imports_declared_packages_only() -> None:
    """A package that merely came along with another may be gone with its next version."""
    declared = {canonicalize_name(requirement.name) for requirement in ranges_of(None)}
    imported = {
        module.split(".")[0]
        for source in sources(PACKAGE, FUNCTIONS)
        for module in modules_of(at_run_time(source.tree))
    }
    third_party = imported - set(sys.stdlib_module_names) - {"loyalty", "functions", "__future__"}
    assert third_party
    assert {PACKAGES.get(name, name) for name in third_party} <= declared


def test_the_dependency_layers_folder_holds_the_pins_alone() -> None:
    """Whatever else lay there would ship."""
    assert {path.name for path in (ROOT / Path(LAYER).parent).iterdir()} == {"requirements.txt"}
