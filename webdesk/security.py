"""Who may use the desk: allowed hosts and origins, headers, login, sessions, CSRF, the API's token.

Nothing here trusts a header that a stranger's page can set: the desk listens on the loopback, where
every web page that somebody has open can send it requests (T6).
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from casework.errors import HeardError

COOKIE: Final = "heard_session"
MOST_SESSIONS: Final = 500
MOST_LINKS: Final = 50
LARGEST_BODY: Final = 256 * 1024
UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PROBES: Final = frozenset({"/livez", "/readyz"})
"""What an orchestrator asks under any name; they say nothing about anybody."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class Forbidden(HeardError):
    """The request comes from where it may not."""


class SignedOut(HeardError):
    """There is no session: the login link makes one."""


class Nameless(HeardError):
    """The session has no name yet, and every move needs one."""


@dataclass(slots=True)
class Session:
    """One browser that came through a login link; ``name`` is what the timeline says."""

    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    name: str = ""


class Sessions:
    """The browsers that are signed in, by a random cookie, and the login links not used yet."""

    def __init__(self, login_token: str) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._links: OrderedDict[str, None] = OrderedDict()
        if login_token:
            self._links[login_token] = None

    def redeem(self, token: str) -> tuple[str, Session] | None:
        """The cookie and session for a login link's token, once; None if it is wrong or used."""
        known = [link for link in self._links if secrets.compare_digest(link.encode(), token.encode())]
        if not known:
            return None
        del self._links[known[0]]
        cookie = secrets.token_urlsafe(32)
        session = self._sessions[cookie] = Session()
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return cookie, session

    def invite(self) -> str:
        """A fresh one-time token for another browser."""
        token = secrets.token_urlsafe(32)
        self._links[token] = None
        while len(self._links) > MOST_LINKS:
            self._links.popitem(last=False)
        return token

    def find(self, request: Request) -> Session | None:
        """The session of a request's cookie."""
        cookie = request.cookies.get(COOKIE, "")
        session = self._sessions.get(cookie)
        if session is not None:
            self._sessions.move_to_end(cookie)
        return session

    def end(self, request: Request) -> None:
        """Forget the session of a request's cookie."""
        self._sessions.pop(request.cookies.get(COOKIE, ""), None)


def check_csrf(session: Session, token: str) -> None:
    """Raise `Forbidden` unless the form carries this session's token."""
    if not secrets.compare_digest(session.csrf.encode(), token.encode()):
        raise Forbidden("This form is not from your present session. Go back, reload the page and try again.")


def bearer_ok(header: str, token: str) -> bool:
    """Whether an Authorization header carries the API's token; an empty token lets nobody in."""
    scheme, _, given = header.partition(" ")
    same = secrets.compare_digest(given.strip().encode(), token.encode())
    return bool(token) and scheme.casefold() == "bearer" and same


class Gate:
    """Every request passes here first: host, origin and size are checked; every answer gets its headers."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.casefold() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        app = PlainTextResponse(problem[1] + "\n", status_code=problem[0]) if problem else self._app

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-cache"
            await send(message)

        await app(scope, receive, send_with_headers)

    def _problem(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if scope["path"] in PROBES:
            return None
        if not self._ours(headers.get("host", "")):
            return 403, "This desk does not answer to that host name."
        if scope["method"] in UNSAFE and not self._from_us(headers):
            return 403, "This request came from another site, so it did nothing."
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers:
            return 411, "Say with Content-Length how long the request is."
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return 413, "That is too long."
        return None

    def _ours(self, host: str) -> bool:
        host = host.casefold()
        return bool(host) and (host in self._hosts or _without_port(host) in self._hosts)

    def _from_us(self, headers: Headers) -> bool:
        # A page with "no-referrer" sends its own forms with "Origin: null"; the browser's Sec-Fetch-Site,
        # which no page can set, then says whether it was this page.
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site")
        if origin is None or origin == "null":
            return site in ("same-origin", None) if origin is None else site == "same-origin"
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and self._ours(parts.netloc)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
