"""Who may import whom. The layers are import-linter's work; what it cannot say is checked here."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import FUNCTIONS, PACKAGE, ROOT, Source, is_within, modules_of, sources

DOMAIN = PACKAGE / "domain"
DOMAIN_MAY_IMPORT = ("loyalty.domain",)
HANDLER_MAY_IMPORT = ("loyalty.runtime", "loyalty.services", "loyalty.contracts", "aws_lambda_powertools")


def strangers(source: Source, allowed: tuple[str, ...]) -> Iterator[str]:
    """Yield what the file imports apart from the standard library and the allowed packages."""
    for module in modules_of(source.tree):
        if module.split(".")[0] in sys.stdlib_module_names:
            continue
        if not any(is_within(module, package) for package in allowed):
            yield f"{source.name} imports {module}"


def lint_imports(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter with this project's contracts on a tree laid out like this one."""
    path = os.pathsep.join(str(root / folder) for folder in (".", "layers/loyalty/python", "cli"))
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(ROOT / "pyproject.toml")]
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [*command, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def test_all_import_contracts_hold() -> None:
    """runtime -> adapters | services -> ports | contracts -> domain, handlers independent."""
    done = lint_imports(ROOT, "--cache-dir", "build/import-linter")
    assert done.returncode == 0, done.stdout + done.stderr


PLANTED = {
    "domain knows boto3": ("layers/loyalty/python/loyalty/domain/planted.py", "import boto3"),
    "service knows an adapter": (
        "layers/loyalty/python/loyalty/services/planted.py",
        "import loyalty.adapters.planted",
    ),
    "adapter knows a service": (
        "layers/loyalty/python/loyalty/adapters/planted.py",
        "import loyalty.services.planted",
    ),
    "contract knows a port": (
        "layers/loyalty/python/loyalty/contracts/planted.py",
        "import loyalty.ports",
    ),
    "service knows HTTP": ("layers/loyalty/python/loyalty/services/planted.py", "import requests"),
    "handler knows boto3": ("functions/planted/app.py", "import boto3"),
    "handler knows an adapter": ("functions/planted/app.py", "import loyalty.adapters.planted"),
    "handler knows a handler": ("functions/planted/app.py", "import functions.other.app"),
    "package knows the command line": ("layers/loyalty/python/loyalty/runtime/planted.py", "import tallyhook"),
    "package has a part outside the layers": ("layers/loyalty/python/loyalty/helpers.py", ""),
}


@pytest.fixture
def small_tree(tmp_path: Path) -> Path:
    """Return a tree of this layout in which every contract holds."""
    package = tmp_path / "layers" / "loyalty" / "python" / "loyalty"
    for part in ("domain", "contracts", "services", "adapters", "runtime"):
        (package / part).mkdir(parents=True)
        (package / part / "__init__.py").touch()
        (package / part / "planted.py").touch()
    for file in ("__init__.py", "ports.py"):
        (package / file).touch()
    for file in ("functions/planted/app.py", "functions/other/app.py", "cli/tallyhook/__init__.py"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    return tmp_path


def test_the_contracts_accept_a_tree_that_keeps_them(small_tree: Path) -> None:
    """The planted violations below fail for what they plant, and for nothing else."""
    done = lint_imports(small_tree, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "text"), PLANTED.values(), ids=PLANTED.keys())
def test_the_contracts_report_a_planted_violation(small_tree: Path, file: str, text: str) -> None:
    """A contract that never fails would let the layers rot in silence."""
    (small_tree / file).write_text(f"{text}\n")
    done = lint_imports(small_tree, "--no-cache")
    assert done.returncode == 1, done.stdout + done.stderr


def test_the_domain_imports_the_standard_library_and_itself_only() -> None:
    """Rules are pure: no AWS, no HTTP, no wire format, whatever the package is called."""
    files = sources(DOMAIN)
    assert files
    assert [line for source in files for line in strangers(source, DOMAIN_MAY_IMPORT)] == []


def test_handlers_import_neither_adapters_nor_the_domain_nor_other_libraries() -> None:
    """A handler connects a trigger with a use case; everything else has a place in the package."""
    files = sources(FUNCTIONS)
    assert files
    assert [line for source in files for line in strangers(source, HANDLER_MAY_IMPORT)] == []


def test_a_stranger_is_found_wherever_the_import_stands() -> None:
    """Imports inside functions and under TYPE_CHECKING count too."""
    source = Source(Path("planted.py"), "import json\ndef work():\n    from pydantic import BaseModel\n")
    assert list(strangers(source, DOMAIN_MAY_IMPORT)) == ["planted.py imports pydantic"]
    assert isinstance(source.tree, ast.Module)
