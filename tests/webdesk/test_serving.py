"""Serving for real: on a socket, with streams held open, and stopped while they are."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2
import pytest

from casework import moves
from streams.case_store import CaseStore
from tests.fakes.cases import NOON
from tests.webdesk.conftest import sign_in
from tests.webdesk.desks import put_draft
from webdesk.app import serve
from webdesk.desk import Desk


@pytest.fixture
async def running(desk: Desk) -> AsyncIterator[tuple["asyncio.Task[None]", str]]:
    """The desk on a free port, and its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    started = asyncio.Event()
    task = asyncio.create_task(serve(desk, sockets=[listener], started=started))
    await started.wait()
    yield task, address
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def client(address: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=address, headers={"Host": "desk.test"})


async def event_named(lines: AsyncIterator[str], name: str) -> dict[str, str]:
    """The fields of the next event of a name."""
    fields: dict[str, str] = {}
    async with asyncio.timeout(10):
        async for line in lines:
            if not line and fields.get("event") == name:
                return fields
            if not line:
                fields = {}
            else:
                field, _, value = line.partition(": ")
                fields[field] = value
    raise AssertionError(f"the stream ended without a {name}")


async def test_last_event_id_brings_what_was_missed(
    running: tuple["asyncio.Task[None]", str], cases: CaseStore
) -> None:
    """As a browser reconnects by itself: the id it last heard, and everything since comes again."""
    _, address = running
    case = await put_draft(cases)
    async with client(address) as http:
        await sign_in(http, "Nina")
        async with http.stream("GET", "/live") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            await event_named(lines, "sync")
            await event_named(lines, "sync")
            case = await cases.save(moves.take(case, by="Omar", at=NOON))
            last = (await event_named(lines, "change"))["id"]
        await cases.save(moves.note(case, by="Omar", at=NOON, text="meanwhile"))
        async with http.stream("GET", "/live", headers={"Last-Event-ID": last}) as answer:
            event = await event_named(answer.aiter_lines(), "change")

    assert f'"id":"{case.id}","version":5' in event["data"].replace(": ", ":").replace(", ", ",")


async def test_stopping_waits_for_no_open_page(
    running: tuple["asyncio.Task[None]", str], cases: CaseStore
) -> None:
    """A page that listens does not hold the process."""
    task, address = running
    async with client(address) as http:
        await sign_in(http, "Nina")
        async with http.stream("GET", "/live") as answer:
            await event_named(answer.aiter_lines(), "sync")
            task.cancel()
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(2.5):
                    await task

    assert task.cancelled()


async def test_a_taken_port_is_said_at_once(desk: Desk) -> None:
    """An address in use is an error of the start, not a desk that silently is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(desk, port=taken.getsockname()[1])
