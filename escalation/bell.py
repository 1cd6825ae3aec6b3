"""The bell: rings what must be done again and again. Nothing rests on its memory.

APScheduler drops timers that came due while it was down, and by its defaults those that come late as well
(40 of 200 due in one second fired). So everything it rings finds out by itself what is due, from the store:
a ring that never came is made good by the next.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # ships no types

from streams.connection import LOST

log = structlog.get_logger(__name__)

Ring = Callable[[], Awaitable[object]]


class Bell:
    """Rings in UTC, late rings too, several missed ones as one, and never one before the last has ended."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        )

    def every(self, seconds: float, name: str, ring: Ring) -> None:
        """Ring at once and then so often, whether the bell has begun or not.

        A lost store is left to the next ring.
        """
        at_once = datetime.now(UTC)
        self._scheduler.add_job(
            _surviving(name, ring), "interval", seconds=seconds, id=name, next_run_time=at_once
        )

    def names(self) -> list[str]:
        """What it rings."""
        return sorted(job.id for job in self._scheduler.get_jobs())

    def begin(self) -> None:
        """Ring from now on; needs the loop that everything runs in."""
        self._scheduler.start()

    def end(self) -> None:
        """Ring no more; what was rung and has not ended is left to end."""
        self._scheduler.shutdown(wait=False)


def _surviving(name: str, ring: Ring) -> Ring:
    async def rung() -> None:
        try:
            await ring()
        except LOST as error:
            log.warning("store lost, the next ring tries again", what=name, error=type(error).__name__)

    return rung
