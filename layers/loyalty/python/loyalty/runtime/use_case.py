"""A function's use case, built once a process.

In Lambda that happens while the module loads, where time is cheapest. Anywhere else importing a handler builds
nothing, so that a test may first put something of its own in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

from loyalty.domain.errors import Misconfigured
from loyalty.runtime.settings import Settings

_UseCaseT = TypeVar("_UseCaseT")
_SettingsT = TypeVar("_SettingsT", bound=Settings)


class UseCase(Generic[_UseCaseT]):
    """A function's use case, built when the environment allows and kept for the life of the process."""

    def __init__(self, settings: type[_SettingsT], build: Callable[[_SettingsT], _UseCaseT]) -> None:
        self._build: Callable[[], _UseCaseT] = lambda: build(settings.from_environment())
        self._built: _UseCaseT | None = None
        if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            self._warm()

    def __call__(self) -> _UseCaseT:
        """The use case.

        Raises:
            Misconfigured: the environment lacks a variable.
        """
        if self._built is None:
            self._built = self._build()
        return self._built

    def replace(self, use_case: _UseCaseT | None) -> None:
        """Put another one in its place; None has it built anew from the environment."""
        self._built = use_case

    def _warm(self) -> None:
        try:
            self._built = self._build()
        except Misconfigured:
            # The first invocation says so, where it is logged and answered.
            self._built = None
