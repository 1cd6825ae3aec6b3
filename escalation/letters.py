"""Tells managers that dead letters appeared, became more, or are all handled: behind each may be a customer.

Nothing waits behind a dead letter, so nothing shows that it is there; its case stays where it was. People
are told at the first one, and again when they have doubled or an hour later if there are more.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from casework.clock import Clock
from casework.errors import HeardError
from streams.dead_letters import DeadLetters, Told

log = structlog.get_logger(__name__)

AGAIN: Final = timedelta(hours=1)
WHERE: Final = "See *Dead letters* on the web desk, or `heard dead-letters`."

TellWords = Callable[[str], Awaitable[None]]
"""Tells managers something in words; raises `HeardError` if they were not told."""


async def tell_nobody(words: str) -> None:
    """Where there is no chat: the log has it, the health page and the doctor too."""


@dataclass(frozen=True, slots=True)
class LetterWatch:
    """Looks at how many dead letters there are; the store remembers what was told, for all processes."""

    dead: DeadLetters
    clock: Clock
    tell: TellWords = tell_nobody

    async def look(self) -> None:
        """Tell people if there is something to tell; what could not be told is told at the next look."""
        count, told = await self.dead.count(), await self.dead.told()
        if words_for(count, told, self.clock.now()) is None:
            if told is not None and count < told.count:
                # Some were handled: what comes after them is more again.
                await self.dead.note_told(Told(count, told.at))
            return
        async with self.dead.telling() as mine:
            if mine:
                await self._tell()

    async def _tell(self) -> None:
        # Read again: somebody may have told it just before we were let.
        count, now = await self.dead.count(), self.clock.now()
        words = words_for(count, await self.dead.told(), now)
        if words is None:
            return
        if count:
            log.error("dead letters", count=count)
        try:
            await self.tell(words)
        except HeardError as error:
            log.warning("dead letters not told, trying again", why=str(error))
            return
        await self.dead.note_told(Told(count, now) if count else None)


def words_for(count: int, told: Told | None, now: datetime) -> str | None:
    """What to say of so many dead letters; None when people know, or when there is nothing to know."""
    if not count:
        return "All dead letters are handled." if told is not None else None
    if told is None:
        things = "One thing" if count == 1 else f"{count} things"
        return f"{things} could not be handled, and nobody works on it: a customer may be waiting. {WHERE}"
    grown = count > told.count and (count >= 2 * told.count or now - told.at >= AGAIN)
    return f"There are {count} dead letters now; there were {told.count}. {WHERE}" if grown else None
