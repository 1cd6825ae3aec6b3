"""Bluesky, both directions: Jetstream and notifications to hear; records under chosen keys to reply.

Listening needs no account: Jetstream and the AppView are public. What Jetstream says is only ever a
reason to look (B5): before anything is answered, the post is read again from the AppView.

Calls go through the request layer of the ``atproto`` library, and what comes back is read as plain JSON,
not through the library's models: those raise on one odd field of a stranger's record, and drop the
explicit null of ``swapRecord`` that keeps a second reply from existing (atproto 0.0.73). The library
takes over a second to import, so it is imported with the first call and beside the loop.
"""

import asyncio
import base64
import fcntl
import hashlib
import json
import os
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from casework.clock import Clock
from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms.departure import Departure
from platforms.faults import Fault, Forbidden, Offline, Revoked, TooMany, Trouble
from platforms.lengths import measure
from platforms.limits import Budget, Limit
from platforms.listening import Manners, Sign, StreamPath, SweepPath, Swept, only_position
from platforms.platform import (
    Busy,
    Entry,
    Fate,
    Finding,
    Gone,
    Heard,
    Platform,
    Posted,
    Present,
    Profile,
    Reached,
    Refused,
    Removed,
    Unknown,
    Unreadable,
)
from platforms.platform import Path as ListeningPath
from platforms.private_files import write_private
from platforms.setup import NotConnected, Setup
from platforms.words import Words

log = structlog.get_logger(__name__)

POST: Final = "app.bsky.feed.post"
SERVICE: Final = "https://bsky.social"
APPVIEW: Final = "https://public.api.bsky.app"
JETSTREAM: Final = "wss://jetstream2.us-east.bsky.network/subscribe"

_SOURCE: Final = "docs.bsky.app, advanced-guides/rate-limits, April 2026"
REQUESTS: Final = Limit("requests", 3_000, timedelta(minutes=5), _SOURCE)
POINTS: Final = (
    Limit("points an hour", 5_000, timedelta(hours=1), _SOURCE),
    Limit("points a day", 35_000, timedelta(days=1), _SOURCE),
)
DENIED_FOR: Final = timedelta(minutes=10)
"""Until a login that was refused is tried again with the same password: 144 of a day's 300."""
LOGINS: Final = (
    Limit("logins", 30, timedelta(minutes=5), _SOURCE),
    Limit("logins a day", 300, timedelta(days=1), _SOURCE),
)
PUT_POINTS: Final = 2
DELETE_POINTS: Final = 1
_WINDOWS: Final = {"300": REQUESTS, "3600": POINTS[0], "86400": POINTS[1]}

REWIND_US: Final = 5_000_000
"""A restart goes back so far: Jetstream's times are of its own receiving, and not quite in order."""
POSITION_EVERY_US: Final = 5_000_000
BATCH: Final = 512
AT_ONCE: Final = 25
"""Posts or profiles in one call (lexicons app.bsky.feed.getPosts, app.bsky.actor.getProfiles)."""
MOST_PAGES: Final = 500
"""Of notifications in one look: 50,000 of them. Bluesky names no ceiling of its own."""
LARGEST_FRAME: Final = 1_000_000
LONGEST_TEXT: Final = 40_000
APPVIEW_LAG: Final = timedelta(seconds=60)
LATEST: Final = timedelta(days=1)
"""A notification stands in the list where its author's clock put it; so far back one is looked for."""
KNOWN: Final = 200
"""So many of the newest notifications are known one by one: two pages."""
SKEW: Final = timedelta(seconds=30)
PROBES: Final = 4
FAULT_REST_S: Final = 30.0
TIMEOUTS_S: Final = (5.0, 10.0, 10.0, 5.0)
"""To connect, read, write, and wait for a connection; atproto hands them to httpx."""


def connect(setup: Setup) -> Platform:
    """Bluesky; with nothing but words to listen for it hears, and with an account it replies.

    Raises:
        NotConnected: half of an account is set, or a password would travel in the clear.
    """
    handle, password = setup.access.get("handle", ""), setup.access.get("app_password", "")
    if bool(handle) != bool(password):
        missing = "HEARD_BLUESKY__APP_PASSWORD" if handle else "HEARD_BLUESKY__HANDLE"
        raise NotConnected(f"{missing} is not set", fix=f"set {missing}, or neither, to listen only")
    service = urlsplit(setup.access.get("service_url", "") or SERVICE)
    if password and service.scheme != "https" and service.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise NotConnected(
            f"{service.geturl()} would get the password in the clear",
            fix="set HEARD_BLUESKY__SERVICE_URL to an https address",
        )
    return Bluesky(setup)


# ── plain JSON from strangers ────────────────────────────────────────────────────────────────────

_DID = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]{0,2000}[a-zA-Z0-9._-]")
_RECORD_KEY = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9_~.:-]{1,512}")
_HANDLE = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.I
)
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{1,8})*")
_TID = re.compile(r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_TID_LETTERS: Final = "234567abcdefghijklmnopqrstuvwxyz"
_TID_AS_BASE_32: Final = str.maketrans(_TID_LETTERS, "0123456789abcdefghijklmnopqrstuv")


def at(value: object, *steps: str) -> Any:
    """What stands at a path in JSON, or None where the JSON is of another shape."""
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def text_at(value: object, *steps: str) -> str:
    """The text at a path in JSON, or an empty one."""
    found = at(value, *steps)
    return found if isinstance(found, str) else ""


def each(value: object) -> Iterable[object]:
    """The members of a list in JSON; none of anything else."""
    return value if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class PostUri:
    """``at://did/app.bsky.feed.post/rkey``: the author is in the address, and cannot be another's."""

    did: str
    rkey: str

    @classmethod
    def read(cls, uri: object) -> "PostUri | None":
        """The parts of a post's address; None when it is of anything else, or of an account by handle."""
        parts = (
            uri.removeprefix("at://").split("/") if isinstance(uri, str) and uri.startswith("at://") else []
        )
        if len(parts) != 3 or parts[1] != POST:
            return None
        if not (_DID.fullmatch(parts[0]) and _RECORD_KEY.fullmatch(parts[2])):
            return None
        return cls(parts[0], parts[2])

    def __str__(self) -> str:
        return f"at://{self.did}/{POST}/{self.rkey}"


def owner(uri: object) -> str:
    """Whose record an address names: its DID, or nothing."""
    found = re.match(r"at://(did:[^/]+)", uri) if isinstance(uri, str) else None
    return found.group(1) if found else ""


def is_handle(text: str) -> bool:
    """Whether this is a handle by the protocol's syntax."""
    return text.isascii() and _HANDLE.fullmatch(text) is not None


def is_tid(text: str) -> bool:
    """Whether this is a timestamp identifier, which the key of a post has to be."""
    return _TID.fullmatch(text) is not None


def instant_of(written: object) -> datetime | None:
    """An instant as a record writes it; None when it is none, or of no time zone."""
    try:
        instant = datetime.fromisoformat(written) if isinstance(written, str) else None
        return instant.astimezone(UTC) if instant and instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def believed(written: object, came_at: datetime) -> datetime:
    """When a post was written. The author's own app says so, and may say anything: then when it came."""
    instant = instant_of(written)
    if instant is None or instant > came_at or came_at - instant > timedelta(days=1):
        return came_at
    return instant


# ── what a record says ───────────────────────────────────────────────────────────────────────────


class _Odd(Exception):
    """What is wrong with a record."""


def speaks_to(record: object, us: frozenset[str]) -> bool:
    """Whether a post is addressed to one of these accounts: it tags it, replies to it or quotes it (B1)."""
    if owner(at(record, "reply", "parent", "uri")) in us:
        return True
    embedded = at(record, "embed", "record")
    if owner(at(embedded, "uri")) in us or owner(at(embedded, "record", "uri")) in us:
        return True
    return any(
        text_at(f, "did") in us for facet in each(at(record, "facets")) for f in each(at(facet, "features"))
    )


def mention_of(
    uri: PostUri, record: object, author: Author, came_at: datetime, us: frozenset[str]
) -> Mention:
    """The mention that a record is.

    Raises:
        _Odd: it has no text that a post could have.
    """
    text = at(record, "text")
    if not isinstance(text, str):
        raise _Odd("has a text that is no text")
    if len(text) > LONGEST_TEXT:
        raise _Odd(f"has a text of {len(text):,} characters")
    parent, root = (PostUri.read(at(record, "reply", end, "uri")) for end in ("parent", "root"))
    language = next((tag for tag in each(at(record, "langs")) if isinstance(tag, str)), "")
    return Mention(
        platform="bluesky",
        id=str(uri),
        author=author,
        text=text,
        created_at=believed(at(record, "createdAt"), came_at),
        addressed=speaks_to(record, us),
        in_reply_to=str(parent) if parent else None,
        conversation=str(root) if root and parent else None,
        language=language if _LANGUAGE.fullmatch(language) else None,
        url=f"https://bsky.app/profile/{author.handle}/post/{uri.rkey}",
    )


def author_of(profile: object) -> Author | None:
    """The account that a profile describes; None when it describes none."""
    did, handle = text_at(profile, "did"), text_at(profile, "handle")
    if not _DID.fullmatch(did):
        return None
    followers = at(profile, "followersCount")
    return Author(
        id=did,
        # An account whose handle does not resolve is shown under this name by the AppView.
        handle=handle if is_handle(handle) and handle != "handle.invalid" else did,
        name=text_at(profile, "displayName"),
        followers=followers if isinstance(followers, int) and 0 <= followers < 2**63 else 0,
        bot=_calls_itself_bot(at(profile, "labels"), did),
    )


def _calls_itself_bot(labels: object, did: str) -> bool:
    return any(at(label, "val") == "bot" and at(label, "src") in (did, None) for label in each(labels))


# ── Jetstream ────────────────────────────────────────────────────────────────────────────────────

_TIME: Final = re.compile(rb'"time_us":\s*(\d{15,17})\b')
_TEXT: Final = b'"text":"'


class Sieve:
    """Goes through Jetstream's frames as raw bytes, and parses the few that may be for the brand."""

    def __init__(self, words: Words, us: frozenset[str] = frozenset(), *, remembered: int = 10_000) -> None:
        """``us`` are the brand's accounts; so many authors' posts are remembered for their deletion."""
        self._words = words
        self._remembered = remembered
        self._heard: OrderedDict[str, set[str]] = OrderedDict()
        self._reached = 0
        self._look = words.first_look()
        self.know(us)

    def know(self, us: frozenset[str]) -> None:
        """From now on, these accounts are the brand's."""
        self.us = us
        self._dids = [did.encode() for did in us]

    def sift(self, frames: Sequence[bytes]) -> list[Entry]:
        """What the frames have for the brand, and now and then the position after them."""
        found: list[Entry] = []
        lets_through = self._look.lets_through
        # Few batches name us at all, and one search through all of a batch costs a third of many.
        whole = b"\n".join(frames)
        named = [did for did in self._dids if did in whole]
        for frame in frames:
            begins = frame.find(_TEXT)
            # Deletions, the few other events, and what is oddly written have no such field.
            if begins < 0 or lets_through(frame[begins:]) or (named and any(did in frame for did in named)):
                found += self._read(frame)
        if frames:
            found += self._position(frames[-1])
        return found

    def _position(self, frame: bytes) -> Iterator[Entry]:
        time = _TIME.search(frame, 0, 2_400)
        if time and abs(int(time.group(1)) - self._reached) >= POSITION_EVERY_US:
            self._reached = int(time.group(1))
            yield Reached(str(self._reached))

    def _read(self, frame: bytes) -> Iterator[Entry]:
        try:
            event = msgspec.json.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            yield _unreadable("jetstream", frame, f"is not JSON: {error}", "")
            return
        time_us = at(event, "time_us")
        if not isinstance(time_us, int) or not 0 < time_us < 2**53:
            yield _unreadable("jetstream", frame, "has no time", "")
        elif at(event, "kind") == "account":
            yield from self._account(event, str(time_us))
        elif at(event, "commit", "collection") == POST:
            yield from self._commit(event, frame, time_us)

    def _account(self, event: object, cursor: str) -> Iterator[Entry]:
        did = text_at(event, "did")
        if at(event, "account", "active") is False:
            yield from (Removed(uri, did, cursor) for uri in sorted(self._heard.pop(did, ())))

    def _commit(self, event: object, frame: bytes, time_us: int) -> Iterator[Entry]:
        did, operation = text_at(event, "did"), at(event, "commit", "operation")
        if (operation == "delete" and did not in self._heard) or did in self.us:
            return
        uri = PostUri.read(f"at://{did}/{POST}/{text_at(event, 'commit', 'rkey')}")
        if uri is None:
            yield _unreadable("jetstream", frame, "is a post without an address", str(time_us))
        elif operation in ("create", "update"):
            yield from self._written(uri, event, frame, time_us, edited=operation == "update")
        elif operation == "delete" and str(uri) in self._heard[did]:
            self._heard[did].discard(str(uri))
            yield Removed(str(uri), did, str(time_us))

    def _written(
        self, uri: PostUri, event: object, frame: bytes, time_us: int, *, edited: bool
    ) -> Iterator[Entry]:
        record, cursor = at(event, "commit", "record"), str(time_us)
        # Bluesky's own app edits nothing, others do, and the AppView then shows the new words.
        known = edited and str(uri) in self._heard.get(uri.did, ())
        if not known and not self._concerns_us(record):
            return
        came_at = datetime.fromtimestamp(time_us / 1_000_000, UTC)
        try:
            mention = mention_of(uri, record, Author(uri.did, uri.did), came_at, self.us)
        except _Odd as odd:
            yield _unreadable(str(uri), frame, str(odd), cursor)
            return
        self._remember(uri)
        yield Heard(mention, cursor, edited=edited)

    def _concerns_us(self, record: object) -> bool:
        if self.us and (speaks_to(record, self.us) or owner(at(record, "reply", "root", "uri")) in self.us):
            return True
        text = at(record, "text")
        # What is no text is kept with what is wrong with it, not passed over.
        return self._words.within(text) if isinstance(text, str) else True

    def _remember(self, uri: PostUri) -> None:
        self._heard.setdefault(uri.did, set()).add(str(uri))
        self._heard.move_to_end(uri.did)
        if len(self._heard) > self._remembered:
            self._heard.popitem(last=False)


def _unreadable(where: str, raw: bytes, why: str, cursor: str) -> Unreadable:
    return Unreadable(where, raw[:LARGEST_FRAME].decode(errors="replace"), why, cursor)


class _Connect(connect_websocket):
    """Opens a WebSocket where it was asked to, and nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """A redirect is a refusal: the library would follow it to any host."""
        return exc


# ── calls ────────────────────────────────────────────────────────────────────────────────────────


class _Said(Exception):
    """The service answered with an error. ``after`` is how long it asks to wait."""

    def __init__(self, status: int, error: str, words: str, after: timedelta) -> None:
        super().__init__(words or error or f"answered {status}")
        self.status = status
        self.error = error
        self.after = after

    @property
    def login_is_over(self) -> bool:
        """Whether the token is what it dislikes. Expired ones get a 400, not a 401."""
        return self.status == 401 or self.error in ("ExpiredToken", "InvalidToken", "AuthMissing")

    def fault(self) -> Fault:
        """The same for a reader."""
        if self.status == 429:
            return TooMany("Bluesky asks for a pause", after=self.after)
        if self.login_is_over:
            return Revoked(f"Bluesky refuses the login: {self}", fix=_LOG_IN_ANEW)
        if self.status == 403:
            return Forbidden(f"Bluesky does not allow this: {self}")
        return Trouble(f"Bluesky answers with errors ({self.status}): {self}")


class _Lost(Exception):
    """No answer. ``left`` says whether the request may have arrived."""

    def __init__(self, why: str, *, left: bool) -> None:
        super().__init__(why)
        self.left = left


class _Nonsense(Exception):
    """An answer that is none."""


_LOG_IN_ANEW: Final = "make a new app password (Settings, App passwords) and set HEARD_BLUESKY__APP_PASSWORD"


class _Calls:
    """Calls to Bluesky's services, counted against the limits of this address."""

    def __init__(self, account: str, clock: Clock, budget: Budget) -> None:
        self._account = account
        self._clock = clock
        self._budget = budget
        self._wire: Any = None
        self._library: _Library | None = None
        self._importing = asyncio.Lock()
        self.skew: timedelta | None = None

    async def read(
        self, host: str, method: str, params: Mapping[str, object], *, token: str | None = None
    ) -> object:
        """A query. Raises `Fault`, or `_Said` for what only the caller can judge: a plain 400."""
        try:
            return await self.call("get", host, method, params=params, token=token)
        except _Said as said:
            if said.status == 400 and not said.login_is_over:
                raise
            raise said.fault() from said
        except (_Lost, _Nonsense) as lost:
            raise _as_fault(lost) from lost

    async def call(
        self,
        verb: str,
        host: str,
        method: str,
        *,
        params: Mapping[str, object] | None = None,
        body: Mapping[str, object] | None = None,
        token: str | None = None,
    ) -> object:
        """One request, never repeated, never redirected. Raises `_Said`, `_Lost`, `_Nonsense`; `TooMany`."""
        wait = await self._budget.take(self._account, [REQUESTS])
        if wait is not None:
            raise TooMany("Bluesky takes no more requests from here for now", after=wait)
        wire, library = await self._ready()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        more: dict[str, Any] = {"params": params} if body is None else {"content": msgspec.json.encode(body)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{host.rstrip('/')}/xrpc/{method}"
        try:
            answer = await getattr(wire, verb)(url, headers=headers, follow_redirects=False, **more)
        except library.errors.RequestErrorBase as error:
            if error.response is None:
                left = not library.never_left(error)
                how = "does not answer" if left else "cannot be reached"
                raise _Lost(f"Bluesky {how}", left=left) from error
            raise await self._said(error.response) from error
        except library.http.HTTPError as error:
            raise _Lost("Bluesky closed the connection without an answer", left=True) from error
        except (ValueError, library.errors.ModelError) as error:
            # ModelError: an error whose body is JSON and no object.
            raise _Nonsense("Bluesky answered with something that is no JSON") from error
        await self._told(answer.headers)
        if not isinstance(answer.content, dict) and answer.content != b"":
            raise _Nonsense("Bluesky answered with something that is no JSON")
        return answer.content

    async def close(self) -> None:
        """Let go of connections."""
        if self._wire is not None:
            await self._wire.close()

    async def _ready(self) -> "tuple[Any, _Library]":
        async with self._importing:
            if self._library is None:
                self._library = await asyncio.to_thread(_imported)
                self._wire = self._library.wire.AsyncRequest(timeout=TIMEOUTS_S, verify=self._library.trusted)
            return self._wire, self._library

    async def _said(self, response: Any) -> _Said:
        await self._told(response.headers)
        content = response.content
        error, words = getattr(content, "error", None), getattr(content, "message", None)
        now = self._clock.now()
        reset = _number(response.headers.get("ratelimit-reset"))
        after = datetime.fromtimestamp(reset, UTC) - now if reset else timedelta(seconds=5)
        return _Said(
            int(response.status_code),
            error if isinstance(error, str) else "",
            words[:300] if isinstance(words, str) else "",
            min(max(after, timedelta(seconds=1)), timedelta(days=1)),
        )

    async def _told(self, headers: Mapping[str, str]) -> None:
        with suppress(ValueError, TypeError):
            self.skew = (
                parsedate_to_datetime(headers["date"]) - self._clock.now() if "date" in headers else None
            )
        limit = _WINDOWS.get(headers.get("ratelimit-policy", "").partition(";w=")[2])
        left, reset = (_number(headers.get(f"ratelimit-{name}")) for name in ("remaining", "reset"))
        if limit is not None and left is not None and reset:
            until = datetime.fromtimestamp(reset, UTC)
            await self._budget.told(self._account, limit, left=left, until=until)


class _Library:
    """What is used of the library, imported when it is first needed. Its types go no further."""

    def __init__(self) -> None:
        import httpx  # atproto's own transport, whose errors it lets through
        from atproto_client import exceptions, request  # type: ignore[import-untyped]

        self.http = httpx
        # Reading the certificates takes tens of milliseconds: once, and not on the loop.
        self.trusted = httpx.create_ssl_context()
        self.errors = exceptions
        self.wire = request

    def never_left(self, error: BaseException) -> bool:
        """Whether the connection was never made, so that nothing can have arrived."""
        return isinstance(
            error.__cause__, self.http.ConnectError | self.http.ConnectTimeout | self.http.PoolTimeout
        )


@cache
def _imported() -> _Library:
    return _Library()


def _number(written: str | None) -> int | None:
    return int(written) if written and written.isdecimal() and len(written) < 12 else None


def _as_fault(failed: _Lost | _Nonsense) -> Fault:
    return Offline(str(failed)) if isinstance(failed, _Lost) else Trouble(str(failed))


# ── the login ────────────────────────────────────────────────────────────────────────────────────


class _Session(msgspec.Struct, frozen=True):
    """A login as it lies on disk."""

    service: str
    identifier: str
    did: str
    handle: str
    access: str
    refresh: str


class _Login:
    """One login for all processes of an account: made once, kept on disk, refreshed under a lock (B3).

    A refresh token works once. Two processes that refresh with the same one would each end the other's
    session, and every restart that logs in anew uses up one of 300 logins a day.
    """

    def __init__(self, setup: Setup, service: str, calls: _Calls, account: str) -> None:
        self._setup = setup
        self._service = service
        self._calls = calls
        self._account = account
        self._identifier = setup.access["handle"].removeprefix("@").lower()
        self._file = setup.folder / "session.json"
        self._session: _Session | None = None
        self._refused = ""
        self._denied: Revoked | None = None
        self._ask_again_at = setup.clock.now()
        self._alone = asyncio.Lock()

    async def session(self) -> _Session:
        """A session whose access token is good for a while. Raises `Fault`."""
        async with self._alone:
            if self._session is not None and self._fresh(self._session):
                return self._session
            async with self._no_other_process():
                self._session = await self._renewed(await asyncio.to_thread(self._load))
            return self._session

    def refuse(self, session: _Session) -> None:
        """The service does not take this session's access token."""
        self._refused = session.access

    async def read(self, method: str, params: Mapping[str, object]) -> object:
        """A query with the login; with a new one if the service says that this one is over."""
        session = await self.session()
        try:
            return await self._calls.read(self._service, method, params, token=session.access)
        except Revoked:
            self.refuse(session)
            session = await self.session()
            return await self._calls.read(self._service, method, params, token=session.access)

    def _fresh(self, session: _Session) -> bool:
        if session.access == self._refused:
            return False
        expires = _expiry(session.access)
        return expires is None or expires > self._setup.clock.now() + timedelta(minutes=1)

    async def _renewed(self, stored: _Session | None) -> _Session:
        if stored is not None and self._fresh(stored):
            return stored
        session = await self._refreshed(stored) if stored is not None else None
        session = session or await self._logged_in()
        await asyncio.to_thread(self._save, session)
        return session

    async def _refreshed(self, stored: _Session) -> _Session | None:
        try:
            # Without any body: the reference server answers an empty one with a 400.
            answer = await self._post("com.atproto.server.refreshSession", token=stored.refresh)
        except _Said as said:
            if said.status in (400, 401):
                return None
            raise said.fault() from said
        return self._read_session(answer)

    async def _logged_in(self) -> _Session:
        # The same password is refused again: to ask for every call would use up a day's logins.
        if self._denied is not None and self._setup.clock.now() < self._ask_again_at:
            raise Revoked(str(self._denied), fix=self._denied.fix)
        self._denied = None
        wait = await self._setup.budget.take(self._account, LOGINS)
        if wait is not None:
            raise TooMany("logged in too often; Bluesky allows 300 logins a day", after=wait)
        body = {"identifier": self._identifier, "password": self._setup.access["app_password"]}
        try:
            answer = await self._post("com.atproto.server.createSession", body)
        except _Said as said:
            if said.status in (400, 401):
                self._denied = Revoked(
                    f"Bluesky refuses the login of {self._identifier}: {said}", fix=_LOG_IN_ANEW
                )
                self._ask_again_at = self._setup.clock.now() + DENIED_FOR
                raise self._denied from said
            raise said.fault() from said
        log.info("logged in", platform="bluesky")
        return self._read_session(answer)

    async def _post(
        self, method: str, body: Mapping[str, object] | None = None, *, token: str | None = None
    ) -> object:
        try:
            return await self._calls.call("post", self._service, method, body=body, token=token)
        except (_Lost, _Nonsense) as lost:
            raise _as_fault(lost) from lost

    def _read_session(self, answer: object) -> _Session:
        parts = [text_at(answer, part) for part in ("did", "handle", "accessJwt", "refreshJwt")]
        if not all(parts):
            raise Trouble("Bluesky answered a login with no session")
        return _Session(self._service, self._identifier, *parts)

    def _load(self) -> _Session | None:
        try:
            stored = msgspec.json.decode(self._file.read_bytes(), type=_Session)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return stored if (stored.service, stored.identifier) == (self._service, self._identifier) else None

    def _save(self, session: _Session) -> None:
        write_private(self._file, msgspec.json.encode(session))

    @asynccontextmanager
    async def _no_other_process(self) -> AsyncIterator[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            while True:
                # Asked again and again: a thread that waits in the kernel could not be called off.
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                await asyncio.sleep(0.05)
            yield
        finally:
            os.close(descriptor)


def _expiry(token: str) -> datetime | None:
    """When a token ends by its own words; None when it does not say: the service will."""
    try:
        body = token.split(".")[1]
        expires = at(msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))), "exp")
        return datetime.fromtimestamp(expires, UTC) if isinstance(expires, int) else None
    except (IndexError, ValueError, OverflowError, OSError, msgspec.MsgspecError):
        return None


# ── people ───────────────────────────────────────────────────────────────────────────────────────


class _People:
    """Who is behind a DID: handles, names and followers, looked up for mentions only, and remembered."""

    def __init__(self, appview: str, calls: _Calls, clock: Clock) -> None:
        self._appview = appview
        self._calls = calls
        self._clock = clock
        self._known: OrderedDict[str, tuple[Author, datetime]] = OrderedDict()
        self._rest_until = 0.0

    async def introduce(self, entries: Sequence[Entry]) -> list[Entry]:
        """The same entries, their authors with handles and names where those could be had."""
        await self._look_up({entry.mention.author.id for entry in entries if isinstance(entry, Heard)})
        return [self._introduced(entry) for entry in entries]

    async def _look_up(self, dids: set[str]) -> None:
        """A mention is never lost nor held up for its author's name: a fault means to go on without."""
        now = self._clock.now()
        unknown = sorted(did for did in dids if did not in self._known or self._known[did][1] <= now)
        loop_time = asyncio.get_running_loop().time
        for some in _chunks(unknown):
            if loop_time() < self._rest_until:
                return
            try:
                async with asyncio.timeout(3):
                    answer = await self._calls.read(
                        self._appview, "app.bsky.actor.getProfiles", {"actors": some}
                    )
            except (Fault, _Said, TimeoutError) as fault:
                log.warning("authors stay without a name for a while", platform="bluesky", why=str(fault))
                self._rest_until = loop_time() + FAULT_REST_S
                return
            for profile in each(at(answer, "profiles")):
                author = author_of(profile)
                if author is not None:
                    self._known[author.id] = (author, now + timedelta(hours=1))
            while len(self._known) > 20_000:
                self._known.popitem(last=False)

    def _introduced(self, entry: Entry) -> Entry:
        if not isinstance(entry, Heard) or entry.mention.author.id not in self._known:
            return entry
        author = self._known[entry.mention.author.id][0]
        url = f"https://bsky.app/profile/{author.handle}/post/{entry.mention.id.rpartition('/')[2]}"
        return replace(entry, mention=replace(entry.mention, author=author, url=url))


def _chunks(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[first : first + AT_ONCE] for first in range(0, len(items), AT_ONCE))


# ── the platform ─────────────────────────────────────────────────────────────────────────────────


class Bluesky:
    """Bluesky, with an account or without."""

    name = "bluesky"
    read_lag = timedelta(seconds=5)

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._clock = setup.clock
        self._service = setup.access.get("service_url", "") or SERVICE
        self._appview = setup.access.get("appview_url", "") or APPVIEW
        self._jetstream = setup.access.get("jetstream_url", "") or JETSTREAM
        own = setup.access.get("handle", "").removeprefix("@").lower()
        self._account = f"bluesky:{own or 'reader'}"
        self._calls = _Calls(self._account, setup.clock, setup.budget)
        self._login = _Login(setup, self._service, self._calls, self._account) if own else None
        self._people = _People(self._appview, self._calls, setup.clock)
        handles = {handle.removeprefix("@").lower() for handle in setup.handles} | ({own} if own else set())
        self._unlearned = {handle for handle in handles if is_handle(handle)}
        self._sieve = Sieve(Words([*setup.words, *self._unlearned]))
        self._learn_again = 0.0
        self._learning = asyncio.Lock()
        self._paths = self._ways_to_hear()

    def _ways_to_hear(self) -> tuple[ListeningPath, ...]:
        setup = self._setup
        if not setup.listen:
            return ()
        stream = StreamPath(
            "jetstream",
            self._open_jetstream,
            account=self._account,
            clock=setup.clock,
            budget=setup.budget,
            manners=setup.manners or Manners(silence=timedelta(seconds=20)),
            on_connected=lambda: sweep.wake(),
        )
        sweep = SweepPath(
            "notifications",
            self._fetch_notifications,
            every=setup.every or timedelta(seconds=60),
            clock=setup.clock,
            beside=stream if setup.stream else None,
        )
        return (*([stream] if setup.stream else []), *([sweep] if self._login else []))

    @property
    def paths(self) -> Sequence[ListeningPath]:
        """Jetstream; with an account its notifications too."""
        return self._paths

    @property
    def can_post(self) -> bool:
        """Whether an account is set up."""
        return self._login is not None

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────

    async def _learn_us(self) -> None:
        """Find out which accounts are the brand's. Until it is known, only words are heard."""
        loop_time = asyncio.get_running_loop().time
        if not self._unlearned or loop_time() < self._learn_again:
            return
        async with self._learning:
            for handle in sorted(self._unlearned):
                try:
                    async with asyncio.timeout(5):
                        did = await self._did_of(handle)
                except (Fault, TimeoutError) as fault:
                    log.warning(
                        "own account not found yet", platform="bluesky", handle=handle, why=str(fault)
                    )
                    self._learn_again = loop_time() + FAULT_REST_S
                    return
                self._unlearned.discard(handle)
                if did is None:
                    log.warning("there is no such account", platform="bluesky", handle=handle)
                else:
                    self._sieve.know(self._sieve.us | {did})

    async def _did_of(self, handle: str) -> str | None:
        """The account behind a handle; None when there is none. Raises `Fault`."""
        try:
            answer = await self._calls.read(
                self._appview, "com.atproto.identity.resolveHandle", {"handle": handle}
            )
        except _Said:
            return None
        did = text_at(answer, "did")
        return did if _DID.fullmatch(did) else None

    @asynccontextmanager
    async def _open_jetstream(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Entry | Sign]]:
        await self._learn_us()
        try:
            connection = await _Connect(
                self._jetstream_from(cursor),
                max_size=2 * LARGEST_FRAME,
                compression=None,
                open_timeout=10,
                close_timeout=1,
            )
        except InvalidStatus as refused:
            raise _handshake_fault(refused) from refused
        except (OSError, TimeoutError, WebSocketException) as error:
            how = "does not answer" if isinstance(error, TimeoutError) else "cannot be reached"
            raise Offline(f"Bluesky's Jetstream {how}: {type(error).__name__}") from error
        frames: asyncio.Queue[bytes | None] = asyncio.Queue(4 * BATCH)
        reader = asyncio.create_task(_read_frames(connection, frames))
        try:
            yield self._entries(frames)
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            await connection.close()

    def _jetstream_from(self, cursor: str | None) -> str:
        query: dict[str, object] = {"wantedCollections": POST, "maxMessageSizeBytes": LARGEST_FRAME}
        if cursor and cursor.isdecimal():
            query["cursor"] = max(0, int(cursor) - REWIND_US)
        return f"{self._jetstream}?{urlencode(query)}"

    async def _entries(self, frames: "asyncio.Queue[bytes | None]") -> AsyncIterator[Entry | Sign]:
        """Frames as they come, in batches, so that a busy moment costs one call for all its authors."""
        while True:
            batch = [await frames.get()]
            while len(batch) < BATCH and not frames.empty():
                batch.append(frames.get_nowait())
            found = self._sieve.sift([frame for frame in batch if frame is not None])
            yield Sign.OF_LIFE
            for entry in await self._people.introduce(found):
                yield entry
            if None in batch:
                return
            await self._learn_us()

    async def _fetch_notifications(self, cursor: str | None) -> Swept:
        """Everything that spoke to us and is unread, oldest first: pages back until one has nothing such."""
        login = self._login
        if login is None:
            return Swept([])
        await self._know_own(login)
        position, page = _Position.read(cursor), ""
        if position is None:
            shown, _ = await _notifications(login, page)
            return only_position(str(_Position.after(shown, self._clock.now())))
        newest: list[object] = []
        fresh: list[object] = []
        for _ in range(MOST_PAGES):
            shown, page = await _notifications(login, page)
            unread = [one for one in shown if position.has_not(one)]
            newest = [*newest, *shown][:KNOWN]
            fresh += unread
            if not page or not unread:
                break
        return Swept(await self._noticed(fresh, _Position.after(newest, position.at)) if fresh else [])

    async def _know_own(self, login: _Login) -> None:
        did = (await login.session()).did
        if did not in self._sieve.us:
            self._sieve.know(self._sieve.us | {did})

    async def _noticed(self, fresh: Sequence[object], reached: "_Position") -> Sequence[Entry]:
        """What is fresh, and the position after all of it: within it there is none to stand behind."""
        noticed = (self._notification(one) for one in sorted(fresh, key=_indexed_at))
        entries = [entry for entry in noticed if entry is not None]
        return await self._people.introduce([*entries, Reached(str(reached))])

    def _notification(self, one: object) -> Entry | None:
        uri, author = PostUri.read(at(one, "uri")), author_of(at(one, "author"))
        if uri is None or uri.did in self._sieve.us:
            return None
        try:
            mention = mention_of(
                uri, at(one, "record"), author or Author(uri.did, uri.did), _indexed_at(one), self._sieve.us
            )
        except _Odd as odd:
            return _unreadable(
                str(uri), json.dumps(one, ensure_ascii=False).encode(errors="replace"), str(odd), ""
            )
        tagged = at(one, "reason") in ("mention", "quote")
        return Heard(replace(mention, addressed=mention.addressed or tagged), "")

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    async def reread(self, mention: Mention) -> Present | Gone:
        """The post as the AppView shows it now."""
        return (await self.reread_all([mention]))[0]

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """Many posts as the AppView shows them now, 25 in a call. An edit of a post changes nothing there."""
        shown: dict[str, object] = {}
        for some in _chunks([mention.id for mention in mentions]):
            shown |= await self._posts(some)
        return [
            Present(text_at(shown[mention.id], "record", "text"))
            if mention.id in shown
            else await self._not_shown(mention)
            for mention in mentions
        ]

    async def _posts(self, uris: Sequence[str]) -> dict[str, object]:
        answer = await self._asked(self._appview, "app.bsky.feed.getPosts", {"uris": list(uris)})
        if not isinstance(at(answer, "posts"), list):
            raise Trouble("the AppView answered with no posts")
        return {text_at(post, "uri"): post for post in each(at(answer, "posts"))}

    async def _not_shown(self, mention: Mention) -> Present | Gone:
        record = await self._not_shown_record(mention)
        return Gone() if record is None else Present(text_at(record, "value", "text"))

    async def _not_shown_record(self, mention: Mention) -> object | None:
        """A post that the AppView does not show: a new one may lie in its repository and not be indexed."""
        if self._clock.now() - mention.created_at > APPVIEW_LAG:
            return None
        return await self._record(PostUri.read(mention.id))

    async def _record(self, uri: PostUri | None) -> object | None:
        """A record from its repository; None when it is not there. Raises `Fault`."""
        if uri is None:
            return None
        params = {"repo": uri.did, "collection": POST, "rkey": uri.rkey}
        try:
            return await self._calls.read(self._service, "com.atproto.repo.getRecord", params)
        except _Said as said:
            if said.error == "RecordNotFound" or "locate record" in str(said) or "find repo" in str(said):
                return None
            raise said.fault() from said

    async def _asked(self, host: str, method: str, params: Mapping[str, object]) -> object:
        try:
            return await self._calls.read(host, method, params)
        except _Said as said:
            raise said.fault() from said

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """A reply under the post by one of the brand's accounts."""
        await self._learn_us()
        if self._login is not None:
            await self._know_own(self._login)
        params = {"uri": mention.id, "depth": 1, "parentHeight": 0}
        try:
            answer = await self._calls.read(self._appview, "app.bsky.feed.getPostThread", params)
        except _Said as said:
            if said.error == "NotFound":
                return None
            raise said.fault() from said
        replies = (at(reply, "post") for reply in each(at(answer, "thread", "replies")))
        theirs = (text_at(post, "uri") for post in replies if at(post, "author", "did") in self._sieve.us)
        return next((uri for uri in theirs if uri and uri not in ours), None)

    # ── replying ─────────────────────────────────────────────────────────────────────────────────

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """Put the reply's record under its own key, once. The same reply twice is the same record."""
        if self._login is None:
            return Refused("no Bluesky account is connected")
        length = measure(self.name, outgoing.text)
        if not length.fits:
            return Refused(f"the text is too long: {length}")
        departure = Departure()
        try:
            session = await self._login.session()
            prepared = await self._prepare(mention, outgoing, session)
            if isinstance(prepared, Posted | Refused):
                return prepared
            wait = await self._setup.budget.take(self._account, POINTS, PUT_POINTS)
            if wait is not None:
                return Busy("Bluesky's points for posting are used up", wait)
            departure.check()
        except Fault as fault:
            return Busy(str(fault), fault.after)
        return await self._put(prepared, mention, outgoing, session)

    async def _prepare(
        self, mention: Mention, outgoing: Outgoing, session: _Session
    ) -> "Posted | Refused | _Prepared":
        parent = await self._seen_again(mention)
        if parent is None:
            return Refused("the post is not there any more")
        place = await self._place(mention, outgoing, session.did)
        if not isinstance(place, PostUri):
            return place
        record: dict[str, object] = {
            "$type": POST,
            "text": outgoing.text,
            "reply": parent,
            # The decision's time, not the attempt's: every attempt has to be the same bytes.
            "createdAt": outgoing.decided_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        }
        facets = await facets_of(outgoing.text, self._resolver(mention))
        if facets:
            record["facets"] = facets
        if mention.language:
            record["langs"] = [mention.language]
        return _Prepared(place, record)

    async def _seen_again(self, mention: Mention) -> Mapping[str, object] | None:
        """What a reply to the post refers to, read from the platform itself (B5); None when it is gone."""
        post = (await self._posts([mention.id])).get(mention.id)
        if post is None:
            found = await self._not_shown_record(mention)
            post = found and {"uri": mention.id, "cid": at(found, "cid"), "record": at(found, "value")}
        parent = {"uri": mention.id, "cid": text_at(post, "cid")}
        if not parent["cid"]:
            return None
        root = at(post, "record", "reply", "root")
        uri, cid = PostUri.read(at(root, "uri")), text_at(root, "cid")
        return {"root": {"uri": str(uri), "cid": cid} if uri and cid else parent, "parent": parent}

    async def _place(self, mention: Mention, outgoing: Outgoing, did: str) -> "PostUri | Posted | Refused":
        """Where the reply belongs; or that it is there already."""
        for uri in places(did, mention, outgoing):
            there = await self._record(uri)
            if there is None:
                return uri
            if text_at(there, "value", "reply", "parent", "uri") == mention.id:
                # Whatever was forgotten here: the repository remembers, and has room for one.
                return _as_posted(there, uri, outgoing) or Refused(
                    f"the post has its {outgoing.kind} already"
                )
        return Refused("no key is free for this reply")

    def _resolver(self, mention: Mention) -> "Resolve":
        async def resolve(handle: str) -> str | None:
            return mention.author.id if handle == mention.author.handle else await self._did_of(handle)

        return resolve

    async def _put(
        self, prepared: "_Prepared", mention: Mention, outgoing: Outgoing, session: _Session
    ) -> Fate:
        body = {
            "repo": session.did,
            "collection": POST,
            "rkey": prepared.uri.rkey,
            "record": prepared.record,
            # Nothing may be there yet. The same record again is fine and changes nothing.
            "swapRecord": None,
        }
        try:
            answer = await self._calls.call(
                "post", self._service, "com.atproto.repo.putRecord", body=body, token=session.access
            )
        except _Said as said:
            return await self._fate_of(said, mention, outgoing, session)
        except _Lost as lost:
            return Unknown(str(lost)) if lost.left else Busy(str(lost), timedelta(seconds=5))
        except _Nonsense as nonsense:
            return Unknown(str(nonsense))
        except TooMany as wait:
            return Busy(str(wait), wait.after)
        if text_at(answer, "uri") != str(prepared.uri):
            return Unknown("Bluesky took the reply and named another")
        return Posted(str(prepared.uri), self._clock.now())

    async def _fate_of(self, said: _Said, mention: Mention, outgoing: Outgoing, session: _Session) -> Fate:
        if said.status == 429:
            return Busy("Bluesky asks to come back later", said.after)
        if said.login_is_over:
            assert self._login is not None  # noqa: S101 (nothing is put without one)
            self._login.refuse(session)
            return Busy("the login was over and is made anew", timedelta(seconds=1))
        # An occupied key: InvalidSwap, or from older servers an unhandled error of their tree.
        if said.error == "InvalidSwap" or "already a value" in str(said):
            return await self._fate_by_looking(mention, outgoing, str(said))
        if said.status == 408 or not 400 <= said.status < 500:
            return Unknown(f"Bluesky answered {said.status}: {said}")
        return Refused(f"Bluesky answered: {said}")

    async def _fate_by_looking(self, mention: Mention, outgoing: Outgoing, why: str) -> Fate:
        try:
            found = await self.find_reply(mention, outgoing)
        except Fault as fault:
            return Unknown(str(fault))
        return found or Unknown(f"the key of this reply is taken: {why}")

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """Our reply, by the key that it has wherever and whenever it was sent."""
        if self._login is None:
            return None
        for uri in places((await self._login.session()).did, mention, outgoing):
            there = await self._record(uri)
            if there is None:
                return None
            if text_at(there, "value", "reply", "parent", "uri") == mention.id:
                return _as_posted(there, uri, outgoing)
        return None

    async def take_back(self, reply_id: str) -> None:
        """Delete one of our posts; Bluesky takes it calmly when there is none."""
        uri = PostUri.read(reply_id)
        if self._login is None or uri is None:
            raise Forbidden("no Bluesky account is connected that could delete this")
        session = await self._login.session()
        if uri.did != session.did:
            raise Forbidden("the post is of another account")
        wait = await self._setup.budget.take(self._account, POINTS, DELETE_POINTS)
        if wait is not None:
            raise TooMany("Bluesky's points for posting are used up", after=wait)
        body = {"repo": session.did, "collection": POST, "rkey": uri.rkey}
        try:
            await self._calls.call(
                "post", self._service, "com.atproto.repo.deleteRecord", body=body, token=session.access
            )
        except _Said as said:
            if said.login_is_over:
                self._login.refuse(session)
            raise said.fault() from said
        except (_Lost, _Nonsense) as lost:
            raise _as_fault(lost) from lost

    # ── the account ──────────────────────────────────────────────────────────────────────────────

    async def profile(self) -> Profile | None:
        """The account that replies, and whether its profile has the self-label ``bot`` (B2)."""
        if self._login is None:
            return None
        session = await self._login.session()
        params = {"repo": session.did, "collection": "app.bsky.actor.profile", "rkey": "self"}
        try:
            record = await self._login.read("com.atproto.repo.getRecord", params)
        except _Said as said:
            if said.error != "RecordNotFound" and "locate record" not in str(said):
                raise said.fault() from said
            record = None
        labels = each(at(record, "value", "labels", "values"))
        return Profile(
            id=session.did,
            handle=session.handle,
            labelled=any(at(label, "val") == "bot" for label in labels),
            says=text_at(record, "value", "description"),
        )

    async def examine(self) -> Sequence[Finding]:
        """The login, the clock, the label and what may still be posted."""
        findings = [await self._examine_login()]
        if self._login is not None and findings[0].state == "ok":
            findings += [await self._examine_label(), await self._examine_points()]
        return [*findings, *self._examine_clock()]

    async def _examine_login(self) -> Finding:
        try:
            if self._login is None:
                await self._did_of("bsky.app")
                return Finding("login", "ok", "listens without an account; nothing can be posted")
            await self._login.read("com.atproto.server.getSession", {})
            return Finding("login", "ok", f"logged in as @{(await self._login.session()).handle}")
        except Revoked as revoked:
            return Finding("login", "bad", str(revoked), revoked.fix)
        except (Fault, _Said) as fault:
            return Finding(
                "login", "bad", str(fault), "try again; status.bsky.app tells whether Bluesky is down"
            )

    async def _examine_label(self) -> Finding:
        fix = "set the self-label `bot` on the profile: docs.bsky.app, starter-templates/bots"
        try:
            profile = await self.profile()
        except Fault as fault:
            return Finding("label", "warn", f"the profile could not be read: {fault}", "try again")
        if profile is not None and profile.labelled:
            return Finding("label", "ok", "the profile says that it is a bot")
        return Finding("label", "warn", "the profile does not say that it is a bot (rule B2)", fix)

    async def _examine_points(self) -> Finding:
        left = [await self._setup.budget.left(self._account, limit) for limit in POINTS]
        words = f"{left[0]:,} points left this hour and {left[1]:,} today; a reply costs {PUT_POINTS}"
        if min(left) < PUT_POINTS:
            return Finding("points", "warn", words, "wait: replies go out as points come back")
        return Finding("points", "ok", words)

    def _examine_clock(self) -> list[Finding]:
        skew = self._calls.skew
        if skew is None:
            return []
        seconds = abs(skew.total_seconds())
        if abs(skew) <= SKEW:
            return [Finding("clock", "ok", "agrees with Bluesky's")]
        return [
            Finding("clock", "warn", f"is {seconds:,.0f} s off Bluesky's", "sudo timedatectl set-ntp true")
        ]

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.close()


async def _read_frames(connection: ClientConnection, frames: "asyncio.Queue[bytes | None]") -> None:
    """Raw frames into a queue; None when the connection ends. A full queue slows the platform down."""
    with suppress(ConnectionClosed):
        while True:
            await frames.put(await connection.recv(decode=False))
    await frames.put(None)


def _handshake_fault(refused: InvalidStatus) -> Fault:
    status = refused.response.status_code
    if status == 429:
        seconds = _number(refused.response.headers.get("retry-after")) or 10
        return TooMany("Bluesky's Jetstream asks for a pause", after=timedelta(seconds=seconds))
    return Trouble(f"Bluesky's Jetstream answers with errors ({status})")


# ── positions in the notifications ───────────────────────────────────────────────────────────────


async def _notifications(login: _Login, page: str) -> tuple[Sequence[object], str]:
    """A page of what spoke to us, newest first, and where the next one is found, if there is one."""
    params: dict[str, object] = {"limit": 100, "reasons": ["mention", "reply", "quote"]}
    if page:
        params["cursor"] = page
    try:
        answer = await login.read("app.bsky.notification.listNotifications", params)
    except _Said as said:
        raise said.fault() from said
    if not isinstance(at(answer, "notifications"), list):
        raise Trouble("Bluesky answered with no notifications")
    return list(each(at(answer, "notifications"))), text_at(answer, "cursor")


def _indexed_at(notification: object) -> datetime:
    return instant_of(at(notification, "indexedAt")) or datetime.min.replace(tzinfo=UTC)


def _short(notification: object) -> str:
    return hashlib.sha256(text_at(notification, "uri").encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _Position:
    """How far notifications were read: which of the newest, and when the newest is said to be indexed.

    The list is ordered by ``indexedAt``, which is the author's own ``createdAt`` where that is earlier
    (bsky 0.0.280, ``sortAt``): what comes in last may stand further down. So only their addresses tell.
    """

    at: datetime
    known: frozenset[str] = frozenset()

    @classmethod
    def read(cls, cursor: str | None) -> "_Position | None":
        written, _, known = (cursor or "").partition("|")
        instant = instant_of(written)
        return cls(instant, frozenset(filter(None, known.split(",")))) if instant else None

    @classmethod
    def after(cls, newest: Sequence[object], at_least: datetime) -> "_Position":
        """After these, the newest of the list."""
        return cls(max([at_least, *map(_indexed_at, newest)]), frozenset(map(_short, newest)))

    def has_not(self, notification: object) -> bool:
        """Whether a notification is unread; an old one is taken for read."""
        return _short(notification) not in self.known and _indexed_at(notification) > self.at - LATEST

    def __str__(self) -> str:
        return f"{self.at.isoformat()}|{','.join(sorted(self.known))}"


# ── the record of a reply ────────────────────────────────────────────────────────────────────────

Resolve = Callable[[str], Awaitable[str | None]]
_LINK = re.compile(r"(?<![\w@])https?://[^\s<>\"]+[^\s<>\"'.,;:!?()\[\]{}]", re.IGNORECASE)
_TAG = re.compile(r"(?<![\w@/.])@([a-zA-Z0-9][a-zA-Z0-9.-]*\.[a-zA-Z][a-zA-Z0-9-]*)")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A reply's record, and where it goes."""

    uri: PostUri
    record: Mapping[str, object]


def _as_posted(there: object, uri: PostUri, outgoing: Outgoing) -> Posted | None:
    """A record of ours as this very reply; None when it says something else."""
    if text_at(there, "value", "text") != outgoing.text:
        return None
    # The record bears the decision's time; it was written by the last attempt, or before it at most.
    return Posted(str(uri), outgoing.started_at or outgoing.decided_at)


def places(did: str, mention: Mention, outgoing: Outgoing) -> Iterator[PostUri]:
    """Where a reply of this kind to this mention belongs, and where next if a stranger's reply lies there.

    Out of what never changes: whoever has lost every database finds the same key again.
    """
    for probe in range(PROBES):
        key = record_key(did, mention.id, outgoing.kind, otherwise=mention.created_at, probe=probe)
        yield PostUri(did, key)


def record_key(did: str, mention_id: str, kind: str, *, otherwise: datetime, probe: int = 0) -> str:
    """A record key: a TID of the mention's second and 30 bits of what the reply is.

    The second is the one in the mention's own key, which its address carries wherever it is heard; only
    where that is no TID, ``otherwise``, when it was written.
    """
    own = mention_id.rpartition("/")[2]
    micros = _tid_number(own) >> 10 if is_tid(own) else int(otherwise.timestamp()) * 1_000_000
    second = min(max(0, micros // 1_000_000), 2**53 // 1_000_000 - 2)
    digest = hashlib.sha256(f"{did}\n{mention_id}\n{kind}\n{probe}".encode()).digest()
    bits = int.from_bytes(digest[:4]) >> 2
    return _tid((second * 1_000_000 + (bits >> 10)) << 10 | bits & 0x3FF)


def _tid(number: int) -> str:
    return "".join([_TID_LETTERS[number >> shift & 31] for shift in range(60, -1, -5)])


def _tid_number(tid: str) -> int:
    return int(tid.translate(_TID_AS_BASE_32), 32)


async def facets_of(text: str, resolve: Resolve) -> list[dict[str, object]]:
    """The links and handles in a text, by where their UTF-8 bytes stand.

    ``resolve`` gives the account behind a handle; one that nobody has stays plain text.
    """
    found: list[tuple[int, int, dict[str, object]]] = [
        (*link.span(), {"$type": "app.bsky.richtext.facet#link", "uri": link.group()})
        for link in _LINK.finditer(text)
    ]
    linked = [range(start, end) for start, end, _ in found]
    for tag in _TAG.finditer(text):
        handle = tag.group(1).lower()
        if any(tag.start() in span for span in linked) or not is_handle(handle):
            continue
        did = await resolve(handle)
        if did is not None:
            found.append((*tag.span(), {"$type": "app.bsky.richtext.facet#mention", "did": did}))

    def byte(index: int) -> int:
        return len(text[:index].encode())

    return [
        {"index": {"byteStart": byte(start), "byteEnd": byte(end)}, "features": [feature]}
        for start, end, feature in sorted(found, key=lambda one: one[0])
    ]
