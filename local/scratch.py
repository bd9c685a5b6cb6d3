"""A place for what a running stack writes and nobody needs afterwards."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every process of a function unpacks its layers, thousands of small files: in memory that is done at once, while on
# some disks removing them takes longer than everything before.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder below it has a random name and is its owner's
_ROOM: Final = 2 * 1024**3


@contextmanager
def scratch(pointer: Path) -> Iterator[Path]:
    """Make a folder, in memory where there is room; remove it on leaving.

    ``pointer`` becomes a link to it, by which a later call removes what a killed process left behind.
    """
    _remove(pointer)
    folder = Path(tempfile.mkdtemp(prefix="tallyhook-", dir=_MEMORY if _is_roomy(_MEMORY) else None))
    pointer.symlink_to(folder)
    try:
        yield folder
    finally:
        _remove(pointer)


def _remove(pointer: Path) -> None:
    if pointer.is_symlink():
        shutil.rmtree(pointer.readlink(), ignore_errors=True)
        pointer.unlink()


def _is_roomy(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free >= _ROOM
    except OSError:
        return False
