"""A Bluesky on loopback: one server that is PDS, AppView and Jetstream, in the platform's own wire format.

It enforces what the platform enforces where that matters: tokens that end, refresh tokens that work once,
keys of posts that are TIDs, one record under a key, lengths in graphemes and bytes.
"""

import asyncio
import base64
import hashlib
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

from aiohttp import WSMsgType, web

from casework.clock import ManualClock
from platforms.bluesky import is_tid
from platforms.lengths import measure
from tests.contracts.world import PostFate, ReadFate

BRAND = "auroraair"
PASSWORD = "abcd-efgh-ijkl-mnop"
POST = "app.bsky.feed.post"
APART_US = 500_000
NOISE = (
    "good morning everyone",
    "今日はいい天気ですね。散歩に行きます",
    "bom dia! 1º café do dia ☕",
    "Straßenbahn hat Verspätung, na großartig",
    "just posted a new drawing 🎨 #art",
)
ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
Json = dict[str, Any]


class Refusal(Exception):
    """What a call is answered with instead of a result."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": error, "message": message}


def did_of(name: str) -> str:
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()
    return f"did:plc:{digest[:24]}"


def handle_of(name: str) -> str:
    return f"{name}.example.social"


def tid(number: int) -> str:
    number <<= 10
    return "".join(ALPHABET[number >> shift & 31] for shift in range(60, -1, -5))


def cid_of(record: object) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
    return "bafyrei" + base64.b32encode(digest).decode().lower().rstrip("=")


def parts_of(uri: str) -> tuple[str, str]:
    did, _, rkey = uri.removeprefix("at://").split("/")
    return did, rkey


def parent_of(record: Json) -> str:
    uri: str = record.get("reply", {}).get("parent", {}).get("uri", "")
    return uri


def iso(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@dataclass
class BlueskyServer:
    """The whole of the network, in memory; a test plays its people and breaks it."""

    clock: ManualClock
    url: str = ""
    names: dict[str, str] = field(default_factory=dict)
    posts: dict[str, Json] = field(default_factory=dict)
    repository: dict[str, Json] = field(default_factory=dict)
    notifications: list[Json] = field(default_factory=list)
    events: list[tuple[int, bytes]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    put_bodies: list[Json] = field(default_factory=list)
    connects: int = 0
    read_fate: ReadFate = "ok"
    post_fates: list[PostFate] = field(default_factory=list)
    odd_error: tuple[int, bytes] | None = None
    loses: Literal["nothing", "everything", "even signs of life"] = "nothing"
    bot_label: bool = True
    without_profile: set[str] = field(default_factory=set)
    token_life: timedelta = timedelta(hours=2)
    _subscribers: "set[asyncio.Queue[bytes | None]]" = field(default_factory=set)
    _access: dict[str, datetime] = field(default_factory=dict)
    _refresh: set[str] = field(default_factory=set)
    _tokens: int = 0
    _us: int = 0

    # ── what people do ───────────────────────────────────────────────────────────────────────────

    def account(self, name: str) -> str:
        self.names[did_of(name)] = name
        return did_of(name)

    def next_us(self, apart: int = APART_US) -> int:
        self._us = max(self._us + apart, int(self.clock.now().timestamp() * 1_000_000))
        return self._us

    def publish(self, name: str, record: Json, *, rkey: str | None = None) -> str:
        """A post in somebody's repository: on Jetstream, in the AppView, and told to whom it concerns."""
        did, time_us = self.account(name), self.next_us()
        rkey = rkey or tid(time_us)
        uri = f"at://{did}/{POST}/{rkey}"
        indexed = iso(datetime.fromtimestamp(time_us / 1_000_000, UTC))
        self.posts[uri] = self.repository[uri] = {
            "uri": uri,
            "cid": cid_of(record),
            "author": {"did": did, "handle": handle_of(name)},
            "record": record,
            "indexedAt": indexed,
        }
        self._notify(name, uri, record, indexed)
        self.emit(did, time_us, "create", rkey, record)
        return uri

    def _notify(self, name: str, uri: str, record: Json, indexed: str) -> None:
        brand = did_of(BRAND)
        features = [f for facet in record.get("facets", ()) for f in facet.get("features", ())]
        refs = [record["reply"][end]["uri"] for end in ("parent", "root")] if "reply" in record else []
        quoted = record.get("embed", {}).get("record", {}).get("uri", "")
        reason = (
            ("reply" if any(ref.startswith(f"at://{brand}/") for ref in refs) else "")
            or ("mention" if any(f.get("did") == brand for f in features) else "")
            or ("quote" if quoted.startswith(f"at://{brand}/") else "")
        )
        if reason and name != BRAND:
            self.notifications.append(
                {
                    "uri": uri,
                    "cid": cid_of(record),
                    "author": {"did": did_of(name), "handle": handle_of(name), "displayName": name.title()},
                    "reason": reason,
                    "record": record,
                    "isRead": False,
                    "indexedAt": indexed,
                    "labels": [],
                }
            )

    def remove(self, uri: str) -> None:
        did, rkey = parts_of(uri)
        self.posts.pop(uri, None)
        self.repository.pop(uri, None)
        self.notifications = [one for one in self.notifications if one["uri"] != uri]
        self.emit(did, self.next_us(), "delete", rkey, None)

    def update(self, uri: str, record: Json) -> None:
        """The repository, Jetstream and the AppView have the new record, as on the reference network."""
        did, rkey = parts_of(uri)
        self.posts[uri] = self.repository[uri] = {
            **self.repository[uri],
            "record": record,
            "cid": cid_of(record),
        }
        self.emit(did, self.next_us(), "update", rkey, record)

    # ── Jetstream ────────────────────────────────────────────────────────────────────────────────

    def emit(self, did: str, time_us: int, operation: str, rkey: str, record: Json | None) -> None:
        raw = frame(did, time_us, operation, rkey, record)
        self.events.append((time_us, raw))
        if self.loses == "nothing":
            self.send(raw)

    def send(self, raw: bytes) -> None:
        for subscriber in self._subscribers:
            subscriber.put_nowait(raw)

    def close_streams(self) -> None:
        for subscriber in list(self._subscribers):
            subscriber.put_nowait(None)
            self._subscribers.discard(subscriber)

    async def make_noise(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(0.02)
            number += 1
            if self.loses != "even signs of life":
                self._us = max(self._us + 1, int(self.clock.now().timestamp() * 1_000_000))
                record = {
                    "$type": POST,
                    "text": NOISE[number % len(NOISE)],
                    "createdAt": iso(self.clock.now()),
                }
                self.send(frame(did_of(f"noise{number % 7}"), self._us, "create", tid(self._us), record))

    async def subscribe(self, request: web.Request) -> web.StreamResponse:
        self.connects += 1
        assert request.query.getall("wantedCollections") == [POST]
        refused = self._read_refused(request)
        if refused is not None:
            return refused
        frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        cursor = request.query.get("cursor")
        if cursor is not None and self.loses == "nothing":
            for time_us, raw in self.events:
                if time_us >= int(cursor):
                    frames.put_nowait(raw)
        self._subscribers.add(frames)
        socket_ = web.WebSocketResponse(compress=False)
        await socket_.prepare(request)
        reading = asyncio.create_task(_drain(socket_))
        try:
            while (raw_frame := await frames.get()) is not None:
                # An ending that did not come from here is seen by the sending.
                with suppress(ConnectionError):
                    await socket_.send_frame(raw_frame, WSMsgType.TEXT)
            await socket_.close()
        finally:
            self._subscribers.discard(frames)
            reading.cancel()
        return socket_

    # ── XRPC ─────────────────────────────────────────────────────────────────────────────────────

    async def xrpc(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls[method] += 1
        if self.odd_error is not None:
            status, odd = self.odd_error
            return web.Response(status=status, body=odd, content_type="application/json")
        if method in ("com.atproto.repo.putRecord", "com.atproto.repo.createRecord"):
            return await self._publishing(request)
        refused = self._read_refused(request) if method != "com.atproto.repo.deleteRecord" else None
        if refused is not None:
            return refused
        answer: Callable[[web.Request, Json], Json] = getattr(self, "_" + method.rpartition(".")[2])
        body = await request.json() if request.method == "POST" and request.can_read_body else {}
        try:
            return self._answer(200, answer(request, body))
        except Refusal as refusal:
            return self._answer(refusal.status, refusal.body)

    def _answer(self, status: int, body: object) -> web.Response:
        now = self.clock.now()
        headers = {
            "Date": format_datetime(now.replace(microsecond=0), usegmt=True),
            "RateLimit-Limit": "3000",
            "RateLimit-Remaining": "0" if status == 429 else str(max(1, 3_000 - self.calls.total())),
            "RateLimit-Reset": str(int(now.timestamp()) + (0 if status == 429 else 300)),
            "RateLimit-Policy": "3000;w=300",
        }
        return web.json_response(body, status=status, headers=headers)

    def _read_refused(self, request: web.Request) -> web.StreamResponse | None:
        match self.read_fate:
            case "ok":
                return None
            case "closed":
                return hung_up(request)
            case "garbage":
                return web.Response(text="<html>it works!</html>", content_type="text/html")
            case "401":
                return self._answer(401, {"error": "AuthenticationRequired", "message": "Invalid token"})
            case "429":
                return self._answer(429, {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"})
            case status:
                return self._answer(int(status), {"error": "InternalServerError", "message": "Internal"})

    async def _publishing(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.put_bodies.append(body)
        fate = self.post_fates.pop(0) if self.post_fates else "ok"
        try:
            if fate in ("ok", "lost", "reset", "garbage"):
                answer = self._putRecord(request, body)
        except Refusal as refusal:
            return self._answer(refusal.status, refusal.body)
        match fate:
            case "ok":
                return self._answer(200, answer)
            case "lost" | "dropped":
                return hung_up(request)
            case "reset":
                return hung_up(request, reset=True)
            case "garbage":
                return web.Response(text="{", content_type="application/json")
            case "401":
                return self._answer(400, {"error": "ExpiredToken", "message": "Token has expired"})
            case "403":
                return self._answer(403, {"error": "AccountTakedown", "message": "Account is suspended"})
            case "429":
                return self._answer(429, {"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"})
            case status:
                return self._answer(int(status), {"error": "InternalServerError", "message": "Internal"})

    # Each of these is called by the last part of its method's name.

    def _putRecord(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        self._logged_in(request)
        record, rkey = body["record"], body["rkey"]
        uri = f"at://{body['repo']}/{body['collection']}/{rkey}"
        if body["repo"] != did_of(BRAND) or not is_tid(rkey):
            raise Refusal(400, "InvalidRequest", f"Invalid record key: {rkey}")
        if not measure("bluesky", record["text"]).fits:
            raise Refusal(400, "InvalidRequest", "Invalid app.bsky.feed.post record: Record/text too long")
        there = self.repository.get(uri)
        if there is None:
            self.publish(BRAND, record, rkey=rkey)
        elif there["record"] != record and "swapRecord" in body:
            raise Refusal(400, "InvalidSwap", f"Record was at {there['cid']}")
        return {"uri": uri, "cid": cid_of(record), "validationStatus": "valid"}

    def _deleteRecord(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        self._logged_in(request)
        uri = f"at://{body['repo']}/{body['collection']}/{body['rkey']}"
        if uri in self.repository:
            self.remove(uri)
        return {}

    def _getRecord(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        repo, collection, rkey = (request.query[part] for part in ("repo", "collection", "rkey"))
        uri = f"at://{repo}/{collection}/{rkey}"
        if collection == "app.bsky.actor.profile" and repo == did_of(BRAND):
            labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "bot"}]}
            value = {"displayName": "Aurora Air", "description": "We answer, with help of a machine."}
            return {
                "uri": uri,
                "cid": cid_of(value),
                "value": value | ({"labels": labels} if self.bot_label else {}),
            }
        post = self.repository.get(uri)
        if post is None:
            raise Refusal(400, "RecordNotFound", f"Could not locate record: {uri}")
        return {"uri": uri, "cid": post["cid"], "value": post["record"]}

    def _getPosts(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        uris = request.query.getall("uris")
        if len(uris) > 25:
            raise Refusal(400, "InvalidRequest", "Error: uris must not have more than 25 elements")
        return {"posts": [self.posts[uri] for uri in uris if uri in self.posts]}

    def _getPostThread(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        uri = request.query["uri"]
        if uri not in self.posts:
            raise Refusal(400, "NotFound", f"Post not found: {uri}")
        replies = [
            {"$type": "app.bsky.feed.defs#threadViewPost", "post": post, "replies": []}
            for post in self.posts.values()
            if parent_of(post["record"]) == uri
        ]
        view = {"$type": "app.bsky.feed.defs#threadViewPost", "post": self.posts[uri], "replies": replies}
        return {"thread": view}

    def _getProfiles(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        actors = request.query.getall("actors")
        if len(actors) > 25:
            raise Refusal(400, "InvalidRequest", "Error: actors must not have more than 25 elements")
        return {
            "profiles": [
                {
                    "did": did,
                    "handle": handle_of(self.names[did]),
                    "displayName": self.names[did].title(),
                    "followersCount": 12,
                    "labels": [{"src": did, "val": "bot"}] if self.names[did].endswith("bot") else [],
                }
                for did in actors
                if did in self.names and did not in self.without_profile
            ]
        }

    def _resolveHandle(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        handle = request.query["handle"]
        for did, name in self.names.items():
            if handle_of(name) == handle:
                return {"did": did}
        raise Refusal(400, "InvalidRequest", "Unable to resolve handle")

    def _listNotifications(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        self._logged_in(request)
        reasons = request.query.getall("reasons", [])
        first, limit = int(request.query.get("cursor", 0)), int(request.query.get("limit", 50))
        shown = [one for one in reversed(self.notifications) if one["reason"] in reasons]
        page = shown[first : first + limit]
        return {"notifications": page} | (
            {"cursor": str(first + limit)} if first + limit < len(shown) else {}
        )

    # ── sessions ─────────────────────────────────────────────────────────────────────────────────

    def _createSession(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        if (body["identifier"], body["password"]) != (handle_of(BRAND), PASSWORD):
            raise Refusal(401, "AuthenticationRequired", "Invalid identifier or password")
        return self._new_session()

    def _refreshSession(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        if request.body_exists:
            raise Refusal(400, "InvalidRequest", "A request body was provided when none was expected")
        token = _bearer(request)
        if token not in self._refresh:
            raise Refusal(400, "ExpiredToken", "Token has been revoked")
        self._refresh.discard(token)
        return self._new_session()

    def _getSession(self, request: web.Request, body: Json) -> Json:  # noqa: N802
        self._logged_in(request)
        return {"did": did_of(BRAND), "handle": handle_of(BRAND), "active": True}

    def _new_session(self) -> Json:
        expires = self.clock.now() + self.token_life
        access, refresh = self._token(expires), self._token(expires + timedelta(days=60))
        self._access[access] = expires
        self._refresh.add(refresh)
        names = {"did": did_of(BRAND), "handle": handle_of(BRAND), "active": True}
        return {"accessJwt": access, "refreshJwt": refresh, **names}

    def _token(self, expires: datetime) -> str:
        self._tokens += 1
        claims = {"sub": did_of(BRAND), "exp": int(expires.timestamp()), "jti": self._tokens}
        parts = [
            json.dumps(part).encode() for part in ({"typ": "at+jwt", "alg": "ES256K"}, claims, "signature")
        ]
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)

    def _logged_in(self, request: web.Request) -> None:
        token = _bearer(request)
        if not token:
            raise Refusal(401, "AuthMissing", "Authentication Required")
        if token not in self._access:
            raise Refusal(400, "InvalidToken", "Bad token scope")
        if self._access[token] <= self.clock.now():
            raise Refusal(400, "ExpiredToken", "Token has expired")

    def end_sessions(self) -> None:
        """Every access token is over, whatever it says itself."""
        self._access.clear()

    def end_logins(self) -> None:
        """Every login is over, and none can be renewed: the account's password was changed."""
        self._access.clear()
        self._refresh.clear()


def frame(did: str, time_us: int, operation: str, rkey: str, record: Json | None) -> bytes:
    """An event as Jetstream sends it: compact JSON, UTF-8 as it is, but for what Go's encoder escapes."""
    commit: Json = {"rev": tid(time_us), "operation": operation, "collection": POST, "rkey": rkey}
    if record is not None:
        commit |= {"record": record, "cid": cid_of(record)}
    event = {"did": did, "time_us": time_us, "kind": "commit", "commit": commit}
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    for odd in "<>&\u2028\u2029":
        text = text.replace(odd, f"\\u{ord(odd):04x}")
    return text.encode()


def hung_up(request: web.Request, *, reset: bool = False) -> web.Response:
    """The connection ends without an answer, politely or not."""
    assert request.transport is not None
    if reset:
        raw: socket.socket = request.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    else:
        request.transport.close()
    return web.Response()


async def _redirect(request: web.Request) -> web.Response:
    """To where it was, as a captured address would send a login elsewhere."""
    target = request.rel_url.with_path(f"/{request.match_info['path']}")
    return web.Response(status=302, headers={"Location": str(target)})


async def _drain(socket_: web.WebSocketResponse) -> None:
    """Read what the client sends, so that its pings are answered and its closing is seen."""
    async for _ in socket_:
        pass


def _bearer(request: web.Request) -> str:
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


@asynccontextmanager
async def open_server(clock: ManualClock) -> AsyncIterator[BlueskyServer]:
    """The server, on a free port of loopback."""
    server = BlueskyServer(clock)
    server.account(BRAND)
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/xrpc/{method}", server.xrpc)
    app.router.add_get("/subscribe", server.subscribe)
    app.router.add_route("*", "/elsewhere/{path:.*}", _redirect)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    noise = asyncio.create_task(server.make_noise())
    try:
        yield server
    finally:
        noise.cancel()
        server.close_streams()
        await runner.cleanup()
