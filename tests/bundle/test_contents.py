"""Only what shall ship is in the artifacts, made for the interpreter and processor that will run them."""

import re
from pathlib import Path

import pytest

from tests.bundle.artifacts import functions_of
from tests.bundle.building import Target, build, host_architecture, host_version

ROOT = Path(__file__).resolve().parents[2]
UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024  # Lambda's quota for a function with its layers
AARCH64 = 183  # e_machine of the ELF header


def files_below(folder: Path) -> set[str]:
    """Return the relative paths of all files."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def canonical(name: str) -> str:
    """Return a package's name as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="session")
def built() -> Path:
    """The artifacts for this machine; what they hold does not depend on the target."""
    return build(Target(host_version(), host_architecture()))


def test_a_function_ships_its_handler_and_nothing_else(built: Path) -> None:
    """A stray test, note or requirements file in a function's folder would be deployed with it."""
    functions = functions_of(built)
    assert functions
    assert {function.name: files_below(function.folder) for function in functions} == {
        function.name: {"app.py"} for function in functions
    }
    for function in functions:
        source = ROOT / "functions" / function.name / "app.py"
        assert (function.folder / "app.py").read_bytes() == source.read_bytes()


def test_the_loyalty_layer_ships_the_package_and_nothing_else(built: Path) -> None:
    """The layer is the package's source, file for file: no byte code, no caches, no notes."""
    source = ROOT / "layers" / "loyalty" / "python"
    expected = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and (path.suffix == ".py" or path.name == "py.typed")
    }
    assert files_below(built / "LoyaltyLayer" / "python") == expected


def test_the_dependency_layer_ships_exactly_the_pins(built: Path) -> None:
    """Each pinned package at its pinned version, and none that is not pinned."""
    requirements = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text()
    pins = {
        (canonical(name), version)
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", requirements, re.MULTILINE)
    }
    layer = built / "DependenciesLayer" / "python"
    shipped = {tuple(folder.name.removesuffix(".dist-info").split("-")) for folder in layer.glob("*.dist-info")}
    assert {(canonical(name), version) for name, version in shipped} == pins
    assert list(layer.rglob("*.pyc")) == []


def test_function_and_layers_stay_far_below_lambdas_size_limit(built: Path) -> None:
    """Half the limit: the other half is for observability layers that an operator may add."""
    size = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
    assert size < UNZIPPED_LIMIT_BYTES / 2


def test_the_deployable_build_holds_code_for_lambdas_interpreter_and_processor(deployable: Path) -> None:
    """Every compiled module is for CPython 3.13 on arm64, whatever machine built it."""
    compiled = sorted((deployable / "DependenciesLayer" / "python").rglob("*.so"))
    assert any(path.name.startswith("_pydantic_core") for path in compiled)
    for path in compiled:
        header = path.read_bytes()[:20]
        assert int.from_bytes(header[18:20], "little") == AARCH64, path
        assert "cpython-313-" in path.name or ".abi3." in path.name, path


def test_the_deployable_build_ships_the_same_source_as_the_local_one(built: Path, deployable: Path) -> None:
    """What was called on this machine is, byte for byte, what will be called in AWS."""
    for folder in ["LoyaltyLayer", *(function.logical_id for function in functions_of(built))]:
        assert files_below(built / folder) == files_below(deployable / folder)
        for name in files_below(built / folder):
            assert (built / folder / name).read_bytes() == (deployable / folder / name).read_bytes()
