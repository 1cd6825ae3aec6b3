"""Many deaths in a row: what was begun is taken up, and nothing piles up in the store."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from casework.case import Status
from casework.clock import ManualClock
from casework.mention import Author, Mention
from config.places import demo_brand
from config.wiring import STAGES, Line, put_together
from platforms.feed import Feed
from platforms.platform import Heard
from platforms.replay import ReplayPlatform, ReplyRecord
from streams import topics
from streams.connection import Store
from tests.fakes.deaths import Killed, dies_before_call
from tests.stories.conftest import MORNING, Managers, ReadyModel

LONGEST_LIFE = 50
"""In calls to the store: some end before anything is begun, some with everything done."""


@asynccontextmanager
async def a_line(store: Store, clock: ManualClock, record: ReplyRecord, locks: Path) -> AsyncIterator[Line]:
    """A process's line, over what the last one left."""
    platform = ReplayPlatform(Feed("restarts", ()), record, clock)
    with put_together(
        store,
        demo_brand(),
        clock=clock,
        model=ReadyModel(),
        platforms={"*": platform},
        herald=Managers(),
        locks=locks,
    ) as line:
        yield line


async def work(line: Line) -> None:
    """Everything that there is to do now."""
    busy = True
    while busy:
        busy = bool(await line.promise_clock.sweep())
        for consumer in line.consumers.values():
            busy = bool(await consumer.step()) or busy


async def die_in_the_middle(line: Line, store: Store, calls: int) -> None:
    """Work for so many calls to the store, and stop wherever that is."""
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        dies_before_call(calls, store, patch)
        await work(line)


async def begun(store: Store) -> dict[str, tuple[int, int]]:
    """For each stage how many entries are begun and not settled, and how many consumers it has ever had."""
    found: dict[str, tuple[int, int]] = {}
    for stage, topic in STAGES.items():
        pending = consumers = 0
        for partition in topics.all_partitions():
            key = topics.topic_key(partition, topic)
            # Any: redis-py's stubs promise nothing of what a stream tells.
            groups: Any = await store.writes.xinfo_groups(key) if await store.writes.exists(key) else []
            pending += sum(group["pending"] for group in groups)
            consumers = max([consumers, *(group["consumers"] for group in groups)])
        found[stage] = pending, consumers
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("restarts", [25, pytest.param(400, marks=pytest.mark.campaign)])
async def test_many_deaths_in_a_row_leave_nothing_begun(store: Store, tmp_path: Path, restarts: int) -> None:
    """Each process hears of one more customer and dies somewhere; the last one lives and finishes."""
    clock, chance = ManualClock(MORNING), random.Random(restarts)
    record = ReplyRecord(tmp_path / "replies.sqlite3")
    most = 0
    for number in range(restarts):
        async with a_line(store, clock, record, tmp_path / "locks") as line:
            author = Author(f"author-{number}", f"author{number}")
            mention = Mention("x", f"post-{number}", author, "Where is my bag?", clock.now(), addressed=True)
            await line.listener("restarts").take_in([Heard(mention, str(number))])
            await die_in_the_middle(line, store, chance.randint(1, LONGEST_LIFE))
        clock.advance(timedelta(seconds=2))
        if number % 20 == 19:
            most = max(most, *(pending for pending, _ in (await begun(store)).values()))

    async with a_line(store, clock, record, tmp_path / "locks") as line:
        await work(line)
        # Five deaths over one entry make it a dead letter, and these lives are short. It is listed.
        dead = [letter async for letter in line.dead.every()]
        waiting = await line.cases.counts()
        assert len(dead) == waiting[Status.NEW] + waiting[Status.CLASSIFIED]
        for letter in dead:
            assert await line.dead.retry(letter)
        await work(line)
        counts = await line.cases.counts()

    assert set((await begun(store)).values()) == {(0, 1)}
    assert most < 20
    assert counts[Status.NEW] == counts[Status.CLASSIFIED] == 0
    assert sum(counts.values()) == restarts
