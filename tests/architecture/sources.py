"""Reads the project's own Python files: which there are, what they import, what they call."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers" / "loyalty" / "python" / "loyalty"
FUNCTIONS = ROOT / "functions"
FOLDERS = ("layers/loyalty/python", "functions", "local", "cli", "benchmarks", "tools", "tests")


@dataclass(frozen=True)
class Source:
    """One Python file: where it is, and its text."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The path from the project's root, as messages show it."""
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else str(self.path)

    @property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text)


def sources(*folders: Path) -> list[Source]:
    """Return every Python file below the folders."""
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return [Source(path, path.read_text()) for path in paths]


def shipped() -> list[Source]:
    """Return what runs in Lambda."""
    return sources(PACKAGE, FUNCTIONS)


def everything() -> list[Source]:
    """Return all Python files of the project, tests included."""
    return sources(*(ROOT / folder for folder in FOLDERS))


class _WithoutTyping(ast.NodeTransformer):
    """Drops what stands under `if TYPE_CHECKING:`."""

    def visit_If(self, node: ast.If) -> ast.AST:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return ast.Pass()
        self.generic_visit(node)
        return node


def at_run_time(tree: ast.Module) -> ast.Module:
    """Return the tree without what only type checkers read."""
    stripped: ast.Module = _WithoutTyping().visit(tree)
    return stripped


def modules_of(tree: ast.AST) -> Iterator[str]:
    """Yield the module that each import statement names, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def is_within(module: str, package: str) -> bool:
    """Tell whether a dotted name is the package or something in it."""
    return module == package or module.startswith(f"{package}.")
