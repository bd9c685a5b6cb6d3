"""Makes a virtual environment that holds exactly what one hash-pinned requirements file lists.

Run with the interpreter that the environment shall have, standard library only:

    python3 tools/environment.py .venv requirements-dev.txt

uv is fetched first and installs the rest in seconds; where it cannot, pip does, in minutes. An environment
that is right already is left alone, so every `make` target may ask for it first. Any number of callers may
ask at the same time: one works and the others wait for it.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUPPORTED = ((3, 11), (3, 12), (3, 13))
# Wheels only: installing runs no code of the packages.
HASHED_WHEELS = ("--require-hashes", "--only-binary", ":all:")
STAMP = "made-from.txt"


def interpreter() -> str:
    """Name the interpreter that runs this, so that an environment made by another one is noticed."""
    return f"{os.path.realpath(sys.executable)} {sys.version.split()[0]}"


def stamp_of(requirements: Path) -> str:
    """Return what the stamp of a finished environment says: its interpreter and a digest of its pins."""
    pins = [line for line in requirements.read_text().splitlines() if not line.lstrip().startswith("#")]
    digest = hashlib.sha256("\n".join(pins).encode()).hexdigest()
    return f"{interpreter()}\n{digest}\n"


def read_stamp(environment: Path) -> str:
    """Return the environment's stamp; empty if it was never finished."""
    try:
        return (environment / STAMP).read_text()
    except FileNotFoundError:
        return ""


@contextmanager
def only_one(environment: Path) -> Iterator[None]:
    """Hold a lock beside the environment, so that two callers never make it at the same time."""
    with environment.with_name(f"{environment.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def create(environment: Path) -> None:
    """Put an empty environment with pip there, whatever was there before."""
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True, prompt="tallyhook").create(environment)


def install_with_pip(environment: Path, requirements: Path) -> None:
    """Fill a new environment with the pip that came with the interpreter.

    Raises:
        subprocess.CalledProcessError: pip could not install, and has said why.
    """
    create(environment)
    # Every dependency is in the file by name, so there is nothing to resolve.
    options = ("--quiet", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", *HASHED_WHEELS)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", *options, "--requirement", requirements], check=True)


def install_with_uv(environment: Path, requirements: Path) -> bool:
    """Make the environment's packages equal to the file, and tell whether that went well."""
    uv_environment = environment.with_name(".venv-uv")
    if bring_up_to_date(uv_environment, requirements.with_name("requirements-uv.txt")) != 0:
        return False
    options = ("--quiet", "--python", environment / "bin" / "python", *HASHED_WHEELS)
    uv = uv_environment / "bin" / "uv"
    return subprocess.run([uv, "pip", "sync", *options, requirements], check=False).returncode == 0


def make(environment: Path, requirements: Path, previous: str) -> None:
    """Make the environment hold the requirements, every file checked against its hash.

    Raises:
        subprocess.CalledProcessError: the requirements could not be installed, and pip has said why.
    """
    if requirements.name == "requirements-uv.txt":
        install_with_pip(environment, requirements)
        return
    if not previous.startswith(f"{interpreter()}\n"):
        create(environment)
    if not install_with_uv(environment, requirements):
        # uv does not read pip's configuration, so behind a company's mirror only pip may get through.
        print("uv could not install, trying pip (this takes minutes)", flush=True)
        install_with_pip(environment, requirements)


def bring_up_to_date(environment: Path, requirements: Path) -> int:
    """Make the environment unless it is right already, and return the exit code for the shell."""
    wanted = stamp_of(requirements)
    if read_stamp(environment) == wanted:
        return 0
    with only_one(environment):
        previous = read_stamp(environment)
        if previous == wanted:
            return 0
        print(f"making {environment} from {requirements}", flush=True)
        # Until it is finished it belongs to no file: a run that is cut short is noticed by the next one.
        (environment / STAMP).unlink(missing_ok=True)
        try:
            make(environment, requirements, previous)
        except subprocess.CalledProcessError as failure:
            return failure.returncode
        (environment / STAMP).write_text(wanted)
    return 0


def main(arguments: list[str]) -> int:
    """Check the interpreter, then bring one environment up to date; return the exit code for the shell."""
    if sys.version_info[:2] not in SUPPORTED:
        wanted = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        print(f"Python {wanted} is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    return bring_up_to_date(Path(arguments[0]), Path(arguments[1]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
