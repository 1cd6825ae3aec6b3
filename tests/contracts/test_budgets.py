"""Every budget: never more within any stretch, all as soon as it may, the platform has the last word."""

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from casework.clock import ManualClock
from platforms.limits import Budget, Limit, OwnBudget
from streams.budget import SharedBudget
from streams.connection import Store

MINUTE = timedelta(minutes=1)
CALLS = Limit("calls", 100, MINUTE)
HOURLY = Limit("points", 1000, timedelta(hours=1))


@pytest.fixture(params=["own", "shared"])
def budget(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Budget]:
    """Each budget that there is."""
    if request.param == "own":
        yield OwnBudget(clock.now)
    else:
        yield SharedBudget(request.getfixturevalue("store"), clock)


async def test_what_is_there_is_given_at_once(budget: Budget) -> None:
    """A hundred calls in one instant, and no more."""
    for _ in range(100):
        assert await budget.take("app", [CALLS]) is None
    wait = await budget.take("app", [CALLS])

    assert wait is not None
    assert timedelta(0) < wait <= MINUTE * 1.02
    assert await budget.left("app", CALLS) == 0


async def test_waiting_as_told_is_enough(budget: Budget, clock: ManualClock) -> None:
    """Whoever waits that long gets it."""
    for _ in range(100):
        await budget.take("app", [CALLS])
    wait = await budget.take("app", [CALLS])
    assert wait is not None
    clock.advance(wait)

    assert await budget.take("app", [CALLS]) is None


async def test_never_more_than_the_limit_within_any_stretch(budget: Budget, clock: ManualClock) -> None:
    """Three greedy workers, a simulated hour, calls at random instants."""
    luck, given = random.Random(7), list[float]()
    began = clock.now()
    while clock.now() - began < timedelta(minutes=10):
        if await budget.take("app", [CALLS]) is None:
            given.append((clock.now() - began).total_seconds())
        else:
            clock.advance(timedelta(seconds=luck.random()))
        if luck.random() < 0.2:
            clock.advance(timedelta(milliseconds=luck.randrange(400)))
    busiest = max(sum(1 for other in given if at - 60 < other <= at) for at in given)

    assert busiest <= 100
    assert len(given) >= 930


async def test_all_limits_are_spent_or_none(budget: Budget) -> None:
    """A call that one limit forbids costs nothing of the others."""
    scarce = Limit("scarce", 1, MINUTE)
    assert await budget.take("app", [HOURLY, scarce], cost=1) is None
    assert await budget.take("app", [HOURLY, scarce], cost=1) is not None

    assert await budget.left("app", HOURLY) == 999


async def test_a_cost_is_counted_whole(budget: Budget, clock: ManualClock) -> None:
    """Three points a reply; what is dearer than the whole limit never goes."""
    for _ in range(333):
        assert await budget.take("app", [HOURLY], cost=3) is None

    assert await budget.take("app", [HOURLY], cost=3) is not None
    assert await budget.take("app", [HOURLY], cost=1) is None
    assert await budget.take("other", [HOURLY], cost=1001) is not None


async def test_accounts_are_apart(budget: Budget) -> None:
    """What one spends the other keeps."""
    await budget.take("one", [CALLS], cost=100)

    assert await budget.take("two", [CALLS], cost=100) is None


async def test_the_platform_has_the_last_word(budget: Budget, clock: ManualClock) -> None:
    """Its headers say that two calls are left for half a minute: two go, the third waits so long."""
    await budget.told("app", CALLS, left=2, until=clock.now() + timedelta(seconds=30))
    assert await budget.take("app", [CALLS]) is None
    assert await budget.take("app", [CALLS]) is None
    wait = await budget.take("app", [CALLS])

    assert wait == timedelta(seconds=30)
    clock.advance(wait)
    assert await budget.take("app", [CALLS]) is None


async def test_the_platform_does_not_lend_more_than_its_rule(budget: Budget, clock: ManualClock) -> None:
    """A header that promises more changes nothing."""
    await budget.told("app", CALLS, left=10_000, until=clock.now() + MINUTE)

    assert await budget.left("app", CALLS) == 100


async def test_workers_on_many_machines_share_one_budget(store: Store, clock: ManualClock) -> None:
    """Three budgets on one store give a hundred calls together."""
    workers = [SharedBudget(store, clock) for _ in range(3)]
    answers = list[timedelta | None]()
    for _ in range(50):
        answers += await asyncio.gather(*[worker.take("app", [CALLS]) for worker in workers])

    assert sum(answer is None for answer in answers) == 100
