"""The environment that every make target asks for first."""

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools import environment


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """Return a requirements file with one pin."""
    file = tmp_path / "requirements-dev.txt"
    file.write_text("# written by hand\nexample==1.0 \\\n    --hash=sha256:00\n")
    return file


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of what was made; making takes no time and installs nothing."""
    calls: list[str] = []

    def make(folder: Path, requirements: Path, previous: str) -> None:
        folder.mkdir(exist_ok=True)
        calls.append(previous)

    monkeypatch.setattr(environment, "make", make)
    return calls


def test_an_environment_is_made_once_and_then_left_alone(tmp_path: Path, requirements: Path, made: list[str]) -> None:
    for _ in range(3):
        assert environment.bring_up_to_date(tmp_path / "env", requirements) == 0
    assert made == [""]


def test_a_changed_pin_is_noticed_and_a_changed_comment_is_not(
    tmp_path: Path, requirements: Path, made: list[str]
) -> None:
    environment.bring_up_to_date(tmp_path / "env", requirements)
    requirements.write_text(requirements.read_text().replace("by hand", "by make"))
    environment.bring_up_to_date(tmp_path / "env", requirements)
    assert len(made) == 1
    requirements.write_text(requirements.read_text().replace("1.0", "1.1"))
    environment.bring_up_to_date(tmp_path / "env", requirements)
    assert len(made) == 2


def test_an_environment_of_another_interpreter_is_made_again(
    tmp_path: Path, requirements: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.bring_up_to_date(tmp_path / "env", requirements)
    monkeypatch.setattr(environment, "interpreter", lambda: "another")
    environment.bring_up_to_date(tmp_path / "env", requirements)
    assert len(made) == 2


def test_a_run_that_is_cut_short_leaves_an_environment_that_the_next_run_makes_again(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "env"

    def fail(folder: Path, requirements: Path, previous: str) -> None:
        folder.mkdir(exist_ok=True)
        raise subprocess.CalledProcessError(7, "pip")

    monkeypatch.setattr(environment, "make", fail)
    assert environment.bring_up_to_date(folder, requirements) == 7
    assert environment.read_stamp(folder) == ""


def test_callers_at_the_same_time_make_it_once(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = threading.Barrier(5)
    made = []

    def make(folder: Path, requirements: Path, previous: str) -> None:
        folder.mkdir(exist_ok=True)
        made.append(previous)

    def ask(_: int) -> int:
        everyone.wait(timeout=10)
        return environment.bring_up_to_date(tmp_path / "env", requirements)

    monkeypatch.setattr(environment, "make", make)
    with ThreadPoolExecutor(5) as callers:
        assert list(callers.map(ask, range(5))) == [0] * 5
    assert len(made) == 1


def test_pip_installs_where_uv_cannot(tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_pip: list[Path] = []
    monkeypatch.setattr(environment, "create", lambda folder: None)
    monkeypatch.setattr(environment, "install_with_uv", lambda folder, requirements: False)
    monkeypatch.setattr(environment, "install_with_pip", lambda folder, requirements: with_pip.append(folder))
    environment.make(tmp_path / "env", requirements, "")
    assert with_pip == [tmp_path / "env"]


def test_an_environment_of_this_interpreter_is_changed_in_place(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that run from it keep running while a pin changes."""
    created: list[Path] = []
    monkeypatch.setattr(environment, "create", created.append)
    monkeypatch.setattr(environment, "install_with_uv", lambda folder, requirements: True)
    environment.make(tmp_path / "env", requirements, environment.stamp_of(requirements))
    assert created == []
    environment.make(tmp_path / "env", requirements, "/another/python 3.12.0\n00\n")
    assert created == [tmp_path / "env"]


def test_an_interpreter_that_is_too_old_or_too_new_is_refused_in_words(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "SUPPORTED", ((3, 99),))
    assert environment.main([str(tmp_path / "env"), str(requirements)]) == 1
    assert "Python 3.99 is needed" in capsys.readouterr().err
