"""A Mastodon home server on loopback: its REST and its server-sent events, as 4.6 writes them."""

import asyncio
import html
import json
import re
import socket
import struct
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from aiohttp import web

from casework.clock import ManualClock
from tests.contracts.world import PostFate, ReadFate

TOKEN = "the-brand-s-token"
BRAND = "auroraair"
FIRST_ID = 117_020_583_245_459_824

Json = dict[str, Any]

_ADDRESSES = re.compile(r"(?<![\w@])@(\w+)(?:@[\w.-]*\w)?|https?://\S+")


class MastodonServer:
    """Accounts, statuses, notifications and open streams, and how badly all that behaves."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.url = ""
        self.statuses: dict[str, Json] = {}
        self.sources: dict[str, str] = {}
        self.notifications: list[Json] = []
        self.keys: dict[str, str] = {}
        self.posted: list[Mapping[str, str]] = []
        self.posts = 0
        self.connects = 0
        self.calls: list[tuple[str, str]] = []
        self.post_fates: list[PostFate] = []
        self.read_fate: ReadFate = "ok"
        self.loses: Literal["nothing", "everything", "even signs of life"] = "nothing"
        self.heartbeats = True
        self.public_allowed = True
        self.honours_keys = True
        self.bulk = True
        self.knows_min_id = True
        self.bot = True
        self.max_characters = 500
        self.limit_headers = True
        self.rules = ["Be kind.", "Bots must never mention people who did not mention them first."]
        self.scopes = ["read", "write"]
        self._next = FIRST_ID
        self._people: dict[str, int] = {BRAND: 109_000_000_000_000_000}
        self._streams: list[tuple[str, asyncio.Queue[bytes | None]]] = []
        self._sent: dict[str, list[bytes]] = {"user": [], "public": []}

    # ── people ───────────────────────────────────────────────────────────────────────────────────

    def new_id(self) -> str:
        self._next += 65_536
        return str(self._next)

    def account(self, acct: str) -> Json:
        """An account as statuses carry it."""
        name = acct.split("@")[0]
        number = self._people.setdefault(acct, 109_000_000_000_000_000 + len(self._people))
        return {
            "id": str(number),
            "username": name,
            "acct": acct,
            "display_name": name.title(),
            "locked": False,
            "bot": self.bot if acct == BRAND else False,
            "group": False,
            "created_at": "2022-11-05T00:00:00.000Z",
            "note": "<p>Ask us anything.</p>" if acct == BRAND else "",
            "url": f"{self.url}/@{acct}",
            "followers_count": 12,
            "following_count": 3,
            "statuses_count": 44,
            "emojis": [],
            "fields": [],
        }

    @property
    def me(self) -> str:
        return str(self.account(BRAND)["id"])

    def status(
        self,
        text: str,
        *,
        author: str,
        in_reply_to: str | None = None,
        visibility: str = "public",
        language: str | None = "en",
        **more: object,
    ) -> Json:
        """A new status, kept and not told to anybody yet."""
        parent = self.statuses.get(in_reply_to or "")
        made = {
            "id": self.new_id(),
            "created_at": self.instant(),
            "in_reply_to_id": in_reply_to,
            "in_reply_to_account_id": parent["account"]["id"] if parent else None,
            "sensitive": False,
            "spoiler_text": "",
            "visibility": visibility,
            "language": language,
            "replies_count": 0,
            "reblogs_count": 0,
            "favourites_count": 0,
            "edited_at": None,
            "reblog": None,
            "account": self.account(author),
            "media_attachments": [],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": None,
            **self.rendered(text),
        }
        made["url"] = f"{self.url}/@{author}/{made['id']}"
        made["uri"] = made["url"]
        made.update(more)
        self.statuses[made["id"]] = made
        self.sources[made["id"]] = text
        return made

    def rendered(self, text: str) -> Json:
        """The text in HTML, and whom it mentions."""
        accts = [a for found in _ADDRESSES.finditer(text) if (a := _acct(found)) and self._exists(a)]
        mentions = [
            {"id": self.account(a)["id"], "username": a.split("@")[0], "url": f"{self.url}/@{a}", "acct": a}
            for a in dict.fromkeys(accts)
        ]
        return {"content": self._html(text), "mentions": mentions}

    def _exists(self, acct: str) -> bool:
        return acct in self._people

    def _html(self, text: str) -> str:
        paragraphs = text.replace("\r\n", "\n").split("\n\n")
        return "".join(
            "<p>" + "<br />".join(map(self._line, paragraph.split("\n"))) + "</p>" for paragraph in paragraphs
        )

    def _line(self, line: str) -> str:
        written, at = "", 0
        for found in _ADDRESSES.finditer(line):
            written += html.escape(line[at : found.start()]) + self._linked(found)
            at = found.end()
        return written + html.escape(line[at:])

    def _linked(self, found: re.Match[str]) -> str:
        acct = _acct(found)
        if acct and not self._exists(acct):
            return html.escape(found.group())
        if acct:
            return (
                f'<span class="h-card" translate="no"><a href="{self.url}/@{acct}" class="u-url mention">'
                f"@<span>{acct.split('@')[0]}</span></a></span>"
            )
        link = found.group()
        scheme, rest = link.split("//", 1)
        shown, hidden = html.escape(rest[:30]), html.escape(rest[30:])
        return (
            f'<a href="{html.escape(link)}" target="_blank" rel="nofollow noopener" translate="no">'
            f'<span class="invisible">{scheme}//</span><span class="{"ellipsis" if hidden else ""}">{shown}'
            f'</span><span class="invisible">{hidden}</span></a>'
        )

    def instant(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def publish(self, status: Json) -> None:
        """Tell everybody whom a server tells of a new status."""
        if self.mentions_brand(status):
            notification = {
                "id": str(34_975_861 + len(self.notifications)),
                "type": "mention",
                "group_key": f"ungrouped-{len(self.notifications)}",
                "created_at": status["created_at"],
                "account": status["account"],
                "status": status,
            }
            self.notifications.append(notification)
            self.tell("user", "notification", notification)
        if status["account"]["acct"] == BRAND:
            self.tell("user", "update", status)
        if status["visibility"] == "public":
            self.tell("public", "update", status)

    def mentions_brand(self, status: Json) -> bool:
        return any(one["id"] == self.me for one in status["mentions"])

    def edit(self, status_id: str, text: str) -> None:
        """Tells as a server does of a stranger's edit: in public, and to those who follow them."""
        status = self.statuses[status_id]
        status.update(self.rendered(text), edited_at=self.instant())
        self.sources[status_id] = text
        if status["visibility"] == "public":
            self.tell("public", "status.update", status)

    def delete(self, status_id: str) -> None:
        status = self.statuses.pop(status_id)
        self.notifications = [one for one in self.notifications if one["status"]["id"] != status_id]
        if self.mentions_brand(status) or status["account"]["acct"] == BRAND:
            self.tell("user", "delete", status_id)
        if status["visibility"] == "public":
            self.tell("public", "delete", status_id)

    # ── streams ──────────────────────────────────────────────────────────────────────────────────

    def tell(self, channel: str, event: str, payload: object) -> None:
        data = payload if isinstance(payload, str) else json.dumps(payload)
        raw = f"event: {event}\ndata: {data}\n\n".encode()
        self._sent[channel].append(raw)
        if self.loses == "nothing":
            self._push(channel, raw)

    def _push(self, channel: str, raw: bytes | None) -> None:
        for of, waiting in self._streams:
            if of == channel:
                waiting.put_nowait(raw)

    def send_raw(self, raw: bytes) -> None:
        self._push("user", b"event: update\ndata: " + raw + b"\n\n")

    def repeat(self) -> None:
        for channel, sent in self._sent.items():
            for raw in reversed(sent):
                self._push(channel, raw)

    def close_streams(self) -> None:
        for channel in ("user", "public"):
            self._push(channel, None)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        channel = request.match_info["channel"]
        self.connects += 1
        misbehaved = self._misbehave(request)
        if misbehaved is not None:
            return misbehaved
        if channel == "public" and not self.public_allowed:
            return self._error(403, "This action is not allowed")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._streams.append((channel, waiting))
        try:
            await response.prepare(request)
            if self.heartbeats:
                await response.write(b":)\n")
            while (raw := await self._next_bytes(waiting)) is not None:
                if raw:
                    await response.write(raw)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._streams.remove((channel, waiting))
        return response

    async def _next_bytes(self, waiting: asyncio.Queue[bytes | None]) -> bytes | None:
        try:
            async with asyncio.timeout(0.1):
                return await waiting.get()
        except TimeoutError:
            return b":thump\n" if self.heartbeats and self.loses != "even signs of life" else b""

    # ── REST ─────────────────────────────────────────────────────────────────────────────────────

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._counted])
        app.router.add_get("/api/v1/streaming/{channel}", self.stream)
        app.router.add_get("/api/v1/accounts/verify_credentials", self._verify)
        app.router.add_get("/api/v1/apps/verify_credentials", self._verify_app)
        app.router.add_get("/api/v1/accounts/{id}/statuses", self._account_statuses)
        app.router.add_get("/api/v1/notifications", self._notifications)
        app.router.add_get("/api/v2/instance/", self._instance)
        app.router.add_get("/api/v2/instance", self._instance)
        app.router.add_get("/api/v1/statuses", self._many)
        app.router.add_post("/api/v1/statuses", self._post)
        app.router.add_get("/api/v1/statuses/{id}", self._one)
        app.router.add_delete("/api/v1/statuses/{id}", self._delete)
        app.router.add_get("/api/v1/statuses/{id}/context", self._context)
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._error(401, "The access token is invalid")
        if request.method == "GET" and "/streaming/" not in request.path:
            misbehaved = self._misbehave(request)
            if misbehaved is not None:
                return misbehaved
        answer: web.StreamResponse = await handler(request)
        return answer

    def _misbehave(self, request: web.Request) -> web.Response | None:
        fate = self.read_fate
        if fate == "ok":
            return None
        if fate == "closed":
            return _hang_up(request)
        if fate == "garbage":
            return web.Response(text="<html>We'll be back", content_type="text/html")
        words = {"401": "The access token is invalid", "429": "Too many requests"}
        return self._error(int(fate), words.get(fate, "Something went wrong"))

    def _headers(self, left: int, limit: int = 300) -> dict[str, str]:
        now = self.clock.now()
        headers = {"Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        if self.limit_headers:
            # The clock of a test stands still: a pause that must pass by itself is over at once.
            reset = now + timedelta(minutes=5 if left else 0)
            headers["X-RateLimit-Limit"] = str(limit)
            headers["X-RateLimit-Remaining"] = str(left)
            headers["X-RateLimit-Reset"] = reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return headers

    def _json(self, value: object, **headers: str) -> web.Response:
        return web.json_response(value, headers={**self._headers(290), **headers})

    def _error(self, code: int, words: str) -> web.Response:
        return web.json_response(
            {"error": words}, status=code, headers=self._headers(0 if code == 429 else 290)
        )

    async def _verify(self, _: web.Request) -> web.Response:
        return self._json(
            {**self.account(BRAND), "source": {"privacy": "public", "note": "Ask us anything."}}
        )

    async def _verify_app(self, _: web.Request) -> web.Response:
        return self._json({"id": "1", "name": "Heard", "website": None, "scopes": self.scopes})

    async def _instance(self, _: web.Request) -> web.Response:
        return self._json(
            {
                "domain": "127.0.0.1",
                "version": "4.6.4",
                "configuration": {
                    "urls": {"streaming": self.url.replace("http", "ws", 1)},
                    "statuses": {"max_characters": self.max_characters, "characters_reserved_per_url": 23},
                },
                "rules": [{"id": str(n), "text": rule, "hint": ""} for n, rule in enumerate(self.rules)],
            }
        )

    def _page(self, request: web.Request, newest_first: list[Json], most: int) -> web.Response:
        """``min_id`` gives what comes right after it, ``since_id`` and nothing the newest; newest first."""
        query = request.query
        limit = min(int(query.get("limit", 20)), most)
        if "min_id" in query and self.knows_min_id:
            after = [one for one in newest_first if int(one["id"]) > int(query["min_id"])]
            page = after[-limit:]
        else:
            page = [one for one in newest_first if int(one["id"]) < int(query.get("max_id", 10**30))][:limit]
        if not page:
            return self._json([])
        here = f"{self.url}{request.path}"
        link = f'<{here}?max_id={page[-1]["id"]}>; rel="next", <{here}?min_id={page[0]["id"]}>; rel="prev"'
        return self._json(page, Link=link)

    async def _notifications(self, request: web.Request) -> web.Response:
        types = request.query.getall("types[]", [])
        found = [one for one in reversed(self.notifications) if not types or one["type"] in types]
        if request.query.get("include_filtered") != "true":
            found = [one for one in found if not one.get("filtered")]
        return self._page(request, found, 80)

    async def _account_statuses(self, request: web.Request) -> web.Response:
        by = request.match_info["id"]
        found = [one for one in reversed(self.statuses.values()) if one["account"]["id"] == by]
        return self._page(request, found, 40)

    async def _many(self, request: web.Request) -> web.Response:
        ids = request.query.getall("id[]", [])
        if not self.bulk:
            return self._error(404, "Record not found")
        if len(ids) > 20:
            return self._error(422, "Too many ids")
        return self._json([self.statuses[one] for one in reversed(ids) if one in self.statuses])

    async def _one(self, request: web.Request) -> web.Response:
        status = self.statuses.get(request.match_info["id"])
        return self._json(status) if status else self._error(404, "Record not found")

    async def _context(self, request: web.Request) -> web.Response:
        root = request.match_info["id"]
        if root not in self.statuses:
            return self._error(404, "Record not found")
        under = {root}
        descendants = []
        for status in self.statuses.values():
            if status["in_reply_to_id"] in under:
                under.add(status["id"])
                descendants.append(status)
        return self._json({"ancestors": [], "descendants": descendants})

    async def _delete(self, request: web.Request) -> web.Response:
        status = self.statuses.get(request.match_info["id"])
        if status is None or status["account"]["acct"] != BRAND:
            return self._error(404, "Record not found")
        self.delete(status["id"])
        return web.json_response(
            {**status, "text": self.sources[status["id"]]}, headers=self._headers(29, limit=30)
        )

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.posts += 1
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.posted.append(form)
        fate = self.post_fates.pop(0) if self.post_fates else "ok"
        if fate == "dropped":
            return _hang_up(request)
        if fate.isdecimal():
            return self._error(
                int(fate), "This action is not allowed" if fate == "403" else "Something is wrong"
            )
        made = self._made(form, request.headers.get("Idempotency-Key", ""))
        if isinstance(made, web.Response):
            return made
        if fate in ("lost", "reset"):
            return _hang_up(request, reset=fate == "reset")
        if fate == "garbage":
            return web.Response(text="<html>Thank you")
        return self._json(made)

    def _made(self, form: Mapping[str, str], key: str) -> Json | web.Response:
        if self.honours_keys and self.keys.get(key) in self.statuses:
            return self.statuses[self.keys[key]]
        text = form.get("status", "")
        if len(text) > self.max_characters:
            limit = f"character limit of {self.max_characters} exceeded"
            return self._error(422, f"Validation failed: Text {limit}")
        if form.get("in_reply_to_id", "") not in {"", *self.statuses}:
            return self._error(404, "The post you are trying to reply to does not appear to exist.")
        made = self.status(
            text,
            author=BRAND,
            in_reply_to=form.get("in_reply_to_id"),
            visibility=form.get("visibility", "public"),
            language=form.get("language"),
        )
        self.keys[key] = made["id"]
        self.publish(made)
        return made


def _acct(found: re.Match[str]) -> str:
    return found.group()[1:] if found.group().startswith("@") else ""


def _hang_up(request: web.Request, *, reset: bool = False) -> web.Response:
    transport = request.transport
    assert transport is not None
    if reset:
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    return web.Response()
