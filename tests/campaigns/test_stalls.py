"""Streams that fall silent, at their real figures: after how many seconds it is noticed."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from casework.clock import SystemClock
from platforms.limits import OwnBudget
from platforms.platform import Platform
from tests.contracts.conftest import Ears
from tests.contracts.world import OpenWorld, World
from tests.fakes.waiting import until

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(400)]

WITH_STREAMS = ("bluesky", "mastodon", "x")
EVERY = timedelta(seconds=60)


@pytest.fixture(params=WITH_STREAMS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Each platform that has a stream, on the machine's clock."""
    open_world: OpenWorld = import_module(f"tests.contracts.worlds.{request.param}").open_world
    async with open_world(SystemClock()) as opened:  # type: ignore[arg-type]  # only asked for the time
        yield opened


@pytest.fixture
async def platform(world: World, tmp_path: Path) -> AsyncIterator[Platform]:
    """Heard's side, with its own manners and figures."""
    clock = SystemClock()
    connected = world.connect(
        clock=clock,  # type: ignore[arg-type]  # only asked for the time
        budget=OwnBudget(clock.now),
        folder=tmp_path,
        manners=None,
        every=EVERY,
    )
    yield connected
    await connected.close()


async def waited(world: World, before: int, what: str, within_s: float) -> float:
    """Seconds until the stream is connected to again."""
    began = asyncio.get_running_loop().time()
    await until(lambda: world.connects > before, what, within_s=within_s)
    return asyncio.get_running_loop().time() - began


async def test_a_stall_without_a_byte_is_noticed_within_25_seconds(
    world: World, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silence, then a new connect."""
    ears = Ears()
    await ears.open(*platform.paths)
    await ears.hear(world.says("Before"), within_s=70)
    before = world.connects
    world.stream_loses("even signs of life")
    seconds = await waited(world, before, "a new connect after silence", 40)
    await ears.close()
    with capsys.disabled():
        sys.stdout.write(f"\n{world.name}: silence noticed after {seconds:.1f} s\n")

    assert seconds <= 26


async def test_a_stream_that_lives_and_sends_nothing_is_noticed_within_120_seconds(
    world: World, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sweep hears what it should have sent."""
    ears = Ears()
    await ears.open(*platform.paths)
    await asyncio.sleep(8)  # Posts of a connection's first seconds count for neither.
    before = world.connects
    world.stream_loses("everything")
    world.says("Into deaf ears")
    seconds = await waited(world, before, "a new connect of a deaf stream", 150)
    await ears.close()
    with capsys.disabled():
        sys.stdout.write(f"\n{world.name}: deafness noticed after {seconds:.1f} s\n")

    assert seconds <= 121
