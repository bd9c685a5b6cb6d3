"""The scratch folder of a stack: gone afterwards, even when the process that made it was killed."""

from __future__ import annotations

from pathlib import Path

from local.scratch import scratch


def test_what_was_written_is_gone_afterwards(tmp_path: Path) -> None:
    with scratch(tmp_path / "pointer") as folder:
        (folder / "file").write_text("x")
    assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    (tmp_path / "pointer").symlink_to(left)
    with scratch(tmp_path / "pointer") as folder:
        assert folder != left
        assert not left.exists()
