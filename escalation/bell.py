"""The bell: rings what must be done again and again. Nothing rests on its memory.

APScheduler drops timers that came due while it was down, and by its defaults those that come late as well
(40 of 200 due in one second fired). So everything it rings finds out by itself what is due, from the store:
a ring that never came is made good by the next. The machine's clock may be set: one that goes back would keep
APScheduler silent for as long, and one that goes on would have it count every second that it missed.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from apscheduler.job import Job  # type: ignore[import-untyped]  # ships no types
from apscheduler.jobstores.memory import MemoryJobStore  # type: ignore[import-untyped]  # ships no types
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # ships no types
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]  # ships no types

from streams.connection import LOST

log = structlog.get_logger(__name__)

Ring = Callable[[], Awaitable[object]]
SET_BACK: Final = timedelta(seconds=1)
"""A ring that is so much farther away than it ever should be: the clock was set back."""


class Bell:
    """Rings in UTC, late rings too, several missed ones as one, and never one before the last has ended."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            jobstores={"default": _Rings()},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def every(self, seconds: float, name: str, ring: Ring) -> None:
        """Ring at once and then so often, whether the bell has begun or not.

        A lost store is left to the next ring.
        """
        at_once = datetime.now(UTC)
        self._scheduler.add_job(
            _surviving(name, ring), _Every(timedelta(seconds=seconds)), id=name, next_run_time=at_once
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


class _Every(BaseTrigger):  # type: ignore[misc]  # its base has no types
    """So long after the last ring, whenever that should have been."""

    def __init__(self, interval: timedelta) -> None:
        self.interval = interval

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """From now on, or a day's sleep would be counted second by second."""
        return now if previous is None else now + self.interval


class _Rings(MemoryJobStore):  # type: ignore[misc]  # its base has no types
    """The rings to come; those that a clock which was set back has moved away come at once."""

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """What must ring now."""
        for job in self.get_all_jobs():
            if job.next_run_time - now > job.trigger.interval + SET_BACK:
                job.modify(next_run_time=now)
        due: list[Job] = super().get_due_jobs(now)
        return due


def _surviving(name: str, ring: Ring) -> Ring:
    async def rung() -> None:
        try:
            await ring()
        except LOST as error:
            log.warning("store lost, the next ring tries again", what=name, error=type(error).__name__)

    return rung
