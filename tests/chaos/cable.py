"""The cable between Heard and something it depends on: whole, slow, silent, cut, or answering with errors.

It carries bytes, so that web sockets, streams of events and the store's own protocol pass alike. While it
misbehaves a request may have arrived all the same: a seeded chance decides for each.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CHUNK = 2**16
BACKEND_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything passes; each piece of an answer is held back for so many seconds, at least and at most."""

    slow_s: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Silent:
    """Connections are taken, and nothing ever comes back; some requests arrive, some do not."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Every request is answered so. A POST arrives all the same with this chance."""

    status: int
    body: str = '{"error": "Something went wrong"}'
    headers: tuple[tuple[str, str], ...] = ()
    arrives: float = 0.0


Fate = Whole | Silent | Refused | Answering


@dataclass(eq=False)
class Cable:
    """A port of loopback in front of another; `become` says how it behaves from now on."""

    host: str
    behind: int
    chance: random.Random
    port: int = 0
    fate: Fate = field(default_factory=Whole)
    answered: int = 0
    _server: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def become(self, fate: Fate) -> None:
        """Behave so from now on. Only a line that falls silent or slow keeps its open connections."""
        before, self.fate = self.fate, fate
        if not isinstance(fate, Silent) and not (isinstance(before, Whole) and isinstance(fate, Whole)):
            await self._cut()
        if isinstance(fate, Refused):
            await self.close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection that is open now."""
        await self._cut()

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._cut()
            await self._server.wait_closed()
            self._server = None

    async def _cut(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if isinstance(self.fate, Answering):
                await self._answer(self.fate, reader, writer)
            else:
                await self._carry(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            await _closed(writer)
            self._tasks.discard(task)

    # ── carrying ─────────────────────────────────────────────────────────────────────────────────

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, behind = await asyncio.open_connection(self.host, self.behind)
        arrives = self.chance.random() < 0.5
        ways = [
            asyncio.create_task(self._to(reader, behind, arrives=arrives)),
            asyncio.create_task(self._back(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            # First, as this may be cancelled while it waits.
            behind.close()
            await asyncio.gather(*ways, return_exceptions=True)
            await _closed(behind)

    async def _to(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, arrives: bool) -> None:
        while data := await reader.read(CHUNK):
            if arrives or not isinstance(self.fate, Silent):
                writer.write(data)
                await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            if isinstance(self.fate, Whole):
                if self.fate.slow_s[1]:
                    await asyncio.sleep(self.chance.uniform(*self.fate.slow_s))
                writer.write(data)
                await writer.drain()
        if isinstance(self.fate, Silent):
            # The other end hung up, and not even that is heard on this side.
            await asyncio.Event().wait()

    # ── answering in its place ───────────────────────────────────────────────────────────────────

    async def _answer(
        self, said: Answering, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
        self.answered += 1
        if head.startswith(b"POST") and self.chance.random() < said.arrives:
            await self._deliver(head + body)
        content = said.body.encode()
        lines = [
            f"HTTP/1.1 {said.status} Storm",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in said.headers),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await writer.drain()

    async def _deliver(self, request: bytes) -> None:
        there, behind = await asyncio.open_connection(self.host, self.behind)
        try:
            behind.write(request)
            with suppress(TimeoutError):
                async with asyncio.timeout(BACKEND_PATIENCE_S):
                    await there.read(1)
        finally:
            await _closed(behind)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()


@asynccontextmanager
async def open_cable(behind: str, chance: random.Random) -> AsyncIterator[Cable]:
    """A cable to the server at an address, on a free port."""
    parts = urlsplit(behind)
    assert parts.hostname is not None
    assert parts.port is not None
    cable = Cable(parts.hostname, parts.port, chance)
    await cable.become(Whole())
    try:
        yield cable
    finally:
        await cable.close()
