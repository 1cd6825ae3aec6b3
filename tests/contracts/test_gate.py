"""The gates themselves: what they let through, what they count, and what each fate is on the wire."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from streams.connection import Store
from tests.fakes.gate import Answer, Fate, Gate, open_gate
from tests.fakes.store_gate import StoreFate, open_store_gate, packed
from tests.fakes.waiting import until


@pytest.fixture
async def arrived() -> list[tuple[str, str, bytes]]:
    """What came to the server behind the gate."""
    return []


@pytest.fixture
async def gate(arrived: list[tuple[str, str, bytes]]) -> AsyncIterator[Gate]:
    """A gate before a server that says what it was asked."""

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        arrived.append((request.method, request.raw_path, body))
        return web.json_response({"heard": body.decode()}, status=201, headers={"X-Kept": "yes"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with open_gate(f"http://127.0.0.1:{runner.addresses[0][1]}", "/post") as opened:
        yield opened
    await runner.cleanup()


async def raw(gate: Gate, *pieces: bytes) -> bytes:
    """What comes back on a connection of its own, until it ends; raises what its end raises."""
    host, port = gate.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


HEAD = b"POST /post?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"


async def test_what_passes_is_the_same_on_the_other_side(gate: Gate, arrived: list[object]) -> None:
    """Method, path and query as they were written, body, status and headers; on one connection."""
    there = URL(f"{gate.url}/a%20b?c=%2F", encoded=True)
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.put(there, data=b"body") as told:
                assert (told.status, told.headers["X-Kept"]) == (201, "yes")
                assert await told.json() == {"heard": "body"}

    assert arrived == [("PUT", "/a%20b?c=%2F", b"body")] * 2
    assert (gate.connections, gate.posts) == (1, [])


async def test_only_posts_to_the_posting_path_are_counted_and_fated(
    gate: Gate, arrived: list[object]
) -> None:
    """A read of the same path, and a POST to another, pass."""
    gate.fate = Answer(503)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{gate.url}/post") as read:
            assert read.status == 201
        async with session.post(f"{gate.url}/login", data=b"x") as login:
            assert login.status == 201
        async with session.post(f"{gate.url}/post?a=1", data=b"x") as post:
            assert (post.status, await post.read()) == (503, b"{}")

    assert [request.body for request in gate.posts] == [b"x"]
    assert gate.asked == ["GET /post", "POST /login", "POST /post"]
    assert len(arrived) == 2


async def test_a_closed_connection_ends_without_a_byte(gate: Gate, arrived: list[object]) -> None:
    """The request was read whole."""
    gate.fate = Fate.CLOSED
    assert await raw(gate, HEAD, b"hello") == b""
    assert [request.body for request in gate.posts] == [b"hello"]
    assert arrived == []


async def test_a_reset_is_a_reset(gate: Gate) -> None:
    """RST, not an orderly end."""
    gate.fate = Fate.RESET
    with pytest.raises(ConnectionResetError):
        await raw(gate, HEAD, b"hello")


async def test_a_connection_is_shut_before_the_body_comes(gate: Gate) -> None:
    """The head alone is enough to be counted."""
    gate.fate = Fate.SHUT
    assert await raw(gate, HEAD) == b""
    assert [request.body for request in gate.posts] == [b""]


async def test_a_silent_gate_answers_nothing_and_lets_go_with_the_caller(gate: Gate) -> None:
    """It has the request."""
    gate.fate = Fate.SILENT
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw(gate, HEAD, b"hello"), 0.1)
    assert len(gate.posts) == 1
    await until(lambda: not gate._tasks, "the connection to be let go")


async def test_an_answer_that_is_cut_promises_more_than_it_sends(gate: Gate) -> None:
    """And the connection ends."""
    gate.fate = Answer(200, b"half", promised=4)
    said = await raw(gate, HEAD, b"hello")
    assert said.endswith(b"\r\n\r\nhalf")
    assert b"Content-Length: 8\r\n" in said


async def test_what_is_held_arrives_though_its_sender_is_gone(gate: Gate, arrived: list[object]) -> None:
    """It is under way until it does; what is held no more arrives at once."""
    gate.holds_s = 0.3
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw(gate, HEAD, b"hello"), 0.1)
    assert (gate.under_way, arrived) == (1, [])
    await until(lambda: not gate.under_way, "what is under way to arrive")
    assert arrived == [("POST", "/post?a=1", b"hello")]

    gate.holds_s = 0.0
    async with aiohttp.ClientSession() as session, session.post(f"{gate.url}/post", data=b"x") as told:
        assert told.status == 201


async def test_a_gate_hangs_up_on_who_asks_nothing(gate: Gate) -> None:
    """A connection that is kept for later is gone; the next request is on another."""
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(f"{gate.url}/a") as told:
                assert told.status == 201
            await until(lambda: bool(gate._idle), "the connection to be kept")
            gate.hang_up()
            await until(lambda: not gate._tasks, "the connection to be gone")

    assert gate.connections == 2


async def test_who_is_behind_the_gate_may_hang_up_too() -> None:
    """What the server does not answer, the gate does not either."""

    async def closes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(closes, "127.0.0.1", 0)
    async with open_gate(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "/post") as gate:
        assert await raw(gate, HEAD, b"hello") == b""
    server.close()


async def test_the_store_s_gate_does_what_it_counts(store: Store) -> None:
    """Each fate but one is done; none is answered whole; what has no fate passes."""
    command, done = packed(b"RPUSH", b"{p1}:list", b"abc"), 0
    async with open_store_gate(store.url) as gate:
        port = int(gate.url.rpartition(":")[2])
        for fate in (None, *StoreFate):
            gate.fates = {} if fate is None else {"RPUSH": fate}
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(command)
            said = b""
            with suppress(TimeoutError, ConnectionResetError):
                said = await asyncio.wait_for(reader.read(20), 0.2)
            writer.close()
            done += fate is not StoreFate.UNHEARD
            whole = f":{done}\r\n".encode()
            assert said == (whole if fate is None else whole[:2] if fate is StoreFate.CUT else b""), fate
            assert await store.writes.llen("{p1}:list") == done
        assert gate.count("RPUSH") == 1 + len(StoreFate)


async def test_every_port_is_free_again() -> None:
    """Nothing of a gate is left behind."""
    async with open_gate("http://127.0.0.1:9", "/post") as gate:
        port = int(gate.url.rpartition(":")[2])
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))
