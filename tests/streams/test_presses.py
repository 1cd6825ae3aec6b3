"""The box of clicks: each press once, none lost, whoever dies."""

import asyncio

from streams.connection import Store
from streams.presses import PressBox


async def test_a_press_is_kept_until_it_is_settled(store: Store) -> None:
    """Another process finds it."""
    assert await PressBox(store).put("p1", b"approve")
    box = PressBox(store)
    (stored,) = await box.take("worker", wait_ms=10)
    assert stored.body == b"approve"
    assert await box.waiting() == 1
    await box.settle(stored.entry)

    assert await box.waiting() == 0
    assert await box.take("worker", wait_ms=10) == []


async def test_what_is_delivered_again_is_one_press(store: Store) -> None:
    """Slack repeats what was not acknowledged in time; even after it was carried out."""
    box = PressBox(store)
    assert await box.put("p1", b"approve")
    assert not await box.put("p1", b"approve")
    (stored,) = await box.take("worker", wait_ms=10)
    await box.settle(stored.entry)

    assert not await box.put("p1", b"approve")
    assert await box.waiting() == 0


async def test_what_a_dead_worker_took_is_taken_over(store: Store) -> None:
    """Once it has lain there for a while, and with the count of its attempts."""
    box = PressBox(store, idle_ms=0)
    await box.put("p1", b"approve")
    (first,) = await box.take("dead", wait_ms=10)
    (again,) = await box.take("alive", wait_ms=10)

    assert (first.entry, first.attempts, again.attempts) == (again.entry, 1, 2)


async def test_two_workers_never_take_the_same_press(store: Store) -> None:
    """Two hundred clicks between two of them."""
    box = PressBox(store)
    for number in range(200):
        await box.put(f"p{number}", str(number).encode())
    taken = list[bytes]()

    async def work(name: str) -> None:
        while found := await box.take(name, count=7, wait_ms=10):
            taken.extend(one.body for one in found)

    await asyncio.gather(work("a"), work("b"))

    assert sorted(taken, key=int) == [str(n).encode() for n in range(200)]
