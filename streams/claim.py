"""That only one process sends, on whatever machine: a claim that lives as long as a connection to the store.

A lock file (`config.lanes`) holds on one machine. Between machines a lease that runs out proves nothing, as
its holder may be stopped and wake up later. A connection does: the kernel closes it when its process is
dead and keeps it when that is merely stopped, and the server names those that are open.
"""

import os
import socket
from typing import Any, Final, Protocol

from casework.errors import HeardError
from streams.connection import Store

KEY: Final = "heard:sender"
# What was there is compared and replaced in one step: of two that saw a dead holder one gets its place.
_REPLACE: Final = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class Claimed(HeardError):
    """Another living process sends."""


class Claim(Protocol):
    """Asked before each post."""

    async def held_by_another(self) -> str | None:
        """Who else sends, in words; None while we do."""
        ...


class Undisputed:
    """The claim of a line that has its store to itself: a recorded day, a test."""

    async def held_by_another(self) -> None:
        """Nobody else can send."""
        return


UNDISPUTED: Final = Undisputed()


class SenderClaim:
    """The one claim of a store; taken on a connection of its own, and given up with it."""

    def __init__(self, store: Store) -> None:
        self._link = store.one_connection()
        self._connection = 0

    async def take(self) -> None:
        """Take the claim.

        Raises:
            Claimed: another living process has it.
        """
        other = await self.held_by_another()
        if other is not None:
            raise Claimed(
                f"{other} sends already: end that one first; if its machine was lost, "
                "the store lets go of it within minutes"
            )

    async def held_by_another(self) -> str | None:
        """Who else sends; None while we do. After a lost connection the claim is taken anew."""
        # Any: redis-py's stubs promise texts that a client without decoding never gives.
        async with self._link.pipeline(transaction=False) as pipe:
            pipe.client_id()
            pipe.get(KEY)
            connection, raw = await pipe.execute()
        held = (raw or b"").decode()
        if connection == self._connection and _number(held) == connection and held.endswith(_name()):
            return None
        return await self._replace(held, connection)

    async def _replace(self, held: str, connection: int) -> str | None:
        run: Any = await self._link.info("server")
        mine = f"{run['run_id']} {connection} {_name()}"
        if held and await self._lives(held, run["run_id"], connection):
            return held.split(" ", 2)[2]
        replaced: Any = await self._link.eval(_REPLACE, 1, KEY, held, mine)
        if not replaced:
            return "another process, just begun,"
        self._connection = connection
        return None

    async def _lives(self, held: str, run: str, connection: int) -> bool:
        """Whether a holder's connection is open. All of them ended with a server that was started anew."""
        if held.split(" ", 1)[0] != run or _number(held) == connection:
            return False
        found: Any = await self._link.client_list(client_id=[str(_number(held))])
        return bool(found)

    async def close(self) -> None:
        """Give the claim up."""
        await self._link.aclose()


def _number(held: str) -> int:
    parts = held.split(" ", 2)
    return int(parts[1]) if len(parts) == 3 and parts[1].isdigit() else 0


def _name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"
