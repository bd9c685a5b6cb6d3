"""Writes the hash-pinned requirement files from the ranges in pyproject.toml.

One resolution, of everything that development needs, decides every version, and what ships to Lambda is cut
out of it: the tests run on the versions that ship. Pins hold for every supported Python, on Linux and macOS,
on both processor architectures. No file names a package index.

Standard library only; needs the environment `.venv-uv`, which `make lock` makes first.
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEVELOPMENT = "requirements-dev.txt"
# File -> what goes into it; the first one decides for the others that name it as a constraint.
PLAN: dict[str, list[str]] = {
    DEVELOPMENT: ["pyproject.toml", "--group", "dev"],
    "layers/dependencies/requirements.txt": ["pyproject.toml", "--constraint", DEVELOPMENT],
    "requirements-sam.txt": ["--group", "sam"],
    "requirements-uv.txt": ["--group", "uv"],
}
HEADER = "# Written by `make lock` from the ranges in pyproject.toml"
OPTIONS = [
    "--quiet",
    "--no-header",
    "--no-emit-index-url",
    "--generate-hashes",
    "--universal",
    "--python-version",
    "3.11",
]


def fingerprint(pyproject: str) -> str:
    """Return a digest of everything in pyproject.toml that decides the pins.

    It is written into each file, so that a test can tell when the ranges moved on without the pins.
    """
    tables = tomllib.loads(pyproject)
    ranges = [
        tables["project"]["requires-python"],
        tables["project"]["dependencies"],
        tables["dependency-groups"],
    ]
    return hashlib.sha256(json.dumps(ranges, sort_keys=True).encode()).hexdigest()


def main(arguments: list[str]) -> int:
    """Write every file; with `--upgrade` no earlier pin is kept. Return the exit code for the shell."""
    digest = fingerprint((ROOT / "pyproject.toml").read_text())
    uv = str(ROOT / ".venv-uv" / "bin" / "uv")
    for name, contents in PLAN.items():
        command = [uv, "pip", "compile", *OPTIONS, *arguments, *contents, "--output-file", name]
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode != 0:
            return done.returncode
        file = ROOT / name
        file.write_text(f"{HEADER} ({digest})\n{file.read_text()}")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
