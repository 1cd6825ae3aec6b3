"""The short part of the chaos: the store killed and started again in the middle of a platform's storm."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.chaos.cable import Answering, Whole
from tests.chaos.course import BAR_S
from tests.chaos.office import Office, open_office
from tests.chaos.stores import OwnServer, free_port

SHORT_S = 3.0
A_LOOK_S = 0.2


async def said(office: Office, words: str, within_s: float = 20.0) -> str:
    """What the desk's health says, once it says some words."""
    health = ""
    for _ in range(int(within_s / A_LOOK_S)):
        health = (await office.get("/api/v1/health"))[1]
        if words in health:
            return health
        await asyncio.sleep(A_LOOK_S)
    raise AssertionError(f"the desk never said {words!r}: {health}")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [7])
async def test_a_killed_store_and_a_storm_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    """The same process goes on, tells in words what is wrong, and is as before within 30 s."""
    folder = tmp_path / "store"
    await asyncio.to_thread(folder.mkdir)
    server = OwnServer(folder)
    await asyncio.to_thread(server.start)
    chance = random.Random(seed)
    try:
        async with open_office(
            tmp_path / "home", free_port(), redis_url=server.url, seed=seed, slack=False, only="mastodon"
        ) as office:
            async with office.busy(every_s=1.0):
                assert await office.normal_again() is not None
                await office.cables["mastodon"].become(Answering(503, arrives=0.5))
                await said(office, "Mastodon answers with errors (503)")
                await asyncio.sleep(chance.uniform(0.0, 1.0))
                await asyncio.to_thread(server.kill)
                await said(office, "the store does not answer")
                assert (await office.page("/health"))[0] == 200
                assert (await office.page("/"))[0] == 503
                await asyncio.sleep(SHORT_S)
                await asyncio.to_thread(server.start)
                await office.cables["mastodon"].become(Whole())
                back_s = await office.normal_again()
            assert await office.rest() is not None
            counted = await office.counted()
            assert (await office.page("/"))[0] == 200
            assert office.process is not None
            assert office.process.returncode is None
    finally:
        server.kill()

    assert back_s is not None
    assert back_s <= BAR_S
    assert (counted.lost, counted.unanswered, counted.double, counted.alarms_double) == (0, 0, 0, 0)
