"""Changes the pure core of the ledger in every small way, and reports the changes that no test notices.

    make mutation                                         the whole core
    make mutation MUTANTS='loyalty.domain.ledger.lots*'   some of it

The mutation tester wants sources in a folder `src`, so it works on a copy below build/mutation, where it keeps its
results: the next run tries again only what changed. A survivor's change is shown by
`cd build/mutation && ../../.venv/bin/mutmut show NAME`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "mutation"
MUTMUT = ROOT / ".venv" / "bin" / "mutmut"
TESTER = (ROOT / ".venv" / "bin" / "python", ROOT / "tools" / "mutation_tester.py")
# The part of all mutants that tests must notice. Read the survivors too: a few change nothing that can be observed.
FLOOR = 0.98
# What the tests read or import besides the package.
ALONGSIDE = ("tests", "local")
SEARCH_PATH = 'pythonpath = [".", "layers/loyalty/python", "cli"]'
SETTINGS = """
[tool.mutmut]
source_paths = ["src"]
also_copy = ["local"]
only_mutate = ["src/loyalty/domain/ledger/*", "src/loyalty/domain/identity.py", "src/loyalty/domain/moments.py"]
pytest_add_cli_args = [
    "-p", "no:randomly", "-p", "no:xdist",
    # Each mutant runs the tests that reach it: without those that read the source, and the two that take seconds.
    "-k", "not document and not hourly_sweeps and not whatever_a_customer",
]
pytest_add_cli_args_test_selection = ["tests/unit/domain"]
"""


def copy_tree() -> None:
    """Lay out the package and its tests as the mutation tester wants them; results of earlier runs stay.

    Raises:
        ValueError: pyproject.toml no longer names the search path in the expected way.
    """
    places = {"src": ROOT / "layers" / "loyalty" / "python", **{name: ROOT / name for name in ALONGSIDE}}
    for name, source in places.items():
        shutil.rmtree(WORK / name, ignore_errors=True)
        shutil.copytree(source, WORK / name, ignore=shutil.ignore_patterns("__pycache__"))
    settings = (ROOT / "pyproject.toml").read_text()
    if SEARCH_PATH not in settings:
        raise ValueError(f"pyproject.toml does not say {SEARCH_PATH}")
    settings = settings.replace(SEARCH_PATH, 'pythonpath = [".", "src"]')
    (WORK / "pyproject.toml").write_text(settings + SETTINGS)


def report() -> float:
    """Print the counts and the survivors, and return the part of the mutants that tests noticed."""
    subprocess.run([MUTMUT, "export-cicd-stats"], cwd=WORK, check=True, capture_output=True)
    counts = json.loads((WORK / "mutants" / "mutmut-cicd-stats.json").read_text())
    noticed = counts["killed"] + counts["timeout"] + counts["segfault"]
    tried = noticed + counts["survived"] + counts["no_tests"] + counts["suspicious"]
    if tried == 0:
        return 0.0
    results = subprocess.run([MUTMUT, "results"], cwd=WORK, check=True, capture_output=True, text=True)
    print("\n".join(line for line in results.stdout.splitlines() if not line.endswith(": not checked")))
    print(f"{noticed} of {tried} mutants noticed ({noticed / tried:.1%}), {counts['survived']} survived")
    return float(noticed / tried)


def main(arguments: list[str]) -> int:
    """Run and report; the exit code for the shell tells whether the floor was reached."""
    WORK.mkdir(parents=True, exist_ok=True)
    copy_tree()
    # The same generated examples for every mutant.
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci"}
    done = subprocess.run([*TESTER, "run", *arguments], cwd=WORK, env=environment, check=False)
    if done.returncode != 0:
        return done.returncode
    return 0 if report() >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
