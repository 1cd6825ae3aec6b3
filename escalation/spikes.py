"""The spike clock: looks at each five minutes that are over, pauses automatic replies, tells managers once.

Any number of processes may run it. Each five minutes are judged by whoever writes the watch's record first,
and what there is to tell is in that record before it is told: a process that dies has forgotten nothing.

An angry spike pauses automatic replies until a person lets them go on, even when it is over: after an hour
like that somebody had better read what a thank-you would land under, and all that waiting costs is that
drafts wait for people. A person who lets them go on in the middle of a spike has decided for this spike.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from casework.clock import Clock
from casework.errors import HeardError
from casework.spikes import SLOT, WINDOW, Over, Spike, SpikeState, SpikeWatch, Thresholds
from streams.connection import LOST, end_if_cancelled
from streams.spikes import News, SpikeRecord, Watched
from streams.switch import AutomaticPause
from streams.volume import KEPT, Slot, Volume, slot_of

log = structlog.get_logger(__name__)

EVERY_S: Final = 60.0
AWAY: Final = 3 * SLOT
"""Nobody looked for so long: empty slots of that time may be uncounted, and are not taken for quiet ones."""

STALE: Final = timedelta(hours=1)
"""What could not be told for so long is no news: the log and the health page have it."""

SHOWN: Final = timedelta(hours=1)

Tell = Callable[[News], Awaitable[None]]
"""Tells managers. A `HeardError` says that they were not told, and is tried again."""


async def tell_log(news: News) -> None:
    """Tells the log, where there is nothing else."""
    if news.spike is not None:
        spike = news.spike
        log.warning(
            "spike",
            mentions=spike.mentions,
            negative=spike.negative,
            usual=round(spike.usual, 1),
            since=spike.began.isoformat(),
            automatic_replies="paused" if news.paused else "go on",
        )
    if news.over is not None:
        log.warning("spike over", mentions=news.over.mentions, since=news.over.began.isoformat())


@dataclass(frozen=True, slots=True)
class SpikeRules:
    """What the brand calls a spike, on its own wall clock, and whether one pauses anything."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    timezone: str = "UTC"
    pauses: bool = False


class SpikeClock:
    """Feeds the watch with what was counted, and acts on what it says."""

    def __init__(
        self,
        *,
        volume: Volume,
        record: SpikeRecord,
        pause: AutomaticPause,
        clock: Clock,
        rules: SpikeRules,
        tell: Tell = tell_log,
    ) -> None:
        self._volume = volume
        self._record = record
        self._pause = pause
        self._clock = clock
        self._rules = rules
        self._tell = tell
        self._seen: datetime | None = None

    def use(self, rules: SpikeRules) -> None:
        """Go on under changed settings; what is usual stays known."""
        self._rules = rules

    async def run(self) -> None:
        """A step each minute until cancelled, through lost stores."""
        while True:
            with suppress(*LOST):
                await self.step()
            end_if_cancelled()
            await asyncio.sleep(EVERY_S)

    async def step(self, *, always_there: bool = False) -> None:
        """Judge every five minutes that are over and not judged yet, and tell what is not told.

        ``always_there`` says that nothing was missed since the last step, however long ago that was: so
        it is where recorded days are played.
        """
        until = slot_of(self._clock.now())
        if until != self._seen:
            await self._look(until, always_there=always_there)
            self._seen = until
        await self._tell_all()

    # ── judging ──────────────────────────────────────────────────────────────────────────────────

    async def _look(self, until: datetime, *, always_there: bool) -> None:
        """Judge until no other process is in the middle of the same: each slot is written by one."""
        while True:
            held = await self._record.read()
            slots = await self._unjudged(held.state, until, always_there=always_there)
            if not slots:
                return
            watch, news = SpikeWatch(self._rules.thresholds, self._rules.timezone, held.state), list[News]()
            for slot in slots:
                news += await self._judge(watch, slot)
            if await self._record.replace(held, watch.state, (*held.untold, *news)):
                return

    async def _unjudged(self, state: SpikeState, until: datetime, *, always_there: bool) -> Sequence[Slot]:
        since = state.at + SLOT if state.at is not None else until - SLOT
        slots = await self._volume.slots(max(since, until - KEPT), until)
        if always_there or until - since <= AWAY:
            return slots
        return [slot for slot in slots if slot.mentions]

    async def _judge(self, watch: SpikeWatch, slot: Slot) -> list[News]:
        """What one slot changes. Pausing comes before the record: repeated after a crash it does no more."""
        angry_before = watch.angry
        what = watch.add(slot.at, slot.mentions, slot.negative)
        event = watch.state.event
        if event is None or not watch.angry or angry_before:
            return [await self._news(watch, slot, what)] if what is not None else []
        spike = what if isinstance(what, Spike) else _turned(watch.state, slot)
        if self._rules.pauses and await self._pause.pause(self._why(spike), event.began):
            log.warning("automatic replies paused", since=event.began.isoformat())
        elif what is None:
            # It was told when it began, and turning angry changed nothing.
            return []
        return [await self._news(watch, slot, spike)]

    def _why(self, spike: Spike) -> str:
        since = spike.began.astimezone(ZoneInfo(self._rules.timezone))
        what = "negative mentions" if spike.of_negative else "mentions"
        return f"{spike.ratio:.1f} times the usual {what} since {since:%H:%M}"

    async def _news(self, watch: SpikeWatch, slot: Slot, what: Spike | Over) -> News:
        usual = watch.state.mentions.usual / WINDOW
        lately = await self._volume.slots(slot.at + SLOT - SHOWN, slot.at + SLOT)
        return News(
            at=slot.at + SLOT,
            spike=what if isinstance(what, Spike) else None,
            over=what if isinstance(what, Over) else None,
            counts=tuple((one.at, one.mentions, usual) for one in lately),
            paused=await self._pause.paused() is not None,
        )

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    async def _tell_all(self) -> None:
        held = await self._record.read()
        if not held.untold or not await self._record.may_tell():
            return
        try:
            # Read again: somebody may have told them just before we were let.
            for news in (await self._record.read()).untold:
                if not await self._told(news):
                    return
                await self._forget(news)
        finally:
            await self._record.told()

    async def _told(self, news: News) -> bool:
        if self._clock.now() - news.at > STALE:
            log.warning("spike told to nobody in time", at=news.at.isoformat())
            return True
        try:
            await self._tell(news)
        except HeardError as error:
            log.warning("spike not told, trying again", why=str(error))
            return False
        except Exception:
            # A message that cannot be drawn must not end the line beside it.
            log.exception("spike not told, trying again")
            return False
        return True

    async def _forget(self, news: News) -> None:
        while True:
            held: Watched = await self._record.read()
            left = tuple(one for one in held.untold if one != news)
            if await self._record.replace(held, held.state, left):
                return


def _turned(state: SpikeState, slot: Slot) -> Spike:
    """A spike that turned angry, as it stands now."""
    began = state.event.began if state.event is not None else slot.at
    mentions, negative = state.mentions, state.negative
    return Spike(
        began=began,
        at=slot.at + SLOT,
        mentions=mentions.total,
        negative=negative.total,
        usual=mentions.usual,
        ratio=mentions.ratio,
        angry=True,
    )
