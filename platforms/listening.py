"""The two ways of hearing a platform: a stream for speed, kept open with manners; a sweep for truth.

A stream is never believed. It may close, fall silent, say that it lives and send nothing, repeat and
reorder; the sweep beside it finds what it missed, at once after every gap, and tells a deaf one so.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import structlog

from casework.clock import Clock
from platforms.faults import Fault, Forbidden, Offline, Revoked, TooMany
from platforms.limits import Budget, Limit
from platforms.platform import Entry, Heard, PathState, Reached

log = structlog.get_logger(__name__)

BATCH: Final = 512
REMEMBERED: Final = 10_000
CONNECTS: Final = Limit(
    "connects", 45, timedelta(minutes=15), "X docs, filtered-stream: 50; the rest is kept back"
)


class Sign(Enum):
    """What a stream may send besides entries."""

    OF_LIFE = "bytes came, and nothing for us in them"


@dataclass(frozen=True, slots=True)
class Manners:
    """How a stream is kept open.

    ``silence``: so long without a byte is a dead line. ``gap``: at least so long between two connects.
    ``connects``: and no more of them than this. ``deaf``: what the sweep heard and the stream did not
    send for so long shows that it lives and sends nothing. ``held``: entries read and not yet taken in.
    ``longest_wait``: between two connects that fail; short, as a platform that is back is heard this soon.
    """

    silence: timedelta = timedelta(seconds=20)
    gap: timedelta = timedelta(seconds=5)
    connects: Limit = CONNECTS
    first_wait: timedelta = timedelta(seconds=5)
    longest_wait: timedelta = timedelta(seconds=20)
    deaf: timedelta = timedelta(seconds=45)
    held: int = 20_000


Opening = Callable[[str | None], AbstractAsyncContextManager[AsyncIterator[Entry | Sign]]]
"""Connects from a position on and gives what comes; raises `Fault` when it cannot."""


class StreamPath:
    """Keeps a stream open for ever, and hands on what it sends."""

    def __init__(
        self,
        name: str,
        opening: Opening,
        *,
        account: str,
        clock: Clock,
        budget: Budget,
        manners: Manners | None = None,
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        """``account`` is whose connects are counted; ``on_connected`` is told of every new connection."""
        self.name = name
        self._opening = opening
        self._account = account
        self._clock = clock
        self._budget = budget
        self._manners = manners or Manners()
        self._on_connected = on_connected
        self._state = PathState(ok=False, words="not connected yet", since=clock.now())
        self._connected_at: datetime | None = None
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._missed: dict[str, float] = {}

    def state(self) -> PathState:
        """How well it hears at this moment."""
        return self._state

    def compare(self, entries: Sequence[Entry]) -> None:
        """Hear what the sweep heard: what was written while this stream was open must come here too."""
        if self._connected_at is None:
            return
        now = asyncio.get_running_loop().time()
        for entry in entries:
            if (
                isinstance(entry, Heard)
                and entry.mention.created_at > self._connected_at + self._manners.gap
                and entry.mention.id not in self._sent
            ):
                self._missed.setdefault(entry.mention.id, now)

    async def follow(self, cursor: str | None) -> AsyncGenerator[Sequence[Entry], None]:
        """What the stream sends, in stretches as they came; from a position on if it can go back."""
        held: asyncio.Queue[Entry] = asyncio.Queue(self._manners.held)
        pump = asyncio.create_task(self._keep_open(cursor, held))
        try:
            while True:
                stretch = [await held.get()]
                while len(stretch) < BATCH and not held.empty():
                    stretch.append(held.get_nowait())
                yield stretch
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

    async def _keep_open(self, cursor: str | None, held: asyncio.Queue[Entry]) -> None:
        streak = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                wait = await self._budget.take(self._account, [self._manners.connects])
                if wait is not None:
                    raise TooMany("it was connected too often, and waits for its turn", after=wait)
                async for entry in self._listen(cursor):
                    streak = 0
                    cursor = entry.cursor or cursor
                    held.put_nowait(entry)
                fault: Fault = Offline("the platform closed the stream")
            except Fault as caught:
                fault = caught
            except asyncio.QueueFull:
                fault = Offline("more came than could be taken in")
            except Exception as error:
                # A parser's bug must not leave the brand deaf: the sweep goes on, and so does this.
                log.exception("stream failed", path=self.name)
                fault = Offline(f"{type(error).__name__} in the stream")
            self._connected_at = None
            self._missed.clear()
            self._became(ok=False, words=str(fault))
            log.warning("stream ended", path=self.name, why=str(fault))
            open_for = asyncio.get_running_loop().time() - began
            await asyncio.sleep(self._pause(fault, streak, open_for))
            streak += 1

    def _pause(self, fault: Fault, streak: int, open_for: float) -> float:
        manners = self._manners
        gap = max(0.0, manners.gap.total_seconds() - open_for)
        if isinstance(fault, TooMany | Revoked | Forbidden):
            return max(gap, fault.after.total_seconds())
        if streak == 0:
            return gap
        doubled = manners.first_wait.total_seconds() * float(2 ** min(streak - 1, 10))
        # Many listeners that lost the same platform must not come back in step.
        spread: float = min(doubled, manners.longest_wait.total_seconds()) * random.uniform(0.8, 1.2)  # noqa: S311
        return max(gap, spread)

    async def _listen(self, cursor: str | None) -> AsyncIterator[Entry]:
        async with self._opening(cursor) as entries:
            self._connected_at = self._clock.now()
            self._became(ok=True, words="connected", connects=self._state.connects + 1)
            self._on_connected()
            while True:
                try:
                    async with asyncio.timeout(self._manners.silence.total_seconds()):
                        entry = await anext(entries)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise Offline(f"nothing came for {self._manners.silence.total_seconds():g} s") from None
                self._heard_something(entry)
                if not isinstance(entry, Sign):
                    yield entry

    def _heard_something(self, entry: Entry | Sign) -> None:
        self._state = PathState(True, "connected", self._state.since, self._clock.now(), self._state.connects)
        if isinstance(entry, Heard):
            self._sent[entry.mention.id] = None
            self._missed.pop(entry.mention.id, None)
            if len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)
        oldest = min(self._missed.values(), default=None)
        now = asyncio.get_running_loop().time()
        if oldest is not None and now - oldest > self._manners.deaf.total_seconds():
            raise Offline("it lives and sends nothing: the sweep heard what it did not send")

    def _became(self, *, ok: bool, words: str, connects: int | None = None) -> None:
        since = self._state.since if ok == self._state.ok else self._clock.now()
        count = self._state.connects if connects is None else connects
        self._state = PathState(ok, words, since, self._state.last_at, count)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a look found after a position, oldest first; ``more`` says that there is more to fetch now."""

    entries: Sequence[Entry]
    more: bool = False


class SweepPath:
    """Looks every so often, and at once when it is woken, for everything after a position."""

    def __init__(
        self,
        name: str,
        fetch: Callable[[str | None], Awaitable[Swept]],
        *,
        every: timedelta,
        clock: Clock,
        beside: StreamPath | None = None,
        longest_wait: timedelta = timedelta(seconds=20),
    ) -> None:
        """``fetch`` looks once; from a position of None it finds nothing but the position of now.

        ``longest_wait`` is between looks that fail: a platform that is back is heard this soon.
        """
        self.name = name
        self._fetch = fetch
        self._every = every
        self._clock = clock
        self._beside = beside
        self._longest_wait = longest_wait
        self._woken = asyncio.Event()
        self._state = PathState(ok=False, words="has not looked yet", since=clock.now())

    def wake(self) -> None:
        """Look now: the stream beside it may have missed something."""
        self._woken.set()

    def state(self) -> PathState:
        """How well it hears at this moment."""
        return self._state

    async def follow(self, cursor: str | None) -> AsyncGenerator[Sequence[Entry], None]:
        """What each look finds, in stretches, oldest first."""
        streak = 0
        while True:
            self._woken.clear()
            try:
                swept = await self._fetch(cursor)
            except Fault as fault:
                self._became(ok=False, words=str(fault))
                log.warning("sweep failed", path=self.name, why=str(fault))
                await self._rest(self._backoff(fault, streak))
                streak += 1
                continue
            except Exception as error:
                log.exception("sweep failed", path=self.name)
                self._became(ok=False, words=f"{type(error).__name__} while looking")
                await self._rest(self._backoff(Offline(""), streak))
                streak += 1
                continue
            streak = 0
            self._became(ok=True, words="looks regularly")
            if self._beside is not None:
                self._beside.compare(swept.entries)
            if swept.entries:
                cursor = next((e.cursor for e in reversed(swept.entries) if e.cursor), cursor)
                yield swept.entries
            if not swept.more:
                await self._rest(self._every.total_seconds())

    def _backoff(self, fault: Fault, streak: int) -> float:
        after = fault.after.total_seconds()
        if isinstance(fault, TooMany | Revoked | Forbidden):
            return after
        return min(after * float(2 ** min(streak, 10)), self._longest_wait.total_seconds())

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _became(self, *, ok: bool, words: str) -> None:
        now = self._clock.now()
        since = self._state.since if ok == self._state.ok else now
        last_at = now if ok else self._state.last_at
        self._state = PathState(ok, words, since, last_at, self._state.connects + ok)


def only_position(cursor: str) -> Swept:
    """The first look of a path: from here on."""
    return Swept([Reached(cursor)])
