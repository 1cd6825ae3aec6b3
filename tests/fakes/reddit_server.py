"""A Reddit on loopback: the endpoints that Heard uses, in Reddit's wire format, played by the test.

Shapes are those of the recordings that praw's own tests hold: "kind" and "data" envelopes, lists of at
most 100 with ``after`` tokens and a ceiling of 1,000, ``json.errors``, HTML escapes unless ``raw_json`` is
asked for, limits in headers, a token endpoint on the same host.
"""

import asyncio
import base64
import html
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from casework.clock import Clock
from tests.contracts.world import PostFate, ReadFate

BRAND = "auroraair"
REFRESH_TOKEN = "refresh-aurora"
CLIENT_ID, CLIENT_SECRET = "client-aurora", "secret-aurora"
PLACE = "aviation"
SCOPES = "edit history identity privatemessages read submit"
CEILING = 1_000

Json = dict[str, Any]


def base36(number: int) -> str:
    """A number as Reddit writes ids."""
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


@dataclass
class Item:
    """A post (t3) or a comment (t1), as it is now."""

    name: str
    author: str
    text: str
    created: float
    title: str = ""
    parent: str | None = None
    link: str = ""
    place: str = PLACE
    deleted: bool = False
    listed: bool = True
    edited: float | bool = False
    more: Json = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.name[:2]

    @property
    def permalink(self) -> str:
        tail = f"{self.name[3:]}/" if self.kind == "t1" else ""
        return f"/r/{self.place}/comments/{self.link[3:]}/a_post/{tail}"

    def record(self) -> Json:
        """The record of a list."""
        author = None if self.deleted else f"t2_{self.author}"
        data: Json = {
            "name": self.name,
            "id": self.name[3:],
            "author": "[deleted]" if self.deleted else self.author,
            "subreddit": self.place,
            "subreddit_name_prefixed": f"r/{self.place}",
            "created": self.created,
            "created_utc": self.created,
            "permalink": self.permalink,
            "edited": self.edited,
            "score": 1,
            "archived": False,
            "locked": False,
            "distinguished": None,
        }
        if author:
            data["author_fullname"] = author
        text = "[deleted]" if self.deleted else self.text
        if self.kind == "t1":
            data |= {"body": text, "parent_id": self.parent, "link_id": self.link, "link_author": "pilot"}
        else:
            data |= {"title": self.title, "selftext": text, "is_self": True}
            data["removed_by_category"] = "deleted" if self.deleted else None
        return {"kind": self.kind, "data": data | self.more}

    def letter(self, kind: str) -> Json:
        """The record of the inbox, which has other fields."""
        data = self.record()["data"]
        keep = ("name", "id", "author", "author_fullname", "subreddit", "created", "created_utc", "body")
        data = {key: data[key] for key in keep if key in data} | {
            "parent_id": self.parent,
            "type": kind,
            "subject": kind.replace("_", " "),
            "was_comment": True,
            "new": True,
            "dest": BRAND,
            "replies": "",
            "context": f"{self.permalink}?context=3",
            "link_title": "A post",
        }
        return {"kind": "t1", "data": data}


class RedditServer:
    """Everything on Reddit, in this process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.url = ""
        self.items: dict[str, Item] = {}
        self.inbox: list[tuple[str, str]] = []
        self.posts = 0
        self.requests: list[str] = []
        self.logins = 0
        self.tokens: set[str] = set()
        self.fates: list[PostFate] = []
        self.reads: ReadFate = "ok"
        self.answers: list[Json] = []
        self.extra: dict[str, list[Any]] = {}
        self.remaining = 100_000.0
        self.silence = 0.0
        self.scopes = SCOPES
        self.token_answer: Callable[[], web.Response] | None = None
        self._number = 60_000_000
        self.post = self.submits("What do you fly with?", "", author="pilot")

    # ── what people do ───────────────────────────────────────────────────────────────────────────

    def _name(self, kind: str) -> str:
        self._number += 1
        return f"{kind}_{base36(self._number)}"

    def submits(self, title: str, text: str, *, author: str, place: str = PLACE, **more: Any) -> str:
        """Somebody posts."""
        name = self._name("t3")
        at = self.clock.now().timestamp()
        self.items[name] = Item(name, author, text, at, title=title, link=name, place=place, more=more)
        return name

    def comments(self, text: str, *, author: str, under: str | None = None, **more: Any) -> str:
        """Somebody comments; who is named or replied to finds it in the inbox."""
        parent = self.items[under or self.post]
        name = self._name("t1")
        at = self.clock.now().timestamp()
        item = Item(name, author, text, at, parent=parent.name, link=parent.link, more=more)
        self.items[name] = item
        if author != BRAND:
            if f"u/{BRAND} " in f"{text} ":
                self.inbox.append((name, "username_mention"))
            elif parent.author == BRAND:
                self.inbox.append((name, f"{'comment' if parent.kind == 't1' else 'post'}_reply"))
        return name

    # ── what Reddit answers ──────────────────────────────────────────────────────────────────────

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Any request."""
        path = request.path.strip("/")
        self.requests.append(f"{request.method} {path}")
        if path == "api/v1/access_token":
            return await self._token(request)
        if path == "api/comment":
            return await self._comment(request)
        if self.reads != "ok":
            return self._trouble(request, self.reads)
        if not self._known(request):
            return self._json({"message": "Unauthorized", "error": 401}, 401)
        if path == "api/del":
            fields = await request.post()
            item = self.items.get(str(fields.get("id")))
            if item is not None and item.author == BRAND:
                item.deleted = True
            return self._json({})
        return self._read(request, path)

    def _read(self, request: web.Request, path: str) -> web.Response:
        query = request.query
        newest = sorted(self.items.values(), key=lambda item: item.created)[::-1]
        # Of the same second, the later one stands first.
        newest.sort(key=lambda item: (item.created, list(self.items).index(item.name)), reverse=True)
        shown = [item for item in newest if not item.deleted and item.listed]
        parts = path.split("/")
        match parts:
            case ["api", "v1", "me"]:
                page = {"public_description": "Automated replies, watched by people.", "title": "Aurora Air"}
                return self._json({"id": BRAND, "name": BRAND, "subreddit": page}, request=request)
            case ["message", "inbox"]:
                letters = [self.items[name].letter(kind) for name, kind in reversed(self.inbox)]
                return self._listing(request, [self._private(), *letters])
            case ["r", places, "comments" | "new" as kind]:
                wanted = "t1" if kind == "comments" else "t3"
                names = places.lower().split("+")
                records = [i.record() for i in shown if i.kind == wanted and i.place.lower() in names]
                return self._listing(request, self.extra.get(kind, []) + records)
            case ["search"]:
                words = [word.strip('" ').lower() for word in query["q"].split(" OR ")]
                posts = [i for i in shown if i.kind == "t3"]
                found = [i for i in posts if any(w in f"{i.title} {i.text}".lower() for w in words)]
                return self._listing(request, [item.record() for item in found])
            case ["api", "info"]:
                names = query["id"].split(",")
                assert len(names) <= 100, "Reddit takes 100 ids"
                records = [self.items[name].record() for name in names if name in self.items]
                return self._listing(request, records, size=100)
            case ["user", name, "comments"]:
                own = [i.record() for i in shown if i.kind == "t1" and i.author.lower() == name.lower()]
                return self._listing(request, own)
        return self._json({"message": "Not Found", "error": 404}, 404)

    def _private(self) -> Json:
        return {
            "kind": "t4",
            "data": {
                "name": "t4_1",
                "author": "nosy",
                "author_fullname": "t2_nosy",
                "body": "a private message to Aurora Air",
                "created_utc": self.clock.now().timestamp(),
                "type": "unknown",
                "was_comment": False,
                "context": "",
                "parent_id": None,
            },
        }

    def _listing(self, request: web.Request, records: list[Any], size: int | None = None) -> web.Response:
        records = records[:CEILING]
        names = [record["data"].get("name") for record in records]
        after = request.query.get("after")
        start = names.index(after) + 1 if after in names else 0
        end = start + min(size or int(request.query.get("limit", 25)), 100)
        page = records[start:end]
        more = page[-1]["data"]["name"] if page and end < len(records) else None
        data = {"after": more, "before": None, "dist": len(page), "modhash": None, "children": page}
        return self._json({"kind": "Listing", "data": data}, request=request)

    async def _comment(self, request: web.Request) -> web.StreamResponse:
        self.posts += 1
        fate: PostFate = self.fates.pop(0) if self.fates else "ok"
        if fate == "dropped":
            return self._hang_up(request)
        if fate not in ("ok", "lost", "reset", "garbage"):
            return self._status(int(fate))
        if not self._known(request):
            return self._status(401)
        if self.answers:
            return self._json(self.answers.pop(0), request=request)
        fields = await request.post()
        assert fields["api_type"] == "json"
        name = self.comments(str(fields["text"]), author=BRAND, under=str(fields["thing_id"]))
        await asyncio.sleep(self.silence)
        if fate == "lost":
            return self._hang_up(request)
        if fate == "reset":
            return self._hang_up(request, reset=True)
        if fate == "garbage":
            return web.Response(text="<html>It went through, believe us", content_type="text/html")
        things = [self.items[name].record()]
        return self._json({"json": {"errors": [], "data": {"things": things}}}, request=request)

    async def _token(self, request: web.Request) -> web.Response:
        self.logins += 1
        if self.token_answer is not None:
            return self.token_answer()
        fields = await request.post()
        known = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        grants: tuple[object, ...] = (("refresh_token", REFRESH_TOKEN), ("client_credentials", None))
        if self.reads == "401" or request.headers.get("Authorization") != f"Basic {known}":
            return self._json({"message": "Unauthorized", "error": 401}, 401)
        if (fields["grant_type"], fields.get("refresh_token")) not in grants:
            return self._json({"message": "Bad Request", "error": 400}, 400)
        token = f"token-{self.logins}"
        self.tokens.add(token)
        scope = self.scopes if fields["grant_type"] == "refresh_token" else "*"
        return self._json({"access_token": token, "token_type": "bearer", "expires_in": 3600, "scope": scope})

    def _known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization", "").removeprefix("bearer ") in self.tokens

    def _trouble(self, request: web.Request, fate: ReadFate) -> web.StreamResponse:
        if fate == "closed":
            return self._hang_up(request)
        if fate == "garbage":
            return web.Response(text="<!doctype html><title>reddit.com: over capacity")
        if fate == "401":
            self.tokens.clear()
        return self._status(int(fate))

    def _status(self, status: int) -> web.Response:
        words = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests"}.get(status)
        if words is None:
            return web.Response(status=status, text="<html>our servers are busy", content_type="text/html")
        response = self._json({"message": words, "error": status}, status)
        if status == 429:
            response.headers["retry-after"] = "1"
        return response

    def _hang_up(self, request: web.Request, *, reset: bool = False) -> web.Response:
        transport = request.transport
        assert transport is not None
        if reset:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        transport.close()
        return web.Response()

    def _json(self, value: Any, status: int = 200, request: web.Request | None = None) -> web.Response:
        if request is not None and request.query.get("raw_json") != "1":
            value = _html(value)
        response = web.Response(text=json.dumps(value), status=status, content_type="application/json")
        if request is not None:
            self.remaining -= 1
            response.headers["x-ratelimit-remaining"] = f"{self.remaining:.1f}"
            response.headers["x-ratelimit-used"] = str(len(self.requests))
            response.headers["x-ratelimit-reset"] = "300"
        return response


def _html(value: Any) -> Any:
    """What Reddit makes of every text unless it is asked not to."""
    if isinstance(value, dict):
        return {key: _html(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_html(inner) for inner in value]
    return html.escape(value, quote=False) if isinstance(value, str) else value


@asynccontextmanager
async def open_server(clock: Clock) -> AsyncIterator[RedditServer]:
    """Reddit on a free port, in the loop of the test."""
    server = RedditServer(clock)

    @web.middleware
    async def dated(
        request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:  # Reddit's clock is the test's.
        response: web.StreamResponse = await handler(request)
        response.headers["Date"] = format_datetime(clock.now(), usegmt=True)
        return response

    app = web.Application(middlewares=[dated])
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
