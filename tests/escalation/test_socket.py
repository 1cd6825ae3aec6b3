"""The connections to Slack: two of them, each watched; what is deaf, lost or sent away is replaced."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import structlog
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from escalation import socket
from escalation.socket import DEAF_PINGS, PING_S, Pace, Sockets
from tests.fakes.slack_server import APP_TOKEN, BOT_TOKEN, SlackServer, open_slack
from tests.fakes.slack_wire import Fate, broken, garbage, ratelimited, refused
from tests.fakes.waiting import until

log = structlog.get_logger(__name__)

QUICK = Pace(
    ping_s=0.2,
    look_s=0.02,
    again_s=0.05,
    slowest_s=0.2,
    retires_s=0.1,
    refresh_s=60.0,
    auth_every_s=0.05,
)


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    """A workspace."""
    async with open_slack(seed=3) as server:
        yield server


@pytest.fixture
def app(slack: SlackServer) -> AsyncApp:
    """An app that acknowledges everything."""
    client = AsyncWebClient(BOT_TOKEN, base_url=slack.url, retry_handlers=[])
    made = AsyncApp(client=client)

    @made.command("/heard")
    async def heard(ack: Any) -> None:
        await ack("yes")

    return made


@asynccontextmanager
async def connected(app: AsyncApp, slack: SlackServer, pace: Pace = QUICK) -> AsyncIterator[Sockets]:
    """Both connections, held."""
    sockets = Sockets(app, APP_TOKEN, pace=pace)
    holding = asyncio.create_task(sockets.run())
    try:
        await until(lambda: sockets.state().listening == 2, "both connections")
        yield sockets
    finally:
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding


async def test_two_connections_bring_what_people_do(app: AsyncApp, slack: SlackServer) -> None:
    """Each envelope comes on one of them, and is acknowledged."""
    async with connected(app, slack) as sockets:
        nina = slack.person("Nina")
        for _ in range(8):
            assert (await nina.runs("/heard")).acknowledged
        assert {one.delivered > 0 for one in slack.socket.connections} == {True}
        assert sockets.state().ok
        assert sockets.state().trouble == ""
    await until(lambda: not slack.socket.connections, "nothing is left open")


def test_a_deaf_connection_is_noticed_within_thirty_seconds() -> None:
    """By the figures it runs with: 3 pings of 4 s, looked at five times a second."""
    assert Pace().deaf_s == DEAF_PINGS * PING_S == 12.0
    assert Pace().deaf_s + Pace().look_s + Pace().again_s < 30


async def test_a_connection_that_answers_no_ping_is_replaced(app: AsyncApp, slack: SlackServer) -> None:
    """It is open and brings nothing: noticed in three pings, whatever the wall clock says."""
    async with connected(app, slack):
        deaf = slack.socket.connections[0]
        began = time.monotonic()
        slack.socket.deafen(deaf, answers_pings=False)
        await until(
            lambda: deaf not in slack.socket.connections and len(slack.socket.connections) == 2,
            "another in its place",
        )
        took = time.monotonic() - began
        assert took < QUICK.deaf_s + 1.0
        log.info("measured: deaf connection replaced", took_s=round(took, 2), ping_s=QUICK.ping_s)
        nina = slack.person("Nina")
        assert all([(await nina.runs("/heard")).acknowledged for _ in range(8)])


async def test_our_own_watchdog_notices_without_the_librarys(
    app: AsyncApp, slack: SlackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aiohttp's heartbeat ends such a connection too; where it does not, the monotonic clock does."""
    connect = socket._Client.connect

    async def without_heartbeat(client: Any) -> None:
        beat, client.ping_interval = client.ping_interval, None
        await connect(client)
        client.ping_interval = beat

    monkeypatch.setattr(socket._Client, "connect", without_heartbeat)
    async with connected(app, slack):
        deaf = slack.socket.connections[0]
        slack.socket.deafen(deaf, answers_pings=False)
        await until(lambda: deaf not in slack.socket.connections, "the deaf one is let go")
        await until(lambda: len(slack.socket.connections) == 2, "another in its place")


async def test_after_slack_was_away_both_are_back_in_about_a_second(
    app: AsyncApp, slack: SlackServer
) -> None:
    """At the real pace; the library's own way took 53 s."""
    async with connected(app, slack, Pace()) as sockets:
        await slack.down()
        await until(lambda: sockets.state().listening == 0, "nobody there")
        # The words come with the next try to connect, which a busy machine makes later.
        await until(lambda: "cannot be reached" in sockets.state().trouble, "the trouble")
        assert not sockets.state().ok
        began = time.monotonic()
        await slack.up()
        await until(lambda: sockets.state().listening == 2, "both are back")
        took = time.monotonic() - began
        log.info("measured: both back after Slack was", took_s=round(took, 2))
        assert took < 2.0
        assert sockets.state().trouble == ""


async def test_a_dropped_connection_loses_no_click_that_slack_sends(
    app: AsyncApp, slack: SlackServer
) -> None:
    """One is cut without a word; the other takes what comes, and a new one is there at once."""
    async with connected(app, slack):
        nina = slack.person("Nina")
        cut = slack.socket.connections[0]
        slack.socket.drop(cut)
        await until(lambda: cut not in slack.socket.connections, "it is gone")
        assert (await nina.runs("/heard")).acknowledged
        await until(lambda: len(slack.socket.connections) == 2, "a new one")


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_when_slack_announces_the_end_the_new_one_listens_first(
    app: AsyncApp, slack: SlackServer, reason: Any
) -> None:
    """Make before break: at no time fewer than two."""
    fewest = 2
    async with connected(app, slack):
        old = list(slack.socket.connections)
        await slack.socket.say_goodbye(reason, old[0])

        def replaced() -> bool:
            nonlocal fewest
            fewest = min(fewest, len(slack.socket.connections))
            return old[0] not in slack.socket.connections

        await until(replaced, "the announced one is gone")
        assert fewest == 2
        assert len(slack.socket.connections) == 2


async def test_a_connection_is_replaced_before_it_is_old(app: AsyncApp, slack: SlackServer) -> None:
    """One that answers pings and brings nothing would never be noticed otherwise."""
    async with connected(app, slack, Pace(look_s=0.02, again_s=0.05, retires_s=0.05, refresh_s=0.3)):
        first = list(slack.socket.connections)
        await until(lambda: not set(first) & set(slack.socket.connections), "two others")


async def test_too_many_connections_are_not_answered_by_more(app: AsyncApp, slack: SlackServer) -> None:
    """Other copies hold ten: this one says so, and waits ever longer."""
    pace = Pace(look_s=0.02, again_s=0.05, slowest_s=30.0)
    others = [asyncio.create_task(Sockets(app, APP_TOKEN, count=5).run()) for _ in range(2)]
    try:
        await until(lambda: len(slack.socket.connections) == 10, "ten of others")
        sockets = Sockets(app, APP_TOKEN, pace=pace)
        others.append(asyncio.create_task(sockets.run()))
        await until(lambda: "other copies" in sockets.state().trouble, "what is wrong, in words")
        before = slack.socket.connects
        await asyncio.sleep(0.3)
        assert slack.socket.connects - before <= 6
        assert sockets.state().listening == 0
    finally:
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def test_a_token_that_was_taken_away_is_said(app: AsyncApp, slack: SlackServer) -> None:
    """No connection ends for it, so it is asked after."""
    async with connected(app, slack) as sockets:
        slack.revoke(BOT_TOKEN)
        await until(lambda: "token_revoked" in sockets.state().trouble, "the trouble")
        slack.revoke(BOT_TOKEN, "")
        await until(lambda: sockets.state().trouble == "", "it is mended")


async def test_refusals_to_connect_are_waited_out(app: AsyncApp, slack: SlackServer) -> None:
    """429 as long as it says, a page for people, a word of Slack's: then it connects all the same."""
    slack.next("apps.connections.open", refused("internal_error"), garbage(), ratelimited(1))
    async with connected(app, slack):
        assert len(slack.socket.connections) == 2


@pytest.mark.parametrize(
    ("fate", "words"),
    [(broken(503), "Slack answers with errors (503)."), (ratelimited(1), "Slack asks for a pause.")],
)
async def test_what_keeps_it_from_connecting_is_said(
    app: AsyncApp, slack: SlackServer, fate: Fate, words: str
) -> None:
    """In words for a manager."""
    async with connected(app, slack) as sockets:
        slack.always("apps.connections.open", fate)
        slack.socket.drop()
        await until(lambda: sockets.state().trouble == words, "the words")
        slack.always("apps.connections.open", None)
        await until(lambda: sockets.state().trouble == "", "both are back")


ODD = [
    Fate("http", body='"ok"', content_type="text/plain"),
    Fate("http", body="ok", content_type="text/plain"),
    Fate("http", body="<html>Back soon</html>"),
    Fate("http", body='["ok"]'),
    Fate("http", body="[]"),
    Fate("http", body="null"),
    Fate("http", body="[" * 100_000),
    Fate("http", body='{"ok": true}'),
    Fate("http", body='{"ok": true, "url": 7}'),
]


async def test_answers_that_are_not_slacks_are_waited_out(app: AsyncApp, slack: SlackServer) -> None:
    """slack_sdk lets errors of its own out over some of them; whoever holds the connections goes on."""
    slack.next("apps.connections.open", *ODD)
    slack.next("auth.test", *ODD)
    async with connected(app, slack) as sockets:
        await until(lambda: len(slack.calls("auth.test")) > len(ODD) + 1, "the token to be asked after")
        assert sockets.state().ok
        assert sockets.state().trouble == ""


async def test_the_state_tells_how_long_nothing_was_heard(app: AsyncApp, slack: SlackServer) -> None:
    """For /readyz and the desk."""
    async with connected(app, slack) as sockets:
        assert sockets.state().silent_s < 1.0
        assert sockets.state().wanted == 2
