"""A platform that was away is heard again soon after it is back, however long it was away."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from casework.clock import ManualClock
from platforms import x
from platforms.faults import Fault, Offline, TooMany, Trouble
from platforms.limits import OwnBudget
from platforms.listening import Manners, Sign, StreamPath, SweepPath, Swept
from platforms.platform import Entry

SOON_S = 25.0
MANY = 50
FAULTS = [Offline("it does not answer"), Trouble("it answers with errors (503)")]


def never(_cursor: str | None) -> AbstractAsyncContextManager[AsyncIterator[Entry | Sign]]:
    """Nobody connects here."""
    raise AssertionError


async def nothing(_cursor: str | None) -> Swept:
    """Nobody looks here."""
    raise AssertionError


@pytest.mark.parametrize("fault", FAULTS)
def test_a_stream_connects_again_soon(clock: ManualClock, fault: Fault) -> None:
    """After fifty tries as after two; X alone has it otherwise (X9), and is looked at beside."""
    budget = OwnBudget(clock.now)
    path = StreamPath("stream", never, account="a", clock=clock, budget=budget)
    on_x = StreamPath("stream", never, account="a", clock=clock, budget=budget, manners=x.MANNERS)

    assert max(path._pause(fault, streak, 0.0) for streak in range(MANY)) <= SOON_S
    assert on_x._pause(fault, MANY, 0.0) > 4 * 60


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sweep_looks_again_soon(clock: ManualClock, fault: Fault) -> None:
    """On every platform."""
    path = SweepPath("sweep", nothing, every=timedelta(seconds=60), clock=clock)

    assert max(path._backoff(fault, streak) for streak in range(MANY)) <= SOON_S


def test_a_pause_that_was_asked_for_is_kept(clock: ManualClock) -> None:
    """To its end, by both."""
    asked = TooMany("it asks for a pause", after=timedelta(minutes=4))
    stream = StreamPath(
        "stream", never, account="a", clock=clock, budget=OwnBudget(clock.now), manners=Manners()
    )
    sweep = SweepPath("sweep", nothing, every=timedelta(seconds=60), clock=clock)

    assert stream._pause(asked, 0, 0.0) == sweep._backoff(asked, 0) == 240.0
