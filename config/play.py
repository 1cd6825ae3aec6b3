"""Plays a recorded feed through the whole line as fast as it goes, on a clock that the feed drives.

Time moves in whole steps: what was written within a step is heard at its end, every stage runs until
nothing is left to do, then time moves on to the next thing that happens. The instant reached is in the
store before anything happens at it, so a run that is killed goes on where it was and ends the same.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from casework.clock import ManualClock
from config.wiring import Line
from platforms.feed import Feed
from platforms.replay import ReplayPlatform

STEP: Final = timedelta(minutes=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Progress = Callable[[int, datetime], None]
"""Told how many lines of the feed were played, and which instant was reached."""


def begin(feed: Feed) -> datetime:
    """The instant before anything of a feed happens."""
    first = feed.recorded[0].mention.created_at if feed.recorded else EPOCH
    return _step_of(first) - STEP


def end(feed: Feed, line: Line) -> datetime:
    """When a feed's last day is over: its midnight where the brand is, and an hour after the last mention."""
    last = feed.recorded[-1].mention.created_at if feed.recorded else EPOCH
    return max(_step_of(last) + timedelta(hours=1), line.promises.hours.end_of_day(last))


async def play(
    line: Line, platform: ReplayPlatform, name: str, clock: ManualClock, *, progress: Progress | None = None
) -> None:
    """Play a feed to its end, from wherever an earlier run of it came to."""
    listener, last = line.listener(name), end(platform.feed, line)
    clock.move_to(await line.cursors.reached() or begin(platform.feed))
    await line.settle_down()
    while True:
        cursor = await line.cursors.get(name)
        entries = platform.until(clock.now(), cursor)
        await listener.take_in(entries)
        await line.settle_down()
        cursor = entries[-1].cursor if entries else cursor
        if progress is not None:
            progress(int(cursor or 0), clock.now())
        if clock.now() >= last:
            return
        following = await _next(line, platform, cursor)
        await _move(line, clock, min(last, _step_of(following)) if following else last)


async def _next(line: Line, platform: ReplayPlatform, cursor: str | None) -> datetime | None:
    happens = (platform.next_at(cursor), await line.cases.next_due(), line.next_ready())
    return min((at for at in happens if at is not None), default=None)


async def _move(line: Line, clock: ManualClock, instant: datetime) -> None:
    instant = max(instant, clock.now() + STEP)
    await line.cursors.reach(instant)
    clock.move_to(instant)


def _step_of(instant: datetime) -> datetime:
    """The end of the step that an instant is in."""
    return EPOCH + -((EPOCH - instant) // STEP) * STEP
