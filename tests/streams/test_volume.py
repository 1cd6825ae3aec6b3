"""What is counted is in the store once for everybody, and so is what the watch knows and what it paused."""

import asyncio
from datetime import UTC, datetime, timedelta

from casework.spikes import SLOT, Over, Spike, SpikeWatch
from streams.connection import Store
from streams.spikes import News, SpikeRecord, Watched
from streams.switch import RESTING, AutomaticPause, PauseSwitch
from streams.volume import KEPT, Slot, Volume

NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SPIKE = Spike(NOON, NOON + SLOT, 103, 91, usual=17.0, ratio=6.1, angry=True)


async def test_counts_of_all_workers_add_up_in_slots_of_five_minutes(store: Store) -> None:
    """Quiet slots are there too; one that is not over by then is not."""
    await asyncio.gather(*(Volume(store).count(NOON + MINUTE * 2, 10, 3) for _ in range(4)))
    await Volume(store).count(NOON + SLOT * 2, 1, 0)

    slots = await Volume(store).slots(NOON, NOON + SLOT * 3 + MINUTE)

    assert slots == [Slot(NOON, 40, 12), Slot(NOON + SLOT), Slot(NOON + SLOT * 2, 1, 0)]
    assert await Volume(store).slots(NOON, NOON + MINUTE) == []


async def test_slots_are_read_over_midnight_and_from_any_time_zone(store: Store) -> None:
    """A day's counts are one record, and its day is UTC's."""
    midnight = NOON + timedelta(hours=12)
    await Volume(store).count(midnight - MINUTE, 2, 1)
    await Volume(store).count(midnight.astimezone(), 3, 0)

    slots = await Volume(store).slots(midnight - MINUTE * 8, midnight + SLOT)

    assert slots == [Slot(midnight - SLOT, 2, 1), Slot(midnight, 3, 0)]


async def test_counts_are_forgotten_after_five_weeks(store: Store) -> None:
    """Every record of a day ends by itself."""
    await Volume(store).count(NOON, 2, 1)
    (key,) = await store.writes.keys("heard:volume:*")
    assert KEPT < timedelta(seconds=await store.writes.ttl(key)) <= KEPT + timedelta(days=1)


async def test_what_the_watch_knows_is_written_by_whoever_is_first(store: Store) -> None:
    """The second has read what is no longer so, and is told; nothing of either is mixed."""
    record, watch = SpikeRecord(store), SpikeWatch(timezone="Europe/Oslo")
    for number in range(400):
        watch.add(NOON + number * SLOT, number % 9, number % 4)
    news = News(NOON, spike=SPIKE, counts=((NOON, 3, 1.5),), paused=True)
    over = News(NOON, over=Over(NOON, NOON + SLOT, 300, 200, 6.0, angry=True))
    held = await record.read()
    assert held == Watched()

    assert await record.replace(held, watch.state, (news, over))
    assert not await SpikeRecord(store).replace(held, SpikeWatch().state, ())

    assert await record.read() == Watched(watch.state, (news, over), 1)


async def test_a_record_of_another_version_is_learnt_anew(store: Store) -> None:
    """A stage that cannot read what is usual goes on all the same."""
    await store.writes.hset("heard:spikes", mapping={"version": 7, "record": b"\x92\x01"})
    held = await SpikeRecord(store).read()
    assert held == Watched(version=7)
    assert await SpikeRecord(store).replace(held, SpikeWatch().state, ())


async def test_one_process_tells_at_a_time(store: Store) -> None:
    """The next may once the first is done, or has been away for a minute."""
    record = SpikeRecord(store)
    assert [await record.may_tell(), await record.may_tell()] == [True, False]
    assert 0 < await store.writes.pttl("heard:spikes:telling") <= 60_000
    await record.told()
    assert await record.may_tell()


async def test_a_person_who_resumes_decides_for_this_spike(store: Store) -> None:
    """It does not pause again; the next one does."""
    pause = AutomaticPause(store)
    assert await pause.paused() is None
    assert not await pause.resume("Nina")
    assert await pause.pause("4.2 times the usual mentions since 14:05", NOON)
    assert await pause.pause("4.2 times the usual mentions since 14:05", NOON)
    assert await pause.paused() == "Automatic replies are paused: 4.2 times the usual mentions since 14:05."

    assert await pause.resume("Nina")
    assert not await pause.pause("5.0 times the usual mentions since 14:05", NOON)
    assert await pause.paused() is None
    assert await store.writes.hget(RESTING, "by") == b"Nina"

    assert await pause.pause("5.0 times the usual mentions since 17:05", NOON + timedelta(hours=3))
    assert await pause.paused() is not None


async def test_resuming_all_sending_resumes_automatic_replies(store: Store) -> None:
    """And resuming automatic replies leaves a stop of everything alone."""
    switch, pause = PauseSwitch(store), AutomaticPause(store)
    await switch.pause("Mona")
    await pause.pause("why", NOON)
    assert await switch.resume_automatic("Nina")
    assert (await switch.paused_by(), await pause.paused()) == ("Mona", None)

    await pause.pause("why", NOON + SLOT)
    await switch.resume("Mona")
    assert (await switch.paused_by(), await pause.paused()) == (None, None)
