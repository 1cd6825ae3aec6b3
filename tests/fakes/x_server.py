"""X on loopback, in its real wire format, with people on it whom a test plays by hand.

Features: posts with versions, mentions, search, timelines, look-ups with X's own errors, replies that only
the summoned may write, the refusal of duplicates, OAuth 1.0a signatures that are checked, rate limits with
their headers, and a filtered stream with rules, keep-alives and one connection for everybody.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from typing import Any

from aiohttp import web
from oauthlib.oauth1 import Client as OAuthClient  # type: ignore[import-untyped]
from oauthlib.oauth1.rfc5849 import signature  # type: ignore[import-untyped]

from casework.clock import ManualClock

EPOCH_MS = 1288834974657
QUARTER = timedelta(minutes=15)
KEEP_ALIVE_S = 0.1
SHORT_TEXT = 280
TIMELINE_SHOWS = 800
BEARER = "bearer-token-of-the-app"
KEYS = {
    "api_key": "consumer-key",
    "api_secret": "consumer-secret",
    "access_token": "7001-user-token",
    "access_token_secret": "user-secret",
}
OWN_ID = "7001"
PROBLEM = "https://api.twitter.com/2/problems/"
BY_STATUS = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests", 503: "Service Unavailable"}
ALLOWED = {
    "mentions": 300,
    "search": 300,
    "timeline": 900,
    "lookup": 900,
    "users": 75,
    "post": 100,
    "delete": 50,
    "rules": 450,
    "stream": 50,
    "connections": 25,
}


@dataclass
class Post:
    """One version of a post; ``history`` is one list for all versions of it."""

    id: int
    author: str
    text: str
    created_at: datetime
    history: list[int]
    reply_to: int | None = None
    quotes: int | None = None
    reposts: int | None = None
    conversation: int = 0
    deleted: bool = False

    @property
    def is_latest(self) -> bool:
        return self.history[-1] == self.id


@dataclass(eq=False)
class Stream:
    """One open connection."""

    transport: asyncio.Transport
    lines: "asyncio.Queue[bytes | None]" = field(default_factory=asyncio.Queue)

    @property
    def gone(self) -> bool:
        return self.transport.is_closing()


@dataclass(frozen=True)
class Refusal(Exception):
    """An answer that is no 2xx."""

    status: int
    body: Mapping[str, Any]


def problem(status: int, detail: str = "") -> Refusal:
    title = BY_STATUS.get(status, "Internal Server Error")
    body = {"title": title, "detail": detail or title, "type": "about:blank", "status": status}
    return Refusal(status, body)


class FakeX:
    """The server, and everything on it."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.posts: dict[int, Post] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.rules: list[dict[str, str]] = []
        self.streams: list[Stream] = []
        self.sent: list[bytes] = []
        self.asked: list[str] = []
        self.post_fates: list[str] = []
        self.read_fate = "ok"
        self.loses = "nothing"
        self.arrived = 0
        self.connects = 0
        self.unsummoned = 0
        self.kills = 0
        self.post_bodies: list[dict[str, Any]] = []
        self.access_level = "read-write"
        self.headers: dict[str, str] = {}
        self.url = ""
        self._windows: dict[str, tuple[datetime, int]] = {}
        self._ids = 0
        self._runner: web.AppRunner | None = None
        self.user("auroraair", OWN_ID, "Aurora Air")["description"] = "We fly. Some replies are automated."

    # ── people ───────────────────────────────────────────────────────────────────────────────────

    def user(self, handle: str, user_id: str = "", name: str = "") -> dict[str, Any]:
        """Somebody's account, made when first asked for."""
        return self.users.setdefault(
            handle,
            {
                "id": user_id or str(9000 + len(self.users)),
                "name": name or handle.title(),
                "username": handle,
                "public_metrics": {"followers_count": 12, "following_count": 3, "tweet_count": 40},
            },
        )

    def says(self, text: str, author: str, **more: Any) -> Post:
        """Somebody posts."""
        post_id = self._next_id()
        post = Post(post_id, author, text, self.clock.now(), [post_id], **more)
        parent = self.posts.get(post.reply_to or 0)
        post.conversation = parent.conversation if parent else post_id
        self._publish(post)
        return post

    def edits(self, post_id: int, text: str) -> Post:
        """A new version: it has an id of its own, and the old one still answers."""
        first = self.posts[post_id]
        version = Post(
            self._next_id(),
            first.author,
            text,
            self.clock.now(),
            first.history,
            reply_to=first.reply_to,
            quotes=first.quotes,
            conversation=first.conversation,
        )
        first.history.append(version.id)
        self._publish(version)
        return version

    def deletes(self, post_id: int) -> None:
        """Deleting any version deletes them all."""
        for version in self.posts[post_id].history:
            self.posts[version].deleted = True

    def _next_id(self) -> int:
        now = int(self.clock.now().timestamp() * 1000) - EPOCH_MS
        self._ids = max(self._ids + 1, now << 22)
        return self._ids

    def _publish(self, post: Post) -> None:
        self.user(post.author)
        self.posts[post.id] = post
        matching = [rule for rule in self.rules if self.matches(rule["value"], post)]
        if matching and self.streams:
            body = self._envelope(post)
            body["matching_rules"] = [{"id": rule["id"], "tag": rule.get("tag", "")} for rule in matching]
            self.send(json.dumps(body).encode())

    def send(self, line: bytes) -> None:
        """The stream sends a line."""
        if self.loses == "nothing":
            self.sent.append(line)
            for stream in self.streams:
                stream.lines.put_nowait(line + b"\r\n")

    def close_streams(self) -> None:
        """Every connection is ended, politely."""
        for stream in self.streams:
            stream.lines.put_nowait(None)
        self.streams.clear()

    # ── X's own ways ─────────────────────────────────────────────────────────────────────────────

    def mentioned(self, text: str) -> list[dict[str, Any]]:
        """The accounts that a text mentions, as entities."""
        return [
            {
                "start": found.start(),
                "end": found.end(),
                "username": found[1],
                "id": self.users.get(found[1].lower(), {}).get("id", "1"),
            }
            for found in re.finditer(r"(?<![\w@])@(\w{1,15})(?!\w)", text, re.ASCII)
        ]

    def summons(self, post: Post) -> bool:
        """Whether its author asked the brand for a reply."""
        quoted = self.posts.get(post.quotes or 0)
        return any(one["id"] == OWN_ID for one in self.mentioned(post.text)) or (
            quoted is not None and quoted.author == "auroraair"
        )

    def matches(self, rule: str, post: Post) -> bool:
        """Whether a rule of the form ``("a b" OR @c) -is:retweet -from:d`` wants a post."""
        wanted, _, without = rule.rpartition(")") if rule.startswith("(") else rule.partition(" ")
        if "-is:retweet" in without and post.reposts:
            return False
        if f"-from:{post.author}" in without.split():
            return False
        tokens = re.findall(r"\w+", post.text.casefold())
        terms = [term.strip() for term in wanted.strip("()").split(" OR ")]
        return any(self._has(term, tokens, post) for term in terms)

    def _has(self, term: str, tokens: list[str], post: Post) -> bool:
        if term.startswith("@"):
            return any(one["username"].lower() == term[1:].lower() for one in self.mentioned(post.text))
        phrase = re.findall(r"\w+", term.casefold())
        return any(tokens[n : n + len(phrase)] == phrase for n in range(len(tokens)))

    def wire(self, post: Post) -> dict[str, Any]:
        """A post as X sends it: escaped, links shortened, long texts cut and given whole beside."""
        text, entities = self._rewritten(post.text)
        data: dict[str, Any] = {
            "id": str(post.id),
            "text": text,
            "author_id": self.user(post.author)["id"],
            "conversation_id": str(post.conversation),
            "created_at": post.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "edit_history_tweet_ids": [str(version) for version in post.history],
            "lang": "en",
        }
        if len(post.text) > SHORT_TEXT:
            data["note_tweet"] = {"text": text, "entities": entities}
            data["text"] = text[: SHORT_TEXT - 2] + "…"
        if entities:
            data["entities"] = entities
        kinds = {"replied_to": post.reply_to, "quoted": post.quotes, "retweeted": post.reposts}
        referenced = [{"type": kind, "id": str(one)} for kind, one in kinds.items() if one]
        if referenced:
            data["referenced_tweets"] = referenced
        return data

    def _rewritten(self, text: str) -> tuple[str, dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def shorten(link: "re.Match[str]") -> str:
            short = f"https://t.co/{len(found):010d}"
            found.append({"url": short, "expanded_url": link[0], "display_url": link[0].split("//", 1)[1]})
            return short

        shortened = re.sub(r"https?://[\w.-]+(?:/[\w./?=&%-]*)?", shorten, text)
        escaped = shortened.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        entities: dict[str, Any] = {"urls": found} if found else {}
        mentions = self.mentioned(text)
        return escaped, entities | ({"mentions": mentions} if mentions else {})

    def _envelope(self, post: Post) -> dict[str, Any]:
        return {"data": self.wire(post), "includes": self._includes([post])}

    def _includes(self, posts: Iterable[Post]) -> dict[str, Any]:
        referred = [
            self.posts[one]
            for post in posts
            for one in (post.reply_to, post.quotes, post.reposts)
            if one in self.posts and not self.posts[one].deleted
        ]
        authors = dict.fromkeys(post.author for post in posts)
        includes: dict[str, Any] = {"users": [self.user(author) for author in authors]}
        if referred:
            includes["tweets"] = [self.wire(post) for post in referred]
        return includes

    # ── answers ──────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Serve on a free port."""
        app = web.Application()
        read, write = self._reading, self._counted
        app.router.add_get("/2/users/me", read("users", self._me))
        app.router.add_get("/2/users/by/username/{name}", read("users", self._by_name))
        app.router.add_get("/2/users/{id}/mentions", read("mentions", self._mentions))
        app.router.add_get("/2/users/{id}/tweets", read("timeline", self._timeline))
        app.router.add_get("/2/tweets/search/recent", read("search", self._search))
        app.router.add_get("/2/tweets", read("lookup", self._lookup))
        app.router.add_post("/2/tweets", write("post", self._create))
        app.router.add_delete("/2/tweets/{id}", write("delete", self._delete))
        app.router.add_get("/2/tweets/search/stream/rules", read("rules", self._get_rules))
        app.router.add_post("/2/tweets/search/stream/rules", read("rules", self._change_rules))
        app.router.add_delete("/2/connections/filtered_stream", read("connections", self._kill))
        app.router.add_get("/2/tweets/search/stream", self._stream)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Serve no more."""
        self.close_streams()
        if self._runner is not None:
            await self._runner.cleanup()

    def _reading(
        self, kind: str, answer: Callable[[web.Request], Awaitable[dict[str, Any]]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            spoiled = self._spoiled(request)
            return spoiled or await self._counted(kind, answer)(request)

        return handle

    def _spoiled(self, request: web.Request) -> web.Response | None:
        """What a read becomes while things are bad."""
        if self.read_fate == "ok":
            return None
        if self.read_fate == "closed":
            _close(request)
            return web.Response()
        if self.read_fate == "garbage":
            return web.Response(text="<html>Something went wrong.</html>", content_type="text/html")
        refused = problem(int(self.read_fate))
        headers = self._basic_headers()
        if refused.status == 429:
            now = int(self.clock.now().timestamp())
            headers |= {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(now)}
        return web.json_response(refused.body, status=refused.status, headers=headers)

    def _counted(
        self, kind: str, answer: Callable[[web.Request], Awaitable[dict[str, Any]]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.asked.append(f"{request.method} {request.path_qs}")
            headers = self._basic_headers() | self._take(kind) | self.headers
            try:
                if int(headers["x-rate-limit-remaining"]) < 0:
                    raise problem(429)
                self._check_login(request)
                body = await answer(request)
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status, headers=headers)
            if body.get("garbage"):
                return web.Response(text="<html>ok</html>", content_type="text/html")
            return web.json_response(body, status=201 if kind == "post" else 200, headers=headers)

        return handle

    def _basic_headers(self) -> dict[str, str]:
        date = format_datetime(self.clock.now().astimezone(UTC), usegmt=True)
        return {"Date": date, "api-version": "2.164", "x-access-level": self.access_level}

    def _take(self, kind: str) -> dict[str, str]:
        now = self.clock.now()
        until, used = self._windows.get(kind, (now + QUARTER, 0))
        if until <= now:
            until, used = now + QUARTER, 0
        self._windows[kind] = (until, used + 1)
        return {
            "x-rate-limit-limit": str(ALLOWED[kind]),
            "x-rate-limit-remaining": str(ALLOWED[kind] - used - 1),
            "x-rate-limit-reset": str(int(until.timestamp())),
        }

    def _check_login(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if given == f"Bearer {BEARER}":
            return
        params = signature.collect_parameters(
            uri_query=request.rel_url.raw_query_string,
            headers={"Authorization": given},
            exclude_oauth_signature=False,
        )
        signed = dict(params).get("oauth_signature", "")
        base = signature.signature_base_string(
            request.method,
            signature.base_string_uri(f"{self.url}{request.rel_url.raw_path}"),
            signature.normalize_parameters([one for one in params if one[0] != "oauth_signature"]),
        )
        owner = OAuthClient(
            KEYS["api_key"], KEYS["api_secret"], resource_owner_secret=KEYS["access_token_secret"]
        )
        ours = signature.sign_hmac_sha1_with_client(base, owner)
        if not signed or signed != ours or dict(params).get("oauth_token") != KEYS["access_token"]:
            raise problem(401)

    async def _me(self, request: web.Request) -> dict[str, Any]:
        if request.headers["Authorization"].startswith("Bearer"):
            raise problem(403, "Authenticating with OAuth 2.0 Application-Only is forbidden here.")
        return {"data": self.users["auroraair"]}

    async def _by_name(self, request: web.Request) -> dict[str, Any]:
        user = self.users.get(request.match_info["name"].lower())
        if user is None:
            return {"errors": [_not_found("username", request.match_info["name"], "user")]}
        return {"data": user}

    async def _mentions(self, request: web.Request) -> dict[str, Any]:
        user_id = request.match_info["id"]
        posts = [
            post
            for post in self._newest_first()
            if post.is_latest and any(one["id"] == user_id for one in self.mentioned(post.text))
        ]
        return self._page(request, posts[:TIMELINE_SHOWS], "pagination_token")

    async def _timeline(self, request: web.Request) -> dict[str, Any]:
        user_id = request.match_info["id"]
        posts = [
            post
            for post in self._newest_first()
            if post.is_latest and self.user(post.author)["id"] == user_id
        ]
        return self._page(request, posts[:3200], "pagination_token")

    async def _search(self, request: web.Request) -> dict[str, Any]:
        earliest = self.clock.now() - timedelta(days=7)
        since = int(request.query.get("since_id", "0"))
        if since and (since >> 22) + EPOCH_MS < earliest.timestamp() * 1000:
            told = f"'since_id' must be a tweet id created after {earliest:%Y-%m-%dT%H:%MZ}."
            wrong = {"parameters": {"since_id": [str(since)]}, "message": told}
            detail = "One or more parameters to your request was invalid."
            kind = f"{PROBLEM}invalid-request"
            body = {"errors": [wrong], "title": "Invalid Request", "detail": detail, "type": kind}
            raise Refusal(400, body)
        query = request.query["query"]
        within = (post for post in self._newest_first() if post.created_at >= earliest)
        return self._page(request, within, "next_token", lambda post: self.matches(query, post))

    def _newest_first(self) -> list[Post]:
        return [post for _, post in sorted(self.posts.items(), reverse=True) if not post.deleted]

    def _page(
        self,
        request: web.Request,
        posts: Iterable[Post],
        token: str,
        wants: Callable[[Post], bool] = lambda _post: True,
    ) -> dict[str, Any]:
        since, size = int(request.query.get("since_id", "0")), int(request.query["max_results"])
        before = min(
            int(request.query.get("until_id", "0")) or 2**63,
            int(request.query.get(token, "b26v").removeprefix("b26v") or 2**63),
        )
        matching = (post for post in posts if since < post.id < before and wants(post))
        wanted = list(islice(matching, size + 1))
        page = wanted[:size]
        if not page:
            return {"meta": {"result_count": 0}}
        meta: dict[str, Any] = {
            "result_count": len(page),
            "newest_id": str(page[0].id),
            "oldest_id": str(page[-1].id),
        }
        if len(wanted) > size:
            meta["next_token"] = f"b26v{page[-1].id}"
        return {
            "data": [self.wire(post) for post in page],
            "includes": self._includes(page),
            "meta": meta,
        }

    async def _lookup(self, request: web.Request) -> dict[str, Any]:
        ids = request.query["ids"].split(",")
        if len(ids) > 100:
            raise problem(
                400, "The number of values in the `ids` query parameter list is not between 1 and 100"
            )
        found = [post for one in ids if (post := self.posts.get(int(one))) and not post.deleted]
        there = {str(post.id) for post in found}
        body: dict[str, Any] = {}
        if found:
            body = {"data": [self.wire(post) for post in found], "includes": self._includes(found)}
        missing = [_not_found("ids", one, "tweet") for one in ids if one not in there]
        return body | ({"errors": missing} if missing else {})

    async def _create(self, request: web.Request) -> dict[str, Any]:
        self.arrived += 1
        fate = self.post_fates.pop(0) if self.post_fates else "ok"
        if fate.isdigit():
            raise problem(int(fate))
        if fate == "dropped":
            _close(request)
            return {}
        body = await request.json()
        self.post_bodies.append(body)
        post = self._posted(body)
        if fate == "garbage":
            return {"garbage": True}
        if fate in ("lost", "reset"):
            _close(request, reset=fate == "reset")
        return {"data": {"id": str(post.id), "text": post.text, "edit_history_tweet_ids": [str(post.id)]}}

    def _posted(self, body: dict[str, Any]) -> Post:
        parent = self.posts.get(int(body["reply"]["in_reply_to_tweet_id"]))
        if parent is None or parent.deleted:
            raise problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")
        if not self.summons(parent):
            self.unsummoned += 1
            raise problem(
                403, "Reply to this conversation is not allowed because you have not been mentioned."
            )
        text = f"@{parent.author} {body['text']}"
        ours = [post for post in self.posts.values() if post.author == "auroraair" and not post.deleted]
        if any(post.text.endswith(body["text"]) for post in ours):
            raise problem(403, "You are not allowed to create a Tweet with duplicate content.")
        return self.says(text, "auroraair", reply_to=parent.id)

    async def _delete(self, request: web.Request) -> dict[str, Any]:
        post = self.posts.get(int(request.match_info["id"]))
        if post is not None and post.author != "auroraair":
            raise problem(403, "You are not allowed to delete this Tweet.")
        if post is not None:
            self.deletes(post.id)
        return {"data": {"deleted": True}}

    # ── the stream ───────────────────────────────────────────────────────────────────────────────

    async def _get_rules(self, request: web.Request) -> dict[str, Any]:
        meta = {"sent": self.clock.now().isoformat(), "result_count": len(self.rules)}
        return ({"data": [*self.rules]} if self.rules else {}) | {"meta": meta}

    async def _change_rules(self, request: web.Request) -> dict[str, Any]:
        asked = await request.json()
        for rule in asked.get("add", []):
            assert len(rule["value"]) <= 1024, "X takes rules of up to 1,024 letters"
            self.rules.append({"id": str(40_000 + self._next_id() % 10_000), **rule})
        gone = asked.get("delete", {}).get("ids", [])
        self.rules = [rule for rule in self.rules if rule["id"] not in gone]
        return {"meta": {"sent": self.clock.now().isoformat(), "summary": {"created": 1, "not_created": 0}}}

    async def _kill(self, request: web.Request) -> dict[str, Any]:
        self.kills += 1
        self.close_streams()
        return {"data": {"successful_kills": 1, "failed_kills": 0}}

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self.connects += 1
        spoiled = self._spoiled(request)
        if spoiled is not None:
            return spoiled
        if request.headers.get("Authorization") != f"Bearer {BEARER}":
            return web.json_response(problem(401).body, status=401, headers=self._basic_headers())
        self.streams = [stream for stream in self.streams if not stream.gone]
        if self.streams:
            return web.json_response(occupied(), status=429, headers=self._basic_headers())
        response = web.StreamResponse(headers=self._basic_headers())
        response.content_type = "application/json"
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        stream = Stream(transport)
        self.streams.append(stream)
        with suppress(ConnectionError):
            await response.prepare(request)
            await self._feed(stream, response)
        if stream in self.streams:
            self.streams.remove(stream)
        return response

    async def _feed(self, stream: Stream, response: web.StreamResponse) -> None:
        while not stream.gone:
            try:
                line = await asyncio.wait_for(stream.lines.get(), KEEP_ALIVE_S)
            except TimeoutError:
                line = b"\r\n"
            if line is None:
                await response.write_eof()
                return
            if self.loses != "even signs of life":
                await response.write(line)


def occupied() -> dict[str, Any]:
    """What X says when another connection holds the only slot (tweepy#1962, samples#140)."""
    return {
        "title": "ConnectionException",
        "detail": "This stream is currently at the maximum allowed connection limit.",
        "connection_issue": "TooManyConnections",
        "type": f"{PROBLEM}streaming-connection",
    }


def _not_found(parameter: str, value: str, kind: str) -> dict[str, Any]:
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{PROBLEM}resource-not-found",
    }


def _close(request: web.Request, *, reset: bool = False) -> None:
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        if reset:
            transport.abort()
        else:
            transport.close()
