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


PACKAGE_PATH = "layers/loyalty/python/loyalty"
# File of a small tree -> forbidden imports, one on a line.
PLANTED = {
    f"{PACKAGE_PATH}/domain/planted.py": ("boto3",),
    f"{PACKAGE_PATH}/contracts/planted.py": ("loyalty.ports",),
    f"{PACKAGE_PATH}/services/planted.py": ("loyalty.adapters.planted", "requests"),
    f"{PACKAGE_PATH}/adapters/planted.py": ("loyalty.runtime.planted",),
    f"{PACKAGE_PATH}/runtime/planted.py": ("tallyhook", "functions.planted.app"),
    "functions/planted/app.py": ("boto3", "loyalty.adapters.planted", "functions.other.app"),
}


def small_tree(root: Path) -> None:
    """Lay out the parts of this repository, each as good as empty, so that every contract holds."""
    files = [f"{PACKAGE_PATH}/__init__.py", f"{PACKAGE_PATH}/ports.py", "cli/tallyhook/__init__.py"]
    files += [f"functions/{name}/app.py" for name in ("planted", "other")]
    for part in ("domain", "contracts", "services", "adapters", "runtime"):
        files += [f"{PACKAGE_PATH}/{part}/__init__.py", f"{PACKAGE_PATH}/{part}/planted.py"]
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()


def test_the_contracts_accept_a_tree_that_keeps_them(tmp_path: Path) -> None:
    """The planted violations below fail for what they plant, and for nothing else."""
    small_tree(tmp_path)
    done = lint_imports(tmp_path, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a tree with every planted violation in it."""
    root = tmp_path_factory.mktemp("planted")
    small_tree(root)
    for file, imports in PLANTED.items():
        (root / file).write_text("".join(f"import {module}\n" for module in imports))
    done = lint_imports(root, "--no-cache")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("file", "line", "module"),
    [(file, line, module) for file, imports in PLANTED.items() for line, module in enumerate(imports, 1)],
)
def test_the_contracts_report_a_planted_violation(complaints: str, file: str, line: int, module: str) -> None:
    """A contract that never fails would let the layers rot in silence."""
    importer = file.removeprefix("layers/loyalty/python/").removesuffix(".py").replace("/", ".")
    assert f"{importer} -> {module} (l.{line})" in " ".join(complaints.split())


def test_the_contracts_report_a_part_outside_the_layers(tmp_path: Path) -> None:
    """A module beside the layers would be subject to no rule."""
    small_tree(tmp_path)
    (tmp_path / PACKAGE_PATH / "helpers.py").touch()
    assert lint_imports(tmp_path, "--no-cache").returncode == 1


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
