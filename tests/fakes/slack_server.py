"""Slack on loopback, in its real wire format: the Web API, Socket Mode, people at a desk, and their troubles.

The real ``AsyncWebClient(base_url=server.url)`` and ``AsyncSocketModeHandler`` talk to it unmodified.
Time is the server's own: ``server.passes(60)`` lets a minute go by, and no test waits for a limit to open.
Source: docs.slack.dev/reference/methods, /apis/web-api/rate-limits, /apis/events-api/using-socket-mode.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from tests.fakes.slack_api import ALL_SCOPES, RESPONSES_PER_URL, SCOPES, Limits, WebApi
from tests.fakes.slack_blocks import Json
from tests.fakes.slack_socket import Delivery, SocketMode
from tests.fakes.slack_things import APP, BOT_USER, TEAM
from tests.fakes.slack_wire import Fate, Refusal, arguments_of, hung_up
from tests.fakes.slack_workspace import Workspace

BOT_TOKEN = "xoxb-1-bot-token"
APP_TOKEN = "xapp-1-app-token"


@dataclass(eq=False)
class Call:
    """One call of the Web API and how it was answered; ``at`` in seconds of the server's clock."""

    method: str
    arguments: Json
    token: str
    at: float
    status: int = 0
    answer: Json | None = None

    @property
    def error(self) -> str:
        """Slack's word for what was wrong, or nothing."""
        return str((self.answer or {}).get("error", ""))


@dataclass
class Token:
    """A credential: what kind, what it may, and what is wrong with it."""

    kind: Literal["bot", "app"]
    scopes: set[str]
    trouble: str = ""


class SlackServer(Workspace):
    """The workspace behind its servers: who may call what, how calls end, and what Slack sends by itself."""

    def __init__(self, *, seed: int = 0, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self.socket = SocketMode(seed)
        self.limits = Limits(self.now)
        self.origin = ""
        self.tokens = {
            BOT_TOKEN: Token("bot", set(ALL_SCOPES)),
            APP_TOKEN: Token("app", {"connections:write"}),
        }
        self.latency_s = 0.0
        self._web_api = WebApi(self, self.socket, self.limits)
        self._methods = self._web_api.methods()
        self._calls: list[Call] = []
        self._next: dict[str, deque[Fate]] = {}
        self._always: dict[str, Fate] = {}
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None

    # ── the server itself ────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        """The base URL of the Web API."""
        return f"{self.origin}/api/"

    async def up(self) -> None:
        """Start to listen, at the same port as before if it was down."""
        if self._runner is None:
            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/api/{method}", self._api)
            app.router.add_get("/link/", self.socket.link)
            app.router.add_post("/response/{key}", self._respond)
            self._runner = web.AppRunner(app, shutdown_timeout=0.1)
            await self._runner.setup()
        port = int(self.origin.rpartition(":")[2]) if self.origin else 0
        self._site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
        await self._site.start()
        self.origin = self.origin or f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def down(self) -> None:
        """Slack cannot be reached: connections end, and new ones are refused."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self.socket.drop()

    async def close(self) -> None:
        """The end of the test."""
        self.socket.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    # ── what was asked ───────────────────────────────────────────────────────────────────────────

    def calls(self, method: str | None = None) -> list[Call]:
        """Every call of a method, or of all, in the order in which they came."""
        return [call for call in self._calls if method in (None, call.method)]

    def too_many(self, method: str | None = None) -> int:
        """How many calls were answered 429."""
        return sum(call.status == 429 for call in self.calls(method))

    # ── what goes wrong ──────────────────────────────────────────────────────────────────────────

    def next(self, method: str, *fates: Fate) -> None:
        """What becomes of the next calls of a method; those after them are answered as usual."""
        self._next.setdefault(method, deque()).extend(fates)

    def always(self, method: str, fate: Fate | None) -> None:
        """What becomes of every call of a method (``"*"``: of any) until it is said otherwise."""
        self._always.pop(method, None)
        if fate is not None:
            self._always[method] = fate

    def revoke(self, token: str = BOT_TOKEN, trouble: str = "token_revoked") -> None:
        """A credential stops working; an empty trouble mends it."""
        self.tokens[token].trouble = trouble

    def _fate(self, method: str) -> Fate | None:
        waiting = self._next.get(method)
        if waiting:
            return waiting.popleft()
        return self._always.get(method) or self._always.get("*")

    # ── what Slack sends to the app ──────────────────────────────────────────────────────────────

    async def happens(self, event: Json) -> Delivery:
        """An event for the app, waited for as long as Slack waits."""
        payload = {
            "token": "verification-token",
            "team_id": TEAM,
            "context_team_id": TEAM,
            "context_enterprise_id": None,
            "api_app_id": APP,
            "event": {"event_ts": self.next_ts(), **event},
            "type": "event_callback",
            "event_id": f"Ev{uuid.uuid4().hex[:9].upper()}",
            "event_time": int(self.now()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": TEAM,
                    "user_id": BOT_USER,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }
        return await self.socket.deliver("events_api", payload)

    # ── the Web API ──────────────────────────────────────────────────────────────────────────────

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = await arguments_of(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        call = Call(method, arguments, str(arguments.pop("token", token)), self.now())
        self._calls.append(call)
        fate = self._fate(method)
        await asyncio.sleep(self.latency_s + (fate.seconds if fate else 0))
        if fate is not None and fate.kind == "http":
            call.status = fate.status
            return web.Response(status=fate.status, text=fate.body, content_type=fate.content_type)
        if fate is not None and fate.kind == "unheard":
            return hung_up(request)
        headers: dict[str, str] = {}
        try:
            if fate is not None and fate.kind == "refused":
                raise Refusal(fate.error, status=fate.status, headers=dict(fate.headers))
            call.answer = {"ok": True} | self._work(call, headers)
            call.status = 200
        except Refusal as refusal:
            call.answer = {"ok": False, "error": refusal.error} | refusal.more
            call.status = refusal.status
            headers |= refusal.headers
        if fate is not None and fate.kind == "lost":
            return hung_up(request)
        return web.json_response(call.answer, status=call.status, headers=headers)

    def _work(self, call: Call, headers: dict[str, str]) -> Json:
        """Who asks, may they, not too often; then the method itself."""
        does = self._methods.get(call.method)
        if does is None:
            raise Refusal("unknown_method", {"req_method": call.method})
        token = self._authorized(call)
        headers["X-OAuth-Scopes"] = ",".join(sorted(token.scopes))
        scope = SCOPES.get(call.method)
        if scope:
            headers["X-Accepted-OAuth-Scopes"] = scope
        if scope and scope not in token.scopes:
            raise Refusal("missing_scope", {"needed": scope, "provided": headers["X-OAuth-Scopes"]})
        self.limits.spend(call.method)
        return does(call.arguments)

    def _authorized(self, call: Call) -> Token:
        if not call.token:
            raise Refusal("not_authed")
        token = self.tokens.get(call.token)
        if token is None:
            raise Refusal("invalid_auth")
        if token.trouble:
            raise Refusal(token.trouble)
        if (token.kind == "app") != (call.method == "apps.connections.open"):
            raise Refusal("not_allowed_token_type")
        return token

    async def _respond(self, request: web.Request) -> web.Response:
        """``response_url``: five answers, then it is used up."""
        answering = self.response_urls.get(request.match_info["key"])
        if answering is None or answering.uses >= RESPONSES_PER_URL:
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        answering.uses += 1
        try:
            self._web_api.answer_click(answering, await arguments_of(request))
        except Refusal as refusal:
            return web.json_response({"ok": False, "error": refusal.error} | refusal.more)
        return web.Response(text="ok")


@asynccontextmanager
async def open_slack(*, seed: int = 0, clock: Callable[[], float] = time.time) -> AsyncIterator[SlackServer]:
    """A workspace with ``#social-care`` (C0SOCIAL) and ``#social-leads`` (C0LEADS), on a free port."""
    server = SlackServer(seed=seed, clock=clock)
    server.channel("C0SOCIAL", "social-care")
    server.channel("C0LEADS", "social-leads")
    await server.up()
    try:
        yield server
    finally:
        await server.close()
