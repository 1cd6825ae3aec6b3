"""A gate before a server: it counts what is posted on the wire, and decides what becomes of that.

Everything else passes, on connections that are kept, so the client behind it is logged in and has looked
before it posts. What is posted while a fate is set never reaches the server: an answer to it is the gate's.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import ClientError, ClientSession, DummyCookieJar
from yarl import URL

RST_ON_CLOSE = struct.pack("ii", 1, 0)
KEPT_BY_THE_GATE = {"connection", "content-length", "transfer-encoding", "keep-alive"}
HTML = "text/html; charset=utf-8"


class Fate(StrEnum):
    """What becomes of a connection instead of an answer."""

    CLOSED = "read whole, then closed"
    RESET = "read whole, then reset"
    SHUT = "closed before its body is read"
    SILENT = "read whole, never answered"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the gate gives itself; ``promised`` bytes of body it announces and does not send."""

    status: int
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"
    promised: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came over the wire; the body is empty where it was not read."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass
class Gate:
    """Stands before ``behind``. ``posting`` is the path whose POSTs are counted in ``posts``.

    ``fate`` is what becomes of each of them from now on, so that a second try fares as the first.
    ``holds_s`` is how long what is posted from now on is under way: it arrives even if its sender is dead.
    """

    behind: str
    posting: str
    fate: Fate | Answer | None = None
    posts: list[Request] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    connections: int = 0
    holds_s: float = 0.0
    under_way: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _idle: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until an end of it goes."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            async with ClientSession(cookie_jar=DummyCookieJar(), auto_decompress=False) as session:
                while await self._answer_one(reader, writer, session):
                    pass
        except (OSError, EOFError, ClientError, asyncio.CancelledError):
            # Who asks is told no more than the gate was: a connection that ends.
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: ClientSession
    ) -> bool:
        """Whether the connection is kept for another request."""
        self._idle.add(writer)
        try:
            request = _head_of(await reader.readuntil(b"\r\n\r\n"))
        finally:
            self._idle.discard(writer)
        self.asked.append(f"{request.method} {request.path}")
        posts = request.method == "POST" and request.path == self.posting
        if posts:
            # Counted as soon as it is known for what it is: whoever reads no more may have acted already.
            self.posts.append(request)
        if posts and self.fate is Fate.SHUT:
            return False
        whole = await _with_body(request, reader)
        if posts:
            self.posts[-1] = whole
        if not posts or self.fate is None:
            await (self._deliver if posts else self._pass_on)(whole, writer, session)
            return True
        if isinstance(self.fate, Answer):
            await _send(writer, self.fate)
            return not self.fate.promised
        if self.fate is Fate.RESET:
            reset_when_closed(writer)
        if self.fate is Fate.SILENT:
            await reader.read()
        return False

    async def _deliver(self, request: Request, writer: asyncio.StreamWriter, session: ClientSession) -> None:
        self.under_way += 1
        try:
            await asyncio.sleep(self.holds_s)
            await self._pass_on(request, writer, session)
        finally:
            self.under_way -= 1

    async def _pass_on(self, request: Request, writer: asyncio.StreamWriter, session: ClientSession) -> None:
        there = URL(self.behind + request.target, encoded=True)
        headers = [(name, value) for name, value in request.headers if name.lower() not in KEPT_BY_THE_GATE]
        async with session.request(
            request.method, there, headers=headers, data=request.body or None, allow_redirects=False
        ) as told:
            body = await told.read()
            kept = [(n, v) for n, v in told.headers.items() if n.lower() not in KEPT_BY_THE_GATE]
        kind = next((value for name, value in kept if name.lower() == "content-type"), "text/plain")
        rest = tuple((name, value) for name, value in kept if name.lower() != "content-type")
        await _send(writer, Answer(told.status, body, rest, kind))

    def hang_up(self) -> None:
        """Close the connections that nothing is asked on, as a server does with idle ones."""
        for writer in self._idle:
            writer.close()

    async def close(self) -> None:
        """End every connection."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _head_of(raw: bytes) -> Request:
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    return Request(method, target, headers)


async def _with_body(request: Request, reader: asyncio.StreamReader) -> Request:
    told = {name.lower(): value for name, value in request.headers}
    # None of the libraries sends its body in chunks; one that began to would be read wrongly here.
    assert "transfer-encoding" not in told, "a body in chunks"
    body = await reader.readexactly(int(told.get("content-length", "0")))
    return Request(request.method, request.target, request.headers, body)


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> None:
    length = len(answer.body) + answer.promised
    lines = [
        f"HTTP/1.1 {answer.status} {answer.status}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in answer.headers),
    ]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body)
    await writer.drain()


def reset_when_closed(writer: asyncio.StreamWriter) -> None:
    """Make the close of a connection a reset (RST)."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)


@asynccontextmanager
async def open_gate(behind: str, posting: str) -> AsyncIterator[Gate]:
    """A gate on a free port of loopback."""
    gate = Gate(behind.rstrip("/"), posting)
    server = await asyncio.start_server(gate.serve, "127.0.0.1", 0, limit=2**20)
    gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield gate
    finally:
        server.close()
        await gate.close()
        await server.wait_closed()
