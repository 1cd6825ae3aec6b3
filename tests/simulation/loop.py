"""An event loop whose time is a number: what waits for an hour waits for nothing, in a fixed order."""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """Everything waits and nothing will ever happen."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks as asyncio does, and moves its time to the next timer when there are none.

    Threads are run in their place: `asyncio.to_thread` ends before it begins to wait.
    """

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0
        self._selector = self

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._seconds

    def select(self, timeout: float | None) -> list[Any]:
        """What a selector does between two rounds: here, let the time pass."""
        if timeout is None:
            raise Stuck("nothing is left to happen")
        if timeout > 0:
            while self._scheduled and self._scheduled[0].cancelled():
                heapq.heappop(self._scheduled)._scheduled = False
                self._timer_cancelled_count -= 1
            if self._scheduled:
                self._seconds = max(self._seconds, self._scheduled[0].when())
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no files."""

    def _write_to_self(self) -> None:
        """Nobody else wakes this loop."""

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        """Run it here and now."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def play(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on a loop of its own to its end."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
