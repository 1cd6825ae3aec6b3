"""Which signed requests were seen: Slack's signature says who wrote one, and nothing of how often (S5)."""

import hashlib
from typing import Final

from streams.connection import Store

REMEMBERED_S: Final = 600
"""Twice as long as a signature is good for (5 minutes), counted on a clock that is off by as much."""


class SeenRequests:
    """The signatures of the last ten minutes, for every process of this Heard."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def first(self, signature: str) -> bool:
        """Whether nobody brought this signature before; from now on somebody did."""
        return bool(await self._writes.set(_key(signature), "1", nx=True, ex=REMEMBERED_S))

    async def forget(self, signature: str) -> None:
        """It was not dealt with: the same request may come again."""
        await self._writes.delete(_key(signature))


def _key(signature: str) -> str:
    return f"heard:slack:seen:{hashlib.sha256(signature.encode()).hexdigest()[:32]}"
