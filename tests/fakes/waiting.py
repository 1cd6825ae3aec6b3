"""Waiting for a condition, not for a time: tests end as soon as what they wait for is so."""

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.02


def wait_until(condition: Callable[[], bool], what: str, *, within_s: float = 10.0) -> None:
    """Return once the condition holds; the test fails, naming ``what``, if it never does."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s} s in vain: {what}"
        time.sleep(POLL_S)


async def until(condition: Callable[[], bool], what: str, *, within_s: float = 10.0) -> None:
    """The same beside other tasks."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s} s in vain: {what}"
        await asyncio.sleep(POLL_S)
