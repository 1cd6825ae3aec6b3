"""How many automatic replies went out lately, to everybody and to one author: caps count from here."""

from datetime import datetime
from typing import Final

from streams import topics
from streams.connection import Store

SPENT: Final = "heard:automatic"


class Allowance:
    """Counts automatic replies by when they were decided.

    Counted are those decided strictly before ``now``, and a reply counts once under its key however
    often its decision is repeated: so the same recorded day spends the same, whatever dies meanwhile.
    """

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def spent(self, since: datetime, now: datetime) -> int:
        """How many went out after ``since`` and before ``now``."""
        return int(await self._writes.zcount(SPENT, f"({since.timestamp()}", f"({now.timestamp()}"))

    async def spent_on(self, platform: str, author_id: str, since: datetime, now: datetime) -> int:
        """How many of them went to one author."""
        key = _author_key(platform, author_id)
        return int(await self._writes.zcount(key, f"({since.timestamp()}", f"({now.timestamp()}"))

    async def spend(self, platform: str, author_id: str, reply_key: str, at: datetime) -> None:
        """Count a reply, before its decision is saved: counted in vain is better than sent uncounted."""
        await self._writes.zadd(_author_key(platform, author_id), {reply_key: at.timestamp()}, nx=True)
        await self._writes.zadd(SPENT, {reply_key: at.timestamp()}, nx=True)


def _author_key(platform: str, author_id: str) -> str:
    return f"{{p{topics.partition_of(platform, author_id)}}}:automatic:{platform}:{author_id}"
