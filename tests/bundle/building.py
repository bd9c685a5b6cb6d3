"""Builds the template the way a deployment does, once for each target, each in a folder of its own.

SAM keeps resolved dependencies under the folder it is started in. A folder for each target therefore keeps
the targets, and the build of a local stack at the project's root, out of each other's way.
"""

import fcntl
import functools
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[2]
BUILDS = ROOT / "build" / "sam"
DEPLOYED_VERSION = "3.13"
DEPLOYED_ARCHITECTURE = "arm64"


@dataclass(frozen=True)
class Target:
    """What a build is for: a Python minor version and a processor, in the template's words."""

    version: str
    architecture: str

    @property
    def folder(self) -> Path:
        """Where everything of this build lives."""
        return BUILDS / f"python{self.version}-{self.architecture}"


def host_version() -> str:
    """Return the minor version that the tests run on."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def host_architecture() -> str:
    """Return this machine's processor, in the template's words."""
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


def interpreter_of(version: str) -> Path | None:
    """Return the interpreter of a minor version, outside any virtual environment, or None if there is none.

    It is asked and not just looked for: a version manager may put a name on PATH that answers with an error.
    """
    found = shutil.which(f"python{version}")
    if found is None:
        return None
    question = [found, "-c", "import pip, sys; print(sys._base_executable)"]
    answer = subprocess.run(question, capture_output=True, text=True, check=False)
    return Path(answer.stdout.strip()) if answer.returncode == 0 else None


@functools.cache
def keep_others_out() -> TextIO:
    """Take the builds for this process until it ends: another test run waits, and never builds under our feet."""
    BUILDS.mkdir(parents=True, exist_ok=True)
    lock = (BUILDS / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


@functools.cache
def build(target: Target) -> Path:
    """Run `sam build` for the target, once in this process, and return the folder with the artifacts.

    Raises:
        RuntimeError: the build failed; the message is what SAM said.
    """
    target.folder.mkdir(parents=True, exist_ok=True)
    built = target.folder / "build"
    sam = os.environ.get("TALLYHOOK_SAM") or ROOT / ".venv-sam" / "bin" / "sam"
    command = [str(sam), "build", "--cached", "--parallel", "--template-file", str(ROOT / "template.yaml")]
    command += ["--build-dir", str(built), "--cache-dir", str(target.folder / "cache")]
    parameters = [f"PythonRuntime=python{target.version}", f"Architecture={target.architecture}"]
    command += ["--parameter-overrides", *parameters]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0"}
    keep_others_out()
    done = subprocess.run(command, cwd=target.folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"sam build for {target} failed:\n{done.stdout}\n{done.stderr}")
    return built
