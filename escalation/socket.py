"""Two Socket Mode connections to Slack, each watched: a deaf one is noticed, a lost one is back in a second.

The SDK's own reconnection went round with a used ticket, 5 s apart and more: measured, 53 s until it was
back after Slack's side restarted. Here a client object lives for one connection, and a watchdog on the
monotonic clock replaces it. Slack: at most 10 connections, each envelope to one of them at random (S4).
Source: docs.slack.dev/apis/events-api/using-socket-mode, read in July 2026.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import WSMessage
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from escalation.slack_web import ODD_BODY

log = structlog.get_logger(__name__)

PING_S: Final = 4.0
"""How often we ask whether anybody is there. Slack's own pings come beside."""
DEAF_PINGS: Final = 3
"""So many unanswered pings, and the connection is deaf: noticed after 12 s, and 30 s at the very most."""
LOOK_S: Final = 0.2
HELLO_S: Final = 10.0
RETIRES_S: Final = 2.0
"""So long a connection that is replaced may still acknowledge what it brought."""
REFRESH_S: Final = 3600.0
"""Each connection is replaced after an hour at most: so long one may answer pings and bring nothing."""
AGAIN_S: Final = 0.5
SLOWEST_S: Final = 15.0
AUTH_EVERY_S: Final = 60.0
TOO_MANY: Final = "too_many_websockets"
_LOST = (aiohttp.ClientError, OSError, TimeoutError, *ODD_BODY)
_TOKEN_TROUBLE = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope"}
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the connections are watched, in seconds; tests make it quicker."""

    ping_s: float = PING_S
    look_s: float = LOOK_S
    again_s: float = AGAIN_S
    slowest_s: float = SLOWEST_S
    retires_s: float = RETIRES_S
    refresh_s: float = REFRESH_S
    auth_every_s: float = AUTH_EVERY_S

    @property
    def deaf_s(self) -> float:
        """After so long without a sign of life a connection is deaf."""
        return DEAF_PINGS * self.ping_s


@dataclass(frozen=True, slots=True)
class SocketState:
    """How Slack is connected: how many of the wanted connections listen, and what is wrong, in words."""

    listening: int
    wanted: int
    trouble: str = ""
    silent_s: float = 0.0
    """How long since anything was heard from Slack, a ping's answer too."""

    @property
    def ok(self) -> bool:
        """Whether clicks arrive."""
        return self.listening > 0


class _Client(SocketModeClient):
    """The SDK's client, which here connects once: another connection is another client."""

    async def connect(self) -> None:
        """One attempt. Raises what aiohttp raises."""
        self.current_session = await self.aiohttp_client_session.ws_connect(
            str(self.wss_uri),
            autoping=False,
            heartbeat=self.ping_interval,
            proxy=self.proxy,
            ssl=self.web_client.ssl if self.web_client.ssl is not None else True,
        )
        self.current_session_monitor = asyncio.ensure_future(self.monitor_current_session())
        self.message_receiver = asyncio.ensure_future(self.receive_messages())

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Nothing: whoever watches this client makes another one."""


@dataclass(eq=False)
class _Link:
    """One connection and what is known of it, in seconds of the monotonic clock."""

    client: _Client
    opened: float
    heard: float
    lasts_s: float
    greeted: asyncio.Event = field(default_factory=asyncio.Event)
    goodbye: str = ""
    _pong: float | None = None

    def lives(self, now: float) -> None:
        """A sign of life: a message, or another ping's answer than the last."""
        pong = self.client.last_ping_pong_time
        if pong != self._pong:
            self._pong, self.heard = pong, now

    def over(self, now: float, deaf_s: float) -> str:
        """Why this connection must be replaced; nothing while it is well."""
        self.lives(now)
        if self.goodbye:
            return self.goodbye
        session = self.client.current_session
        if session is None or session.closed:
            return "closed"
        if now - self.heard >= deaf_s:
            return f"deaf for {now - self.heard:.1f} s"
        return "old" if now - self.opened >= self.lasts_s else ""


class Sockets:
    """Keeps the connections. ``run`` it beside everything else; ``state`` tells how it is."""

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        *,
        count: int = 2,
        pace: Pace | None = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._app_token = app_token
        self._pace = pace or Pace()
        self._now = now
        self._sleep = sleep
        self._links: list[_Link | None] = [None] * count
        self._troubles: dict[str, str] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    def state(self) -> SocketState:
        """How Slack is connected now."""
        links = [link for link in self._links if link is not None]
        heard = max((link.heard for link in links), default=None)
        return SocketState(
            listening=len(links),
            wanted=len(self._links),
            trouble=next(iter(self._troubles.values()), ""),
            silent_s=0.0 if heard is None else self._now() - heard,
        )

    async def run(self) -> None:
        """Hold the connections until this is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(len(self._links)):
                    group.create_task(self._hold(number))
                group.create_task(self._ask_who_we_are())
        finally:
            for link in self._links:
                if link is not None:
                    self._retire(link, at_once=True)
            self._links = [None] * len(self._links)
            await asyncio.gather(*self._retiring, return_exceptions=True)

    # ── one connection after another ─────────────────────────────────────────────────────────────

    async def _hold(self, number: int) -> None:
        crowded = 0
        while True:
            before = self._links[number]
            # The new one listens before the old one goes: no envelope finds nobody.
            link = self._links[number] = await self._open(number, before)
            if before is not None:
                self._retire(before)
            why = await self._until_over(link)
            log.info("slack connection over", number=number, why=why)
            if why == TOO_MANY:
                crowded += 1
                await self._let_go(number, link)
                await self._sleep(self._slower(crowded))
            elif why == "closed" or why.startswith("deaf"):
                await self._let_go(number, link)
            else:
                crowded = 0

    async def _let_go(self, number: int, link: _Link) -> None:
        self._links[number] = None
        self._retire(link, at_once=True)

    async def _until_over(self, link: _Link) -> str:
        while not (why := link.over(self._now(), self._pace.deaf_s)):
            await self._sleep(self._pace.look_s)
        return why

    async def _open(self, number: int, before: _Link | None) -> _Link:
        """A connection that Slack greeted, as soon as there can be one."""
        name, tries = f"connection {number + 1}", 0
        while True:
            try:
                link = await self._connect()
                self._troubles.pop(name, None)
                return link
            except (*_LOST, SlackApiError) as error:
                tries += 1
                self._troubles[name] = _words(error)
                log.warning("slack does not connect", number=number, why=self._troubles[name])
                if before is not None and before.over(self._now(), self._pace.deaf_s) == "closed":
                    self._links[number] = None
                await self._sleep(self._wait(error, tries))

    def _wait(self, error: Exception, tries: int) -> float:
        """Nobody there: look again soon. Slack itself says no: as long as it asks, or ever longer."""
        if isinstance(error, SlackApiError):
            response: Any = error.response
            said = str(getattr(response, "headers", {}).get("Retry-After", ""))
            return max(float(said), self._pace.again_s) if said.isdigit() else self._slower(tries)
        return self._slower(tries) if isinstance(error, _Crowded) else self._pace.again_s

    def _slower(self, tries: int) -> float:
        return float(min(self._pace.again_s * 2 ** min(tries, 10), self._pace.slowest_s))

    async def _connect(self) -> _Link:
        client = self._client()
        link = _Link(client, self._now(), self._now(), self._pace.refresh_s)
        client.on_message_listeners.append(lambda message: self._hear(link, message))
        try:
            async with asyncio.timeout(HELLO_S):
                answer = await client.web_client.apps_connections_open(app_token=self._app_token)
                client.wss_uri = str(answer["url"])
                await client.connect()
                await link.greeted.wait()
        except BaseException:
            self._retire(link, at_once=True)
            raise
        if link.goodbye:
            self._retire(link, at_once=True)
            raise _Crowded(link.goodbye)
        link.opened = link.heard = self._now()
        return link

    def _client(self) -> _Client:
        client = _Client(
            app_token=self._app_token,
            logger=_quiet(),
            web_client=self._app.client,
            auto_reconnect_enabled=False,
            ping_interval=self._pace.ping_s,
        )
        client.socket_mode_request_listeners.append(self._handle)
        return client

    async def _hear(self, link: _Link, message: WSMessage) -> None:
        """Every text that comes: a sign of life, and what Slack says of the connection itself."""
        link.heard = self._now()
        try:
            told = json.loads(message.data)
        except ValueError:
            return
        kind = told.get("type") if isinstance(told, dict) else None
        if kind == "hello":
            # Slack says about how long it will keep this connection; ours is replaced before.
            announced = (told.get("debug_info") or {}).get("approximate_connection_time")
            if type(announced) is int and announced > 0:
                link.lasts_s = min(link.lasts_s, 0.9 * announced)
            link.greeted.set()
        elif kind == "disconnect":
            link.goodbye = str(told.get("reason") or "disconnect")
            link.greeted.set()

    async def _handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        started = time.time()
        answer = await run_async_bolt_app(self._app, request)
        # A connection that is gone takes no acknowledgement: Slack asks again on another.
        with suppress(ConnectionError, aiohttp.ClientError):
            await send_async_response(client, request, answer, started)

    def _retire(self, link: _Link, *, at_once: bool = False) -> None:
        task = asyncio.create_task(self._close(link, 0.0 if at_once else self._pace.retires_s))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _close(self, link: _Link, after_s: float) -> None:
        if after_s:
            await self._sleep(after_s)
        client, tasks = link.client, [link.client.message_processor]
        tasks += [t for t in (client.current_session_monitor, client.message_receiver) if t is not None]
        # A dead connection never says goodbye, and aiohttp would wait ten seconds for it.
        with suppress(Exception):
            async with asyncio.timeout(1.0):
                await client.close()  # type: ignore[no-untyped-call]
        client.closed = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.aiohttp_client_session.close()

    # ── the token ────────────────────────────────────────────────────────────────────────────────

    async def _ask_who_we_are(self) -> None:
        """A token that was taken away breaks no connection: it is asked after each minute."""
        while True:
            try:
                async with asyncio.timeout(HELLO_S):
                    await self._app.client.auth_test()
                self._troubles.pop("token", None)
            except (*_LOST, SlackApiError) as error:
                self._troubles["token"] = _words(error)
            every = self._pace.auth_every_s
            await self._sleep(min(every, self._pace.slowest_s) if "token" in self._troubles else every)


class _Crowded(aiohttp.ClientError):
    """Slack took the connection and sent it away again."""


def _words(error: Exception) -> str:
    if isinstance(error, SlackApiError):
        # Not asked itself: over an odd body it raises, or is aiohttp's and has no such method.
        status = getattr(error.response, "status_code", 0)
        if status >= 500:
            return f"Slack answers with errors ({status})."
        if status == 429:
            return "Slack asks for a pause."
        said: Any = getattr(error.response, "data", None)
        reason = str((said.get("error") if isinstance(said, dict) else "") or "no reason given")
        return f"Slack refuses: {reason}" + (
            ". Check the tokens in .env." if reason in _TOKEN_TROUBLE else "."
        )
    if isinstance(error, _Crowded):
        return f"Slack sent the connection away ({error}): do other copies of Heard run with this token?"
    how = "does not answer" if isinstance(error, TimeoutError) else "cannot be reached"
    return f"Slack {how} ({type(error).__name__})."


def _quiet() -> logging.Logger:
    # The SDK's lowest level logs whole payloads: people's words.
    logger = logging.getLogger("heard.slack_socket")
    logger.setLevel(logging.WARNING)
    return logger
