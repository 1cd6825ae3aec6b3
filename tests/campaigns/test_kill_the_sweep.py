"""Processes that sweep thousands of due cases, killed with SIGKILL at any moment: each alarm comes once."""

import asyncio
import random
import time
from datetime import timedelta

import pytest

from casework.clock import ManualClock
from escalation.promises import PromiseClock
from streams.case_store import CaseStore
from streams.connection import Store
from tests.campaigns.sweeping import KILLED, sweep_for
from tests.conftest import emptied
from tests.fakes.cases import NOON
from tests.fakes.due import ALL_ONCE, HOUR, PROMISES, on_timelines, open_cases, raised

CASES = 2_000
SOON = 60.0


async def killed_and_begun_again(store: Store, chance: random.Random, cases: int, processes: int) -> int:
    """Kill sweeping processes, begin again two hours later, count; how many cases the killed had moved."""
    opened = await open_cases(CaseStore(store), cases - 200, of_one=200)
    life_s = chance.uniform(0.0, 0.5) * cases / CASES
    ends = await asyncio.to_thread(sweep_for, life_s, store.url, NOON + HOUR, processes=processes)
    before = sum(map(bool, await on_timelines(CaseStore(store), opened)))
    assert KILLED in ends or before == len(opened)

    began = time.monotonic()
    again = PromiseClock(CaseStore(store), ManualClock(NOON + HOUR + timedelta(hours=2)), PROMISES)
    assert await again.sweep() == len(opened)
    assert time.monotonic() - began < SOON
    assert await raised(store, opened) == [ALL_ONCE] * len(opened)
    return before


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_killed_sweep_raises_everything_once(store: Store, processes: int) -> None:
    """The short part: a few hundred cases, one death."""
    await killed_and_begun_again(store, random.Random(processes), 400, processes)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
async def test_twenty_deaths_raise_everything_once(embedded_url: str) -> None:
    """Two thousand cases due at once, one to three processes; most die with their work half done."""
    chance, half_done = random.Random(20261124), 0
    for _ in range(20):
        async with emptied(embedded_url) as store:
            before = await killed_and_begun_again(store, chance, CASES, chance.choice([1, 2, 3]))
            half_done += 0 < before < CASES

    assert half_done >= 10
