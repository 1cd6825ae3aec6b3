"""One decision is one POST on the wire, through every library, whatever the network answers or does not.

Each library is measured twice before the same gate (`tests.fakes.gate`): as Heard builds it, where one is
the only number there is, and bare, so that the check is seen to fail and a change in a library is seen too.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

import aiohttp
import praw
import pytest
import requests
from atproto_client.request import AsyncRequest  # type: ignore[import-untyped]
from mastodon import Mastodon
from slack_sdk.web.async_client import AsyncWebClient
from tweepy.asynchronous import AsyncClient  # type: ignore[import-untyped]

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.mention import Mention
from casework.reply import Outgoing
from escalation.slack_app import build_app
from escalation.slack_desk import SlackDesk
from escalation.slack_payload import Payload, section
from escalation.slack_web import LoginRefused, Lost, NotPosted, RateLimited, Web
from platforms.limits import OwnBudget
from platforms.platform import Busy, Platform, Posted, Refused, Unknown
from tests.contracts.conftest import Ears
from tests.contracts.world import OpenWorld, World
from tests.fakes.cases import NOON
from tests.fakes.gate import HTML, Answer, Fate, Gate, open_gate
from tests.fakes.reddit_server import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from tests.fakes.slack_server import BOT_TOKEN, open_slack

Verdict = Literal["sent", "refused", "unknown", "busy"]
"""What the sender is told: it is out, it is not, nobody knows, or not now."""

POSTING: Mapping[str, str] = {
    "x": "/2/tweets",
    "reddit": "/api/comment/",
    "mastodon": "/api/v1/statuses",
    "bluesky": "/xrpc/com.atproto.repo.putRecord",
    "slack": "/api/chat.postMessage",
}
WORDS = "Hi Maya, we are looking for your bag and will write again today. (AA-1)"
HELLO = Payload("Hello.", (section("Hello.", "b"),))
CARE = "C0SOCIAL"
TOO_LATE_S = 0.4
"""The deadline where the gate never answers, in place of ten seconds."""


# ── our clients behind a gate ────────────────────────────────────────────────────────────────────


@dataclass
class Client:
    """One of Heard's clients, logged in, with one decision to send; ``spoken_to`` is the mention's id."""

    name: str
    gate: Gate
    post: Callable[[], Awaitable[Verdict]]
    spoken_to: str = ""
    arrived: Callable[[], int] = field(default=lambda: 0)


VERDICTS: Mapping[type, Verdict] = {Posted: "sent", Refused: "refused", Unknown: "unknown", Busy: "busy"}


def decided(mention: Mention) -> Outgoing:
    return Outgoing(
        key="C-100:1",
        kind=ReplyKind.ANSWER,
        text=WORDS,
        answers=mention.key,
        decided_by="nina",
        decided_at=NOON,
        started_at=NOON,
        attempts=1,
    )


async def heard(world: World, platform: Platform, ears: Ears) -> Mention:
    """What somebody said to the brand, as the sweep hears it."""
    await ears.open(platform.paths[-1])
    post = world.says("My bag is lost")
    await ears.hear(post)
    await ears.close()
    return ears.mentions[post]


@asynccontextmanager
async def platform_client(name: str, clock: ManualClock, ears: Ears, folder: Path) -> AsyncIterator[Client]:
    """A platform as `config` connects it: only its addresses are the gate's."""
    open_world: OpenWorld = import_module(f"tests.contracts.worlds.{name}").open_world
    async with open_world(clock) as world:
        listening = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=folder, stream=False)
        mention = await heard(world, listening, ears)
        await listening.close()
        server: Any = world
        async with open_gate(server.server.url, POSTING[name]) as gate:
            server.server.url = gate.url
            platform = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=folder, stream=False)

            async def post() -> Verdict:
                return VERDICTS[type(await platform.reply(mention, decided(mention)))]

            yield Client(name, gate, post, mention.id, lambda: world.posts)
            await platform.close()


@asynccontextmanager
async def slack_client() -> AsyncIterator[Client]:
    """Slack's Web API as the cards use it."""
    async with (
        open_slack(seed=7) as slack,
        open_gate(slack.url.removesuffix("/api/"), POSTING["slack"]) as gate,
    ):
        slack.limits.post_every_s = None
        async with Web(BOT_TOKEN, f"{gate.url}/api/") as web:

            async def post() -> Verdict:
                try:
                    await web.post(CARE, HELLO)
                except Lost:
                    return "unknown"
                except (RateLimited, LoginRefused):
                    return "busy"
                except NotPosted as refusal:
                    return "refused" if refusal.permanent else "busy"
                return "sent"

            yield Client("slack", gate, post, arrived=lambda: len(slack.calls("chat.postMessage")))


@pytest.fixture(params=POSTING)
async def client(
    request: pytest.FixtureRequest, clock: ManualClock, ears: Ears, tmp_path: Path
) -> AsyncIterator[Client]:
    """Each client that posts."""
    name = request.param
    opened = slack_client() if name == "slack" else platform_client(name, clock, ears, tmp_path)
    async with opened as ready:
        yield ready


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client waits for an answer only as long as a test can."""
    monkeypatch.setattr("platforms.x.TIMEOUT", aiohttp.ClientTimeout(total=TOO_LATE_S))
    monkeypatch.setattr("platforms.reddit._TIMEOUTS", (TOO_LATE_S, TOO_LATE_S))
    monkeypatch.setattr("platforms.mastodon.READ_S", TOO_LATE_S)
    monkeypatch.setattr("platforms.bluesky.TIMEOUTS_S", (TOO_LATE_S,) * 4)
    monkeypatch.setattr("escalation.slack_web.TOTAL_S", TOO_LATE_S)


# ── one decision, one POST ───────────────────────────────────────────────────────────────────────

PAGE = b"<!DOCTYPE html><html><body><h1>We will be right back</h1></body></html>"
DEEP = b"[" * 100_000

UNANSWERED: Mapping[str, Fate] = {"closed": Fate.CLOSED, "reset": Fate.RESET, "shut": Fate.SHUT}
STATUSES: Mapping[str, tuple[Answer, Verdict]] = {
    "429": (Answer(429), "busy"),
    "429 with a wait": (Answer(429, headers=(("Retry-After", "17"),)), "busy"),
    "429 with a wait that is none": (Answer(429, headers=(("Retry-After", "soon"),)), "busy"),
    "408": (Answer(408), "unknown"),
    "500": (Answer(500), "unknown"),
    "502": (Answer(502, PAGE, kind=HTML), "unknown"),
    "503": (Answer(503, PAGE, (("Retry-After", "0"),), HTML), "unknown"),
    "504": (Answer(504, b"", kind=HTML), "unknown"),
}
NO_PROOF: Mapping[str, Answer] = {
    "a page": Answer(200, PAGE, kind=HTML),
    "a page that calls itself JSON": Answer(200, PAGE),
    "plain text": Answer(200, b"ok", kind="text/plain"),
    "plain text that is JSON": Answer(200, b'"ok"', kind="text/plain"),
    "nothing": Answer(200, b""),
    "an empty object": Answer(200, b"{}"),
    "accepted, no more": Answer(202, b""),
    "no content": Answer(204, b""),
    "a list": Answer(200, b'[{"ok": true}]'),
    "null": Answer(200, b"null"),
    "broken letters": Answer(200, b'{"ok": "\xff\xfe"}'),
    "endless brackets": Answer(200, DEEP),
    "no gzip": Answer(200, b"no gzip", (("Content-Encoding", "gzip"),)),
    "half an answer": Answer(200, b'{"ok": true, "data": {"id": "19', promised=40),
    "whole JSON of half an answer": Answer(200, b'{"ok": true}', promised=40),
}


async def verdict_of(client: Client, becomes: Fate | Answer) -> Verdict:
    """What one decision is said to have come to; and nothing but one POST left for it."""
    client.gate.posts.clear()
    client.gate.fate = becomes
    verdict = await client.post()

    assert len(client.gate.posts) == 1, becomes
    assert client.arrived() == 0
    return verdict


async def test_one_decision_that_is_let_through_is_one_post_and_sent(client: Client) -> None:
    """The gate itself changes nothing."""
    assert await client.post() == "sent"
    assert len(client.gate.posts) == client.arrived() == 1


@pytest.mark.parametrize("becomes", UNANSWERED)
async def test_a_post_without_an_answer_leaves_once_and_nobody_knows(client: Client, becomes: str) -> None:
    """The connection was kept from the look before: its end is what tempts a library to try again."""
    assert await verdict_of(client, UNANSWERED[becomes]) == "unknown"
    # Slack's client keeps none (`slack_web`), so there is nothing stale to lose a post on.
    assert (client.gate.connections < len(client.gate.asked)) == (client.name != "slack")


@pytest.mark.usefixtures("impatient")
async def test_a_post_that_is_answered_too_late_leaves_once_and_nobody_knows(client: Client) -> None:
    """The deadline ends the wait, not the post."""
    assert await verdict_of(client, Fate.SILENT) == "unknown"


@pytest.mark.parametrize("becomes", STATUSES)
async def test_a_status_of_trouble_is_taken_once_and_for_what_it_says(client: Client, becomes: str) -> None:
    """Never waited for and tried again within the call."""
    answer, verdict = STATUSES[becomes]
    assert await verdict_of(client, answer) == verdict


async def test_a_success_that_shows_no_post_proves_none(client: Client) -> None:
    """It is no success and no failure: a look has to tell."""
    verdicts = {said: await verdict_of(client, answer) for said, answer in NO_PROOF.items()}
    assert verdicts == dict.fromkeys(NO_PROOF, "unknown")


async def test_nobody_sends_a_post_elsewhere(client: Client) -> None:
    """Neither to another path nor to the same one again. Slack never redirects: who does has not posted."""
    expected = "refused" if client.name == "slack" else "unknown"
    for status in (301, 302, 303, 307, 308):
        for place in ("/elsewhere", POSTING[client.name]):
            redirect = Answer(status, headers=(("Location", place),))
            assert await verdict_of(client, redirect) == expected, (status, place)
    assert not [asked for asked in client.gate.asked if "elsewhere" in asked]


LOGIN_OVER: Mapping[str, Answer] = {
    "x": Answer(401, b'{"title": "Unauthorized", "status": 401}'),
    "reddit": Answer(401, b'{"message": "Unauthorized", "error": 401}'),
    "mastodon": Answer(401, b'{"error": "The access token is invalid"}'),
    "bluesky": Answer(400, b'{"error": "ExpiredToken", "message": "Token has expired"}'),
    "slack": Answer(200, b'{"ok": false, "error": "invalid_auth"}'),
}


async def test_a_login_that_is_over_is_not_renewed_behind_the_back(client: Client) -> None:
    """By itself praw would log in anew and post again within the call."""
    assert await verdict_of(client, LOGIN_OVER[client.name]) == "busy"


ERRORS_INSIDE: Mapping[str, tuple[object, Verdict]] = {
    "x": ({"errors": [{"title": "Internal Error", "detail": "Something is broken"}]}, "unknown"),
    "reddit": ({"json": {"errors": [["THREAD_LOCKED", "that thread is locked", "parent"]]}}, "refused"),
    "mastodon": ({"error": "Validation failed"}, "unknown"),
    "bluesky": ({"error": "InternalServerError", "message": "Something is broken"}, "unknown"),
    "slack": ({"ok": False, "error": "is_archived"}, "refused"),
}


async def test_an_error_inside_a_success_is_read(client: Client) -> None:
    """As a refusal where the platform refuses that way, and as nothing known where it does not."""
    said, verdict = ERRORS_INSIDE[client.name]
    assert await verdict_of(client, Answer(200, json.dumps(said).encode())) == verdict


def others(client: Client) -> list[object]:
    """Successes that show a post, and not the one that was sent: an answer crossed, or a cache spoke."""
    comment = {
        "name": "t1_zzz", "id": "zzz", "author": "auroraair", "author_fullname": "t2_brand",
        "body": WORDS, "created_utc": 1_793_000_000.0, "link_id": "t3_zz", "parent_id": "t1_other",
    }  # fmt: skip
    status = {"id": "109", "created_at": "2026-11-03T12:00:00.000Z", "content": WORDS}
    elsewhere = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3kaaaaaaaaaa2"
    shown: Mapping[str, list[object]] = {
        "x": [
            {"data": {"id": client.spoken_to, "text": WORDS}},
            {"data": {"id": "12", "text": WORDS}},
            {"data": {"id": "no id", "text": WORDS}},
            {"data": {"id": "9" * 19, "text": "@tom We have found your umbrella."}},
            {"data": {"id": "9" * 19}},
        ],
        "reddit": [{"json": {"errors": [], "data": {"things": [{"kind": "t1", "data": comment}]}}}],
        "mastodon": [
            status | {"in_reply_to_id": client.spoken_to, "account": {"id": "999999"}},
            status | {"id": client.spoken_to, "in_reply_to_id": None, "account": {"id": "1"}},
            status | {"id": "109", "in_reply_to_id": client.spoken_to, "account": None},
        ],
        "bluesky": [{"uri": elsewhere, "cid": "bafy"}, {"uri": client.spoken_to, "cid": "bafy"}],
        "slack": [{"ok": True}, {"ok": True, "channel": CARE, "ts": ""}, {"ok": True, "ts": {"a": 1}}],
    }
    return shown[client.name]


async def test_a_success_that_shows_another_post_is_not_ours(client: Client) -> None:
    """An id that cannot be that of the reply is never written down as the reply's."""
    for said in others(client):
        assert await verdict_of(client, Answer(200, json.dumps(said).encode())) == "unknown", said


async def test_what_is_sent_again_is_the_same_bytes(client: Client) -> None:
    """After a loss the sender sends again; the platform's own help against doubles needs equal bytes."""
    client.gate.fate = Fate.CLOSED
    await client.post()
    await client.post()
    first, second = client.gate.posts

    assert first.body == second.body != b""


# ── the same gate before the bare libraries ──────────────────────────────────────────────────────

BARE: Mapping[str, Fate | Answer] = {
    "closed": Fate.CLOSED,
    "reset": Fate.RESET,
    "silent": Fate.SILENT,
    "401": Answer(401),
    "429": Answer(429, headers=(("Retry-After", "0"),)),
    "500": Answer(500),
    "502": Answer(502),
    "503": Answer(503),
    "504": Answer(504),
}
ONCE = dict.fromkeys(BARE, 1)


async def counted(client: Client, call: Callable[[], Awaitable[object]]) -> dict[str, int]:
    """How many POSTs one call of a bare library makes of each fate."""
    counts = dict[str, int]()
    for name, becomes in BARE.items():
        client.gate.posts.clear()
        client.gate.fate = becomes
        with suppress(Exception):
            await call()
        counts[name] = len(client.gate.posts)
    return counts


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", [name], indirect=True)


class Hasty(requests.Session):
    """Waits as long as a test can: praw's own setting is not used in 8.0.3, and prawcore waits 16 s."""

    def request(self, *args: Any, **named: Any) -> requests.Response:
        return super().request(*args, **{**named, "timeout": TOO_LATE_S})


@only("reddit")
async def test_bare_praw_posts_three_times(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it comes, praw 8.0.3 with prawcore 4.0.0: the check can fail, and the shim is needed.

    After a 401 it logs in anew, which the gate lets through, and posts again with the new token.
    """
    monkeypatch.setattr("prawcore.sessions.time.sleep", lambda _: None)
    reddit = praw.Reddit(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        refresh_token=REFRESH_TOKEN,
        user_agent="bare",
        oauth_url=client.gate.url,
        reddit_url=client.gate.url,
        check_for_updates=False,
        requestor_kwargs={"session": Hasty()},
    )
    data = {"thing_id": client.spoken_to, "text": "bare"}
    counts = await counted(client, lambda: asyncio.to_thread(reddit.post, "api/comment/", data=data))

    assert counts == dict.fromkeys(BARE, 3) | {"429": 1}
    assert client.arrived() == 0


@only("slack")
async def test_bare_slack_sdk_posts_twice(client: Client) -> None:
    """As it comes, slack_sdk 3.48.0: what is lost is sent again; answers are not."""
    bare = AsyncWebClient(BOT_TOKEN, base_url=f"{client.gate.url}/api/", timeout=1)
    counts = await counted(client, lambda: bare.chat_postMessage(channel=CARE, text="bare"))

    assert counts == ONCE | {"closed": 2, "reset": 2}


@only("slack")
async def test_the_client_that_bolt_holds_posts_once_too(client: Client) -> None:
    """Heard posts nothing by it; a listener that said something by `say` would."""
    nobody = cast(SlackDesk, None)
    app = build_app(nobody, token=BOT_TOKEN, api_url=f"{client.gate.url}/api/")
    app.client.timeout = 1
    counts = await counted(client, lambda: app.client.chat_postMessage(channel=CARE, text="bolt"))

    assert counts == ONCE


@only("mastodon")
async def test_bare_mastodon_py_posts_once(client: Client) -> None:
    """Mastodon.py 2.3.3 repeats nothing; but told to wait out limits, as it comes, it would sleep."""
    bare = Mastodon(
        access_token="token",
        api_base_url=client.gate.url,
        version_check_mode="none",
        ratelimit_method="throw",
        request_timeout=TOO_LATE_S,
    )
    assert await counted(client, lambda: asyncio.to_thread(bare.status_post, "bare")) == ONCE


@only("bluesky")
async def test_bare_atproto_posts_once(client: Client) -> None:
    """As it comes, atproto 0.0.73 on httpx 0.28.1 repeats nothing."""
    bare = AsyncRequest(timeout=TOO_LATE_S)
    url = client.gate.url + POSTING["bluesky"]
    assert await counted(client, lambda: bare.post(url, content=b"{}")) == ONCE
    await bare.close()


class Elsewhere:
    """A session of aiohttp that asks the gate whatever host it is told: tweepy knows one alone."""

    closed = False

    def __init__(self, gate: Gate, session: aiohttp.ClientSession) -> None:
        self.gate = gate
        self.session = session

    def request(self, method: str, url: Any, **more: Any) -> Any:
        return self.session.request(method, self.gate.url + POSTING["x"], **more)


@only("x")
async def test_bare_tweepy_posts_once(client: Client) -> None:
    """As it comes, tweepy 4.17.0 repeats nothing; told to wait for limits, it would sleep and post again."""
    bare = AsyncClient("bearer", "key", "secret", "token", "secret")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TOO_LATE_S)) as session:
        bare.session = Elsewhere(client.gate, session)
        assert await counted(client, lambda: bare.create_tweet(text="bare")) == ONCE
