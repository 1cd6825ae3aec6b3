"""X: mentions swept for truth and streamed for speed where wanted, and replies to those who asked for one.

Everything costs money here (X8): the mentions of one's own account are the cheapest thing to read, so they
are what is read by default, and a meter stops reading before it stops replying. Rules by number: RULES §1.1.
"""

import asyncio
import hashlib
import html
import itertools
import json
import re
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from oauthlib.oauth1 import Client as OAuthClient  # type: ignore[import-untyped]
from tweepy import StreamRule  # type: ignore[import-untyped]
from tweepy.asynchronous import AsyncClient, AsyncStreamingClient  # type: ignore[import-untyped]
from tweepy.asynchronous.client import AsyncBaseClient  # type: ignore[import-untyped]
from yarl import URL

from casework.clock import Clock
from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms.departure import Departure
from platforms.faults import SOON, Fault, Forbidden, Offline, Revoked, TooMany, Trouble
from platforms.lengths import links
from platforms.limits import Budget, Limit
from platforms.listening import Manners, Sign, StreamPath, SweepPath, Swept, only_position
from platforms.platform import (
    Busy,
    Entry,
    Fate,
    Finding,
    Gone,
    Heard,
    Path,
    PathState,
    Posted,
    Present,
    Profile,
    Reached,
    Refused,
    Unknown,
    Unreadable,
)
from platforms.setup import NotConnected, Setup
from platforms.words import Words

log = structlog.get_logger(__name__)

Record = Mapping[str, Any]
"""A JSON object as X sent it: nothing of it is certain."""

HOST: Final = "https://api.x.com"
USER_KEYS: Final = ("api_key", "api_secret", "access_token", "access_token_secret")
EVERY: Final = timedelta(seconds=60)
SEARCH_EVERY: Final = timedelta(minutes=15)
QUARTER: Final = timedelta(minutes=15)
DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)
MANNERS: Final = Manners(longest_wait=timedelta(seconds=320))
"""X itself says how to come back: 5 s, doubled up to 320 s (X9). The look each minute goes on meanwhile."""
A_SECOND: Final = timedelta(seconds=1)
SKEW: Final = timedelta(seconds=30)
TIMEOUT: Final = aiohttp.ClientTimeout(total=11, connect=5, sock_connect=5, sock_read=10)
LOOK_BEFORE_S: Final = 8.0  # With the POST after it, this stays under `DEADLINE`.
STREAM_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=5, sock_connect=5, sock_read=60)
LONGEST_LINE: Final = 2**20  # A post of 25,000 letters, escaped and with what comes with it; bytes.

FIRST_WORDS: Final = 5
PAGE: Final = 100
LEAST: Final = 10
LOOK: Final = {"mentions": 5, "search": LEAST}  # The smallest pages X allows.
SHOWS_AT_MOST: Final = 800  # The mentions timeline; X docs, timelines/integrate.
SURELY_ENDED: Final = 700  # What was deleted or withheld counts among the 800 and is not shown.
SEARCHES_BACK: Final = timedelta(days=7) - timedelta(minutes=5)
LONGEST_RULE: Final = 1024
OUR_RULES: Final = "heard:"

ASKED_OF_POSTS: Final = [
    "author_id",
    "conversation_id",
    "created_at",
    "edit_history_tweet_ids",
    "entities",
    "lang",
    "note_tweet",
    "referenced_tweets",
]
FULL_POSTS: Final[Mapping[str, list[str]]] = {
    "expansions": ["author_id", "referenced_tweets.id"],
    "tweet_fields": ASKED_OF_POSTS,
    "user_fields": ["name", "public_metrics", "username"],
}

# ── what X allows and what it takes for it ──────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Prices:
    """Thousandths of a dollar; X docs, getting-started/pricing, August 2026."""

    post: int = 5
    owned: int = 1
    user: int = 10
    summoned_reply: int = 10
    reply: int = 15
    reply_with_link: int = 200
    deletion: int = 10


PRICES: Final = _Prices()
_LIMITS_PAGE: Final = "X docs, rate-limits"
MENTIONS: Final = Limit("mentions", 300, QUARTER, _LIMITS_PAGE)
SEARCHES: Final = Limit("searches", 300, QUARTER, _LIMITS_PAGE)
LOOKUPS: Final = Limit("lookups", 900, QUARTER, _LIMITS_PAGE)
TIMELINE: Final = Limit("timeline", 900, QUARTER, _LIMITS_PAGE)
USERS: Final = Limit("users", 75, QUARTER, _LIMITS_PAGE)
RULES_ASKED: Final = Limit("stream rules", 450, QUARTER, _LIMITS_PAGE)
CONNECTIONS: Final = Limit("connections", 25, QUARTER, _LIMITS_PAGE)
DELETIONS: Final = Limit("deletions", 50, QUARTER, _LIMITS_PAGE)
REPLIES: Final = Limit("replies", 100, QUARTER, _LIMITS_PAGE)
REPLIES_LONG: Final = Limit("replies in 3 h", 300, timedelta(hours=3), "X docs, manage-tweets: the stricter")


@dataclass(slots=True)
class _Meter:
    """What was spent at X in the last 24 hours, in thousandths of a dollar, and what may still be (X8).

    Listening stops at nine tenths of the cap, so that replies still go out; at the cap nothing goes.
    """

    budget: Budget
    account: str
    cap: int | None
    clock: Clock
    _billed: dict[str, int] = field(default_factory=dict)
    _day: str = ""

    @property
    def all(self) -> Limit:
        """What everything together may cost."""
        return Limit("spend", self.cap or 0, DAY, "the brand's own cap (X8)")

    @property
    def listening(self) -> Limit:
        """What may have been spent for there to be anything left to listen with."""
        return Limit("spend while listening", (self.cap or 0) * 9 // 10, DAY, "the brand's own cap (X8)")

    async def room(self, price: int, *, least: int = 1, listening: bool) -> int:
        """How many records of a price may be read. Raises `TooMany` when it is not even the least."""
        if self.cap is None:
            return PAGE
        limit = self.listening if listening else self.all
        left = await self.budget.left(self.account, limit)
        if left < least * price:
            # The budget says when there will be more, and spends nothing where there is not enough.
            wait = await self.budget.take(self.account, [limit], least * price)
            if wait is not None:
                raise TooMany(self._words(wait), after=wait)
        return max(least, left // price)

    async def read(self, ids: Iterable[str], price: int) -> None:
        """Count what came: X bills a record that comes again on the same day (UTC) once."""
        today = self.clock.now().date().isoformat()
        if today != self._day:
            self._day, self._billed = today, {}
        cost = 0
        for record in ids:
            cost += max(0, price - self._billed.get(record, 0))
            self._billed[record] = max(price, self._billed.get(record, 0))
        await self.spend(cost)

    async def spend(self, cost: int) -> None:
        """Count what was spent already, allowed or not."""
        if self.cap is None or cost == 0:
            return
        for limit in (self.all, self.listening):
            if await self.budget.take(self.account, [limit], cost) is not None:
                left = await self.budget.left(self.account, limit)
                await self.budget.take(self.account, [limit], left)

    async def afford(self, cost: int) -> Busy | None:
        """Spend on a reply, or say when there is money for it."""
        if self.cap is None:
            return None
        wait = await self.budget.take(self.account, [self.all], cost)
        if wait is not None:
            return Busy(self._words(wait), wait)
        if await self.budget.take(self.account, [self.listening], cost) is not None:
            left = await self.budget.left(self.account, self.listening)
            await self.budget.take(self.account, [self.listening], left)
        return None

    async def spent(self) -> int:
        """Thousandths of a dollar in the last 24 hours."""
        return (self.cap or 0) - await self.budget.left(self.account, self.all)

    def _words(self, wait: timedelta) -> str:
        again = (self.clock.now() + wait).strftime("%Y-%m-%d %H:%M UTC")
        dollars = f"{(self.cap or 0) / 1000:.2f}"
        return f"today's budget for X of {dollars} USD is spent; X is read again at {again}"


# ── asking X ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Answer:
    """What X answered to one request; ``body`` is its JSON object."""

    status: int
    headers: Mapping[str, str]
    body: Record

    @property
    def ok(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def detail(self) -> str:
        """What X says is wrong, in its own words."""
        told = [self.body, *_records(self.body.get("errors"))]
        words = [_text(one.get(key)) for one in told for key in ("detail", "message", "title")]
        return next((word for word in words if word), f"status {self.status}")


class _Unreached(Offline):
    """No connection came about: nothing of the request has left."""


class _Rejected(Trouble):
    """X does not take the question itself: asking it again helps nobody."""

    def __init__(self, answer: _Answer) -> None:
        super().__init__(f"X does not take the question: {answer.detail}")
        self.status = answer.status


class _Asking(AsyncBaseClient):  # type: ignore[misc]
    """How tweepy asks: at our host, with our limits of time, and with every answer as it came.

    tweepy knows no other host, reads the body of an error as JSON whatever it is, and follows redirects.
    """

    session: aiohttp.ClientSession | None

    def __init__(self, host: str, *args: Any, **named: Any) -> None:
        # tweepy hands on as it is whatever `request` returns when asked for its own response type.
        super().__init__(*args, return_type=aiohttp.ClientResponse, wait_on_rate_limit=False, **named)
        self._host = host.rstrip("/")
        self._closed = False

    def http(self) -> aiohttp.ClientSession:
        """The one session, made inside the running loop."""
        if self._closed:
            raise Offline("the connection to X was closed here")
        if self.session is None or self.session.closed:
            self.session = aiohttp.ClientSession(
                timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=LONGEST_LINE
            )
        return self.session

    async def request(
        self, method: str, route: str, params: Any = None, json: Any = None, user_auth: bool = False
    ) -> _Answer:
        """One request, once. Raises `_Unreached`, `Offline`, or `Trouble` for an answer that is no JSON."""
        url, headers = self._signed(method, route, params or {}, user_auth)
        try:
            async with self.http().request(
                method, URL(url, encoded=True), json=json, headers=headers, allow_redirects=False
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _Unreached(f"X cannot be reached ({type(error).__name__})") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Offline(f"the connection to X was lost ({type(error).__name__})") from error
        told = {name.lower(): value for name, value in response.headers.items()}
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            # What stands before X answers with pages: the status says enough.
            return _Answer(response.status, told, _parsed_or_nothing(raw))
        try:
            return _Answer(response.status, told, _parsed(raw))
        except ValueError as error:
            raise Trouble(f"X answered {response.status} with something that is no JSON") from error

    def _signed(
        self, method: str, route: str, params: Mapping[str, Any], user_auth: bool
    ) -> tuple[str, dict[str, str]]:
        # Encoded to the last letter: the signature is over what travels, and oauthlib takes nothing less.
        query = urlencode(sorted((name, str(value)) for name, value in params.items()), quote_via=quote)
        url = f"{self._host}{route}?{query}" if query else f"{self._host}{route}"
        if not user_auth:
            return url, {"User-Agent": self.user_agent, "Authorization": f"Bearer {self.bearer_token}"}
        signer = OAuthClient(
            self.consumer_key, self.consumer_secret, self.access_token, self.access_token_secret
        )
        signed, headers, _ = signer.sign(url, method, headers={"User-Agent": self.user_agent})
        return str(signed), dict(headers)

    async def close(self) -> None:
        """Let go of the session, for good."""
        self._closed = True
        if self.session is not None:
            await self.session.close()


class _Client(_Asking, AsyncClient):  # type: ignore[misc]
    """tweepy's client."""


class _Streaming(_Asking, AsyncStreamingClient):  # type: ignore[misc]
    """tweepy's streaming client, for one connect at a time.

    tweepy's own loop sleeps 5 to 60 s after an error even with ``max_retries=0``, and comes back for ever
    after a lost connection (4.17.0): so it connects once here, and `StreamPath` does the rest.
    """

    def __init__(self, host: str, bearer_token: str) -> None:
        super().__init__(host, bearer_token, max_retries=0)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[AsyncIterator[bytes] | _Answer]:
        """The lines of the stream, empty ones for signs of life, or the answer that refuses it."""
        params = self._process_params(
            FULL_POSTS, endpoint_parameters=("expansions", "tweet.fields", "user.fields")
        )
        url, headers = self._signed("GET", "/2/tweets/search/stream", params, user_auth=False)
        headers["Accept-Encoding"] = "identity"  # A sign of life must not wait in a decompressor.
        try:
            async with self.http().get(
                URL(url, encoded=True), headers=headers, allow_redirects=False, timeout=STREAM_TIMEOUT
            ) as response:
                if response.status == HTTPStatus.OK:
                    yield self._lines(response)
                else:
                    told = {k.lower(): v for k, v in response.headers.items()}
                    yield _Answer(response.status, told, _parsed_or_nothing(await response.read()))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Offline(f"the connection to X was lost ({type(error).__name__})") from error

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for line in response.content:
                yield line.strip()
        except ValueError as error:
            raise Trouble("X sent a line without end") from error


def _fault(answer: _Answer, now: datetime) -> Fault:
    """What is wrong, for reading: any status but 2xx."""
    status = answer.status
    if status == HTTPStatus.UNAUTHORIZED:
        return Revoked(f"X refuses the login: {answer.detail}; it needs new tokens", fix=NEW_TOKENS)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return TooMany("the X account has no credits left: buy some in its developer console", after=QUARTER)
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden(f"X does not allow this: {answer.detail}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        after = _until_reset(answer, now) or MINUTE
        return TooMany(f"X asks for a pause of {after.total_seconds():g} s", after=after)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST:
        return Trouble(f"X answers with errors ({status})")
    return _Rejected(answer)


NEW_TOKENS: Final = (
    "make new keys and tokens at https://developer.x.com and set HEARD_X__BEARER_TOKEN, HEARD_X__API_KEY, "
    "HEARD_X__API_SECRET, HEARD_X__ACCESS_TOKEN and HEARD_X__ACCESS_TOKEN_SECRET"
)


def _until_reset(answer: _Answer, now: datetime) -> timedelta | None:
    at = _reset(answer)
    return None if at is None else max(A_SECOND, at - now)


def _reset(answer: _Answer) -> datetime | None:
    told = answer.headers.get("x-rate-limit-reset", "")
    try:
        return datetime.fromtimestamp(int(told), UTC)
    except (ValueError, OverflowError, OSError):
        return None


# ── reading what X sends ─────────────────────────────────────────────────────────────────────────


def _parsed(raw: bytes) -> Record:
    """A JSON object. Raises ValueError for everything else."""
    try:
        found = json.loads(raw)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def _parsed_or_nothing(raw: bytes) -> Record:
    try:
        return _parsed(raw)
    except ValueError:
        return {}


def _record(value: object) -> Record:
    return value if isinstance(value, dict) else {}


def _records(value: object) -> list[Record]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    """A string that can be written down: JSON may hold halves of letters, which no file takes."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _id(value: object) -> str:
    """An id of X: digits, sent as a string or as a number; empty when it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    found = str(value)
    return found if re.fullmatch(r"[0-9]{1,19}", found) else ""


_EPOCH_MS: Final = 1288834974657  # Ids are snowflakes: milliseconds since then, and 22 bits more.


def _written_at(post_id: str) -> datetime:
    return datetime.fromtimestamp(((int(post_id) >> 22) + _EPOCH_MS) / 1000, UTC)


def _first_id_at(instant: datetime) -> str:
    return str(max(0, int(instant.timestamp() * 1000) - _EPOCH_MS) << 22)


def _created_at(post: Record, post_id: str) -> datetime:
    """When it was written, as it says with its zone, else as its id says. Raises `_OddError`."""
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(_text(post.get("created_at")))
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    if int(post_id) >> 22 == 0:
        raise _OddError("it does not say when it was written")
    return _written_at(post_id)


class _OddError(Exception):
    """Why a record is no post that can be heard."""


def _versions(post: Record) -> list[str]:
    """The ids of all versions of a post, oldest first (X11)."""
    history = post.get("edit_history_tweet_ids")
    ids = [_id(one) for one in history] if isinstance(history, list) else []
    return [one for one in ids if one] or [_id(post.get("id"))]


def _entities(post: Record, kind: str) -> list[Record]:
    """Links or mentions, of the short text and of the long one."""
    long = _record(_record(post.get("note_tweet")).get("entities"))
    return _records(_record(post.get("entities")).get(kind)) + _records(long.get(kind))


def _written(post: Record) -> str:
    """The words as the author wrote them: all of them, and without X's escapes and link shortener."""
    text = _text(_record(post.get("note_tweet")).get("text")) or _text(post.get("text"))
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    for link in _entities(post, "urls"):
        short, whole = _text(link.get("url")), _text(link.get("expanded_url"))
        if short and whole:
            text = text.replace(short, whole)
    return text


def _referenced(post: Record, kind: str) -> str | None:
    found = _records(post.get("referenced_tweets"))
    return next((_id(one.get("id")) or None for one in found if one.get("type") == kind), None)


@dataclass(frozen=True, slots=True)
class _Company:
    """What came along with posts: who wrote them, what they refer to, and what is a version of what."""

    users: Mapping[str, Record]
    posts: Mapping[str, Record]
    first: Mapping[str, str]

    @classmethod
    def of(cls, body: Record) -> "_Company":
        """Read from ``includes``, and from the posts themselves."""
        includes = _record(body.get("includes"))
        data = body.get("data")
        posts = _records(includes.get("tweets")) + _records(data if isinstance(data, list) else [data])
        return cls(
            {_id(user.get("id")): user for user in _records(includes.get("users"))},
            {_id(post.get("id")): post for post in posts},
            {version: _versions(post)[0] for post in posts for version in _versions(post)},
        )


def _mention(post: Record, company: _Company, own_id: str) -> Mention:
    """A post as Heard knows it, under the id of its first version. Raises `_OddError`."""
    post_id = _id(post.get("id"))
    if not post_id:
        raise _OddError("it has no id")
    text = _written(post)
    if not text:
        raise _OddError("it has no text")
    author = _author(company.users.get(_id(post.get("author_id")), {}))
    first = _versions(post)[0]
    parent = _referenced(post, "replied_to")
    language = _text(post.get("lang"))
    return Mention(
        platform="x",
        id=first,
        author=author,
        text=text,
        created_at=_created_at(post, post_id),
        addressed=_addresses(post, company, own_id),
        in_reply_to=company.first.get(parent, parent) if parent else None,
        conversation=_id(post.get("conversation_id")) or None,
        repost_of=_referenced(post, "retweeted"),
        # "und", "zxx" and "qme" and their like are X's ways to say that it knows none.
        language=language if re.fullmatch(r"(?!und|zxx|q)[a-z]{2,3}", language) else None,
        url=f"https://x.com/{quote(author.handle, safe='')}/status/{first}",
    )


def _author(user: Record) -> Author:
    """Who wrote it. X's label "Automated" is in no field of its API, so nobody is known for a bot."""
    user_id, handle = _id(user.get("id")), _text(user.get("username"))
    if not user_id or not handle:
        raise _OddError("X does not say who wrote it")
    followers = _record(user.get("public_metrics")).get("followers_count")
    count = followers if isinstance(followers, int) and followers > 0 else 0
    return Author(user_id, handle, _text(user.get("name")), count)


def _addresses(post: Record, company: _Company, own_id: str) -> bool:
    """Whether the author summoned us (X1): by an @mention, or by quoting a post of ours."""
    if any(_id(one.get("id")) == own_id for one in _entities(post, "mentions")):
        return True
    quoted = company.posts.get(_referenced(post, "quoted") or "", {})
    return _id(quoted.get("author_id")) == own_id


def _heard(post: Record, company: _Company, own_id: str, cursor: str, where: str) -> Heard | Unreadable:
    try:
        mention = _mention(post, company, own_id)
    except _OddError as odd:
        return Unreadable(where, json.dumps(post), str(odd), cursor)
    versions = _versions(post)
    # Only the last version speaks for the post: an earlier one, read late, must not undo the edit.
    edited = len(versions) > 1 and _id(post.get("id")) == versions[-1]
    return Heard(mention, cursor, edited)


_LEADING_HANDLES: Final = re.compile(r"^(?:@\w+\s+)+")
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)


def _bare(text: str) -> str:
    """Words by which a reply is known again: X puts handles before them and rewrites links."""
    plain = _SCHEME.sub("", _LEADING_HANDLES.sub("", unicodedata.normalize("NFC", text).strip()))
    return " ".join(plain.split())


# ── lists, read backwards and given forwards ─────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of a list that X gives newest first; ``next`` is the token of the one before it in time.

    ``ids`` are those of all its posts, in numbers, whichever of them are wanted.
    """

    posts: Sequence[Record]
    company: _Company
    next: str | None
    ids: Sequence[int]

    @classmethod
    def of(cls, answer: _Answer) -> "_Page":
        """Read from an answer. Raises `Trouble` when it is no list."""
        data = answer.body.get("data", [])
        if not isinstance(data, list) or ("data" not in answer.body and "meta" not in answer.body):
            raise Trouble("X answered with something that is no list of posts")
        token = _record(answer.body.get("meta")).get("next_token")
        posts = _records(data)
        ids = [int(post_id) for post in posts if (post_id := _id(post.get("id")))]
        return cls(posts, _Company.of(answer.body), token if isinstance(token, str) else None, ids)


FetchPage = Callable[[Mapping[str, Any]], Awaitable[_Page]]


@dataclass(frozen=True, slots=True)
class _List:
    """Something to page back through; ``beyond``: only where the list before it may have ended too early."""

    fetch: FetchPage
    searches: bool = True
    beyond: bool = False


@dataclass(slots=True)
class _Descent:
    """One way back to a position that is not finished yet."""

    since: str
    found: dict[str, Heard | Unreadable] = field(default_factory=dict)
    at: int = 0
    token: str | None = None
    seen: int = 0
    oldest: int = 0
    newest: int = 0
    until: int = 0
    searched_from: str = ""

    def next_list(self, lists: Sequence[_List]) -> None:
        """Go on to the next list that there is a reason to read."""
        self.at, self.until = self.at + 1, self.oldest
        while self.at < len(lists) and lists[self.at].beyond and self.seen < SURELY_ENDED:
            self.at += 1


class _Backwards:
    """Fetches one page a look, back to a position, and then gives everything, oldest first.

    What was read is kept when a fault comes between, so that a long way back is finished in the end
    however little X allows at a time.
    """

    def __init__(self, name: str, own_id: Callable[[], Awaitable[str]], clock: Clock) -> None:
        self.name = name
        self.lost = ""
        self._own_id = own_id
        self._clock = clock
        self._descent = _Descent("")

    async def swept(self, cursor: str | None, lists: Sequence[_List]) -> Swept:
        """The next step: more to come, or everything after the position."""
        if not _id(cursor):
            return only_position(await self._now(lists))
        if self._descent.since != cursor:
            self._descent = _Descent(_id(cursor))
        way = self._descent
        try:
            page = await lists[way.at].fetch(self._question(way, lists[way.at]))
        except TooMany:
            if not way.found:
                raise
            return Swept(self._given(way, proven=False), more=True)
        except _Rejected:
            self._descent = _Descent("")
            raise
        self._take_in(way, page, await self._own_id())
        if page.next is None:
            way.next_list(lists)
        if way.at < len(lists):
            return Swept([], more=True)
        self._descent = _Descent("")
        return Swept(self._given(way, proven=True))

    async def _now(self, lists: Sequence[_List]) -> str:
        newest = 0
        for one in lists:
            if not one.beyond:
                page = await one.fetch({"max_results": LOOK[self.name]})
                newest = max(newest, *page.ids, 0)
        # Where there is nothing at all, any id of the past will do, and one that X's clock has passed.
        return str(newest) if newest else _first_id_at(self._clock.now() - timedelta(hours=1))

    def _question(self, way: _Descent, one: _List) -> Mapping[str, Any]:
        if one.searches and not way.searched_from:
            way.searched_from = self._as_far_back_as_search_goes(way.since)
        since = way.searched_from if one.searches else way.since
        asked: dict[str, Any] = {"max_results": PAGE, "since_id": since}
        if one.beyond:
            asked["until_id"] = str(way.until)
        if way.token is not None:
            asked["next_token" if one.searches else "pagination_token"] = way.token
        return asked

    def _as_far_back_as_search_goes(self, since: str) -> str:
        earliest = self._clock.now() - SEARCHES_BACK
        if _written_at(since) >= earliest:
            return since
        self.lost = (
            f"what was said from {_written_at(since):%Y-%m-%d %H:%M} to {earliest:%Y-%m-%d %H:%M UTC} may be "
            f"lost: X shows {SHOWS_AT_MOST} mentions and searches 7 days back"
        )
        log.warning("mentions may be lost", path=self.name, why=self.lost)
        return _first_id_at(earliest)

    def _take_in(self, way: _Descent, page: _Page, own_id: str) -> None:
        for post in page.posts:
            post_id = _id(post.get("id"))
            key = post_id or f"odd {len(way.found)}"
            way.found[key] = _heard(post, page.company, own_id, post_id, self.name)
        if page.ids:
            way.oldest = min(page.ids)
            way.newest = max(way.newest, *page.ids)
        way.seen += len(page.ids)
        way.token = page.next

    def _given(self, way: _Descent, *, proven: bool) -> list[Entry]:
        in_order = sorted(way.found.values(), key=lambda entry: int(entry.cursor or 0))
        way.found = {}
        if not proven:
            return [replace(entry, cursor="") for entry in in_order]
        # The newest may have been given before, without a position.
        return [*in_order, Reached(str(way.newest))] if way.newest else [*in_order]


class _SaidSweep(SweepPath):
    """A sweep whose state also says what could not be read any more."""

    def __init__(
        self, back: _Backwards, fetch: Callable[[str | None], Awaitable[Swept]], **more: Any
    ) -> None:
        super().__init__(back.name, fetch, **more)
        self._back = back

    def state(self) -> PathState:
        """How well it hears, and what it lost."""
        state = super().state()
        return replace(state, words=f"{state.words}; {self._back.lost}") if self._back.lost else state


class _RuledStream(StreamPath):
    """The filtered stream. Our rules keep reposts and our own posts from it: that makes it no deaf one."""

    own_id = ""

    def compare(self, entries: Sequence[Entry]) -> None:
        """Hear what a sweep heard and the rules ask for."""
        heard = [one for one in entries if isinstance(one, Heard)]
        asked = [one for one in heard if not one.mention.repost_of and one.mention.author.id != self.own_id]
        super().compare(asked)


# ── the platform ─────────────────────────────────────────────────────────────────────────────────


def connect(setup: Setup) -> "X":
    """X, ready to be used; nothing is sent yet.

    Raises:
        NotConnected: keys are missing; the error names the variable.
    """
    return X(setup)


class X:
    """X, both directions. ``access``: ``bearer_token``, the four keys of OAuth 1.0a (X15), ``api_url``."""

    name = "x"
    read_lag = timedelta(seconds=15)

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._clock = setup.clock
        self._user = _has_user_keys(setup)
        self._bearer = setup.access.get("bearer_token", "")
        if not self._user:
            self._bearer = setup.needed("bearer_token", variable="HEARD_X__BEARER_TOKEN")
        self._handles = sorted(h for h in setup.handles if re.fullmatch(r"\w{1,15}", h, re.ASCII))
        if not self._user and not self._handles:
            raise NotConnected(
                "X does not say whose mentions to read", fix="add the brand's X handle, or the four user keys"
            )
        host = setup.access.get("api_url") or HOST
        self._client = _Client(host, self._bearer or None, *(setup.access.get(key) for key in USER_KEYS))
        self._stream = _Streaming(host, self._bearer)
        secret = setup.access.get("api_key") or self._bearer
        self._account = f"x:{hashlib.sha256(secret.encode()).hexdigest()[:12]}"
        cents = setup.cents_per_day
        cap = None if cents is None else cents * 10
        self._meter = _Meter(setup.budget, self._account, cap, self._clock)
        self._manners = setup.manners or MANNERS
        self._crowded = 0
        self._me: tuple[str, str] | None = None
        self._asking_own = asyncio.Lock()
        self._paths = self._listening() if setup.listen else ()

    @property
    def paths(self) -> Sequence[Path]:
        """The stream first when it is on, the mentions, and a search for what the stream missed."""
        return self._paths

    @property
    def can_post(self) -> bool:
        """Only with the four keys of a user."""
        return self._user

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()
        await self._stream.close()

    # ── listening ────────────────────────────────────────────────────────────────────────────────

    def _listening(self) -> tuple[Path, ...]:
        if not (self._setup.stream and self._bearer):
            return (self._sweep("mentions", self._mention_lists, self._setup.every or EVERY, None),)
        sweeps: list[SweepPath] = []

        def wake() -> None:
            for sweep in sweeps:
                sweep.wake()

        stream = _RuledStream(
            "stream",
            self._open_stream,
            account=self._account,
            clock=self._clock,
            budget=self._setup.budget,
            manners=self._manners,
            on_connected=wake,
        )
        sweeps += [
            self._sweep("mentions", self._mention_lists, self._setup.every or EVERY, stream),
            self._sweep("search", self._search_lists, self._setup.every or SEARCH_EVERY, stream),
        ]
        return (stream, *sweeps)

    def _sweep(
        self,
        name: str,
        lists: Callable[[], Awaitable[Sequence[_List]]],
        every: timedelta,
        beside: "_RuledStream | None",
    ) -> SweepPath:
        back = _Backwards(name, self._own_id, self._clock)

        async def look(cursor: str | None) -> Swept:
            swept = await back.swept(cursor, await lists())
            if beside is not None:
                beside.own_id = await self._own_id()
            return swept

        return _SaidSweep(back, look, every=every, clock=self._clock, beside=beside)

    async def _mention_lists(self) -> Sequence[_List]:
        """The account's mentions, and a search for them where that list ends before the position."""
        own_id, handle = await self._own()
        # Its own mentions are cheap only for the user itself.
        price = PRICES.owned if self._user else PRICES.post
        query = f"@{handle} -is:retweet"
        return [
            _List(self._pages(MENTIONS, price, self._client.get_users_mentions, own_id), searches=False),
            _List(self._pages(SEARCHES, PRICES.post, self._client.search_recent_tweets, query), beyond=True),
        ]

    async def _search_lists(self) -> Sequence[_List]:
        """What the stream is asked for, by the same rules."""
        _, handle = await self._own()
        search = self._client.search_recent_tweets
        return [
            _List(self._sifted(self._pages(SEARCHES, PRICES.post, search, rule), self._words(handle)))
            for rule in self._rules(handle)
        ]

    def _sifted(self, fetch: FetchPage, words: Words) -> FetchPage:
        async def wanted(asked: Mapping[str, Any]) -> _Page:
            page = await fetch(asked)
            own_id = await self._own_id()
            posts = [post for post in page.posts if _is_wanted(post, page.company, own_id, words)]
            return replace(page, posts=posts)

        return wanted

    def _pages(
        self, limit: Limit, price: int, ask: Callable[..., Awaitable[_Answer]], about: str
    ) -> FetchPage:
        async def fetch(asked: Mapping[str, Any]) -> _Page:
            return await self._page(limit, price, ask, about, asked)

        return fetch

    async def _page(
        self,
        limit: Limit,
        price: int,
        ask: Callable[..., Awaitable[_Answer]],
        about: str,
        asked: Mapping[str, Any],
        *,
        listening: bool = True,
    ) -> _Page:
        # No more than the money reaches for: a page of search costs half a dollar.
        least = min(LEAST, asked["max_results"])
        room = await self._meter.room(price, least=least, listening=listening)
        size = {"max_results": min(asked["max_results"], room)}
        answer = await self._read(
            limit,
            lambda: ask(about, user_auth=self._user, **{**asked, **size}, **FULL_POSTS),
            listening=listening,
        )
        page = _Page.of(answer)
        await self._meter.read(map(str, page.ids), price)
        return page

    def _words(self, own_handle: str) -> Words:
        return Words((*self._setup.words, *self._handles, own_handle))

    def _rules(self, own_handle: str) -> list[str]:
        """What to listen for, in as few rules as X's length for one allows; a word too long is left out."""
        handles = sorted({own_handle, *self._handles})
        end = " -is:retweet" + "".join(f" -from:{handle}" for handle in handles)
        plain = [" ".join(re.sub(r'["\\]', " ", word).split()) for word in self._setup.words]
        wanted = [f"@{handle}" for handle in handles] + [f'"{word}"' for word in plain if word]
        rules: list[str] = []
        for one in dict.fromkeys(wanted):
            longer = f"{rules[-1][1 : rules[-1].rindex(')')]} OR {one}" if rules else ""
            if rules and len(longer) + len(end) + 2 <= LONGEST_RULE:
                rules[-1] = f"({longer}){end}"
            elif len(one) + len(end) + 2 <= LONGEST_RULE:
                rules.append(f"({one}){end}")
        return rules

    async def _sync_rules(self) -> None:
        """Make our rules at X what they should be; others' are left alone."""
        _, handle = await self._own()
        wanted = set(self._rules(handle))
        answer = await self._read(RULES_ASKED, self._stream.get_rules)
        ours = [
            rule for rule in _records(answer.body.get("data")) if _text(rule.get("tag")).startswith(OUR_RULES)
        ]
        stale = [_id(rule.get("id")) for rule in ours if rule.get("value") not in wanted]
        missing = sorted(wanted - {rule.get("value") for rule in ours})
        if stale:
            await self._read(RULES_ASKED, lambda: self._stream.delete_rules([one for one in stale if one]))
        if missing:
            tag = f"{OUR_RULES}{self._setup.brand}"
            rules = [StreamRule(value=value, tag=tag) for value in missing]
            await self._read(RULES_ASKED, lambda: self._stream.add_rules(rules))

    @asynccontextmanager
    async def _open_stream(self, _cursor: str | None) -> AsyncIterator[AsyncIterator[Entry | Sign]]:
        await self._meter.room(PRICES.post, listening=True)
        await self._sync_rules()
        async with self._stream.connected() as lines:
            if isinstance(lines, _Answer):
                raise await self._refused(lines)
            self._crowded = 0
            yield self._entries(lines)

    async def _refused(self, answer: _Answer) -> Fault:
        if _says_occupied(answer.body):
            return await self._free_the_slot()
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS and _reset(answer) is None:
            self._crowded += 1
            after = min(MINUTE * 2 ** (self._crowded - 1), QUARTER)
            return TooMany("X takes no more connects for a while", after=after)
        return _fault(answer, self._clock.now())

    async def _free_the_slot(self) -> Fault:
        """A connection that died without X's noticing holds the only slot for up to a day, if it is let."""
        try:
            # https://docs.x.com/x-api/connections: the filtered stream's connections, and no others.
            await self._read(CONNECTIONS, self._end_connections)
        except Fault as fault:
            return TooMany(
                f"another connection holds X's only stream, and will not go: {fault}", after=MINUTE
            )
        return TooMany("another connection held X's only stream; it was ended", after=self._manners.gap)

    async def _end_connections(self) -> _Answer:
        answer: _Answer = await self._stream.request("DELETE", "/2/connections/filtered_stream")
        return answer

    async def _entries(self, lines: AsyncIterator[bytes]) -> AsyncIterator[Entry | Sign]:
        own_id, handle = await self._own()
        words = self._words(handle)
        async for line in lines:
            if not line:
                yield Sign.OF_LIFE
                continue
            try:
                body = _parsed(line)
            except ValueError as error:
                yield Unreadable("stream", line.decode(errors="replace"), f"no JSON: {error}"[:200], "")
                continue
            if "data" not in body and _records(body.get("errors")):
                raise await self._refused(_Answer(HTTPStatus.SERVICE_UNAVAILABLE, {}, body))
            post = _record(body.get("data"))
            if not post:
                yield Unreadable("stream", line.decode(errors="replace"), "it is no post", "")
                continue
            await self._meter.read([_id(post.get("id"))], PRICES.post)
            company = _Company.of(body)
            wanted = _is_ours(body) and _is_wanted(post, company, own_id, words)
            yield _heard(post, company, own_id, "", "stream") if wanted else Sign.OF_LIFE
            await self._meter.room(PRICES.post, listening=True)

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    async def _read(
        self, limit: Limit, ask: Callable[[], Awaitable[_Answer]], *, listening: bool = True
    ) -> _Answer:
        """Ask once, within what X and the brand allow. Raises `Fault` for every answer but 2xx."""
        await self._meter.room(PRICES.owned, listening=listening)
        wait = await self._setup.budget.take(self._account, [limit])
        if wait is not None:
            words = f"X allows {limit.amount} {limit.name} in {limit.per.total_seconds() / 60:g} minutes"
            raise TooMany(f"{words}, and they are used up", after=wait)
        answer = await ask()
        await self._note_limits(limit, answer)
        if not answer.ok:
            raise _fault(answer, self._clock.now())
        return answer

    async def _note_limits(self, limit: Limit, answer: _Answer) -> None:
        left, until = answer.headers.get("x-rate-limit-remaining", ""), _reset(answer)
        if left.isdecimal() and until is not None:
            await self._setup.budget.told(self._account, limit, left=int(left), until=until)

    async def _own_id(self) -> str:
        return (await self._own())[0]

    async def _own(self) -> tuple[str, str]:
        """Id and handle of the account that is listened for; asked once, as it costs."""
        async with self._asking_own:
            if self._me is None:
                profile = _profile(await self._ask_own())
                self._me = (profile.id, profile.handle)
            return self._me

    async def _ask_own(self) -> _Answer:
        fields = ["description", "name", "username"]
        if self._user:
            answer = await self._read(USERS, lambda: self._client.get_me(user_fields=fields), listening=False)
        else:
            handle = self._handles[0]
            answer = await self._read(
                USERS, lambda: self._client.get_user(username=handle, user_fields=fields), listening=False
            )
        user = _record(answer.body.get("data"))
        if not _id(user.get("id")) or not _text(user.get("username")):
            raise Trouble(f"X does not say who the account is: {answer.detail}")
        await self._meter.read([f"user {_id(user.get('id'))}"], PRICES.user)
        return answer

    # ── what is there now ────────────────────────────────────────────────────────────────────────

    async def reread(self, mention: Mention) -> Present | Gone:
        """The mention as it is now: its latest version. May raise `Fault`."""
        return (await self.reread_all([mention]))[0]

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """A hundred a call, and one more where some were edited. May raise `Fault`."""
        latest = await self._latest([mention.id for mention in mentions])
        return [
            Gone() if post is None else Present(_written(post))
            for post in (latest[mention.id] for mention in mentions)
        ]

    async def _latest(self, ids: Sequence[str]) -> dict[str, Record | None]:
        """The last version of each post by the id of its first; None for what is gone."""
        found = await self._posts(ids)
        last = {post_id: _versions(post)[-1] for post_id, post in found.items() if post is not None}
        later = await self._posts([version for post_id, version in last.items() if version != post_id])
        return {post_id: later.get(last.get(post_id, ""), found[post_id]) for post_id in ids}

    async def _posts(self, ids: Sequence[str]) -> dict[str, Record | None]:
        wanted = list(dict.fromkeys(ids))
        found: dict[str, Record | None] = {}
        for start in range(0, len(wanted), PAGE):
            found |= await self._some_posts(wanted[start : start + PAGE])
        return found

    async def _some_posts(self, ids: list[str]) -> dict[str, Record | None]:
        answer = await self._read(
            LOOKUPS,
            lambda: self._client.get_tweets(ids, user_auth=self._user, **FULL_POSTS),
            listening=False,
        )
        found: dict[str, Record | None] = {
            _id(post.get("id")): post for post in _records(answer.body.get("data"))
        }
        await self._meter.read(list(found), PRICES.post)
        gone = {_gone(error) for error in _records(answer.body.get("errors"))}
        silent = [one for one in ids if one not in found and one not in gone]
        if silent:
            raise Trouble(f"X does not say what became of {len(silent)} posts")
        return {one: found.get(one) for one in ids}

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """A reply from the brand's own timeline that is none of ours. May raise `Fault`."""
        replies = await self._own_replies(mention)
        return next((reply_id for reply_id in map(_first, replies) if reply_id not in ours), None)

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """Our reply by its words, which are the mention's alone. May raise `Fault`."""
        wanted = _bare(outgoing.text)
        for post in await self._own_replies(mention):
            if _bare(_written(post)) == wanted:
                return Posted(_first(post), _created_at(post, _first(post)))
        return None

    async def _own_replies(self, mention: Mention) -> list[Record]:
        """What the account has posted to any version of the mention since, oldest first."""
        if not self._user:
            return []
        original = (await self._posts([mention.id]))[mention.id]

        def answers(post: Record) -> bool:
            parent = _referenced(post, "replied_to")
            if original is not None:
                return parent in {mention.id, *_versions(original)}
            # What is gone does not tell its versions any more: the conversation is all that is left.
            return bool(parent) and _id(post.get("conversation_id")) in (mention.conversation, mention.id)

        own_id = await self._own_id()
        asked: dict[str, Any] = {"max_results": PAGE, "since_id": mention.id}
        found: list[Record] = []
        while True:
            page = await self._page(
                TIMELINE, PRICES.owned, self._client.get_users_tweets, own_id, asked, listening=False
            )
            found += filter(answers, page.posts)
            if page.next is None:
                return [post for post in reversed(found) if _first(post)]
            asked["pagination_token"] = page.next

    # ── replying ─────────────────────────────────────────────────────────────────────────────────

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """POST once, to the latest version of the mention (X11), exactly the text. Never raises."""
        if not self._user:
            return Refused("no account on X is connected that may post")
        departure = Departure()
        try:
            async with asyncio.timeout(LOOK_BEFORE_S):
                latest = (await self._latest([mention.id]))[mention.id]
        except Fault as fault:
            return Busy(str(fault), fault.after)
        except TimeoutError:
            return Busy("X took too long to show the post", SOON)
        if latest is None:
            return Refused("the author deleted the post; nothing was published")
        held_back = await self._held_back(mention, outgoing)
        if held_back is not None:
            return held_back
        try:
            departure.check()
        except Fault as fault:
            return Busy(str(fault), fault.after)
        try:
            answer: _Answer = await self._client.create_tweet(
                in_reply_to_tweet_id=_id(latest.get("id")), text=outgoing.text, user_auth=True
            )
        except _Unreached as fault:
            return Busy(str(fault), fault.after)
        except Fault as fault:
            return Unknown(str(fault))
        await self._note_limits(REPLIES, answer)
        return self._fate(answer, _id(latest.get("id")), outgoing.text)

    async def _held_back(self, mention: Mention, outgoing: Outgoing) -> Busy | None:
        """What keeps the reply for now: X's limits for replies (X10), or the brand's for money (X8)."""
        wait = await self._setup.budget.take(self._account, [REPLIES, REPLIES_LONG])
        if wait is not None:
            return Busy("X takes 100 replies in 15 minutes and 300 in 3 hours; this one waits (X10)", wait)
        price = PRICES.summoned_reply if mention.addressed else PRICES.reply
        return await self._meter.afford(PRICES.reply_with_link if links(outgoing.text) else price)

    def _fate(self, answer: _Answer, answered_id: str, text: str) -> Fate:
        data = _record(answer.body.get("data"))
        status, posted = answer.status, _id(data.get("id"))
        if answer.ok:
            # Ids rise with time: one that is no higher is of another post, and so is one with other words.
            if posted and int(posted) > int(answered_id or 0) and _begins_as(data.get("text"), text):
                return Posted(posted, self._clock.now())
            return Unknown("X did not say what it posted")
        if status == HTTPStatus.FORBIDDEN and "duplicate content" in answer.detail.lower():
            # The text is the mention's alone, so this can only be an earlier attempt that arrived.
            return Unknown("X has this text already: an earlier attempt may have arrived")
        if status in (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.PAYMENT_REQUIRED,
            HTTPStatus.TOO_MANY_REQUESTS,
        ):
            fault = _fault(answer, self._clock.now())
            return Busy(str(fault), fault.after)
        if status == HTTPStatus.REQUEST_TIMEOUT:
            return Unknown("X gave up waiting")
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Refused(f"X refused it: {answer.detail}")
        return Unknown(f"X answered {status}")

    async def take_back(self, reply_id: str) -> None:
        """Delete a reply of ours; X takes all its versions. May raise `Fault`."""
        try:
            answer = await self._read(
                DELETIONS, lambda: self._client.delete_tweet(reply_id, user_auth=True), listening=False
            )
        except _Rejected as rejected:
            if rejected.status != HTTPStatus.NOT_FOUND:
                raise
            return
        await self._meter.spend(PRICES.deletion)
        if _record(answer.body.get("data")).get("deleted") is not True:
            raise Trouble(f"X did not delete it: {answer.detail}")

    # ── the account ──────────────────────────────────────────────────────────────────────────────

    async def profile(self) -> Profile | None:
        """The account of the user keys. ``labelled`` by its description: X's own label "Automated" is in
        no field of its API, so only what people can read there counts. May raise `Fault`.
        """
        return _profile(await self._ask_own()) if self._user else None

    async def examine(self) -> Sequence[Finding]:
        """Login, permission to write, clock, label, stream, money. Never raises `Fault`."""
        findings = [self._stream_finding(), await self._money_finding()]
        try:
            answer = await self._ask_own()
        except Fault as fault:
            fix = getattr(fault, "fix", "") or "see what it says, and run heard doctor again"
            return [Finding("login", "bad", str(fault), fix), *findings]
        return [*self._login_findings(answer), self._clock_finding(answer), *findings]

    def _login_findings(self, answer: _Answer) -> list[Finding]:
        profile = _profile(answer)
        if not self._user:
            words = f"listens for @{profile.handle} and cannot reply"
            return [Finding("login", "ok", words, "set the four user keys of HEARD_X__ to reply")]
        label = Finding("label", "ok", "the description says that replies are automatic (X6)")
        if not profile.labelled:
            label = Finding(
                "label",
                "warn",
                "the description does not say that replies may be automatic (X6)",
                'switch on the label "Automated" in X\'s account settings and say so in the description',
            )
        return [Finding("login", "ok", f"as @{profile.handle}"), _scope_finding(answer), label]

    def _clock_finding(self, answer: _Answer) -> Finding:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            return Finding(
                "clock", "warn", "X does not tell its time", "compare this machine's clock by hand"
            )
        apart = abs(theirs.astimezone(UTC) - self._clock.now())
        if apart < SKEW:
            return Finding("clock", "ok", "agrees with X's")
        words = f"this machine's clock is {apart.total_seconds():.0f} s away from X's: signatures may fail"
        return Finding("clock", "warn", words, "set the clock by NTP, for example: timedatectl set-ntp true")

    def _stream_finding(self) -> Finding:
        if self._setup.stream and not self._bearer:
            words = "only mentions are heard: the stream needs a bearer token"
            return Finding("stream", "warn", words, "set HEARD_X__BEARER_TOKEN, or switch the stream off")
        return Finding(
            "stream", "ok", "on" if self._setup.stream else "off: mentions alone are cheapest (X8)"
        )

    async def _money_finding(self) -> Finding:
        cap = self._meter.cap
        if cap is None:
            return Finding("budget", "ok", "no cap for what X may cost a day")
        spent = await self._meter.spent()
        words = f"{spent / 1000:.2f} of {cap / 1000:.2f} USD spent in 24 hours (X8)"
        if spent * 10 < cap * 8:
            return Finding("budget", "ok", words)
        return Finding("budget", "warn", words, "raise the cap for X, or switch its stream off")


def _has_user_keys(setup: Setup) -> bool:
    """Whether all four are there. Raises `NotConnected` when only some are."""
    given = [key for key in USER_KEYS if setup.access.get(key)]
    if given:
        for key in USER_KEYS:
            setup.needed(key, variable=f"HEARD_X__{key.upper()}")
    return bool(given)


def _first(post: Record) -> str:
    return _versions(post)[0]


def _gone(error: Record) -> str:
    """The id of a post that X says is not to be seen any more; empty when it says something else."""
    kind = _text(error.get("type"))
    is_gone = kind.endswith(("/resource-not-found", "/not-authorized-for-resource"))
    return (_id(error.get("resource_id")) or _id(error.get("value"))) if is_gone else ""


def _says_occupied(body: Record) -> bool:
    told = [body, *_records(body.get("errors"))]
    return any(_text(one.get("connection_issue")) == "TooManyConnections" for one in told)


def _begins_as(said: object, text: str) -> bool:
    """Whether a post that X shows may be ours by its first words; X rewrites links and cuts long texts."""
    begins = itertools.takewhile(lambda word: not links(word), text.split())
    ours = " ".join(itertools.islice(begins, FIRST_WORDS))
    theirs = " ".join(html.unescape(said).split()) if isinstance(said, str) else ""
    return unicodedata.normalize("NFC", ours) in unicodedata.normalize("NFC", theirs)


def _is_ours(body: Record) -> bool:
    """Whether one of our rules asked for it: others of the same application have theirs."""
    rules = _records(body.get("matching_rules"))
    return not rules or any(_text(rule.get("tag")).startswith(OUR_RULES) for rule in rules)


def _is_wanted(post: Record, company: _Company, own_id: str, words: Words) -> bool:
    """Whether it speaks to the brand or names it: X also finds words inside what it takes apart."""
    return _addresses(post, company, own_id) or words.within(_written(post)) or not _id(post.get("id"))


_SAYS_AUTOMATIC: Final = re.compile(
    r"\b(bots?|automat\w*|automatis\w*|automatiz\w*|autom[aá]tic\w*|geautomatiseerd\w*)\b|自動|자동|автомат",
    re.IGNORECASE,
)


def _profile(answer: _Answer) -> Profile:
    user = _record(answer.body.get("data"))
    says = _text(user.get("description"))
    labelled = _SAYS_AUTOMATIC.search(says) is not None
    return Profile(_id(user.get("id")), _text(user.get("username")), labelled, says)


def _scope_finding(answer: _Answer) -> Finding:
    level = answer.headers.get("x-access-level", "")
    if level == "read":
        fix = 'set the app to "Read and write" at https://developer.x.com, then make a new access token'
        return Finding("permission", "bad", "the access token may only read", fix)
    return Finding("permission", "ok", f"the access token may {level or 'do what its app may'}")
