"""Mastodon and servers that speak its API: heard by its streams and by a sweep of mentions, answered once.

Sources: docs.joinmastodon.org (methods/statuses, methods/notifications, methods/streaming,
api/rate-limits, entities), and real traffic of a 4.6.4 server.

REST goes through Mastodon.py, in threads. The streams are read here: a thread that waits for the next
line of a stream cannot be ended at shutdown, and Mastodon.py's would wait 300 s for it.
"""

import asyncio
import hashlib
import html
import json
import re
import socket
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import requests
from mastodon import Mastodon
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from casework.clock import aware
from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms.departure import Departure
from platforms.faults import LATER, SOON, Fault, Forbidden, Offline, Revoked, TooMany, Trouble
from platforms.lengths import MASTODON_LIMIT, measure
from platforms.limits import Limit
from platforms.listening import Manners, Opening, Sign, StreamPath, SweepPath, Swept, only_position
from platforms.platform import (
    Busy,
    Entry,
    Fate,
    Finding,
    Gone,
    Heard,
    Path,
    Posted,
    Present,
    Profile,
    Reached,
    Refused,
    Removed,
    Unknown,
    Unreadable,
)
from platforms.setup import NotConnected, Setup
from platforms.words import Words

URL: Final = "HEARD_MASTODON__URL"
TOKEN: Final = "HEARD_MASTODON__ACCESS_TOKEN"  # noqa: S105 (the name of a variable)

CALLS: Final = Limit("calls", 300, timedelta(minutes=5), "Mastodon docs, rate-limits (M4)")
STATUSES: Final = Limit(
    "statuses", 300, timedelta(hours=3), "the headers of a 4.6.4 server's answer to a POST"
)
DELETES: Final = Limit("deletes", 30, timedelta(minutes=30), "Mastodon docs, rate-limits")

WIDEST_FIRST: Final = ("public", "unlisted", "private", "direct")
MANNERS: Final = Manners(silence=timedelta(seconds=25))
EVERY: Final = timedelta(seconds=60)

CONNECT_S: Final = 5.0
READ_S: Final = 10.0
LOOK: Final = timedelta(seconds=10)
"""How long `reply` may read before its POST: what leaves after that still leaves within the deadline."""

PAGE: Final = 80
OWN_PAGE: Final = 40
OWN_PAGES: Final = 10
MANY: Final = 20
LONGEST_EVENT: Final = 2**20
LONGEST_WAIT: Final = timedelta(hours=3)
UNSAID: Final = timedelta(seconds=20)
"""How long a pause is that the server asks for without saying its length."""
SKEW: Final = timedelta(seconds=30)
NOT_ALLOWED_AFTER: Final = timedelta(hours=1)

# JSON as the server sends it; what is in it is looked at before it is believed.
Record = dict[str, Any]

# What reading a record may end in, whatever is in it; depth without end included.
_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


def connect(setup: Setup) -> "MastodonPlatform":
    """The account of an access token on its home server; nothing is sent yet.

    Raises:
        NotConnected: the server or the token is not set, or the visibility is none that Mastodon has.
    """
    url = _home(setup.needed("url", variable=URL))
    token = setup.needed("access_token", variable=TOKEN)
    if setup.visibility not in (None, *WIDEST_FIRST):
        raise NotConnected(
            f"{setup.visibility!r} is no visibility that Mastodon has",
            fix=f"set platforms.mastodon.visibility to one of {', '.join(WIDEST_FIRST)}",
        )
    return MastodonPlatform(setup, url, token)


# ── what people wrote ────────────────────────────────────────────────────────────────────────────

# A tag ends at the next "<" at the latest, so that hostile text costs no more than its length. (Python's
# own html.parser took 376 s for 50,000 times "<a ".)
_TAG = re.compile(r"""</?([a-zA-Z][a-zA-Z0-9]*)\b(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+>|<!--[^<>]*+-->""")
_BREAKS: Final = {"li": "\n"} | dict.fromkeys(("p", "div", "blockquote", "pre", "ul", "ol"), "\n\n")


def plain(content: str) -> str:
    """The text that people see of a post's HTML, as they wrote it: paragraphs, lines and whole links."""
    parts: list[str] = []
    pending = ""
    at = 0
    for tag in _TAG.finditer(content):
        pending = _add(parts, pending, content[at : tag.start()])
        at = tag.end()
        name = (tag.group(1) or "").lower()
        if name == "br":
            parts += [pending, "\n"]
            pending = ""
        elif name in _BREAKS and parts:
            pending = max(pending, _BREAKS[name])
    _add(parts, pending, content[at:])
    return "".join(parts)


def _add(parts: list[str], pending: str, source: str) -> str:
    # A line break in HTML's own source is a space, and between paragraphs it is nothing.
    words = html.unescape(source.replace("\n", " "))
    if not source or (not words.strip(" ") and (pending or not parts)):
        return pending
    parts += [pending, words]
    return ""


def _record(value: object) -> Record:
    if not isinstance(value, dict):
        raise TypeError("it is no record")
    return value


def _records(value: object) -> list[Record]:
    if not isinstance(value, list):
        raise TypeError("it is no list of records")
    return [_record(one) for one in value]


def _id(value: object) -> str:
    # Strings on Mastodon, numbers on some other servers.
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise TypeError("it has no id")
    return str(value)


def _maybe_id(value: object) -> str | None:
    return None if value is None else _id(value)


def _words_of(status: Record, key: str) -> str:
    value = status.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"its {key} is no text")
    return value


def _text(status: Record) -> str:
    """The content warning in a line of its own, and the words; else what is said about the media.

    A boost has no words but those of what it repeats.
    """
    if status.get("reblog") is not None:
        status = _record(status["reblog"])
    said = [_words_of(status, "spoiler_text"), plain(_words_of(status, "content"))]
    text = "\n".join(part for part in said if part)
    if text:
        return text
    media = _records(status.get("media_attachments") or [])
    described = [words for one in media if (words := _words_of(one, "description"))]
    return "\n".join(described) or ("[media]" if media else "")


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError("it has no time")
    return aware(datetime.fromisoformat(value))


def _mention(status: Record, me: str) -> Mention:
    """A status as a mention.

    Raises:
        KeyError, TypeError, ValueError: it is no status that could be answered.
    """
    account = _record(status.get("account"))
    text = _text(status)
    if not text:
        raise ValueError("it has neither words nor media")
    followers = account.get("followers_count")
    language = status.get("language")
    url = status.get("url") or status.get("uri")
    reblog = status.get("reblog")
    return Mention(
        platform="mastodon",
        id=_id(status.get("id")),
        author=Author(
            id=_id(account.get("id")),
            handle=_handle(account),
            name=_words_of(account, "display_name"),
            followers=followers if isinstance(followers, int) else 0,
            bot=account.get("bot") is True,
        ),
        text=text,
        created_at=_instant(status.get("created_at")),
        addressed=_addresses(status, me),
        in_reply_to=_maybe_id(status.get("in_reply_to_id")),
        repost_of=_id(_record(reblog).get("id")) if reblog is not None else None,
        language=language if isinstance(language, str) and language else None,
        url=url if isinstance(url, str) and url.startswith(("https://", "http://")) else None,
    )


def _handle(account: Record) -> str:
    handle = account.get("acct") or account.get("username")
    if not isinstance(handle, str) or not handle:
        raise TypeError("its author has no handle")
    return handle


def _addresses(status: Record, me: str) -> bool:
    named = _records(status.get("mentions") or [])
    return str(status.get("in_reply_to_account_id")) == me or any(_id(one.get("id")) == me for one in named)


_HANDLE = re.compile(r"(?<![\w@])@(\w+)(?:@[\w.-]*\w)?")


def _as_shown(text: str) -> str:
    """A text without what a server changes when it shows it: the domains of handles, and blank lines."""
    return " ".join(_HANDLE.sub(lambda found: "@" + found.group(1).lower(), text).split())


def _addressed_to(acct: str, text: str) -> str:
    """The reply with the author's handle in it, without which its author would not be told of it."""
    already = re.search(rf"(?<![\w@])@{re.escape(acct)}(?![\w@]|\.\w)", text, re.IGNORECASE)
    return text if already else f"@{acct} {text}"


def _narrower(*visibilities: str | None) -> str:
    """The narrowest of them (M3). One that is unknown, as other servers have, is for those named alone."""
    known = [v if v in WIDEST_FIRST else "direct" for v in visibilities if v is not None]
    return max(known, key=WIDEST_FIRST.index)


# ── the wire ─────────────────────────────────────────────────────────────────────────────────────


class _Adapter(HTTPAdapter):
    """Gives up bytes that nobody has acknowledged for as long as an answer is waited for."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            given_up = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_S * 1000))
            options["socket_options"] = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), given_up]
        super().init_poolmanager(*args, **options)


class _Session(requests.Session):
    """Keeps each thread's last answer as it came, follows nobody elsewhere, and repeats nothing.

    Mastodon.py casts what it reads into types of its own: a time without a zone, an id of another kind
    or a body that is no JSON is lost or guessed, and a POST that worked may raise. So the answer itself
    is what is read here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last = threading.local()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(max_retries=0))

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        options["allow_redirects"] = False
        self.last.answer = self.last.error = None
        try:
            answer = super().send(request, **options)
        except Exception as error:
            self.last.error = error
            raise
        self.last.answer = answer
        return answer


class _Api(Mastodon):
    """The library, and the one parameter that it does not know."""

    def mentions(self, **params: object) -> None:
        """Mentions, those too that the account's own filter sets aside.

        By default it does so with private mentions by strangers, and a customer is a stranger.
        """
        asked = {**params, "types[]": ["mention"], "include_filtered": "true"}
        # The library's one way to call; its ``notifications`` cannot ask for what was set aside.
        self._Mastodon__api_request("GET", "/api/v1/notifications", asked)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back of one call: an answer, or the error instead of one."""

    answer: requests.Response | None
    error: Exception | None

    @property
    def never_left(self) -> bool:
        """Whether there was no connection to send anything on, or no time left to."""
        if isinstance(self.error, Offline):
            return True
        cause = self.error.args[0] if self.error and self.error.args else None
        return isinstance(self.error, requests.ConnectTimeout) or isinstance(
            getattr(cause, "reason", None), NewConnectionError
        )


def _json(answer: requests.Response) -> object:
    try:
        value: object = answer.json()
    except (ValueError, RecursionError):
        raise Trouble(f"the server answered {answer.status_code} with something that is no JSON") from None
    return value


def _says(answer: requests.Response) -> str:
    """The server's own words about what is wrong."""
    with suppress(Trouble, TypeError):
        said = _record(_json(answer)).get("error")
        if isinstance(said, str):
            return said[:300]
    return f"status {answer.status_code}"


class _Missing(Trouble):
    """The server itself says that there is no such thing (404 or 410)."""


def _home(url: str) -> str:
    return (url if "://" in url else f"https://{url}").rstrip("/")


def _is_loopback(host: str | None) -> bool:
    with suppress(ValueError):
        return ip_address(host or "").is_loopback
    return host == "localhost"


def _streaming_at(home: str, said: object) -> str:
    """Where the token may go: where the home server says, over TLS or within this machine; else home."""
    try:
        place = urlsplit(said if isinstance(said, str) else "")
    except ValueError:
        return home
    secure = place.scheme in ("wss", "https")
    if place.hostname and (secure or _is_loopback(place.hostname)):
        return f"{'https' if secure else 'http'}://{place.netloc}"
    return home


# ── the platform ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Me:
    id: str
    handle: str
    bot: bool
    note: str


@dataclass(frozen=True, slots=True)
class _Server:
    """What the home server says about itself; ``rules`` are its house rules, in its own words."""

    streaming: str
    limit: int
    rules: tuple[str, ...]


class MastodonPlatform:
    """One account on its home server, both directions."""

    name = "mastodon"
    read_lag = timedelta(seconds=5)
    can_post = True

    def __init__(self, setup: Setup, url: str, token: str) -> None:
        self._setup = setup
        self._url = url
        self._token = token
        self._host = urlsplit(url).netloc
        self._session = _Session()
        self._api = _Api(
            access_token=token,
            api_base_url=url,
            ratelimit_method="throw",
            request_timeout=(CONNECT_S, READ_S),  # type: ignore[arg-type]  # handed to requests as it is
            version_check_mode="none",
            session=self._session,
            user_agent="heard",
        )
        # Limits hold for the credential; its name in the store must not be the credential.
        self._account = f"mastodon:{self._host}:{hashlib.sha256(token.encode()).hexdigest()[:16]}"
        self._words = Words((*setup.words, *(handle.split("@")[0] for handle in setup.handles)))
        self._known_me: _Me | None = None
        self._known_server: _Server | None = None
        self._one_by_one = False
        self._paths = self._make_paths() if setup.listen else ()

    def _make_paths(self) -> tuple[Path, ...]:
        setup = self._setup
        every = setup.every or EVERY
        if not setup.stream:
            return (SweepPath("notifications", self._sweep, every=every, clock=setup.clock),)
        stream = self._stream("stream", "user", self._user_entry, lambda: sweep.wake())
        sweep = SweepPath("notifications", self._sweep, every=every, clock=setup.clock, beside=stream)
        if not self._words:
            return (stream, sweep)
        return (stream, self._stream("public", "public", self._public_entry, lambda: None), sweep)

    def _stream(
        self, name: str, channel: str, read: "_Reading", on_connected: Callable[[], None]
    ) -> StreamPath:
        return StreamPath(
            name,
            self._opening(channel, read),
            account=f"{self._account}/{channel}",
            clock=self._setup.clock,
            budget=self._setup.budget,
            manners=self._setup.manners or MANNERS,
            on_connected=on_connected,
        )

    @property
    def paths(self) -> Sequence[Path]:
        """The user's stream, the public one for the brand's words, and the sweep of mentions."""
        return self._paths

    async def close(self) -> None:
        """Let go of connections."""
        self._session.close()

    # ── one call ─────────────────────────────────────────────────────────────────────────────────

    async def _take(self, *limits: Limit) -> None:
        wait = await self._setup.budget.take(self._account, limits)
        if wait is not None:
            raise TooMany("as many calls as Mastodon allows were made (rule M4)", after=wait)

    async def _call(self, call: Callable[[], object]) -> _Answer:
        def once() -> _Answer:
            last = self._session.last
            last.answer = last.error = None
            try:
                call()
            except Exception as error:
                # Whatever the library thinks of it: what came back decides.
                return _Answer(last.answer, last.error or error)
            return _Answer(last.answer, None)

        answered = await asyncio.to_thread(once)
        if answered.answer is not None:
            await self._note_limit(answered.answer)
        return answered

    async def _read(self, call: Callable[[], object], *limits: Limit) -> object:
        """What the server answers, as JSON. May raise `Fault`."""
        await self._take(CALLS, *limits)
        answered = await self._call(call)
        if answered.answer is None:
            raise Offline(self._silence(answered))
        return self._checked(answered.answer)

    def _checked(self, answer: requests.Response) -> object:
        code = answer.status_code
        if code in (404, 410):
            # A proxy that has lost its server says 404 too, and about everything; Mastodon says it in JSON.
            _record_or_trouble(_json(answer))
            raise _Missing(_says(answer))
        if code == 200:
            return _json(answer)
        raise self._fault(code, _says(answer), self._reset_after(answer))

    def _fault(self, code: int, words: str, after: timedelta = LATER) -> Fault:
        if code == 401:
            return Revoked(
                f"Mastodon refuses the login: the access token does not work any more ({words})",
                fix=f"make a new access token on {self._host} and set {TOKEN}",
            )
        if code == 403:
            return Forbidden(f"the server does not allow this: {words}")
        if code == 429:
            return TooMany("Mastodon asks for a pause (rule M4)", after=after)
        if 300 <= code < 400:
            return Trouble(f"{self._host} sends us elsewhere; is {URL} right?", after=LATER)
        return Trouble(f"Mastodon answers with errors ({code}): {words}")

    def _silence(self, answered: _Answer) -> str:
        how = "cannot be reached" if answered.never_left else "does not answer"
        return f"Mastodon {how} ({self._host}: {type(answered.error).__name__})"

    async def _note_limit(self, answer: requests.Response) -> None:
        left = answer.headers.get("X-RateLimit-Remaining", "")
        until = self._reset_at(answer)
        if not left.isdecimal() or until is None:
            return
        method = (answer.request.method or "").upper()
        limit = {"POST": STATUSES, "DELETE": DELETES}.get(method, CALLS)
        await self._setup.budget.told(self._account, limit, left=int(left), until=until)

    def _reset_at(self, answer: requests.Response) -> datetime | None:
        said = answer.headers.get("X-RateLimit-Reset", "")
        try:
            # Mastodon writes an instant, some other servers seconds since 1970.
            reset = (
                datetime.fromtimestamp(int(said), UTC)
                if said.isdecimal()
                else aware(datetime.fromisoformat(said))
            )
        except (ValueError, OverflowError, OSError):
            return None
        now = self._setup.clock.now()
        return now + min(max(reset - (_date(answer) or now), timedelta(0)), LONGEST_WAIT)

    def _reset_after(self, answer: requests.Response) -> timedelta:
        reset = self._reset_at(answer)
        if reset is not None:
            return max(reset - self._setup.clock.now(), timedelta(seconds=1))
        # What stands before a server says it the common way, or not at all.
        said = answer.headers.get("Retry-After", "")
        return min(timedelta(seconds=int(said)), LONGEST_WAIT) if said.isdecimal() else UNSAID

    async def _me(self) -> _Me:
        if self._known_me is None:
            self._known_me = await self._look_at_me()
        return self._known_me

    async def _look_at_me(self) -> _Me:
        account = await self._read(self._api.account_verify_credentials)
        with _no_guessing():
            record = _record(account)
            note = plain(_words_of(record, "note"))
            return _Me(_id(record.get("id")), _handle(record), record.get("bot") is True, note)

    async def _server(self) -> _Server:
        if self._known_server is None:
            self._known_server = await self._look_at_server()
        return self._known_server

    async def _look_at_server(self) -> _Server:
        try:
            said = await self._read(self._api.instance_v2)
        except _Missing:
            # Only since Mastodon 4.0, and not on every other server.
            return _Server(self._url, MASTODON_LIMIT, ())
        with _no_guessing():
            record = _record(said)
            configuration = _record(record.get("configuration") or {})
            limit = _record(configuration.get("statuses") or {}).get("max_characters")
            streaming = _record(configuration.get("urls") or {}).get("streaming")
            rules = [_words_of(rule, "text") for rule in _records(record.get("rules") or [])]
        whole = limit if isinstance(limit, int) and limit > 0 else MASTODON_LIMIT
        return _Server(_streaming_at(self._url, streaming), whole, tuple(rules))

    # ── listening ────────────────────────────────────────────────────────────────────────────────

    def _opening(self, channel: str, read: "_Reading") -> Opening:
        @asynccontextmanager
        async def opened(_: str | None) -> AsyncGenerator[AsyncIterator[Entry | Sign], None]:
            me = await self._me()
            # Asked every time: a server may move its streaming to another host.
            self._known_server = server = await self._look_at_server()
            url = f"{server.streaming}/api/v1/streaming/{channel}"
            headers = {"Authorization": f"Bearer {self._token}", "Accept-Encoding": "identity"}
            timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_connect=CONNECT_S)
            try:
                async with (
                    aiohttp.ClientSession(timeout=timeout, trust_env=True) as http,
                    self._connecting(http, url, headers) as response,
                ):
                    yield self._entries(response, lambda event, data: read(event, data, me.id))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise Offline(f"the stream broke off: {type(error).__name__}") from None

        return opened

    @asynccontextmanager
    async def _connecting(
        self, http: aiohttp.ClientSession, url: str, headers: dict[str, str]
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        async with asyncio.timeout(CONNECT_S + READ_S):
            response = await http.get(url, headers=headers, allow_redirects=False)
        async with response:
            if response.status in (403, 404, 410) and url.endswith("/public"):
                raise Forbidden(
                    "this server does not let us listen to its public posts", after=NOT_ALLOWED_AFTER
                )
            if response.status != 200:
                raise self._fault(response.status, "the stream cannot be opened")
            if response.content_type != "text/event-stream":
                raise Trouble(f"the server answered with {response.content_type} where a stream should be")
            yield response

    async def _entries(
        self, response: aiohttp.ClientResponse, read: Callable[[str, bytes], Entry | Sign]
    ) -> AsyncIterator[Entry | Sign]:
        """Server-sent events: an ``event`` line, a ``data`` line, an empty line; comments say it lives."""
        event, data = "", b""
        async for line in _lines(response):
            field, _, value = line.partition(b":")
            if not line:
                if event:
                    yield read(event, data)
                event, data = "", b""
            elif not field:
                yield Sign.OF_LIFE
            elif field == b"event":
                event = value.strip().decode(errors="replace")
            elif field == b"data":
                data += (b"\n" if data else b"") + value.removeprefix(b" ")

    def _user_entry(self, event: str, data: bytes, me: str) -> Entry | Sign:
        match event:
            case "notification":
                return _readable(data, "the user stream", lambda: self._notified(_loaded(data), me))
            case "update" | "status.update" | "delete":
                return self._public_entry(event, data, me)
            case _:
                return Sign.OF_LIFE

    def _public_entry(self, event: str, data: bytes, me: str) -> Entry | Sign:
        match event:
            case "update":
                return _readable(data, "a stream", lambda: self._for_us(_loaded(data), me, edited=False))
            case "status.update":
                return _readable(data, "a stream", lambda: self._for_us(_loaded(data), me, edited=True))
            case "delete":
                return _readable(data, "a stream", lambda: Removed(_deleted(data), "", ""))
            case _:
                return Sign.OF_LIFE

    def _notified(self, notification: Record, me: str) -> Entry | Sign:
        if notification.get("type") != "mention":
            return Sign.OF_LIFE
        return _heard(_record(notification.get("status")), me, cursor="")

    def _for_us(self, status: Record, me: str, *, edited: bool) -> Entry | Sign:
        by = _record(status.get("account")).get("id")
        if str(by) == me or not (_addresses(status, me) or self._words.within(_text(status))):
            return Sign.OF_LIFE
        return _heard(status, me, cursor="", edited=edited)

    async def _sweep(self, cursor: str | None) -> Swept:
        me = (await self._me()).id
        if cursor is None:
            newest = await self._notifications(limit=1)
            return only_position(max((place for place, _ in newest), key=_in_order, default="0"))
        page = await self._notifications(limit=PAGE, min_id=cursor)
        # Pages may be short in the middle of the list, so only an empty one is the end; and a server
        # that does not know min_id must not be asked for ever.
        new = sorted(
            (one for one in page if _in_order(one[0]) > _in_order(cursor)), key=lambda one: _in_order(one[0])
        )
        return Swept([_swept(record, me, place) for place, record in new], more=bool(new))

    async def _notifications(self, **params: object) -> list[tuple[str, Record]]:
        page = await self._read(lambda: self._api.mentions(**params))
        with _no_guessing():
            return [(_id(one.get("id")), one) for one in _records(page)]

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    async def _status(self, status_id: str) -> Record:
        return _record_or_trouble(await self._read(lambda: self._api.status(status_id)))

    async def reread(self, mention: Mention) -> Present | Gone:
        """The mention as its server shows it to us now. May raise `Fault`."""
        try:
            status = await self._status(mention.id)
        except _Missing:
            return Gone()
        with _no_guessing():
            return Present(_text(status))

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """Twenty a call where the server can (since Mastodon 4.3), else one by one. May raise `Fault`."""
        seen: list[Present | Gone] = []
        for start in range(0, len(mentions), MANY):
            seen += await self._reread_some(mentions[start : start + MANY])
        return seen

    async def _reread_some(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        found = {} if self._one_by_one else await self._statuses([mention.id for mention in mentions])
        if not found:
            return [await self.reread(mention) for mention in mentions]
        with _no_guessing():
            texts = {status_id: _text(status) for status_id, status in found.items()}
        return [Present(texts[m.id]) if m.id in texts else Gone() for m in mentions]

    async def _statuses(self, ids: Sequence[str]) -> dict[str, Record]:
        await self._take(CALLS)
        answered = await self._call(lambda: self._api.statuses(list(ids)))
        if answered.answer is None:
            raise Offline(self._silence(answered))
        if answered.answer.status_code in (400, 404, 405, 422):
            self._one_by_one = True
            return {}
        listed = self._checked(answered.answer)
        with _no_guessing():
            return {_id(one.get("id")): one for one in _records(listed)}

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """The id of a reply to the mention by this account that is none of ours. May raise `Fault`."""
        async for reply in self._own_replies(mention):
            if reply["id"] not in ours:
                return str(reply["id"])
        return None

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """The reply of this account to the mention with these words. May raise `Fault`."""
        wanted = _as_shown(_addressed_to(mention.author.handle, outgoing.text))
        async for reply in self._own_replies(mention):
            with _no_guessing():
                # The author may have another handle by now; the words are what tells replies apart.
                if _as_shown(_text(reply)) in (wanted, _as_shown(outgoing.text)):
                    return Posted(reply["id"], _instant(reply.get("created_at")))
        return None

    async def _own_replies(self, mention: Mention) -> AsyncIterator[Record]:
        """This account's replies to the mention.

        In its thread, which shows up to 4,096 posts, and else among what the account wrote since.
        """
        me = (await self._me()).id
        try:
            thread = _record_or_trouble(await self._read(lambda: self._api.status_context(mention.id)))
        except _Missing:
            thread = {"descendants": []}
        with _no_guessing():
            under = _replies(_records(thread.get("descendants")), me, mention.id)
        for reply in under:
            yield reply
        seen = {reply["id"] for reply in under}
        async for page in self._own_since(me, mention.id):
            with _no_guessing():
                written = _replies(page, me, mention.id)
            for reply in written:
                if reply["id"] not in seen:
                    yield reply

    async def _own_since(self, me: str, position: str) -> AsyncIterator[list[Record]]:
        for _ in range(OWN_PAGES):
            since = position
            listed = await self._read(
                lambda since=since: self._api.account_statuses(  # type: ignore[misc]
                    me, exclude_reblogs=True, min_id=since, limit=OWN_PAGE
                )
            )
            with _no_guessing():
                page = _records(listed)
                newest = max((_id(one.get("id")) for one in page), key=_in_order, default=position)
            yield page
            if _in_order(newest) <= _in_order(position):
                return
            position = newest

    # ── replying ─────────────────────────────────────────────────────────────────────────────────

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """POST once, under the mention, never more public than it (M3). Never raises."""
        departure = Departure()
        try:
            async with asyncio.timeout(LOOK.total_seconds()):
                ready = await self._ready(mention, outgoing)
        except _Missing:
            return Refused("the mention is gone; nothing was posted")
        except Fault as fault:
            return Busy(str(fault), fault.after)
        except TimeoutError:
            return Busy("the server took too long to show the mention; nothing was posted", SOON)
        if isinstance(ready, Refused):
            return ready

        def leave() -> object:
            departure.check()
            return ready()

        return self._fate(await self._call(leave), mention.id)

    async def _ready(self, mention: Mention, outgoing: Outgoing) -> Callable[[], object] | Refused:
        """The one POST, made ready; nothing has left yet. May raise `Fault`."""
        me = (await self._me()).id
        now = await self._status(mention.id)
        with _no_guessing():
            text = _addressed_to(_handle(_record(now.get("account"))), outgoing.text)
            visibility = _narrower(self._setup.visibility, str(now.get("visibility")))
        length = measure("mastodon", text, mastodon_limit=(await self._server()).limit)
        if not length.fits:
            return Refused(f"it is too long: {length}")
        await self._take(CALLS, STATUSES)
        once = hashlib.sha256(f"{me}\n{mention.id}\n{outgoing.key}".encode()).hexdigest()
        return lambda: self._api.status_post(
            text,
            in_reply_to_id=mention.id,
            visibility=visibility,
            language=mention.language,
            idempotency_key=once,
        )

    def _fate(self, answered: _Answer, mention_id: str) -> Fate:
        answer = answered.answer
        if answer is None:
            why = self._silence(answered)
            return Busy(f"{why}; nothing was posted", SOON) if answered.never_left else Unknown(why)
        code = answer.status_code
        if code == 200:
            return self._posted(answer, mention_id)
        if code in (401, 429):
            return Busy(str(self._fault(code, _says(answer))), self._reset_after(answer))
        if 400 <= code < 500 and code not in (408, 409, 425):
            return Refused(f"the server refused it: {_says(answer)}")
        return Unknown(f"the server answered {code}")

    def _posted(self, answer: requests.Response, mention_id: str) -> Fate:
        me = self._known_me
        try:
            status = _record(_json(answer))
            # The same that proves a reply to a look: anything else is another's answer.
            if me is None or not _replies([status], me.id, mention_id):
                return Unknown("the server's answer is another post")
            return Posted(_id(status.get("id")), _instant(status.get("created_at")))
        except (Trouble, TypeError, ValueError):
            return Unknown("the server's answer is no post")

    async def take_back(self, reply_id: str) -> None:
        """Delete a reply of ours; one that is gone already is fine. May raise `Fault`."""
        with suppress(_Missing):
            await self._read(lambda: self._api.status_delete(reply_id), DELETES)

    # ── who we are, and how it stands ────────────────────────────────────────────────────────────

    async def profile(self) -> Profile | None:
        """The account, its bot flag (M2) and its note. May raise `Fault`."""
        return self._profile_of(await self._look_at_me())

    def _profile_of(self, me: _Me) -> Profile:
        self._known_me = me
        return Profile(id=me.id, handle=me.handle, labelled=me.bot, says=me.note)

    async def examine(self) -> Sequence[Finding]:
        """Login, label, scopes, clock, the server's rules and lengths, and what is left of the limits."""
        try:
            profile = self._profile_of(await self._look_at_me())
        except Fault as fault:
            fix = getattr(fault, "fix", "") or f"check {URL} ({self._host}) and {TOKEN}"
            return [Finding("login", "bad", str(fault), fix)]
        found = [Finding("login", "ok", f"connected as @{profile.handle} on {self._host}"), _label(profile)]
        for look in (self._examine_scopes, self._examine_server):
            try:
                found += await look()
            except Fault as fault:
                found.append(Finding("server", "warn", str(fault)))
        left = await self._setup.budget.left(self._account, CALLS)
        return [*found, Finding("limits", "ok", f"{left} of {CALLS.amount} calls are left in five minutes")]

    async def _examine_scopes(self) -> list[Finding]:
        await self._take(CALLS)
        answered = await self._call(self._api.app_verify_credentials)
        if answered.answer is None:
            return []
        findings = self._skew(answered.answer)
        with suppress(Fault, TypeError):
            scopes = _record(self._checked(answered.answer)).get("scopes")
            # Since Mastodon 4.3; without it only a refusal would tell.
            if isinstance(scopes, list):
                findings.append(_scopes({str(scope) for scope in scopes}))
        return findings

    def _skew(self, answer: requests.Response) -> list[Finding]:
        date = _date(answer)
        if date is None:
            return []
        off = abs(date - self._setup.clock.now())
        if off <= SKEW:
            return [Finding("clock", "ok", "this machine and the server agree on the time")]
        words = f"this machine's clock and the server's are {off.total_seconds():.0f} s apart"
        return [Finding("clock", "warn", words, "set this machine's clock by a time server")]

    async def _examine_server(self) -> list[Finding]:
        self._known_server = server = await self._look_at_server()
        rules = "; ".join(" ".join(rule.split()[:8]) for rule in server.rules)
        said = f"{len(server.rules)} rules of the server: {rules}" if rules else "the server states no rules"
        return [
            Finding("rules", "ok", said),
            Finding("length", "ok", f"a reply may have {server.limit} characters"),
        ]


_Reading = Callable[[str, bytes, str], Entry | Sign]


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines without their ends. An endless one is an error, not a memory problem."""
    rest = b""
    async for chunk in response.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
        if len(rest) > LONGEST_EVENT:
            raise Trouble("the stream sends a line without an end")


@contextmanager
def _no_guessing() -> Iterator[None]:
    """What has not the shape that the documentation gives it is the server's trouble, not ours."""
    try:
        yield
    except _UNREADABLE as error:
        raise Trouble(f"the server's answer cannot be understood: {error}") from error


def _record_or_trouble(value: object) -> Record:
    with _no_guessing():
        return _record(value)


def _loaded(data: bytes) -> Record:
    return _record(json.loads(data))


def _deleted(data: bytes) -> str:
    status_id = data.decode().strip().strip('"')
    if not re.fullmatch(r"[\w.~:-]{1,128}", status_id):
        raise ValueError("it names no post that was deleted")
    return status_id


def _readable(data: bytes, where: str, read: Callable[[], Entry | Sign]) -> Entry | Sign:
    try:
        return read()
    except _UNREADABLE as error:
        return Unreadable(where, data.decode(errors="replace"), str(error) or type(error).__name__, "")


def _heard(status: Record, me: str, *, cursor: str, edited: bool = False) -> Heard:
    return Heard(_mention(status, me), cursor, edited=edited or status.get("edited_at") is not None)


def _swept(notification: Record, me: str, cursor: str) -> Entry:
    if notification.get("type") != "mention":
        return Reached(cursor)
    try:
        return _heard(_record(notification.get("status")), me, cursor=cursor)
    except _UNREADABLE as error:
        return Unreadable("notifications", json.dumps(notification), str(error), cursor)


def _in_order(an_id: str) -> tuple[int, str]:
    """Ids grow: by number on Mastodon, by letters of one length on some other servers."""
    return (len(an_id), an_id)


def _replies(statuses: Iterable[Record], me: str, mention_id: str) -> list[Record]:
    """Those by this account to the mention, their ids as text."""
    return [
        {**status, "id": _id(status.get("id"))}
        for status in statuses
        if str(status.get("in_reply_to_id")) == mention_id
        and str(_record(status.get("account")).get("id")) == me
    ]


def _date(answer: requests.Response) -> datetime | None:
    try:
        return aware(parsedate_to_datetime(answer.headers["Date"]))
    except (KeyError, ValueError, TypeError):
        return None


def _label(profile: Profile) -> Finding:
    if profile.labelled:
        return Finding("label", "ok", "the profile says that it is automated")
    return Finding(
        "label",
        "warn",
        "the profile does not say that it is automated (rule M2)",
        'tick "This is an automated account" in the profile\'s settings',
    )


def _scopes(scopes: set[str]) -> Finding:
    missing = [scope for scope in ("read", "write:statuses") if not {scope, scope.split(":")[0]} & scopes]
    if not missing:
        return Finding("scopes", "ok", "the access token may read and reply")
    return Finding(
        "scopes",
        "bad",
        f"the access token may not {' and '.join(missing)}",
        f"make an access token with the scopes read and write:statuses, and set {TOKEN}",
    )
