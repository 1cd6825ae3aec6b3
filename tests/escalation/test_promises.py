"""The promise clock: every warning and breach is raised once, however late and by whomever it is rung."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from casework import moves
from casework.case import Case, Moved
from casework.clock import ManualClock
from casework.mention import Author
from casework.sla import PromiseState
from escalation.promises import PromiseClock
from streams import topics
from streams.case_store import CaseStore, Write
from tests.fakes.cases import MINUTE, NOON, PROMISES, a_mention

AT_RISK, BREACHED = PromiseState.AT_RISK, PromiseState.BREACHED


def opening(number: int = 1) -> Moved:
    """The first case of an author of its own, heard at noon."""
    mention = a_mention(1, id=f"post-{number}", author=Author(f"author-{number}", "someone"))
    case_id = topics.case_id(number, topics.partition_of_mention(mention))
    return moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES)


async def open_cases(cases: CaseStore, count: int) -> list[Case]:
    """So many cases, all heard at noon."""
    moved = [opening(number) for number in range(1, count + 1)]
    await cases.save_all([Write(one) for one in moved])
    return [one.case for one in moved]


async def raised(cases: CaseStore, case: Case) -> list[str]:
    """What the clock wrote on a case's timeline."""
    return [entry.detail for entry in await cases.timeline(case.id) if entry.what == "wake"]


@pytest.fixture
def bell(cases: CaseStore, clock: ManualClock) -> PromiseClock:
    return PromiseClock(cases=cases, clock=clock)


async def test_each_step_is_raised_once(cases: CaseStore, clock: ManualClock, bell: PromiseClock) -> None:
    """Half the hour, four fifths of it, and its end: one entry each, however often the bell rings."""
    (case,) = await open_cases(cases, 1)
    moved = []
    for minutes in (29, 1, 0, 17, 1, 0, 11, 1, 0):
        clock.advance(minutes * MINUTE)
        moved.append(await bell.sweep())

    assert moved == [0, 1, 0, 0, 1, 0, 0, 1, 0]
    assert await raised(cases, case) == [
        "first hour at risk, telling owner",
        "first hour at risk, telling owner",
        "first hour breached, telling managers",
    ]


async def test_two_clocks_that_race_raise_it_once(cases: CaseStore, clock: ManualClock) -> None:
    """Each case is won by one of them: together they move every case once."""
    opened = await open_cases(cases, 50)
    clock.advance(30 * MINUTE)
    pair = [PromiseClock(cases=cases, clock=clock) for _ in range(2)]

    moved = await asyncio.gather(*(one.sweep() for one in pair))

    assert sum(moved) == len(opened)
    assert {len(await raised(cases, case)) for case in opened} == {1}


async def test_a_thousand_in_one_second_are_all_raised(
    cases: CaseStore, clock: ManualClock, bell: PromiseClock
) -> None:
    """In one sweep, although a partition gives only some at a time."""
    await open_cases(cases, 1000)
    clock.advance(30 * MINUTE)

    assert await bell.sweep() == 1000
    assert await bell.sweep() == 0


async def test_more_than_a_partition_gives_at_once_are_all_raised(
    cases: CaseStore, clock: ManualClock, bell: PromiseClock
) -> None:
    """Two hundred matters of one author live in one partition; one sweep takes them all."""
    for number in range(1, 201):
        mention = a_mention(1, id=f"post-{number}")
        case_id = topics.case_id(number, topics.partition_of_mention(mention))
        await cases.save(moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES))
    clock.advance(30 * MINUTE)

    assert await bell.sweep() == 200


async def test_after_days_the_newest_state_is_raised_once(
    cases: CaseStore, clock: ManualClock, bell: PromiseClock
) -> None:
    """The machine was off: no warning that is overtaken, the breach of each promise once."""
    (case,) = await open_cases(cases, 1)
    clock.advance(timedelta(days=3))

    assert [await bell.sweep(), await bell.sweep()] == [1, 0]
    (said,) = await raised(cases, case)
    assert Counter(part.split(",")[0] for part in said.split("; ")) == {
        "first hour breached": 1,
        "same day breached": 1,
    }
    assert {p.state for p in (await cases.load(case.id)).promises} == {BREACHED}


async def test_a_clock_that_goes_back_raises_nothing(cases: CaseStore) -> None:
    """What was raised stays raised; nothing is raised twice when the time comes again."""
    (case,) = await open_cases(cases, 1)
    for minutes in (31, 5, 31):
        await PromiseClock(cases=cases, clock=ManualClock(NOON + minutes * MINUTE)).sweep()

    assert len(await raised(cases, case)) == 1


async def test_what_falls_due_is_in_the_store_and_not_in_the_process(
    cases: CaseStore, clock: ManualClock
) -> None:
    """A clock that was not there when the promise was made raises it all the same."""
    (case,) = await open_cases(cases, 1)
    clock.advance(30 * MINUTE)

    await PromiseClock(cases=cases, clock=clock).sweep()

    assert [p.state for p in (await cases.load(case.id)).promises if p.name == "first hour"] == [AT_RISK]
