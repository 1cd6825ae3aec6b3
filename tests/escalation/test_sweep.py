"""The sweep, whatever happens to it: each alarm once, and all by the first sweep after a start."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework import moves
from casework.case import Case, Moved, Status
from casework.clock import ManualClock
from casework.errors import Conflict, IllegalMove
from casework.hours import OpeningHours, Span
from casework.sla import Alert, LadderStep, MetBy, PromisePolicy, Promises
from casework.sla import Warning as EarlyWarning
from escalation import promises as sweeping
from escalation.promises import PromiseClock
from streams import topics
from streams.case_store import CaseStore
from streams.connection import LOST, Store, open_store
from tests.conftest import emptied
from tests.fakes.cases import MINUTE, NOON, a_mention, heard
from tests.fakes.cutting import Cut, When, cutting
from tests.fakes.due import (
    ALL_ONCE,
    AT_ONE,
    FIRST_HOUR,
    HOUR,
    PROMISES,
    on_timelines,
    open_cases,
    opening,
    raised,
)


def a_clock(store: Store, at: datetime, promises: Promises = PROMISES, first: int = 0) -> PromiseClock:
    """A promise clock of a process that begins now."""
    return PromiseClock(cases=CaseStore(store), clock=ManualClock(at), promises=promises, first=first)


# ── killed ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("when", When)
async def test_killed_at_any_call_everything_is_raised_once_by_the_first_sweep_after(
    embedded_url: str, when: When, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at the first call, the second, … until a sweep comes through; two hours later another begins."""
    monkeypatch.setattr(sweeping, "AT_ONCE", 8)
    monkeypatch.setattr(sweeping, "TOGETHER", 24)
    call, came_through, half_done = 0, False, 0
    while not came_through:
        call += 1
        async with emptied(embedded_url) as store, cutting(embedded_url) as (doomed, cuts):
            cases = CaseStore(store)
            opened = await open_cases(cases, 30, of_one=20)
            cut = Cut(call, when)
            cuts.append(cut)
            try:
                await a_clock(doomed, NOON + HOUR).sweep()
            except LOST:
                half_done += 0 < sum(map(bool, await on_timelines(cases, opened))) < len(opened)
            came_through = not cut.done
            after = a_clock(store, NOON + 3 * HOUR)
            assert [await after.sweep() for _ in range(2)] == [len(opened), 0]
            assert await raised(store, opened) == [ALL_ONCE] * len(opened), f"cut at call {call}"
            assert await cases.due(NOON + 3 * HOUR) == []

    assert call > 9
    assert half_done > 2


# ── clocks that are set ──────────────────────────────────────────────────────────────────────────


async def test_a_clock_that_goes_back_an_hour_raises_nothing_twice_and_loses_nothing(store: Store) -> None:
    """What was raised in the hour that comes again stays raised; what is heard in it has its own time."""
    cases = CaseStore(store)
    early = await open_cases(cases, 20)
    assert await a_clock(store, NOON + HOUR).sweep() == 20
    (late,) = await open_cases(cases, 0, of_one=1, at=NOON + 5 * MINUTE)
    moved = [
        await a_clock(store, NOON + minutes * MINUTE).sweep() for minutes in (1, 30, 60, 64, 65, 75, 80, 80)
    ]

    assert moved == [0, 0, 0, 0, 1, 20, 1, 0]
    assert await raised(store, [*early, late]) == [ALL_ONCE] * 21


async def test_a_clock_that_goes_on_a_day_raises_everything_once(store: Store) -> None:
    """Each step of the ladder and each breach; the warnings that were missed are overtaken by the breach."""
    opened = await open_cases(CaseStore(store), 40)
    moved = [await a_clock(store, NOON + timedelta(days=1, hours=hours)).sweep() for hours in (1, 1, 2)]

    assert moved == [40, 0, 0]
    assert await raised(store, opened) == [
        Counter([AT_ONE[0], "first hour breached, telling leads", "next day breached, telling managers"])
    ] * len(opened)


async def test_missed_warnings_come_as_one(store: Store) -> None:
    """Nobody needs to hear at half past ten that half of the time is over, and that four fifths are."""
    policy = replace(FIRST_HOUR, warn_at=(EarlyWarning(share=0.5), EarlyWarning(share=0.8)))
    promises = Promises((policy,))
    opened = await open_cases(CaseStore(store), 10, promises=promises)
    assert await a_clock(store, NOON + 50 * MINUTE, promises).sweep() == 10
    assert await a_clock(store, NOON + 59 * MINUTE, promises).sweep() == 0

    assert await raised(store, opened) == [Counter(["first hour at risk, telling owner"])] * 10


async def test_the_night_in_which_local_clocks_change_is_a_night_like_others(store: Store) -> None:
    """The hour that comes twice on the walls of Oslo is two hours here: each alarm has its own instant."""
    at = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, and 02:30 again an hour later
    promises = Promises(PROMISES.policies, OpeningHours("Europe/Oslo"))
    opened = await open_cases(CaseStore(store), 10, at=at, promises=promises)
    moved = {
        minutes: await a_clock(store, at + minutes * MINUTE, promises).sweep() for minutes in range(0, 100, 5)
    }

    assert {minutes: count for minutes, count in moved.items() if count} == {60: 10, 75: 10}
    assert await raised(store, opened) == [ALL_ONCE] * 10


# ── what cannot be woken ─────────────────────────────────────────────────────────────────────────


async def test_what_cannot_be_read_keeps_nothing_behind_it_waiting(store: Store) -> None:
    """More broken records than a partition gives at once, all due first."""
    cases = CaseStore(store)
    broken = await open_cases(cases, 0, of_one=sweeping.AT_ONCE + 6, at=NOON - MINUTE)
    for case in broken:
        await store.writes.hset(topics.case_key(case.id), "s", b"\xffnonsense")
    saved = [await cases.save(opening(20_000 + number, "maya")) for number in range(70)]
    others = await open_cases(cases, 20)

    assert [await a_clock(store, NOON + HOUR).sweep() for _ in range(2)] == [90, 0]
    assert await raised(store, [*saved, *others]) == [Counter(AT_ONE)] * 90


async def test_a_case_that_breaks_the_reckoning_silences_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it."""
    opened = await open_cases(CaseStore(store), 20)
    wake = moves.wake

    def wake_most(case: Case, *, at: datetime, promises: Promises | None = None) -> Moved | None:
        if case.id == opened[7].id:
            raise ValueError("the opening hours leave no time")
        return wake(case, at=at, promises=promises)

    monkeypatch.setattr(moves, "wake", wake_most)
    assert await a_clock(store, NOON + HOUR).sweep() == 19


# ── clocks that race ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def stores(embedded_url: str, store: Store) -> AsyncIterator[list[Store]]:
    """One for each of eight processes."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(embedded_url, Path())) for _ in range(8)]


async def people(store: Store, of: list[Case], chance: random.Random) -> set[str]:
    """People who take, note and close meanwhile, as often as it needs; which cases they closed."""
    cases, closed = CaseStore(store), set[str]()
    for case in chance.sample(of, len(of) // 2):
        decide = chance.choice([taken, noted, ended])
        while not await decided(cases, case.id, decide):
            pass
        if decide is ended:
            closed.add(case.id)
    return closed


async def decided(cases: CaseStore, case_id: str, decide: Callable[[Case], Moved]) -> bool:
    """One try by what they see; False when somebody was faster."""
    try:
        await cases.save(decide(await cases.load(case_id)))
    except Conflict:
        return False
    return True


def taken(case: Case) -> Moved:
    return moves.take(case, by="Nina", at=NOON + HOUR)


def noted(case: Case) -> Moved:
    return moves.note(case, by="Nina", at=NOON + HOUR, text="mine")


def ended(case: Case) -> Moved:
    return moves.close(case, by="Nina", at=NOON + HOUR, reason="spam")


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("clocks", [2, 8])
async def test_clocks_that_race_while_people_work_raise_nothing_twice(
    stores: list[Store], clocks: int, seed: int
) -> None:
    """No leader: whoever comes first to a case has it, person or clock."""
    chance = random.Random(seed)
    opened = await open_cases(CaseStore(stores[0]), 100, of_one=70)
    racing = [a_clock(one, NOON + HOUR, first=chance.randrange(64)) for one in stores[:clocks]]
    moved, closed = await asyncio.gather(
        asyncio.gather(*(one.sweep() for one in racing)),
        people(stores[0], opened, chance),
    )
    moved.append(await racing[0].sweep())
    assert await racing[0].sweep() == 0

    said = dict(zip([case.id for case in opened], await raised(stores[0], opened), strict=True))
    assert sum(moved) == sum(map(bool, said.values()))
    for case_id, alerts in said.items():
        assert alerts in ([Counter(), Counter(AT_ONE)] if case_id in closed else [Counter(AT_ONE)])


async def test_clocks_that_begin_apart_share_the_work(stores: list[Store]) -> None:
    """Two that go in step would do everything twice and lose half of it."""
    await open_cases(CaseStore(stores[0]), 640)
    pair = [a_clock(one, NOON + HOUR, first=32 * place) for place, one in enumerate(stores[:2])]
    won = await asyncio.gather(*(one.sweep() for one in pair))

    assert sum(won) == 640
    assert min(won) > 100


# ── quiet hours, and telling again ───────────────────────────────────────────────────────────────

NAGGING = PromisePolicy(
    "first hour",
    HOUR,
    MetBy.REPLY,
    ladder=(
        LadderStep(timedelta(0), "managers", every=30 * MINUTE),
        LadderStep(15 * MINUTE, "leads", every=45 * MINUTE),
    ),
    quiet=Span(time(22), time(7)),
)


async def test_who_is_told_again_is_told_once_at_each_instant_and_not_at_night(stores: list[Store]) -> None:
    """Three racing clocks ring each minute from evening to morning."""
    promises = Promises((NAGGING,))
    at = datetime(2026, 11, 3, 19, 30, tzinfo=UTC)
    (case,) = await open_cases(CaseStore(stores[0]), 0, of_one=1, at=at, promises=promises)
    clock = ManualClock(at)
    racing = [PromiseClock(CaseStore(one), clock, promises) for one in stores[:3]]
    while clock.now() < at + 13 * HOUR:
        clock.advance(MINUTE)
        await asyncio.gather(*(one.sweep() for one in racing))

    entries = await CaseStore(stores[0]).timeline(case.id)
    told = [(f"{entry.at:%H:%M}", who) for entry in entries[1:] for who in said_to(entry.detail)]
    evening = [("20:30", "managers"), ("20:45", "leads"), ("21:00", "managers"), ("21:30", "leads")]
    evening += [("21:30", "managers")]
    assert told[:5] == evening
    assert sorted(told[5:7]) == [("07:00", "leads"), ("07:00", "managers")]
    assert len(set(told)) == len(told)


def said_to(detail: str) -> list[str]:
    """Whom an entry names."""
    return [part.rpartition(" ")[2] for part in detail.split("; ")]


minutes = st.integers(min_value=1, max_value=36 * 60).map(lambda count: count * MINUTE)
hours_of_day = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30]))
steps = st.builds(
    LadderStep,
    after=st.one_of(st.just(timedelta(0)), minutes),
    who=st.sampled_from(["managers", "leads", "owner"]),
    every=st.one_of(st.none(), minutes),
)
policies = st.builds(
    PromisePolicy,
    name=st.sampled_from(["first hour", "same day"]),
    within=st.one_of(st.none(), minutes),
    met_by=st.sampled_from(MetBy),
    warn_at=st.lists(
        st.one_of(
            st.floats(0.01, 0.99).map(lambda share: EarlyWarning(share=share)),
            minutes.map(lambda left: EarlyWarning(left=left)),
        ),
        max_size=3,
    ).map(tuple),
    opening_clock=st.booleans(),
    ladder=st.lists(steps, max_size=3, unique_by=lambda step: step.who).map(tuple),
    quiet=st.one_of(st.none(), st.builds(Span, hours_of_day, hours_of_day)),
)
hours = st.sampled_from(
    [OpeningHours(), OpeningHours("Europe/Oslo", ((Span(time(8), time(20)),),) * 5 + ((),) * 2)]
)
promised = st.builds(
    Promises, st.lists(policies, max_size=2, unique_by=lambda policy: policy.name).map(tuple), hours
)
rings = st.lists(st.one_of(minutes, minutes.map(lambda length: -length)), min_size=1, max_size=12)


@given(promised, rings, st.booleans())
def test_no_alarm_comes_twice(promises: Promises, later: list[timedelta], snoozed: bool) -> None:
    """Whatever the policy and wherever the clock jumps, the same is said once to the same for one instant."""
    case, now, alerts = a_case(promises, snoozed), NOON, list[Alert]()
    for jump in later:
        now += jump
        if (woken := moves.wake(case, at=now, promises=promises)) is not None:
            case = woken.case
            alerts += [send.alert for send in woken.sends if send.alert]

    assert [alert for alert, count in Counter(alerts).items() if count > 1] == []


acts = st.sampled_from(["look", "pause", "resume", "hush", "snooze", "close", "reopen", "recount", "join"])


@given(promised, promised, st.lists(st.tuples(acts, rings.map(lambda jumps: jumps[0])), max_size=12))
def test_no_case_is_woken_for_nothing(
    promises: Promises, others: Promises, story: list[tuple[str, timedelta]]
) -> None:
    """Due when there is something to raise, and only then: after a look nothing is, whatever was done."""
    case, now = replace(a_case(promises, snoozed=False), status=Status.HELD), NOON
    for act, jump in story:
        now += jump
        case = acted(case, act, now, promises, others)
        wake = case.next_wake()
        woken = moves.wake(case, at=now, promises=promises)
        assert (woken is not None) == (wake is not None and wake <= now)
        case = woken.case if woken else case
        wake = case.next_wake()
        assert wake is None or wake > now


def acted(case: Case, act: str, at: datetime, promises: Promises, others: Promises) -> Case:
    """The case after what somebody did, if it may be done."""
    does: dict[str, Callable[[], Moved | None]] = {
        "look": lambda: None,
        "pause": lambda: moves.pause(case, by="Nina", at=at, reason="the airline looks"),
        "resume": lambda: moves.resume(case, by="Nina", at=at, promises=promises),
        "hush": lambda: moves.hush(case, by="Nina", at=at),
        "snooze": lambda: moves.snooze(case, by="Nina", at=at, until=at + HOUR),
        "close": lambda: moves.close(case, by="Nina", at=at, reason="spam"),
        "reopen": lambda: moves.reopen(case, by="Nina", at=at, promises=promises),
        "recount": lambda: moves.recount(case, at=at, promises=others, why="new"),
        "join": lambda: moves.join(case, a_mention(2), at=at, promises=promises),
    }
    try:
        moved = does[act]()
    except IllegalMove:
        return case
    return moved.case if moved else case


def a_case(promises: Promises, snoozed: bool) -> Case:
    """A case heard at noon; perhaps it rests for an hour."""
    owed = promises.owed((), mention="x:post-1", at=NOON, platform="x", classification=None)
    case = replace(heard(), promises=owed)
    if not snoozed:
        return case
    return moves.snooze(replace(case, status=Status.HELD), by="Nina", at=NOON, until=NOON + HOUR).case
