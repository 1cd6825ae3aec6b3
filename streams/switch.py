"""The kill switch and small durable facts: where listeners stand, what time a recorded day has reached."""

from datetime import datetime
from typing import Any, Final

from streams.connection import Store

PAUSED: Final = "heard:paused"
RESTING: Final = "heard:automatic:paused"
# One script: a spike that somebody resumed from must not pause again between a look and a write.
_REST: Final = """
if redis.call('HGET', KEYS[1], 'resumed') == ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'why', ARGV[1], 'since', ARGV[2])
return 1
"""
_RESUME: Final = """
local since = redis.call('HGET', KEYS[1], 'since')
if not since then return 0 end
redis.call('HDEL', KEYS[1], 'why', 'since')
redis.call('HSET', KEYS[1], 'resumed', since, 'by', ARGV[1])
return 1
"""


class PauseSwitch:
    """Stops all sending: read in the send path before every post (T15)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writes = store.writes
        self._automatic = AutomaticPause(store)

    async def paused_by(self) -> str | None:
        """Who stopped sending; None while it runs."""
        raw = await self._writes.get(PAUSED)
        return raw.decode() if isinstance(raw, bytes) else None

    async def paused(self) -> bool:
        """Whether sending is stopped."""
        return await self.paused_by() is not None

    async def pause(self, by: str) -> None:
        """Stop all sending."""
        async with self._writes.pipeline(transaction=False) as pipe:
            pipe.set(PAUSED, by)
            await self._store.keep(pipe)

    async def resume(self, by: str) -> None:
        """Let sending go on, automatic replies that a spike paused too."""
        await self._writes.delete(PAUSED)
        await self.resume_automatic(by)

    async def resume_automatic(self, by: str) -> bool:
        """Let automatic replies go on after a spike, and nothing else; False if none had paused them."""
        return await self._automatic.resume(by)


class AutomaticPause:
    """Whether a spike paused automatic replies: read before each is decided, and before each is posted."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def paused(self) -> str | None:
        """Why they rest, as a sentence for people; None while they go out."""
        # Any: redis-py's stubs promise texts that a client without decoding never gives.
        why: Any = await self._writes.hget(RESTING, "why")
        return None if why is None else f"Automatic replies are paused: {why.decode()}."

    async def pause(self, why: str, began: datetime) -> bool:
        """Pause for the spike that began then; False if a person resumed from this very spike before."""
        paused: Any = await self._writes.eval(_REST, 1, RESTING, why, began.isoformat())
        return bool(paused)

    async def resume(self, by: str) -> bool:
        """Go on until the next spike; False if nothing was paused."""
        resumed: Any = await self._writes.eval(_RESUME, 1, RESTING, by)
        return bool(resumed)


class Cursors:
    """Where each feed was read to. Kept with the mentions: both roll back together."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def get(self, feed: str) -> str | None:
        """The position after the last mention that is safely in the store."""
        raw = await self._writes.get(f"heard:cursor:{feed}")
        return raw.decode() if isinstance(raw, bytes) else None

    async def set(self, feed: str, cursor: str) -> None:
        """Advance, after the mention is in the store and never before."""
        await self._writes.set(f"heard:cursor:{feed}", cursor)

    async def claim(self, feed: str) -> str:
        """Make the store this feed's if it is nobody's yet; returns whose it is."""
        await self._writes.setnx("heard:feed", feed)
        raw = await self._writes.get("heard:feed")
        return raw.decode() if isinstance(raw, bytes) else feed

    async def reached(self) -> datetime | None:
        """The instant that a recorded day has been played to."""
        raw = await self._writes.get("heard:reached")
        return datetime.fromisoformat(raw.decode()) if isinstance(raw, bytes) else None

    async def reach(self, instant: datetime) -> None:
        """Record how far a recorded day has been played."""
        await self._writes.set("heard:reached", instant.isoformat())
