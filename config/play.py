"""Plays a recorded feed through the whole line as fast as it goes, on a clock that the feed drives.

Time moves in whole steps: what was written within a step is heard at its end, every stage runs until
nothing is left to do, then time moves on to the next thing that happens. The instant reached is in the
store before anything happens at it, so a run that is killed goes on where it was and ends the same.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from casework.case import Moved, Topic
from casework.clock import ManualClock
from config.answering import Nobody, People
from config.wiring import STAGES, Line
from platforms.feed import Feed
from platforms.replay import ReplayPlatform
from streams.case_store import CaseStore

STEP: Final = timedelta(minutes=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
Progress = Callable[[int, datetime], None]
"""Told how many lines of the feed were played, and which instant was reached."""


def begin(feed: Feed) -> datetime:
    """The instant before anything of a feed happens."""
    first = feed.recorded[0].mention.created_at if feed.recorded else EPOCH
    return _step_of(first) - STEP


def end(feed: Feed, line: Line) -> datetime:
    """When a feed's last day is over: its midnight where the brand is, and an hour after the last mention."""
    last = feed.recorded[-1].mention.created_at if feed.recorded else EPOCH
    return max(_step_of(last) + timedelta(hours=1), line.promises.hours.end_of_day(last))


class Agenda:
    """What is still to do on a store that nobody else writes to: which cases wake, which topics have news.

    It only spares looks at a store where nothing can have changed; what is true stands in the store.
    """

    def __init__(self) -> None:
        self._wakes: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []
        self.sent: Counter[Topic] = Counter()

    async def fill(self, cases: CaseStore) -> None:
        """Take up what an earlier run left."""
        for case in await cases.due(EVER, at_most=1_000_000):
            self._note(case.id, case.next_wake())

    def saw(self, moved: Moved) -> None:
        """A move was saved."""
        self.sent.update(send.topic for send in moved.sends)
        self._note(moved.case.id, moved.case.next_wake())

    def _note(self, case_id: str, wake: datetime | None) -> None:
        if wake is None:
            self._wakes.pop(case_id, None)
        elif self._wakes.get(case_id) != wake:
            self._wakes[case_id] = wake
            heapq.heappush(self._heap, (wake, case_id))

    def next_wake(self) -> datetime | None:
        """When the next case wakes; None when none will."""
        while self._heap and self._wakes.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: datetime) -> list[str]:
        """The cases that wake by now."""
        due: list[str] = []
        while (wake := self.next_wake()) is not None and wake <= now:
            due.append(heapq.heappop(self._heap)[1])
            del self._wakes[due[-1]]
        return due


class Player:
    """Plays one feed on one line; ``agenda`` and ``people`` must be told of every move that it saves."""

    def __init__(
        self,
        line: Line,
        platform: ReplayPlatform,
        name: str,
        clock: ManualClock,
        agenda: Agenda,
        people: People | None = None,
    ) -> None:
        self._line = line
        self._platform = platform
        self._name = name
        self._clock = clock
        self._agenda = agenda
        self._people = people or Nobody()
        self._drained: dict[str, int] = {}

    async def play(self, progress: Progress | None = None, *, last: datetime | None) -> None:
        """Play on to ``last``, from wherever an earlier run came to; None: until nothing more will happen."""
        line, clock = self._line, self._clock
        listener = line.listener(self._name)
        clock.move_to(await line.cursors.reached() or begin(self._platform.feed))
        await self._agenda.fill(line.cases)
        cursor = await line.cursors.get(self._name)
        while True:
            entries = self._platform.until(clock.now(), cursor)
            await listener.take_in(entries)
            cursor = entries[-1].cursor if entries else cursor
            await self._settle_down()
            while await self._people.act(line.cases, clock.now()):
                await self._settle_down()
            if progress is not None:
                progress(int(cursor or 0), clock.now())
            following = self._next(cursor)
            if following is None if last is None else clock.now() >= last:
                return
            ahead = (last, _step_of(following) if following else None)
            await self._move(min(at for at in ahead if at is not None))

    async def _settle_down(self) -> None:
        """Run every stage until nothing is left to do at this instant."""
        now = self._clock.now()
        await self._line.spike_clock.step(always_there=True)
        due = await self._line.cases.load_all(self._agenda.due(now))
        await self._line.promise_clock.wake([case for case in due if case is not None], now)
        while todo := [stage for stage in self._line.consumers if self._has_work(stage)]:
            for stage in todo:
                await self._drain(stage)

    async def _drain(self, stage: str) -> None:
        topic = STAGES[stage]
        while True:
            sent = self._agenda.sent[topic]
            if not await self._line.consumers[stage].step():
                self._drained[stage] = sent
                return

    def _has_work(self, stage: str) -> bool:
        ready = self._line.consumers[stage].next_ready()
        waited = ready is not None and ready <= self._clock.now()
        return waited or self._drained.get(stage) != self._agenda.sent[STAGES[stage]]

    def _next(self, cursor: str | None) -> datetime | None:
        happens = (
            self._platform.next_at(cursor),
            self._agenda.next_wake(),
            self._line.next_ready(),
            self._people.next_at(),
        )
        return min((at for at in happens if at is not None), default=None)

    async def _move(self, instant: datetime) -> None:
        instant = max(instant, self._clock.now() + STEP)
        await self._line.cursors.reach(instant)
        self._clock.move_to(instant)


def _step_of(instant: datetime) -> datetime:
    """The end of the step that an instant is in."""
    return EPOCH + -((EPOCH - instant) // STEP) * STEP
