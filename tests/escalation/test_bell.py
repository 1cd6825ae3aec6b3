"""The bell: late rings come, missed ones come as one, and a lost store ends nothing."""

import asyncio
from datetime import datetime, timedelta, tzinfo

import pytest
from apscheduler.schedulers import base  # type: ignore[import-untyped]  # ships no types
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


class Wall(datetime):
    """The machine's clock, as far off as somebody has set it."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # the real one's own kind
        return datetime.now(tz) + cls.off


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> type[Wall]:
    """The clock that the bell goes by."""
    monkeypatch.setattr(base, "datetime", Wall)
    monkeypatch.setattr(Wall, "off", timedelta(0))
    return Wall


async def rings_around(wall: type[Wall], off: timedelta) -> tuple[list[str], list[str]]:
    """What rings before and after the clock is set."""
    bell, rings = Bell(), asyncio.Queue[str]()

    async def often() -> None:
        rings.put_nowait("often")

    async def seldom() -> None:
        rings.put_nowait("seldom")

    bell.begin()
    bell.every(0.02, "promises", often)
    bell.every(43_200, "compliance", seldom)
    try:
        async with asyncio.timeout(10):
            before = [await rings.get() for _ in range(3)]
            wall.off = off
            return before, [await rings.get() for _ in range(10)]
    finally:
        bell.end()


@pytest.mark.parametrize(
    "off", [timedelta(hours=-1), timedelta(days=1), timedelta(days=20_000)], ids=["back", "on", "from 1970"]
)
async def test_a_clock_that_is_set_silences_no_ring(wall: type[Wall], off: timedelta) -> None:
    """Set back an hour it goes on; after a day's sleep, or begun in 1970, one ring for all it missed."""
    before, after = await rings_around(wall, off)

    assert before.count("seldom") == after.count("seldom") == 1
    assert after.count("often") == 9


async def test_a_clock_that_is_put_right_by_little_rings_nothing_early(wall: type[Wall]) -> None:
    """As time servers do all day."""
    before, after = await rings_around(wall, -timedelta(milliseconds=50))

    assert before.count("seldom") == 1
    assert set(after) == {"often"}
