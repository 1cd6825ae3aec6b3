"""Who tells people something that the store remembers: one process at a time, so that they hear it once."""

from typing import Final

from streams.connection import Store

LASTS_MS: Final = 60_000
"""How long one process tells before another may: longer than any call to a chat takes."""


class Telling:
    """The turn to tell one kind of news; ``key`` names it."""

    def __init__(self, store: Store, key: str) -> None:
        self._writes = store.writes
        self._key = key

    async def take(self) -> bool:
        """Whether this process is the one that tells now; nobody else is for a minute, or until `end`."""
        return bool(await self._writes.set(self._key, "1", nx=True, px=LASTS_MS))

    async def end(self) -> None:
        """Let others tell again."""
        await self._writes.delete(self._key)
