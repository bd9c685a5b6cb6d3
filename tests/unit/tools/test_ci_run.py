"""The script that CI runs, on a small project of its own."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / ".ci" / "run"


def run_ci(project: Path, recipe: str) -> subprocess.CompletedProcess[str]:
    """Run the script in a project whose `make test` does what the recipe says."""
    (project / ".ci").mkdir(parents=True)
    shutil.copy(SCRIPT, project / ".ci" / "run")
    (project / "Makefile").write_text(f"test:\n\t@{recipe}\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALLYHOOK_")}
    return subprocess.run(
        [project / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_last_line_is_the_test_runners(tmp_path: Path) -> None:
    done = run_ci(tmp_path / "project", "echo checks; echo '=== 3 passed in 1.00s ==='")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "=== 3 passed in 1.00s ==="


def test_a_failure_is_a_failure(tmp_path: Path) -> None:
    assert run_ci(tmp_path / "project", "exit 1").returncode != 0


def test_tests_learn_where_klaviyos_documents_are(tmp_path: Path) -> None:
    documents = tmp_path / "shared" / "klaviyo"
    documents.mkdir(parents=True)
    done = run_ci(tmp_path / "project", "echo docs=$$TALLYHOOK_KLAVIYO_DOCS ci=$$CI")
    assert done.stdout.splitlines()[-1] == f"docs={documents} ci=true"


def test_without_klaviyos_documents_the_variable_is_absent(tmp_path: Path) -> None:
    done = run_ci(tmp_path / "project", "echo docs=$${TALLYHOOK_KLAVIYO_DOCS-none}")
    assert done.stdout.splitlines()[-1] == "docs=none"


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux lists the processes of a run")
def test_a_process_that_outlives_the_run_fails_it_and_is_ended(tmp_path: Path) -> None:
    """Even one that left the process group, as servers do."""
    note = tmp_path / "pid"
    (tmp_path / "leave.py").write_text(
        "import pathlib, subprocess, sys\n"
        "sleeper = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(sleeper.pid))\n"
    )
    done = run_ci(tmp_path / "project", f"{sys.executable} {tmp_path / 'leave.py'} {note} >/dev/null 2>&1 </dev/null")
    assert done.returncode == 1
    assert "processes left behind" in done.stderr
    assert "sleep 600" in done.stderr
    ended = Path(f"/proc/{note.read_text()}/cmdline")
    deadline = time.monotonic() + 10
    # An ended process may stay listed, without a command, until its parent takes note.
    while ended.exists() and ended.read_bytes():
        assert time.monotonic() < deadline, "the process still runs"
