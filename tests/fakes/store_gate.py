"""A gate before the store: it counts the commands of one name, and loses their answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

import hiredis

from tests.fakes.gate import reset_when_closed


class StoreFate(StrEnum):
    """What becomes of a command: done or not, its answer never comes whole."""

    UNHEARD = "closed before it is done"
    LOST = "done, then closed"
    RESET = "done, then reset"
    CUT = "done, its answer cut in half"
    SILENT = "done, never answered"


@dataclass
class StoreGate:
    """Stands before the server at a unix socket; ``fates`` by the name of the command, or ``*``."""

    socket_path: str
    fates: dict[str, StoreFate] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    url: str = ""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def count(self, name: str) -> int:
        """How many commands of this name arrived."""
        return self.commands.count(name)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, command by command."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, behind = await asyncio.open_unix_connection(self.socket_path)
        try:
            commands = hiredis.Reader()
            while data := await reader.read(2**16):
                commands.feed(data)
                while (command := commands.gets()) is not False:
                    if not await self._do(command, reader, writer, there, behind):
                        return
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, behind):
                end.close()
                with suppress(OSError, asyncio.CancelledError):
                    await end.wait_closed()

    async def _do(
        self,
        command: list[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        behind: asyncio.StreamWriter,
    ) -> bool:
        """Whether the connection lives on."""
        name = command[0].decode().upper()
        self.commands.append(name)
        fate = self.fates.get(name, self.fates.get("*"))
        if fate is StoreFate.UNHEARD:
            return False
        behind.write(packed(*command))
        answer = await _one_answer(there)
        if fate is None:
            writer.write(answer)
            await writer.drain()
            return True
        if fate is StoreFate.CUT:
            writer.write(answer[: len(answer) // 2])
            await writer.drain()
        if fate is StoreFate.RESET:
            reset_when_closed(writer)
        if fate is StoreFate.SILENT:
            await reader.read()
        return False

    async def close(self) -> None:
        """End every connection."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def packed(*command: bytes) -> bytes:
    """A command as it travels."""
    parts = (b"$%d\r\n%b\r\n" % (len(part), part) for part in command)
    return b"*%d\r\n%b" % (len(command), b"".join(parts))


async def _one_answer(there: asyncio.StreamReader) -> bytes:
    """The bytes of one whole answer; commands go one at a time, so nothing follows it."""
    answers, raw = hiredis.Reader(), b""
    while answers.gets() is False:
        data = await there.read(2**16)
        if not data:
            raise EOFError
        raw += data
        answers.feed(data)
    return raw


@asynccontextmanager
async def open_store_gate(url: str) -> AsyncIterator[StoreGate]:
    """A gate on a free port of loopback, before a store at ``unix://…``."""
    gate = StoreGate(url.removeprefix("unix://"))
    server = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    gate.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield gate
    finally:
        server.close()
        await gate.close()
        await server.wait_closed()
