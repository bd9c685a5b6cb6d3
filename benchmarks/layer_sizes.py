"""How large what ships is: each layer and the largest function, as parts of what Lambda allows unzipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.result import Result
from tests.bundle.building import Target, build, host_architecture, host_version
from tests.bundle.test_contents import UNZIPPED_LIMIT_BYTES

LAYERS = {"dependencies_layer": ("DependenciesLayer", 0.4), "loyalty_layer": ("LoyaltyLayer", 0.02)}
LARGEST_FUNCTION = 0.001


def results() -> Iterator[Result]:
    """The sizes of what `sam build` makes for this machine."""
    built = build(Target(host_version(), host_architecture()))
    for name, (folder, goal) in LAYERS.items():
        yield _part(f"{name}_size", size_of(built / folder), goal)
    functions = [folder for folder in built.iterdir() if folder.name.endswith("Function")]
    yield _part("largest_function_size", max(map(size_of, functions)), LARGEST_FUNCTION)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _part(name: str, size: int, goal: float) -> Result:
    part = size / UNZIPPED_LIMIT_BYTES
    detail = f"{size:,} bytes of {UNZIPPED_LIMIT_BYTES:,}"
    return Result(name, float(f"{part:.2g}"), "of Lambda's limit for code unzipped", goal, "lower", detail)
