"""The kill switch and small durable facts: where listeners stand, what time a recorded day has reached."""

from datetime import datetime
from typing import Final

from streams.connection import Store

PAUSED: Final = "heard:paused"


class PauseSwitch:
    """Stops all sending: read in the send path before every post (T15)."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def paused_by(self) -> str | None:
        """Who stopped sending; None while it runs."""
        raw = await self._writes.get(PAUSED)
        return raw.decode() if isinstance(raw, bytes) else None

    async def paused(self) -> bool:
        """Whether sending is stopped."""
        return await self.paused_by() is not None

    async def pause(self, by: str) -> None:
        """Stop all sending."""
        await self._writes.set(PAUSED, by)

    async def resume(self, by: str) -> None:
        """Let sending go on; ``by`` is for the log of whoever calls."""
        del by
        await self._writes.delete(PAUSED)


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
