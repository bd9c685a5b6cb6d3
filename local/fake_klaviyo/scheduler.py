"""Work that is due later: job progress, webhook deliveries and their retries."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable

from local.fake_klaviyo.clock import Clock

_LOGGER = logging.getLogger(__name__)


class Scheduler:
    """Runs actions once enough Klaviyo time has passed, in due order.

    With `start` a thread does so by itself; without it a test calls `run_due` after moving its clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` once `seconds` of Klaviyo time have passed."""
        with self._changed:
            heapq.heappush(self._queue, (self._clock.elapsed() + seconds, next(self._numbers), action))
            self._changed.notify_all()

    def run_due(self) -> int:
        """Run what is due now, including what that work makes due; returns how many actions ran."""
        ran = 0
        while (action := self._take_due()) is not None:
            self._run(action)
            ran += 1
        return ran

    def next_due(self) -> float | None:
        """Seconds of Klaviyo time until the next action, or None when nothing waits."""
        with self._changed:
            return max(0.0, self._queue[0][0] - self._clock.elapsed()) if self._queue else None

    def clear(self) -> None:
        """Forget everything that waits."""
        with self._changed:
            self._queue.clear()
            self._changed.notify_all()

    def nudge(self) -> None:
        """Look again: the clock was moved."""
        with self._changed:
            self._changed.notify_all()

    def start(self) -> None:
        """Run due actions on a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._work, name="fake-klaviyo-scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what still waits is dropped."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _take_due(self) -> Callable[[], None] | None:
        with self._changed:
            if self._queue and self._queue[0][0] <= self._clock.elapsed():
                return heapq.heappop(self._queue)[2]
            return None

    def _work(self) -> None:
        while not self._stopping.is_set():
            self.run_due()
            with self._changed:
                if self._stopping.is_set():
                    return
                waiting = self._queue[0][0] - self._clock.elapsed() if self._queue else None
                if waiting is None or waiting > 0:
                    self._changed.wait(None if waiting is None else self._clock.real_seconds(waiting))

    @staticmethod
    def _run(action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            # One failing action must not end all later ones.
            _LOGGER.exception("a scheduled action failed")
