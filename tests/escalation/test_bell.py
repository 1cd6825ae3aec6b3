"""The bell: late rings come, missed ones come as one, and a lost store ends nothing."""

import asyncio
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # ships no types

from escalation.bell import Bell


async def nothing() -> None:
    """Ring for nothing."""


async def test_no_late_ring_is_dropped() -> None:
    """Late rings are coalesced into one and never dropped; its times are UTC."""
    bell = Bell()
    bell.every(1, "promises", nothing)
    scheduler = bell._scheduler
    assert isinstance(scheduler, AsyncIOScheduler)
    scheduler.start(paused=True)
    job = scheduler.get_job("promises")
    bell.end()

    assert (job.coalesce, job.misfire_grace_time, job.max_instances) == (True, None, 1)
    assert job.trigger.interval == timedelta(seconds=1)
    assert str(scheduler.timezone) == "UTC"


async def test_it_rings_at_once_and_goes_on_after_a_lost_store() -> None:
    """Whatever else rings on it is not kept from ringing."""
    bell, rung = Bell(), asyncio.Event()
    tries = 0

    async def lost_at_first() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ConnectionError("the store is gone")
        rung.set()

    bell.begin()
    bell.every(0.01, "promises", lost_at_first)
    bell.every(60, "digest", nothing)
    try:
        assert bell.names() == ["digest", "promises"]
        await asyncio.wait_for(rung.wait(), timeout=10)
    finally:
        bell.end()
