"""What goes over Slack's wire: refusals, the fates of calls, arguments, pages of lists, signatures."""

import asyncio
import base64
import hashlib
import hmac
import json
import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from aiohttp import web

from tests.fakes.slack_blocks import Json
from tests.fakes.slack_socket import Delivery

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
JSON_FIELDS = {"blocks", "metadata", "view", "attachments"}


@dataclass(frozen=True)
class Refusal(Exception):
    """``{"ok": false, "error": …}``, as Slack says it with HTTP 200: an answer, not an error."""

    error: str
    more: Json = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fate:
    """What becomes of one call.

    ``lost``: it is done, and the connection ends unanswered; ``unheard``: it is not even done.
    """

    kind: Literal["refused", "http", "lost", "unheard", "late"]
    error: str = ""
    status: int = 200
    body: str = ""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0


def refused(error: str) -> Fate:
    """Slack says no, for this reason."""
    return Fate("refused", error=error)


def ratelimited(retry_after_s: int = 1) -> Fate:
    """HTTP 429."""
    return Fate("refused", error="ratelimited", status=429, headers=(("Retry-After", str(retry_after_s)),))


def broken(status: int = 500) -> Fate:
    """A fault of Slack's own."""
    return Fate("http", status=status, body='{"ok":false,"error":"internal_error"}')


def garbage(status: int = 503) -> Fate:
    """A page for people, from something in between."""
    page = "<!DOCTYPE html><html><body><h1>503 Service Unavailable</h1></body></html>"
    return Fate("http", status=status, body=page, content_type="text/html")


def answer_lost() -> Fate:
    """What was asked is done, and nobody hears that it was."""
    return Fate("lost")


def unheard() -> Fate:
    """The connection ends before anything is done."""
    return Fate("unheard")


def late(seconds: float) -> Fate:
    """Done and answered, after some real time."""
    return Fate("late", seconds=seconds)


# ── small matters of the wire ────────────────────────────────────────────────────────────────────


async def arguments_of(request: web.Request) -> Json:
    """Arguments from the query and a body of JSON or a form, blocks and views as values."""
    given: Json = dict(request.query)
    if request.content_type == "application/json":
        body = await request.json()
        given |= body if isinstance(body, dict) else {}
    elif request.can_read_body:
        given |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    for name in JSON_FIELDS & given.keys():
        if isinstance(given[name], str):
            with suppress(ValueError):
                given[name] = json.loads(given[name])
    return given


def hung_up(request: web.Request) -> web.Response:
    """The connection ends and no answer was given."""
    if isinstance(request.transport, asyncio.Transport):
        request.transport.abort()
    return web.Response()


def slow_down(seconds: float) -> Refusal:
    """Too many: come again in so many whole seconds."""
    return Refusal("ratelimited", status=429, headers={"Retry-After": str(max(1, math.ceil(seconds)))})


def told_reasons(reasons: list[str]) -> Json:
    """What was wrong, where Slack says it."""
    return {"response_metadata": {"messages": [f"[ERROR] {reason}" for reason in reasons]}}


def has(given: Json, name: str) -> bool:
    """Whether a flag is set, in JSON or in a form."""
    return str(given.get(name, "")).lower() in ("1", "true")


def is_ts(value: Any) -> bool:
    """Whether this is the id of a message; a number is none."""
    seconds, dot, rest = str(value).partition(".")
    return isinstance(value, str) and seconds.isdigit() and bool(dot) and len(rest) == 6 and rest.isdigit()


def in_time(ts: str, given: Json) -> bool:
    """Whether a message is inside ``oldest`` and ``latest``; the ends belong to it only if ``inclusive``."""
    at, oldest = float(ts), float(given.get("oldest") or 0)
    latest = float(given.get("latest") or math.inf)
    return oldest <= at <= latest if has(given, "inclusive") else oldest < at < latest


def metadata_of(given: Json) -> Json | None:
    """The metadata of a message; an empty one removes what there was, none leaves it."""
    metadata = given.get("metadata")
    if metadata in (None, {}):
        return metadata
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise Refusal("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str):
        raise Refusal("invalid_metadata_format")
    return metadata


def page(name: str, items: list[Any], given: Json, most: int) -> Json:
    """Some of a list, and the cursor to what follows."""
    try:
        start = int(base64.b64decode(str(given.get("cursor") or "MA==")))
    except ValueError:
        raise Refusal("invalid_cursor") from None
    end = start + int(given.get("limit") or most)
    cursor = base64.b64encode(str(end).encode()).decode() if end < len(items) else ""
    told: Json = {name: items[start:end], "response_metadata": {"next_cursor": cursor}}
    return told | ({"has_more": bool(cursor)} if name == "messages" else {})


# ── signed HTTP ──────────────────────────────────────────────────────────────────────────────────


def signed(body: str | bytes, timestamp: float, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """The headers with which Slack sends a body over HTTP (docs.slack.dev, "Verifying requests", v0)."""
    raw = body.encode() if isinstance(body, str) else body
    base = b"v0:%d:%b" % (int(timestamp), raw)
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(int(timestamp)), "X-Slack-Signature": f"v0={digest}"}


def over_http(
    delivery: Delivery, timestamp: float, secret: str = SIGNING_SECRET
) -> tuple[dict[str, str], bytes]:
    """A delivery as Slack sends it to a request URL: headers and body."""
    if delivery.kind == "events_api":
        kind, body = "application/json", json.dumps(delivery.payload).encode()
    else:
        kind = "application/x-www-form-urlencoded"
        payload = delivery.payload
        form = payload if delivery.kind == "slash_commands" else {"payload": json.dumps(payload)}
        body = urlencode(form).encode()
    return {"Content-Type": kind, **signed(body, timestamp, secret)}, body
