"""``sam build`` and ``sam deploy`` of the one template, for this machine and onto the emulator."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.processes import ROOT, StackError, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.emulator import Emulator

STACK_NAME: Final = "tallyhook"
# SAM keeps cache, dependencies and artifacts below its working folder. One of our own leaves a developer's builds for
# AWS alone.
BUILD_FOLDER: Final = ROOT / ".local" / "build"
ARTIFACTS: Final = BUILD_FOLDER / ".aws-sam" / "build"
_ARCHITECTURES: Final = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def host_parameters() -> dict[str, str]:
    """Template parameters that make a build run on this interpreter and processor.

    Raises:
        StackError: The template allows no such interpreter or processor.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in {"3.11", "3.12", "3.13"}:
        raise StackError(f"Python {version} runs the local stack, but the functions run on 3.11, 3.12 or 3.13 only.")
    architecture = _ARCHITECTURES.get(platform.machine().lower())
    if architecture is None:
        raise StackError(f"Lambda has no processor of this machine's kind ({platform.machine()}).")
    return {"PythonRuntime": f"python{version}", "Architecture": architecture}


@contextmanager
def built(logs: Path) -> Iterator[Path]:
    """Build if anything has changed since the last time; the artifacts do not change while the context lasts."""
    BUILD_FOLDER.mkdir(parents=True, exist_ok=True)
    with (BUILD_FOLDER / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build(logs)
        # Others may read the artifacts from here on.
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield ARTIFACTS


def _build(logs: Path) -> None:
    # SAM's own cache saves the resolving of packages, but still copies and deletes thousands of files each time.
    stamp, wanted = BUILD_FOLDER / "built-from", _digest_of_sources()
    if (ARTIFACTS / "template.yaml").exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    command = [_sam(), "build", *_common(), "--template-file", str(ROOT / "template.yaml")]
    command += _overrides(host_parameters())
    run("sam build", command, log=logs / "build.log", env=_environment({}), cwd=BUILD_FOLDER)
    stamp.write_text(wanted)


def _digest_of_sources() -> str:
    digest = hashlib.sha256(repr(sorted(host_parameters().items())).encode())
    sources = [path for folder in ("functions", "layers") for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted([ROOT / "template.yaml", ROOT / "samconfig.toml", *sources]):
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def deploy(emulator: Emulator, artifacts: Path, parameters: Mapping[str, str], logs: Path) -> dict[str, str]:
    """Deploy what was built; return the stack's outputs by name."""
    bucket = f"{STACK_NAME}-artifacts"
    emulator.client("s3").create_bucket(Bucket=bucket)
    command = [_sam(), "deploy", *_common(), "--template-file", str(artifacts / "template.yaml"), "--s3-bucket", bucket]
    command += ["--stack-name", STACK_NAME, *_overrides({**host_parameters(), **parameters})]
    run("sam deploy", command, log=logs / "deploy.log", env=_environment(emulator.environment()), cwd=BUILD_FOLDER)
    stacks = emulator.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}


def _common() -> list[str]:
    return ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]


def _overrides(parameters: Mapping[str, str]) -> list[str]:
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in sorted(parameters.items()))]


def _sam() -> str:
    for candidate in (os.environ.get("TALLYHOOK_SAM"), str(ROOT / ".venv-sam" / "bin" / "sam"), "sam"):
        if candidate and (found := shutil.which(candidate)):
            return found
    raise StackError("The SAM command line is not installed: run `make environment`, or set TALLYHOOK_SAM to its path.")


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    # Nothing of the developer's AWS settings: a local deployment must not be able to reach an account.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "PYTHONPATH"}
    # SAM builds with the interpreter that PATH gives for the runtime's name.
    interpreters = [str(Path(sys.executable).parent), str(Path(sys.base_prefix) / "bin")]
    path = os.pathsep.join([*interpreters, kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", **more}
