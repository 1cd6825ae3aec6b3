"""How many automatic replies went out lately, to everybody and to one author: caps count from here."""

from datetime import datetime
from typing import Final

from streams import topics
from streams.connection import Store
from streams.marks import MarksOf

SPENT: Final = "heard:automatic"


class Allowance:
    """Counts automatic replies by when they were decided.

    Counted are those decided strictly before ``now``, and a reply counts once under its key however
    often its decision is repeated: so the same recorded day spends the same, whatever dies meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._writes = store.writes
        self._marks = MarksOf(store)

    async def spent(self, since: datetime, now: datetime) -> int:
        """How many went out after ``since`` and before ``now``."""
        return int(await self._writes.zcount(SPENT, f"({since.timestamp()}", f"({now.timestamp()}"))

    async def spent_on(self, platform: str, author_id: str, since: datetime, now: datetime) -> int:
        """How many of them went to one author."""
        key = await self._author_key(platform, author_id)
        return int(await self._writes.zcount(key, f"({since.timestamp()}", f"({now.timestamp()}"))

    async def spend(self, platform: str, author_id: str, reply_key: str, at: datetime) -> None:
        """Count a reply, before its decision is saved: counted in vain is better than sent uncounted."""
        key, counted = await self._author_key(platform, author_id), (await self._marks.get()).reply(reply_key)
        await self._writes.zadd(key, {counted: at.timestamp()}, nx=True)
        await self._writes.zadd(SPENT, {counted: at.timestamp()}, nx=True)

    async def _author_key(self, platform: str, author_id: str) -> str:
        """Whom it counts stands here as a mark: there is nothing to forget (GDPR Art. 17)."""
        mark = (await self._marks.get()).author(platform, author_id)
        return f"{{p{topics.partition_of(platform, author_id)}}}:automatic:{platform}:{mark}"
