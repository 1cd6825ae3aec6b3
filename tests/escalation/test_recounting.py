"""When the brand promises something else, open cases are counted anew: once, and on record."""

from dataclasses import replace
from datetime import timedelta

import pytest

from casework import moves
from casework.case import Case
from casework.clock import ManualClock
from casework.hours import OpeningHours
from casework.mention import Author
from casework.sla import Promises
from escalation.promises import PromiseClock
from escalation.recounting import Recounter, fingerprint
from streams import topics
from streams.case_store import CaseStore, Write
from streams.connection import Store
from streams.switch import Cursors
from tests.fakes.cases import FIRST_HOUR, MINUTE, NOON, PROMISES, SAME_DAY, a_mention

TWO_HOURS = Promises((replace(FIRST_HOUR, within=timedelta(hours=2)), SAME_DAY))


async def opened(cases: CaseStore, count: int) -> list[Case]:
    """So many cases, all heard at noon under the promises of before."""
    moved = []
    for number in range(1, count + 1):
        mention = a_mention(1, id=f"post-{number}", author=Author(f"author-{number}", "someone"))
        case_id = topics.case_id(number, topics.partition_of_mention(mention))
        moved.append(moves.hear(mention, case_id=case_id, at=NOON, promises=PROMISES))
    await cases.save_all([Write(one) for one in moved])
    return [one.case for one in moved]


@pytest.fixture
async def recounter(cases: CaseStore, clock: ManualClock, store: Store) -> Recounter:
    """One that has counted by the promises of before."""
    counter = Recounter(cases=cases, clock=clock, done=Cursors(store), promises=PROMISES)
    await counter.recount()
    return counter


async def recounts(cases: CaseStore, case: Case) -> list[str]:
    """What the recounting wrote on a case's timeline."""
    return [e.detail for e in await cases.timeline(case.id) if e.what == "recount its promises"]


async def test_every_open_case_is_counted_anew_once(
    cases: CaseStore, clock: ManualClock, store: Store, recounter: Recounter
) -> None:
    """By whichever process is first; the timeline says what is due when, and closed cases are left."""
    some = await opened(cases, 300)
    await cases.save(moves.close(some[0], by="Nina", at=NOON, reason="spam"))
    clock.advance(MINUTE)
    other = Recounter(cases=cases, clock=clock, done=Cursors(store), promises=PROMISES)
    for one in (recounter, other):
        one.use(TWO_HOURS)
        await one.recount()
        await one.recount()

    due = (NOON + timedelta(hours=2)).isoformat()
    for case in some[1:]:
        (said,) = await recounts(cases, case)
        assert said.startswith(f"the brand promises something else now: first hour due {due}")
    assert await recounts(cases, some[0]) == []


async def test_the_sweep_goes_by_the_new_deadlines(
    cases: CaseStore, clock: ManualClock, recounter: Recounter
) -> None:
    """Nothing is raised at the old hour, and the breach at the new one."""
    (case,) = await opened(cases, 1)
    recounter.use(TWO_HOURS)
    await recounter.recount()
    bell = PromiseClock(cases=cases, clock=clock, promises=TWO_HOURS)

    clock.advance(59 * MINUTE)
    assert await bell.sweep() == 0
    clock.advance(2 * MINUTE)
    assert await bell.sweep() == 1
    details = [entry.detail for entry in await cases.timeline(case.id) if entry.what == "wake"]
    assert details == ["first hour at risk, telling owner"]


async def test_promises_that_changed_while_nothing_ran_are_counted_at_the_start(
    cases: CaseStore, clock: ManualClock, store: Store, recounter: Recounter
) -> None:
    """The store remembers what it was last counted by."""
    (case,) = await opened(cases, 1)
    started = Recounter(cases=cases, clock=clock, done=Cursors(store), promises=TWO_HOURS)
    await started.recount()
    assert len(await recounts(cases, case)) == 1


async def test_a_store_that_was_never_counted_is_left_as_it_is(
    cases: CaseStore, clock: ManualClock, store: Store
) -> None:
    """Its cases were promised what they were promised by whoever opened them."""
    (case,) = await opened(cases, 1)
    await Recounter(cases=cases, clock=clock, done=Cursors(store), promises=TWO_HOURS).recount()
    assert await recounts(cases, case) == []


async def test_a_case_that_somebody_moves_meanwhile_is_counted_after_them(
    cases: CaseStore, recounter: Recounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's move is lost, and neither is the new deadline."""
    (case,) = await opened(cases, 1)
    load_all = cases.load_all

    async def load_then_move(case_ids: list[str]) -> list[Case | None]:
        found = await load_all(case_ids)
        monkeypatch.setattr(cases, "load_all", load_all)
        await cases.move(case.id, lambda c: moves.note(c, by="Nina", at=NOON, text="mine"))
        return found

    monkeypatch.setattr(cases, "load_all", load_then_move)
    recounter.use(TWO_HOURS)
    await recounter.recount()

    assert [entry.what for entry in await cases.timeline(case.id)] == ["hear", "note", "recount its promises"]


def test_promises_are_told_apart_by_all_that_counts() -> None:
    """Names, lengths and hours; the same promises are the same in every process."""
    elsewhere = replace(PROMISES, hours=OpeningHours("Europe/Oslo"))
    assert len({fingerprint(one) for one in (PROMISES, TWO_HOURS, elsewhere)}) == 3
    assert fingerprint(PROMISES) == fingerprint(Promises((FIRST_HOUR, SAME_DAY)))
