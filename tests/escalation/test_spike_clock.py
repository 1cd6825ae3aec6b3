"""The spike clock: an angry burst pauses automatic replies and is told once, whoever looks, whatever dies."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from casework.clock import ManualClock
from casework.errors import HeardError
from casework.spikes import SLOT, Thresholds
from escalation.spikes import STALE, SpikeClock, SpikeRules, tell_log
from streams.connection import Store
from streams.spikes import News, SpikeRecord
from streams.switch import AutomaticPause
from streams.volume import Volume

DAY = timedelta(days=1)
CALM = Thresholds().calm


@dataclass
class Managers:
    """Those who are told, when they can be reached."""

    told: list[News] = field(default_factory=list)
    away: bool = False

    async def hear(self, news: News) -> None:
        """They are told."""
        await asyncio.sleep(0)
        if self.away:
            raise HeardError("nobody is there")
        self.told.append(news)

    @property
    def heard(self) -> list[str]:
        """Of what, in order."""
        return ["spike" if news.spike else "over" for news in self.told]


class Watch:
    """A brand on its second day: 2 mentions in five minutes are usual."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.managers = Managers()
        self.pause = AutomaticPause(store)
        self.rules = SpikeRules(timezone="Europe/Oslo", pauses=True)
        self.here = self.process()

    def process(self) -> SpikeClock:
        """One process that runs the clock."""
        return SpikeClock(
            volume=Volume(self.store),
            record=SpikeRecord(self.store),
            pause=self.pause,
            clock=self.clock,
            rules=self.rules,
            tell=self.managers.hear,
        )

    async def learns(self) -> None:
        """A day of what is usual, judged at its end."""
        start = self.clock.now()
        await self.here.step()
        for number in range(int(DAY / SLOT)):
            await Volume(self.store).count(start + number * SLOT, 2, 1)
        self.clock.advance(DAY)
        await self.here.step()
        assert self.managers.told == []

    async def hears(self, mentions: int, negative: int, *, slots: int = 1) -> None:
        """So much in each of the next five minutes, with a look after each."""
        for _ in range(slots):
            await Volume(self.store).count(self.clock.now(), mentions, negative)
            self.clock.advance(SLOT)
            await self.here.step()


@pytest.fixture
async def watch(store: Store, clock: ManualClock) -> Watch:
    watch = Watch(store, clock)
    await watch.learns()
    return watch


async def test_an_angry_burst_pauses_automatic_replies_and_is_told_once(watch: Watch) -> None:
    """With how many times the usual, and since when on the brand's own clock."""
    await watch.hears(2, 1, slots=3)
    began = watch.clock.now()
    await watch.hears(40, 35, slots=6)

    (news,) = watch.managers.told
    assert news.spike is not None
    assert (news.spike.began, news.spike.angry, news.paused) == (began, True, True)
    assert news.counts[-1] == (news.spike.at - SLOT, 40, 2.0)
    assert len(news.counts) == 12
    assert await watch.pause.paused() == (
        "Automatic replies are paused: 7.3 times the usual mentions since 13:15."
    )


async def test_a_happy_burst_is_told_and_pauses_nothing(watch: Watch) -> None:
    """Much is said, and little of it angry."""
    await watch.hears(40, 4, slots=6)

    assert [news.paused for news in watch.managers.told] == [False]
    assert await watch.pause.paused() is None


async def test_a_burst_that_turns_angry_pauses_then_and_says_so(watch: Watch) -> None:
    """Managers had read that nothing was paused."""
    await watch.hears(40, 4, slots=6)
    await watch.hears(40, 39, slots=6)

    assert [news.paused for news in watch.managers.told] == [False, True]
    assert await watch.pause.paused() is not None


async def test_where_nothing_goes_out_by_itself_nothing_is_paused(watch: Watch) -> None:
    """The spike is told all the same, and once, though it turns angry later."""
    watch.here.use(SpikeRules())
    await watch.hears(40, 4, slots=6)
    await watch.hears(40, 39, slots=6)

    assert [news.paused for news in watch.managers.told] == [False]
    assert await watch.pause.paused() is None


async def test_its_end_is_told_and_automatic_replies_wait_for_a_person(watch: Watch) -> None:
    """After the calm time; a later spike is another one."""
    await watch.hears(40, 35, slots=3)
    await watch.hears(2, 0, slots=CALM // SLOT + 4)
    assert watch.managers.heard == ["spike", "over"]
    assert watch.managers.told[1].paused

    await watch.pause.resume("Nina")
    assert await watch.pause.paused() is None
    await watch.hears(40, 35, slots=3)
    assert watch.managers.heard == ["spike", "over", "spike"]
    assert await watch.pause.paused() is not None


async def test_a_person_who_resumes_in_the_middle_is_obeyed(watch: Watch) -> None:
    """The same spike pauses nothing any more, however long it goes on."""
    await watch.hears(40, 35, slots=3)
    await watch.pause.resume("Nina")
    await watch.hears(60, 60, slots=6)

    assert await watch.pause.paused() is None
    assert watch.managers.heard == ["spike"]


async def test_many_processes_tell_it_once(watch: Watch) -> None:
    """All of them look in the same moment, some with a look behind them and some new."""
    others = [watch.here, *(watch.process() for _ in range(4))]
    for _ in range(6):
        await Volume(watch.store).count(watch.clock.now(), 40, 35)
        watch.clock.advance(SLOT)
        await asyncio.gather(*(other.step() for other in others))

    assert watch.managers.heard == ["spike"]


async def test_a_process_that_dies_before_it_tells_has_forgotten_nothing(watch: Watch) -> None:
    """Replies rest already, and the next process tells."""
    watch.managers.away = True
    await watch.hears(40, 35, slots=2)
    assert await watch.pause.paused() is not None
    assert watch.managers.told == []

    watch.managers.away = False
    await watch.process().step()
    await watch.process().step()
    assert watch.managers.heard == ["spike"]


async def test_what_could_not_be_told_for_an_hour_is_let_go(watch: Watch) -> None:
    """It would send people after what is long over."""
    watch.managers.away = True
    await watch.hears(40, 35, slots=2)
    watch.clock.advance(STALE + SLOT)
    watch.managers.away = False
    await watch.here.step()

    assert watch.managers.told == []
    assert (await SpikeRecord(watch.store).read()).untold == ()


async def test_hours_in_which_nobody_was_there_are_not_taken_for_quiet(watch: Watch) -> None:
    """Otherwise a long stop would make the usual small, and its first ordinary hour a spike."""
    watch.clock.advance(DAY / 2)
    await watch.process().step()
    state = (await SpikeRecord(watch.store).read()).state
    assert 0 not in state.mentions.day

    watch.clock.advance(DAY / 2)
    await watch.process().step(always_there=True)
    state = (await SpikeRecord(watch.store).read()).state
    assert 0 in state.mentions.day


async def test_nothing_is_asked_of_the_counts_twice_for_the_same_five_minutes(watch: Watch) -> None:
    """A look each minute costs one read of what is to be told."""
    await watch.hears(2, 1)
    before = await SpikeRecord(watch.store).read()
    for _ in range(4):
        watch.clock.advance(timedelta(minutes=1))
        await watch.here.step()
    assert await SpikeRecord(watch.store).read() == before


async def test_without_a_chat_the_log_is_told(watch: Watch) -> None:
    """A beginning and an end."""
    await watch.hears(40, 35, slots=3)
    await watch.hears(2, 0, slots=CALM // SLOT + 4)
    for news in watch.managers.told:
        await tell_log(news)
