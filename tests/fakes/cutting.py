"""A connection to the store that breaks at one of its calls: before it is sent, half-way, or after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from redis.exceptions import ConnectionError as Lost

from streams.connection import Store, open_store


class When(StrEnum):
    """When it breaks: a call that is half sent does what has arrived whole."""

    UNSENT = "before it is sent"
    HALF = "half sent"
    SENT = "sent, its answer lost"


@dataclass(slots=True)
class Cut:
    """At which call from now on, and when; ``done`` once it happened."""

    call: int
    when: When
    seen: int = 0
    done: bool = False

    def due(self) -> bool:
        """Whether this call is the one."""
        self.seen += 1
        self.done = self.done or self.seen == self.call
        return self.seen == self.call


@asynccontextmanager
async def cutting(url: str) -> AsyncIterator[tuple[Store, list[Cut]]]:
    """A store of its own connections; a `Cut` put into the list is made."""
    cuts: list[Cut] = []
    async with open_store(url, Path()) as store:
        pool: Any = store.writes.connection_pool
        await pool.disconnect()
        plain: Any = pool.connection_class

        class Cutting(plain):  # type: ignore[misc]  # a class made for the URL's kind
            async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
                sent = b"".join([command] if isinstance(command, bytes) else command)
                cut = next((cut for cut in cuts if cut.due()), None) if b"HELLO" not in sent else None
                if cut is None:
                    await super().send_packed_command(sent, check_health)
                    return
                part = {When.UNSENT: 0, When.HALF: len(sent) // 2, When.SENT: len(sent)}[cut.when]
                if part:
                    await super().send_packed_command(sent[:part], check_health)
                await self.disconnect(nowait=True)
                raise Lost(f"the connection broke: {cut.when}")

        pool.connection_class = Cutting
        pool.reset()
        yield store, cuts
