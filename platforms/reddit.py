"""Reddit, both directions: sweeps of the inbox and of communities, comments under posts. There is no stream.

Works through praw, in threads, with everything off that praw does by itself (`_Requestor`): with an answer
lost, praw alone posts three times. Reddit must have approved the use (R1). Where it lets the account
comment is decided elsewhere (`platforms.rules`, R3): this listens wherever it is told to, and never posts
by itself.
"""

import asyncio
import hashlib
import io
import json
import logging
import math
import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import praw
import prawcore
import requests
import structlog
from prawcore.const import ACCESS_TOKEN_PATH
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms.departure import Departure
from platforms.faults import LATER, SOON, Fault, Forbidden, Offline, Revoked, TooMany, Trouble
from platforms.limits import Limit
from platforms.listening import SweepPath, Swept
from platforms.platform import (
    Busy,
    Entry,
    Fate,
    Finding,
    Gone,
    Heard,
    PathState,
    Posted,
    Present,
    Profile,
    Reached,
    Refused,
    Removed,
    Unknown,
    Unreadable,
)
from platforms.private_files import write_private
from platforms.setup import NotConnected, Setup
from platforms.words import Words

log = structlog.get_logger(__name__)
T = TypeVar("T")

# At DEBUG it writes down the whole of what is posted.
logging.getLogger("prawcore").setLevel(logging.INFO)

SITE: Final = "https://www.reddit.com"
API: Final = "https://oauth.reddit.com"
ASK_FOR_APPROVAL: Final = "https://support.reddithelp.com/hc/en-us/articles/42728983564564"

# Reddit counts for each registered application, over all who use it (R2). Listening and looking leave a
# tenth to the replies themselves.
_SOURCE: Final = "r/modnews, 2023-07-01: 100 a minute for each client id"
_MINUTE: Final = timedelta(minutes=1)
ALL: Final = Limit("all", 100, _MINUTE, _SOURCE)
LISTENING: Final = (ALL, Limit("listening", 60, _MINUTE, _SOURCE))
LOOKING: Final = (ALL, Limit("looking", 30, _MINUTE, _SOURCE))
REPLYING: Final = (ALL,)

EVERY: Final = timedelta(seconds=30)
PAGE: Final = 100
CEILING: Final = 1_000
"""How far back Reddit's lists go."""
_SEARCH_CEILING: Final = 250  # Of searches; believed, as it is written nowhere.
_FULL: Final = 0.9  # What was removed is missing from a list that is cut off at its ceiling.
OVERLAP: Final = timedelta(minutes=15).total_seconds()
"""How long after its time a post may appear: one that moderators approve comes late, with its old time."""
_DEEP: Final = 10  # Every so many looks the whole of the overlap is read; between them, the first page.

SCOPES: Final = ("identity", "read", "privatemessages", "submit", "edit", "history")
SKEW: Final = timedelta(seconds=30)
_TIMEOUTS: Final = (5, 10)
_THREADS: Final = 4
_RENEWED_BEFORE: Final = timedelta(minutes=1)
_NOBODY: Final = ("[deleted]", "[removed]")
_ROBOTS: Final = frozenset({"automoderator"})


def connect(setup: Setup) -> "RedditPlatform":
    """Reddit as set up; nothing is sent yet.

    Raises:
        NotConnected: without Reddit's approval (R1), or with a setting that is missing or wrong.
    """
    if not setup.approval:
        raise NotConnected(
            "Reddit wants its approval before any use of its API (rule R1)",
            fix=f"ask at {ASK_FOR_APPROVAL}, and set platforms.reddit.approval_reference in brand.yaml",
        )
    return RedditPlatform(setup)


# ── the wire ─────────────────────────────────────────────────────────────────────────────────────


class _SaidError(Exception):
    """Reddit answered with another status than success; ``words`` are its own, if it gave any."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.words = _words_of(response) or f"status {self.status}"
        self.after = _after(response.headers)
        super().__init__(f"{self.status}: {self.words}")


class _SilentError(Exception):
    """Nothing came back, or nothing that can be read: what was sent may have arrived."""


class _Adapter(HTTPAdapter):
    """Gives a connection up whose other end is gone, also while it sends."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        options = list(HTTPConnection.default_socket_options)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000))
        super().init_poolmanager(*args, socket_options=options, **kwargs)


class _Login(msgspec.Struct, frozen=True):
    """Reddit's answer to a login as it lies on disk, for whom it is, and until when it holds."""

    whose: str
    until: datetime
    answer: str


class _KeptLogin:
    """One login for all restarts: a token holds for hours, whatever starts again meanwhile."""

    def __init__(self, setup: Setup, whose: Sequence[str]) -> None:
        self._clock = setup.clock
        self._file = setup.folder / "login.json"
        self._whose = hashlib.sha256("\n".join(whose).encode()).hexdigest()

    def answer(self) -> bytes | None:
        """What Reddit answered to the last login, with what is left of its time; None when it is over."""
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Login)
            answer = json.loads(kept.answer)
        except (OSError, ValueError, RecursionError):
            return None
        left = int((kept.until - self._clock.now()).total_seconds())
        if kept.whose != self._whose or left <= 0:
            return None
        return json.dumps({**answer, "expires_in": left}).encode()

    def keep(self, answer: bytes) -> None:
        """Keep what Reddit answered to a login, if it is one."""
        try:
            lasts = timedelta(seconds=int(json.loads(answer)["expires_in"]))
            kept = _Login(self._whose, self._clock.now() + lasts - _RENEWED_BEFORE, answer.decode())
            write_private(self._file, msgspec.json.encode(kept))
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            # The login itself is fine, or praw will say what is not: the next start asks again.
            log.warning("login not kept", platform="reddit", error=type(error).__name__)

    def forget(self) -> None:
        """Reddit does not take it any more."""
        with suppress(OSError):
            self._file.unlink(missing_ok=True)


class _Requestor(prawcore.Requestor):
    """Sends each request once, to where it was addressed, and never sleeps. A login that is kept is not sent.

    praw repeats what was answered with 401 or 5xx or not at all, POSTs too; it never sees such answers.
    It also sleeps before a request, up to ten minutes, by the limits that Reddit tells: a reply would
    leave long after its deadline. Those headers go to the budget instead, and praw does not see them.
    """

    def __init__(self, *, told: Callable[[Mapping[str, str]], None], kept: _KeptLogin, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._told = told
        self._kept = kept

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """One request; raises `_SilentError` or `_SaidError` for anything but success."""
        logs_in = str(kwargs.get("url", args[-1])).endswith(ACCESS_TOKEN_PATH)
        kept = self._kept.answer() if logs_in else None
        if kept is not None:
            return _as_response(kept)
        response = self._ask(*args, **kwargs)
        if logs_in:
            self._kept.keep(response.content)
        return response

    def _ask(self, *args: Any, **kwargs: Any) -> requests.Response:
        sent = {**kwargs, "allow_redirects": False, "timeout": _TIMEOUTS}
        try:
            response = self._http.request(*args, **sent)
        except Exception as error:
            # Whatever the network or the library has: what was sent may have arrived.
            raise _SilentError(f"Reddit does not answer ({type(error).__name__})") from None
        if not str(response.url).endswith(ACCESS_TOKEN_PATH):  # Logins have limits of their own.
            self._told(response.headers)
        if not 200 <= response.status_code < 300:
            raise _SaidError(response)
        for name in ("remaining", "reset", "used"):
            response.headers.pop(f"x-ratelimit-{name}", None)
        return response


def _as_response(body: bytes) -> requests.Response:
    """An answer that was kept, as it would come from the wire."""
    response = requests.Response()
    response.status_code = 200
    response.raw = io.BytesIO(body)
    return response


class _Wire:
    """One application's line to Reddit, for use in threads."""

    def __init__(self, setup: Setup, refresh_token: str | None) -> None:
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Adapter())
        # Without it, a ~/.netrc would put its own password in the place of the token.
        self._session.auth = lambda request: request
        # Everything is given, so that no praw.ini or variable lying about adds to it or changes it.
        self._settings: dict[str, Any] = {
            "client_id": setup.needed("client_id", variable="HEARD_REDDIT__CLIENT_ID"),
            "client_secret": setup.needed("client_secret", variable="HEARD_REDDIT__CLIENT_SECRET"),
            "user_agent": setup.needed("user_agent", variable="HEARD_REDDIT__USER_AGENT"),
            "refresh_token": refresh_token,
            "oauth_url": setup.access.get("api_url") or API,
            "reddit_url": setup.access.get("auth_url") or SITE,
            "username": None,
            "password": None,
            "redirect_uri": None,
            "ratelimit_seconds": 0,
            "check_for_updates": False,
            "check_for_async": False,
        }
        self.date = ""
        self._rates: tuple[float, float] | None = None
        whose = (self._settings[name] for name in ("reddit_url", "client_id", "client_secret"))
        self._kept = _KeptLogin(setup, [*whose, refresh_token or ""])
        self._begin()

    def forget_login(self) -> None:
        """Begin anew, without the token of before."""
        self._kept.forget()
        self._begin()

    def _begin(self) -> None:
        self._reddit = praw.Reddit(
            "DEFAULT",
            requestor_class=_Requestor,
            requestor_kwargs={"session": self._session, "told": self._note, "kept": self._kept},
            **self._settings,
        )

    def _note(self, headers: Mapping[str, str]) -> None:
        self.date = headers.get("date", "")
        left, reset = (_number(headers.get(f"x-ratelimit-{name}")) for name in ("remaining", "reset"))
        if left is not None and reset is not None and 0 <= reset <= 3_600:
            self._rates = (left, reset)

    def rates(self) -> tuple[float, float] | None:
        """How many requests Reddit said are left, and for how many seconds; None when it said nothing new."""
        rates, self._rates = self._rates, None
        return rates

    def log_in(self) -> set[str]:
        """What the login may do; asks for a token where there is none. Raises `Fault`."""
        return self._logged_in(self._reddit)

    def _logged_in(self, reddit: praw.Reddit) -> set[str]:
        try:
            return set(reddit.auth.scopes())
        except _SaidError as said:
            raise _login_fault(said) from None
        except _SilentError as silent:
            raise Offline(str(silent)) from None
        except prawcore.OAuthException as error:
            raise _revoked(_line(error.error)) from None
        except Exception as error:
            raise Trouble(f"Reddit's answer to the login is none ({type(error).__name__})") from None

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str | int] | None = None,
        data: dict[str, str] | None = None,
        departure: Departure | None = None,
    ) -> Any:
        """What Reddit answers, as JSON; one request, after a login where there is none.

        Raises `Fault` as long as nothing was sent, else `_SaidError` or `_SilentError`.
        """
        reddit = self._reddit
        self._logged_in(reddit)
        if departure is not None:
            departure.check()
        try:
            return reddit.request(method=method, path=path, params=params, data=data)
        except (_SaidError, _SilentError):
            raise
        except Exception as error:
            raise _SilentError(f"Reddit's answer is none ({type(error).__name__})") from None

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()


def _words_of(response: requests.Response) -> str:
    try:
        said = response.json()
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    return next((_line(said[k]) for k in ("explanation", "message", "reason") if said.get(k)), "")


def _line(words: object) -> str:
    """Somebody else's words as one short line."""
    return " ".join(_clean(str(words)).split())[:200]


def _after(headers: Mapping[str, str]) -> timedelta:
    """How long a 429 asks to wait; a minute where it does not say."""
    for name in ("retry-after", "x-ratelimit-reset"):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return timedelta(seconds=min(max(seconds, 1.0), 3_600.0))
    return LATER


_NEW_KEYS: Final = "set HEARD_REDDIT__REFRESH_TOKEN and the keys beside it anew, in .env or the environment"


def _revoked(why: str) -> Revoked:
    return Revoked(f"Reddit refuses the login ({why})", fix=_NEW_KEYS)


def _login_fault(said: _SaidError) -> Fault:
    return _revoked(said.words) if said.status in (400, 401, 403) else _fault(said)


def _fault(said: _SaidError) -> Fault:
    """An answer to a read that is none."""
    match said.status:
        case 401:
            return _StaleToken(f"Reddit refuses the login ({said.words})", fix=_NEW_KEYS)
        case 429:
            return TooMany("Reddit asks for a pause", after=said.after)
        case 403 | 404:
            return Forbidden(f"Reddit does not show this to us ({said.words})")
        case status if 300 <= status < 400:
            return Forbidden("Reddit sends us elsewhere: there is no such community, or it is closed")
        case _:
            return Trouble(f"Reddit answers with errors ({said.status}): {said.words}")


# ── what Reddit's records say ────────────────────────────────────────────────────────────────────


class _StaleToken(Revoked):
    """Reddit does not know the token: it may only be old, and another be had."""


class _OddError(Exception):
    """A record that is no post as Reddit writes them; the message says what is wrong with it."""


class _OddRecord(Trouble):
    """Among the records that were asked for is one that cannot be read: what it is stays unknown."""


@dataclass(frozen=True, slots=True)
class _Post:
    """A comment (t1) or a link or text post (t3); ``gone`` when its author or its words are not there.

    ``to_us``: the inbox says that it speaks to the account. ``under`` is who wrote the post that a
    comment stands directly under, where the record says so.
    """

    id: str
    created: float
    author: Author
    text: str = ""
    gone: bool = False
    parent: str | None = None
    link: str | None = None
    copy_of: str | None = None
    url: str | None = None
    to_us: bool = False
    under: str = ""

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.created, UTC)

    def mention(self, *, addressed: bool) -> Mention:
        return Mention(
            platform="reddit",
            id=self.id,
            author=self.author,
            text=self.text,
            created_at=self.at,
            addressed=addressed,
            in_reply_to=self.parent,
            conversation=self.link,
            cross_post_of=f"reddit:{self.copy_of}" if self.copy_of else None,
            url=self.url,
        )


_FULLNAME: Final = re.compile(r"t[13]_[0-9a-z]+", re.IGNORECASE | re.ASCII)
_PERMALINK: Final = re.compile(r"/(?:r|u|user)/[\w-]+/comments/(\w+)/", re.ASCII)
_TO_US: Final = frozenset({"username_mention", "comment_reply", "post_reply"})


def _post(child: object) -> _Post | None:
    """A record of a list as a post; None for what is no public post: messages, communities, "more".

    Raises `_OddError`.
    """
    if not isinstance(child, dict) or not isinstance(child.get("data"), dict):
        raise _OddError("no record")
    kind, data = child.get("kind"), child["data"]
    if kind not in ("t1", "t3"):
        return None
    created = _number(data.get("created_utc"))
    if created is None or not 0 < created < 2**35:
        raise _OddError("no time")
    fullname = _word(data.get("name")) or f"{kind}_{_word(data.get('id'))}"
    if not _FULLNAME.fullmatch(fullname):
        raise _OddError("no id")
    name = _word(data.get("author"))
    author = Author(
        # Records before 2018 name no account id.
        id=_word(data.get("author_fullname")) or name.lower(),
        handle=name,
        bot=name.lower() in _ROBOTS,
    )
    post = _Post(fullname, created, author, gone=not name or name in _NOBODY)
    return _comment(post, data) if kind == "t1" else _submission(post, data)


def _posts(children: Iterable[object]) -> list[_Post]:
    """The posts among records that must all be readable, as one that is not might be the one that counts.

    Raises `_OddRecord`.
    """
    try:
        return [post for child in children if (post := _post(child)) is not None]
    except _OddError as odd:
        raise _OddRecord(f"Reddit's record of a post is none: {odd}") from None


def _comment(post: _Post, data: Mapping[str, Any]) -> _Post:
    body = data.get("body")
    if not isinstance(body, str):
        raise _OddError("no text")
    path = _path(data.get("permalink")) or _path(data.get("context"))
    found = _PERMALINK.match(path)
    link = _fullname(data.get("link_id")) or (f"t3_{found.group(1)}" if found else None)
    parent = _fullname(data.get("parent_id")) or link
    return replace(
        post,
        text=_clean(body),
        gone=post.gone or body.strip() in _NOBODY,
        parent=parent,
        link=link,
        url=_url(path, link, post.id),
        to_us=data.get("type") in _TO_US,
        under=_word(data.get("link_author")).lower() if parent == link else "",
    )


def _submission(post: _Post, data: Mapping[str, Any]) -> _Post:
    title, words = data.get("title"), data.get("selftext") or ""
    if not isinstance(title, str) or not isinstance(words, str):
        raise _OddError("no text")
    return replace(
        post,
        text=_clean(f"{title}\n\n{words}" if words.strip() else title),
        gone=post.gone or words.strip() in _NOBODY or bool(data.get("removed_by_category")),
        link=post.id,
        copy_of=_fullname(data.get("crosspost_parent")),
        url=_url(_path(data.get("permalink")), post.id, ""),
    )


def _number(value: object) -> float | None:
    """A finite number, also one written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    with suppress(ValueError, OverflowError):
        number = float(value)
        return number if math.isfinite(number) else None
    return None


def _word(value: object) -> str:
    """A name or an id, also one that came as a number; empty for anything else."""
    if isinstance(value, str):
        return _clean(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _fullname(value: object) -> str | None:
    word = _word(value)
    return word if _FULLNAME.fullmatch(word) else None


def _clean(text: str) -> str:
    # JSON can name halves of characters, which no store takes.
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _path(value: object) -> str:
    with suppress(ValueError):
        path = urlsplit(_word(value)).path
        return path if _PERMALINK.match(path) else ""
    return ""


def _url(path: str, link: str | None, comment: str) -> str | None:
    if path:
        return SITE + path
    if link is None:
        return None
    return f"{SITE}/comments/{link[3:]}/_/{comment[3:]}" if comment else f"{SITE}/comments/{link[3:]}"


def _page(answer: object) -> tuple[list[Any], str | None]:
    """The records of one page of a list, and the token of the next. Raises `Trouble`."""
    data = answer.get("data") if isinstance(answer, dict) and answer.get("kind") == "Listing" else None
    children = data.get("children") if isinstance(data, dict) else None
    if data is None or not isinstance(children, list):
        raise Trouble("Reddit's answer is no list")
    return children, _word(data.get("after")) or None


def _times(children: Iterable[object]) -> list[float]:
    """When the records of a page were written, as far as they say."""
    return [time for child in children if (time := _created(child)) is not None]


def _after_page(token: str | None) -> dict[str, str | int]:
    """The parameters of a page of a list: the one after a token, or the first."""
    return {"limit": PAGE, "after": token} if token else {"limit": PAGE}


def _created(child: object) -> float | None:
    data = child.get("data") if isinstance(child, dict) else None
    return _number(data.get("created_utc")) if isinstance(data, dict) else None


# ── where a path stands ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Position:
    """The time of the newest record of a list, and what was heard within the overlap before it.

    All of it is in the cursor and none in the process: what the store did not take must be heard again.
    """

    at: float
    seen: Mapping[str, float] = field(default_factory=dict)

    def moved(self, at: float, heard: Mapping[str, float]) -> "_Position":
        at = max(at, self.at)
        seen = {key: when for key, when in {**self.seen, **heard}.items() if when >= at - OVERLAP}
        newest = sorted(seen.items(), key=lambda item: item[1])[-CEILING:]
        return _Position(at, dict(newest))


def _positions(cursor: str | None) -> dict[str, _Position]:
    """The position in each list of a path; none where the cursor is none of ours."""
    try:
        read = json.loads(cursor or "{}")
        return {name: _Position(float(at), dict(seen)) for name, (at, seen) in read.items()}
    except (AttributeError, TypeError, ValueError):
        log.warning("a cursor cannot be read: listening begins now", platform="reddit")
        return {}


def _cursor(positions: Mapping[str, _Position]) -> str:
    return json.dumps({n: [p.at, dict(p.seen)] for n, p in positions.items()}, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _List:
    """A list of Reddit's, newest first, and how many records it goes back at most."""

    name: str
    path: str
    params: dict[str, str | int] = field(default_factory=dict)
    holds: int = CEILING


class _Sweep(SweepPath):
    """A sweep of lists, which says so when more came than they hold."""

    def __init__(self, name: str, reddit: "RedditPlatform", lists: Sequence[_List], setup: Setup) -> None:
        super().__init__(name, self._look, every=setup.every or EVERY, clock=setup.clock)
        self._reddit = reddit
        self._lists = lists
        self._now = setup.clock.now
        self._looks = 0
        self._missed = ""
        self._missing = False

    def state(self) -> PathState:
        """How well it hears; what it missed for good stays in its words."""
        state = super().state()
        if not self._missed:
            return state
        return replace(state, ok=state.ok and not self._missing, words=f"{state.words}; {self._missed}")

    async def _look(self, cursor: str | None) -> Swept:
        deep = self._looks % _DEEP == 0
        self._missing = False
        before, after = _positions(cursor), dict[str, _Position]()
        entries: list[Entry] = []
        for one in self._lists:
            found, after[one.name] = await self._read(one, before.get(one.name), deep=deep)
            entries += found
        self._looks += 1
        moved = _cursor(after)
        return Swept([*entries, Reached(moved)] if entries or moved != cursor else [])

    async def _read(
        self, one: _List, position: _Position | None, *, deep: bool
    ) -> tuple[list[Entry], _Position]:
        children, reached = await self._pages(one, position, deep=deep)
        if position is not None and not reached and len(children) >= one.holds * _FULL:
            self._missing = True
            self._missed = (
                f"at {self._now():%Y-%m-%d %H:%M} UTC more had come than was read: Reddit shows the last "
                f"{one.holds:,} only; older ones were missed"
            )
            log.error("more came than a list holds", platform="reddit", path=self.name)
        now = self._now().timestamp()
        # A record from the future must not carry the position there, past everything that comes.
        newest = min(max(_times(children), default=now), now + OVERLAP)
        base = position or _Position(newest)
        found = [self._reddit.entry(child, base.seen, f"reddit/{one.name}") for child in reversed(children)]
        fresh = [item for item in found if item is not None and item.created >= base.at - OVERLAP]
        fresh.sort(key=lambda item: item.created)
        base = base.moved(newest, {item.key: item.created for item in fresh})
        if position is None:
            return [], base
        return await self._reddit.entries(fresh), base

    async def _pages(self, one: _List, position: _Position | None, *, deep: bool) -> tuple[list[Any], bool]:
        """The list from its newest record back, and whether it reached what was heard before."""
        children: list[Any] = []
        after: str | None = None
        while True:
            params = _after_page(after) | one.params
            # Only the first page gives way to others: a look that began must end, or none ever would.
            page, after = await self._reddit.page(one.path, params, LISTENING, wait=bool(children))
            children += page
            # The last few records, as one that was approved late may stand anywhere with an old time.
            oldest = max(_times(page[-5:]), default=math.inf)
            if position is None:
                position = _Position(max(_times(page), default=0.0))
            reached = oldest < position.at
            enough = oldest < position.at - (OVERLAP if deep else 0)
            if enough or not page or after is None or len(children) >= CEILING:
                return children, reached


@dataclass(frozen=True, slots=True)
class _Found:
    """A record that concerns the brand: as a post, or already as an entry."""

    key: str
    created: float
    what: _Post | Removed | Unreadable


# ── the platform ─────────────────────────────────────────────────────────────────────────────────


class RedditPlatform:
    """Reddit, listened to and replied on with one application and at most one account."""

    name = "reddit"
    read_lag = timedelta(seconds=60)

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._client_id = setup.needed("client_id", variable="HEARD_REDDIT__CLIENT_ID")
        self._account = setup.access.get("refresh_token") or None
        self._handles = frozenset(handle.lower().removeprefix("u/") for handle in setup.handles)
        self._words = Words(setup.words)
        self._named = _named(self._handles)
        self._me: Mapping[str, Any] | None = None
        self._lists = _lists(setup, inbox=self._account is not None)
        self._wire = _Wire(setup, self._account)
        # Its own: a slow Reddit must not keep the threads that everything else uses.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="reddit")
        self._paths = tuple(_Sweep(name, self, lists, setup) for name, lists in self._lists.items())

    @property
    def paths(self) -> Sequence[_Sweep]:
        """The inbox of the account, if there is one; the communities, or else a search over all of them."""
        return self._paths

    @property
    def can_post(self) -> bool:
        """Whether there is a login of an account, and not of an application alone."""
        return self._account is not None

    async def close(self) -> None:
        """Let go of connections; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            # What became of a request must not be lost because the budget's store is.
            with suppress(Exception):
                await self._tell()

    async def _tell(self) -> None:
        """Pass on what Reddit's last answer said of its limits."""
        rates = self._wire.rates()
        if rates is not None:
            left, reset = rates
            until = self._setup.clock.now() + timedelta(seconds=reset)
            await self._setup.budget.told(self._client_id, ALL, left=int(left), until=until)

    async def _spend(self, limits: Sequence[Limit], *, wait: bool = False) -> None:
        while (rest := await self._setup.budget.take(self._client_id, limits)) is not None:
            if not wait:
                raise TooMany("our requests to Reddit are used up for the moment (rule R2)", after=rest)
            await asyncio.sleep(rest.total_seconds())

    async def _read(
        self, path: str, params: Mapping[str, Any], limits: Sequence[Limit], *, wait: bool = False
    ) -> Any:
        """What Reddit answers to a GET. Raises `Fault`."""
        return await self._ask("GET", path, limits, wait=wait, params=dict(params))

    async def _ask(
        self, method: str, path: str, limits: Sequence[Limit], *, wait: bool = False, **more: Any
    ) -> Any:
        """One request that publishes nothing; a token that Reddit forgot is renewed once. Raises `Fault`."""
        try:
            return await self._ask_once(method, path, limits, wait=wait, **more)
        except _StaleToken:
            return await self._ask_once(method, path, limits, wait=wait, **more)

    async def _ask_once(
        self, method: str, path: str, limits: Sequence[Limit], *, wait: bool, **more: Any
    ) -> Any:
        await self._spend(limits, wait=wait)
        try:
            return await self._in_thread(lambda: self._wire.ask(method, path, **more))
        except _SilentError as silent:
            raise Offline(str(silent)) from None
        except _SaidError as said:
            if said.status == 401:
                self._wire.forget_login()
            raise _fault(said) from None

    async def page(
        self, path: str, params: Mapping[str, Any], limits: Sequence[Limit], *, wait: bool = False
    ) -> tuple[list[Any], str | None]:
        """One page of a list, and the token of the next. Raises `Fault`."""
        return _page(await self._read(path, params, limits, wait=wait))

    # ── listening ────────────────────────────────────────────────────────────────────────────────

    def entry(self, child: object, seen: Mapping[str, float], where: str) -> _Found | None:
        """What a record is to the brand; None for nothing, and for what was heard before."""
        try:
            post = _post(child)
        except _OddError as odd:
            raw = json.dumps(child)[:10_000]
            key = hashlib.sha256(raw.encode()).hexdigest()[:12]
            created = _created(child) or self._setup.clock.now().timestamp()
            odd_one = Unreadable(where, raw, str(odd), "")
            return None if key in seen else _Found(key, created, odd_one)
        if post is None:
            return None
        if post.gone:
            # Told once, and only of what was heard: nobody knows the others.
            key, removed = f"-{post.id}", Removed(post.id, _account_id(post), "")
            return _Found(key, post.created, removed) if post.id in seen and key not in seen else None
        wanted = post.to_us or self._words.within(post.text) or self._names_us(post.text)
        return _Found(post.id, post.created, post) if wanted and post.id not in seen else None

    async def entries(self, found: Sequence[_Found]) -> list[Entry]:
        """Records as entries, in order, each post with whether it speaks to the brand."""
        posts = [item.what for item in found if isinstance(item.what, _Post)]
        addressed = await self._addressed(posts)
        return [
            Heard(item.what.mention(addressed=item.what.id in addressed), "")
            if isinstance(item.what, _Post)
            else item.what
            for item in found
        ]

    async def _addressed(self, posts: Sequence[_Post]) -> set[str]:
        """Those that the inbox holds, that name an account of ours, or that reply to one."""
        sure = {p.id for p in posts if p.to_us or self._names_us(p.text) or p.under in self._handles}
        open_ones = [p for p in posts if p.id not in sure and p.parent and p.parent.startswith("t1_")]
        if not open_ones or not self._handles:
            return sure
        # The same post stands in the inbox as a reply to ours; whichever path is first, it is one.
        try:
            parents = await self._by_id([p.parent for p in open_ones if p.parent], LISTENING, wait=True)
        except _OddRecord:
            return sure
        ours = {name for name, post in parents.items() if post.author.handle.lower() in self._handles}
        return sure | {p.id for p in open_ones if p.parent in ours}

    def _names_us(self, text: str) -> bool:
        return self._named is not None and self._named.search(text) is not None

    # ── looking ──────────────────────────────────────────────────────────────────────────────────

    async def _by_id(
        self, names: Iterable[str], limits: Sequence[Limit], *, wait: bool = False
    ) -> dict[str, _Post]:
        """Posts as they are now, by their ids; those that Reddit has not are missing. Raises `Fault`."""
        wanted = list(dict.fromkeys(names))
        found: dict[str, _Post] = {}
        for start in range(0, len(wanted), PAGE):
            params = {"id": ",".join(wanted[start : start + PAGE])}
            children, _ = await self.page("api/info/", params, limits, wait=wait or start > 0)
            posts = _posts(children)
            found |= {post.id: post for post in posts}
        return found

    async def reread(self, mention: Mention) -> Present | Gone:
        """The mention as Reddit shows it now. May raise `Fault`."""
        (now,) = await self.reread_all([mention])
        return now

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """Many mentions as Reddit shows them now, a hundred a call. May raise `Fault`."""
        posts = await self._by_id((mention.id for mention in mentions), LOOKING)
        now = [posts.get(mention.id) for mention in mentions]
        return [Gone() if post is None or post.gone else Present(post.text) for post in now]

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """A comment by an account of the brand under the mention that is none of ``ours``.

        May raise `Fault`.
        """
        me = await self._name()
        for handle in [me, *sorted(self._handles - {me.lower()})]:
            try:
                comments = await self._comments(handle, mention.created_at)
            except Forbidden:
                if handle == me:
                    raise
                continue  # An account that is not there cannot have answered.
            found = (c.id for c in comments if c.parent == mention.id and c.id not in ours and not c.gone)
            reply_id = next(found, None)
            if reply_id is not None:
                return reply_id
        return None

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """Our comment under the mention with these words. May raise `Fault`.

        The account's own comments are read, and not the thread: a thread hides what the filters hold back.
        """
        text = _evened(escaped(outgoing.text))
        for comment in await self._comments(await self._name(), mention.created_at):
            if comment.parent == mention.id and _evened(comment.text) == text:
                return Posted(comment.id, comment.at)
        return None

    async def _comments(self, handle: str, since: datetime) -> list[_Post]:
        """An account's comments, newest first, back to an instant. Raises `Fault`."""
        found: list[_Post] = []
        read, after = 0, None
        while True:
            params, path = _after_page(after) | {"sort": "new"}, f"user/{handle}/comments/"
            children, after = await self.page(path, params, LOOKING, wait=read > 0)
            read += len(children)
            found += _posts(children)
            if found and found[-1].created < since.timestamp():
                return found
            if not children or after is None or read >= CEILING:
                break
        if read >= CEILING * _FULL:
            raise Trouble(f"u/{handle} wrote more since than Reddit's list of {CEILING:,} shows", after=LATER)
        return found

    # ── replying ─────────────────────────────────────────────────────────────────────────────────

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """Comment once under the mention, with the words exactly as they are. Never raises."""
        if not self.can_post:
            return Refused("no account is connected on Reddit")
        data = {"thing_id": mention.id, "text": escaped(outgoing.text)}
        # A login may come first. What has not left by then stays: after the deadline nothing may leave.
        departure = Departure()
        try:
            await self._spend(REPLYING)
            answer = await self._in_thread(
                lambda: self._wire.ask("POST", "api/comment/", data=data, departure=departure)
            )
        except Fault as fault:
            return Busy(str(fault), fault.after)
        except _SilentError as silent:
            return Unknown(str(silent))
        except _SaidError as said:
            if said.status == 401:
                self._wire.forget_login()
            return _fate_of_refusal(said)
        return _fate(answer, mention.id)

    async def take_back(self, reply_id: str) -> None:
        """Delete a comment of ours; Reddit says yes to one that is gone, too. May raise `Fault`."""
        await self._ask("POST", "api/del/", REPLYING, data={"id": reply_id})

    # ── the account ──────────────────────────────────────────────────────────────────────────────

    async def _name(self) -> str:
        return _word((await self._identity())["name"])

    async def _identity(self, *, fresh: bool = False) -> Mapping[str, Any]:
        """The account's own record; it is asked for once, as no account changes its name."""
        if self._account is None:
            raise Revoked("no account is connected on Reddit", fix="set HEARD_REDDIT__REFRESH_TOKEN")
        if self._me is None or fresh:
            me = await self._read("api/v1/me", {}, LOOKING)
            if not isinstance(me, dict) or not re.fullmatch(r"[\w-]{1,30}", _word(me.get("name")), re.ASCII):
                raise Trouble("Reddit does not say whose login this is")
            self._me = me
        return self._me

    async def profile(self) -> Profile | None:
        """The account that replies; what it says is its public description. May raise `Fault`."""
        if self._account is None:
            return None
        me = await self._identity(fresh=True)
        says = _says(me)
        return Profile(_word(me.get("id")), _word(me["name"]), labelled=_is_label(says), says=says)

    async def examine(self) -> Sequence[Finding]:
        """Approval, login, scopes, clock and budget. Never raises `Fault`."""
        findings = [Finding("approval", "ok", f"Reddit approved the use: {self._setup.approval} (rule R1)")]
        try:
            if self._account is None:
                await self._by_id(["t3_1"], LOOKING)
                findings.append(Finding("login", "ok", "as an application, to read only"))
            else:
                me = await self._identity(fresh=True)
                findings.append(Finding("login", "ok", f"as u/{_word(me['name'])}"))
                findings.append(_scopes(await self._in_thread(self._wire.log_in)))
                findings.append(_label(_says(me)))
        except Revoked as fault:
            return [*findings, Finding("login", "bad", str(fault), fault.fix)]
        except TooMany as fault:
            return [*findings, Finding("login", "warn", str(fault), "try again in a minute")]
        except Fault as fault:
            fix = "see whether https://www.redditstatus.com says something, and try again"
            return [*findings, Finding("login", "bad", str(fault), fix)]
        left = await self._setup.budget.left(self._client_id, ALL)
        findings.append(Finding("budget", "ok", f"{left} requests left of {ALL.amount} a minute (rule R2)"))
        return [*findings, *self._clock()]

    def _clock(self) -> list[Finding]:
        try:
            told = parsedate_to_datetime(self._wire.date)
            away = abs(told.astimezone(UTC) - self._setup.clock.now())
        except (TypeError, ValueError, OverflowError):
            return []
        if away < SKEW:
            return [Finding("clock", "ok", "agrees with Reddit's")]
        fix = "set the machine's clock: timedatectl set-ntp true"
        return [Finding("clock", "warn", f"is {away.total_seconds():.0f} s away from Reddit's", fix)]


# Reddit has no label for automatic accounts: the description is where people look (R3).
_SAYS_AUTOMATIC: Final = re.compile(r"\b(?:bot|automat\w*)\b", re.IGNORECASE)


def _says(me: Mapping[str, Any]) -> str:
    page = me.get("subreddit")
    return _word(page.get("public_description")) if isinstance(page, dict) else ""


def _is_label(says: str) -> bool:
    return _SAYS_AUTOMATIC.search(says) is not None


def _label(says: str) -> Finding:
    if _is_label(says):
        return Finding("label", "ok", "the profile says that it replies by itself")
    fix = "say so in its description, at https://www.reddit.com/settings/profile"
    return Finding("label", "warn", "the profile does not say that it replies by itself (rule R3)", fix)


def _account_id(post: _Post) -> str:
    return "" if post.author.handle in ("", *_NOBODY) else post.author.id


def _named(handles: frozenset[str]) -> "re.Pattern[str] | None":
    """Finds ``u/handle`` of one of the accounts in a text."""
    if not handles:
        return None
    joined = "|".join(map(re.escape, sorted(handles, key=len, reverse=True)))
    return re.compile(rf"(?<![\w/-])/?u/(?:{joined})(?![\w-])", re.IGNORECASE | re.ASCII)


def _lists(setup: Setup, *, inbox: bool) -> dict[str, list[_List]]:
    """What each path reads. Without communities, posts are searched for; Reddit searches no comments."""
    if not setup.listen:
        return {}
    # Reading the inbox would mark it as read, under the eyes of colleagues who work there.
    paths = {"inbox": [_List("inbox", "message/inbox/", {"mark": "false"})]} if inbox else {}
    places = "+".join(_place(name) for name in setup.places)
    if places:
        kinds = {"comments": f"r/{places}/comments/", "posts": f"r/{places}/new/"}
        paths["places"] = [_List(name, path) for name, path in kinds.items()]
    elif Words(setup.words):
        params: dict[str, str | int] = {"q": _query(setup.words), "sort": "new", "type": "link", "t": "week"}
        paths["search"] = [_List("search", "search/", params, holds=_SEARCH_CEILING)]
    return paths


def _place(name: str) -> str:
    bare = re.sub(r"^/?r/", "", name.strip().rstrip("/"), flags=re.IGNORECASE)
    if not re.fullmatch(r"\w{2,30}", bare, re.ASCII):
        raise NotConnected(
            f"{name!r} is no community of Reddit",
            fix="write communities in brand.yaml as Reddit does, such as r/travel",
        )
    return bare


def _query(words: Iterable[str]) -> str:
    """The brand's words for Reddit's search, each whole; as many as the 512 characters it takes hold."""
    query = ""
    for word in words:
        longer = f'{query} OR "{word.replace(chr(34), " ").strip()}"'.removeprefix(" OR ")
        if len(longer) > 512:
            break
        query = longer
    return query


def _scopes(granted: set[str]) -> Finding:
    missing = [scope for scope in SCOPES if not granted & {scope, "*"}]
    if not missing:
        return Finding("scopes", "ok", "may do what Heard does")
    fix = "make a new refresh token with all of: " + " ".join(SCOPES)
    return Finding("scopes", "bad", f"may not: {', '.join(missing)}", fix)


# ── what became of a comment ─────────────────────────────────────────────────────────────────────


def _fate(answer: Any, mention_id: str) -> Fate:
    """What a 200 says: the comment, or refusals, or nothing that can be relied on."""
    said = answer.get("json") if isinstance(answer, dict) else None
    if not isinstance(said, dict):
        return Unknown("Reddit's answer says nothing of the comment")
    errors = said.get("errors")
    if isinstance(errors, list) and errors:
        return _fate_of_errors(errors, _number(said.get("ratelimit")))
    try:
        thing = said["data"]["things"][0]["data"]
        comment = _post({"kind": "t1", "data": thing})
    except (KeyError, IndexError, TypeError, _OddError):
        comment = None
    if comment is None:
        # Seen in quarantined communities, where the comment is there all the same.
        return Unknown("Reddit's answer has no comment in it")
    if comment.parent != mention_id:
        return Unknown("Reddit's answer is of another comment")
    return Posted(comment.id, comment.at)


_WAIT: Final = re.compile(r"(\d+) (millisecond|second|minute|hour)")
_UNITS: Final = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3_600.0}
_COME_BACK: Final = frozenset({"RATELIMIT", "QUOTA_FILLED"})


def _fate_of_errors(errors: Sequence[Any], seconds: float | None) -> Fate:
    """Refusals as Reddit lists them: a code, a sentence, the field that it is about."""
    listed = [error if isinstance(error, list) else [error] for error in errors]
    codes = {str(error[0]) for error in listed if error}
    words = "; ".join(
        _line(error[1] if len(error) > 1 and error[1] else error[0]) for error in listed if error
    )
    if codes & _COME_BACK:
        after = max(_wait_in(words), timedelta(seconds=min(max(seconds or 0, 0), 86_400)))
        return Busy(f"Reddit lets us answer later: {words} (rule R5)", after or timedelta(minutes=10))
    if "USER_REQUIRED" in codes:
        return Busy(f"Reddit does not know the login: {words}", LATER)
    return Refused(f"Reddit: {words} ({', '.join(sorted(codes))})")


def _wait_in(words: str) -> timedelta:
    found = _WAIT.search(words.lower())
    return timedelta(seconds=int(found[1][:6]) * _UNITS[found[2]]) if found else timedelta(0)


def _fate_of_refusal(said: _SaidError) -> Fate:
    """What another status than success says of a POST."""
    match said.status:
        case 401:
            return Busy("Reddit does not know the login any more", SOON)
        case 429:
            return Busy("Reddit wants us to come back later", said.after)
        case 408:
            return Unknown("Reddit gave up waiting")
        case status if 400 <= status < 500:
            return Refused(f"Reddit: {said.words}")
        case _:
            return Unknown(f"trouble at Reddit ({said.words})")


# ── words as they are ────────────────────────────────────────────────────────────────────────────

_LINK: Final = re.compile(r"https?://[^\s<>\\]+", re.IGNORECASE)
# What no renderer of Reddit's changes in a link. An underscore only within a word.
_PLAIN_LINK: Final = re.compile(
    r"(?:[A-Za-z0-9]|[-./?=&%#:+,@!'()]|(?<=[A-Za-z0-9])_(?=[A-Za-z0-9]))+", re.ASCII
)
_SPECIAL: Final = re.compile(r"[\\`*\[\]<>^~|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#?[A-Za-z0-9]+;)")
_AT_START: Final = re.compile(r"[#+-]")
_NUMBERED: Final = re.compile(r"(\d+)(?=[.)])")


def escaped(text: str) -> str:
    r"""Markdown that Reddit shows as exactly this text; each line is a paragraph.

    Reddit has two renderers; ``\`` before these characters is a plain character to both (snudown's
    ``char_escape``; CommonMark 2.4). Names such as ``u/some_name`` and links stay links.
    """
    lines = (line.strip() for line in re.split(r"\r\n|\r|\n", text))
    return "\n\n".join(_escaped_line(line) for line in lines if line)


def _escaped_line(line: str) -> str:
    done, end = "", 0
    for link in _LINK.finditer(line):
        done += _SPECIAL.sub(r"\\\g<0>", line[end : link.start()])
        # In angle brackets a link ends where it ends, and nothing within it means anything.
        done += link[0] if _PLAIN_LINK.fullmatch(link[0]) else f"<{link[0]}>"
        end = link.end()
    done += _SPECIAL.sub(r"\\\g<0>", line[end:])
    if _AT_START.match(done):
        return f"\\{done}"
    return _NUMBERED.sub(r"\1\\", done, count=1) if _NUMBERED.match(done) else done


def _evened(text: str) -> str:
    return " ".join(text.split())
