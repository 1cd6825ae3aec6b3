"""The fakes of the chaos do what they say: a cable in each of its ways, and a store of one's own."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from redis import exceptions

from tests.chaos.cable import Answering, Cable, Refused, Silent, Whole, open_cable
from tests.chaos.stores import OwnServer

MANY = 20


class Behind:
    """A web server that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Always the same."""
        self.asked.append(f"{request.method} {await request.text()}")
        return web.Response(text="well")


@pytest.fixture
async def behind() -> AsyncIterator[Behind]:
    """What is behind the cable."""
    made, app = Behind(), web.Application()
    app.router.add_route("*", "/", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def cable(behind: Behind) -> AsyncIterator[Cable]:
    """A cable to it."""
    async with open_cable(behind.url, random.Random(1)) as opened:
        yield opened


async def ask(cable: Cable, verb: str = "GET", body: str = "", patience_s: float = 5.0) -> tuple[int, str]:
    """What comes back of one request on a connection of its own; 0 for nothing."""
    try:
        async with (
            asyncio.timeout(patience_s),
            aiohttp.ClientSession() as http,
            http.request(verb, f"http://127.0.0.1:{cable.port}/", data=body) as answer,
        ):
            return answer.status, await answer.text()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return 0, type(error).__name__


async def test_a_whole_cable_carries_everything(cable: Cable, behind: Behind) -> None:
    """There and back."""
    assert await ask(cable, "POST", "hello") == (200, "well")
    assert behind.asked == ["POST hello"]


async def test_a_silent_cable_answers_nothing_and_some_of_it_arrives(cable: Cable, behind: Behind) -> None:
    """By chance, so that what got no answer may have been done."""
    await cable.become(Silent())
    answers = await asyncio.gather(*(ask(cable, "POST", str(n), patience_s=0.5) for n in range(MANY)))
    assert {status for status, _ in answers} == {0}
    assert 0 < len(behind.asked) < MANY
    await cable.become(Whole())
    assert (await ask(cable))[0] == 200


async def test_a_cable_in_a_storm_answers_in_its_place(cable: Cable, behind: Behind) -> None:
    """With its status and headers; a POST arrives all the same by chance, a GET never."""
    await cable.become(Answering(503, headers=(("Retry-After", "5"),), arrives=0.5))
    posts = [await ask(cable, "POST", str(n)) for n in range(MANY)]
    gets = [await ask(cable) for _ in range(3)]
    assert {status for status, _ in posts + gets} == {503}
    assert 0 < len(behind.asked) < MANY
    assert not [one for one in behind.asked if one.startswith("GET")]


async def test_a_refused_cable_has_nobody_listening_until_it_is_whole(cable: Cable) -> None:
    """At the same port."""
    port = cable.port
    await cable.become(Refused())
    assert await ask(cable) == (0, "ClientConnectorError")
    await cable.become(Whole())
    assert (cable.port, (await ask(cable))[0]) == (port, 200)


def test_a_store_of_ones_own_can_be_killed_stopped_and_filled(tmp_path: Path) -> None:
    """It keeps what it answered for; when full it refuses, and takes writes again once there is room."""
    server = OwnServer(tmp_path)
    server.start()
    try:
        with server.client() as client:
            client.set("key", "kept")
        server.kill()
        assert not server.answers()
        server.start()
        with server.client() as client:
            assert client.get("key") == b"kept"
            server.send(signal.SIGSTOP)
            assert not server.answers()
            server.send(signal.SIGCONT)
            server.fill()
            with pytest.raises(exceptions.OutOfMemoryError):
                client.set("more", b"m" * 2**17)
            server.make_room()
            assert client.set("more", b"m" * 2**17)
    finally:
        server.kill()
