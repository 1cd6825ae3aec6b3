"""What is special about Reddit: no stream, lists that end, praw's retries, Markdown, and one budget."""

import asyncio
import json
import logging
import re
import stat
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import praw
import prawcore
import pytest
import requests
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms import departure, reddit
from platforms.faults import Fault, Revoked, TooMany, Trouble
from platforms.limits import OwnBudget
from platforms.platform import (
    Busy,
    Entry,
    Gone,
    Heard,
    Posted,
    Present,
    Reached,
    Refused,
    Removed,
    Unknown,
    Unreadable,
)
from platforms.reddit import RedditPlatform, connect, escaped
from platforms.setup import NotConnected, Setup
from tests.contracts.world import PostFate
from tests.contracts.worlds.reddit import RedditWorld, open_world
from tests.fakes.cases import NOON
from tests.fakes.reddit_server import (
    BRAND,
    CLIENT_ID,
    CLIENT_SECRET,
    PLACE,
    REFRESH_TOKEN,
    RedditServer,
    base36,
)

CASSETTES = Path("/work/shared/data/praw-cassettes")
WORDS = "Hi Maya, we are looking for your bag and will write again today. (AA-1)"


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[RedditWorld]:
    async with open_world(clock) as opened:
        yield opened


@pytest.fixture
def server(world: RedditWorld) -> RedditServer:
    return world.server


@pytest.fixture
async def platform(world: RedditWorld, clock: ManualClock, tmp_path: Path) -> AsyncIterator[RedditPlatform]:
    connected = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
    yield connected
    await connected.close()


def a_setup(clock: ManualClock, url: str = "http://127.0.0.1:9", **changes: Any) -> Setup:
    access = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "user_agent": "heard/0.1 by u/auroraair",
        "api_url": url,
        "auth_url": url,
    }
    setup = Setup(
        brand="Aurora Air",
        words=("aurora air",),
        handles=frozenset({BRAND}),
        clock=clock,
        budget=OwnBudget(clock.now),
        folder=Path("/dev/null/nowhere"),
        access=access,
        places=(PLACE,),
        approval="request 4711",
    )
    return replace(setup, **changes)


def decided(mention: Mention, text: str = WORDS) -> Outgoing:
    return Outgoing("C-100:1", ReplyKind.ANSWER, text, mention.key, "nina", NOON, started_at=NOON, attempts=1)


def to(post_id: str, clock: ManualClock) -> Mention:
    """A mention that was heard, as far as the sender needs it."""
    return Mention("reddit", post_id, Author("t2_maya", "maya"), "My bag is lost", clock.now())


async def look(platform: RedditPlatform, name: str, cursor: str | None) -> tuple[list[Entry], str]:
    """One look of a path, and the cursor after it."""
    path = next(path for path in platform.paths if path.name == name)
    swept = await path._look(cursor)
    at = next((entry.cursor for entry in reversed(swept.entries) if entry.cursor), cursor or "")
    return [entry for entry in swept.entries if not isinstance(entry, Reached)], at


def mentions(entries: Sequence[Entry]) -> dict[str, Mention]:
    return {entry.mention.id: entry.mention for entry in entries if isinstance(entry, Heard)}


# ── recordings ───────────────────────────────────────────────────────────────────────────────────


def recorded() -> list[dict[str, Any]]:
    """Every record of a comment, a post, a message or a community in recordings of the real Reddit."""

    def within(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if re.fullmatch(r"t\d", str(value.get("kind"))) and "data" in value:
                yield value
            for inner in value.values():
                yield from within(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from within(inner)

    found: list[dict[str, Any]] = []
    for path in sorted(CASSETTES.glob("*.json")):
        for exchange in json.loads(path.read_text(encoding="utf-8"))["interactions"]:
            found += within(json.loads(exchange["response"]["body"].get("string") or "null"))
    return found


def test_every_recorded_record_is_read() -> None:
    """Ten years of them: comments and posts are mentions, or gone; messages and communities are neither."""
    if not CASSETTES.exists():
        pytest.skip("the recordings are not on this machine")
    kinds: dict[str, int] = {}
    gone = 0
    for record in recorded():
        post = reddit._post(record)
        kinds[record["kind"]] = kinds.get(record["kind"], 0) + 1
        assert (post is not None) == (record["kind"] in ("t1", "t3"))
        if post is None:
            continue
        gone += post.gone
        data, mention = record["data"], post.mention(addressed=False)
        assert mention.id == data["name"]
        assert mention.created_at.timestamp() == data["created_utc"]
        assert post.gone or (mention.author.id and mention.author.handle == data["author"])
        assert mention.text.startswith(data.get("body") or data.get("title") or "")
        assert mention.url is None or mention.url.startswith("https://www.reddit.com/")
        if record["kind"] == "t1":
            assert mention.in_reply_to == data["parent_id"]
            assert mention.conversation is not None
            assert mention.url is not None
            assert mention.conversation.startswith("t3_")

    assert kinds["t1"] > 1_000
    assert kinds["t3"] > 200
    assert kinds["t4"] > 200
    assert gone > 10


def test_a_recorded_mention_in_the_inbox_speaks_to_us() -> None:
    """Its thread and its address come out of its context, as the inbox names no link."""
    if not CASSETTES.exists():
        pytest.skip("the recordings are not on this machine")
    text = (CASSETTES / "TestInbox.test_mentions.json").read_text(encoding="utf-8")
    answer = json.loads(json.loads(text)["interactions"][-1]["response"]["body"]["string"])
    children, after = reddit._page(answer)
    post = reddit._post(children[0])

    assert after == "t1_ekfncs9"
    assert post is not None
    assert post.to_us
    assert (post.parent, post.link) == ("t3_bb24k7", "t3_bb24k7")
    assert post.url is not None
    assert post.url.endswith("/ekftbox/")


# ── one POST ─────────────────────────────────────────────────────────────────────────────────────

REPEATED: tuple[PostFate, ...] = ("lost", "reset", "dropped", "500", "502", "503", "504")


@pytest.mark.parametrize("fate", REPEATED)
async def test_praw_alone_posts_three_times_and_heard_once(
    server: RedditServer,
    platform: RedditPlatform,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    fate: PostFate,
) -> None:
    """Counted on the wire, whatever becomes of the answer."""
    monkeypatch.setattr("prawcore.sessions.time.sleep", lambda _: None)
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    alone = praw.Reddit(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        refresh_token=REFRESH_TOKEN,
        user_agent="heard/0.1 by u/auroraair",
        oauth_url=server.url,
        reddit_url=server.url,
        check_for_updates=False,
        check_for_async=False,
    )
    server.fates = [fate] * 3
    with pytest.raises(prawcore.PrawcoreException):
        await asyncio.to_thread(alone.comment(mention.id[3:]).reply, WORDS)
    cast(Any, alone)._core.requestor.close()
    assert server.posts == 3

    server.fates = [fate] * 3
    assert isinstance(await platform.reply(mention, decided(mention)), Unknown)
    assert server.posts == 4


async def test_silence_is_an_unknown_fate(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comment is there; nobody said so in time."""
    monkeypatch.setattr(reddit, "_TIMEOUTS", (1, 0.1))
    server.silence = 0.3
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    fate = await platform.reply(mention, decided(mention))

    assert isinstance(fate, Unknown)
    assert server.posts == 1
    assert await platform.find_reply(mention, decided(mention)) is not None


async def test_limits_that_reddit_tells_never_make_a_reply_wait_in_the_library(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would leave minutes after its deadline: the budget says no instead, and nothing leaves."""

    def slept(_: float) -> None:
        raise AssertionError("praw slept")

    monkeypatch.setattr("prawcore.rate_limit.time.sleep", slept)
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    server.remaining = 2
    assert isinstance(await platform.reply(mention, decided(mention)), Posted)
    assert isinstance(await platform.reread(mention), Present)
    fate = await platform.reply(mention, decided(mention))

    assert isinstance(fate, Busy)
    assert fate.after == timedelta(seconds=300)
    assert server.posts == 1


async def test_what_became_of_a_reply_survives_a_budget_that_fails(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store of the budget may be lost after the comment is out."""

    async def lost() -> None:
        raise ConnectionError("the store is gone")

    monkeypatch.setattr(platform, "_tell", lost)
    mention = to(server.comments("Aurora Air?", author="maya"), clock)

    assert isinstance(await platform.reply(mention, decided(mention)), Posted)


async def test_what_has_not_left_in_time_stays(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that takes long must not make the comment leave after the sender stopped waiting."""
    monkeypatch.setattr(departure, "LEAVES_WITHIN_S", -1)
    mention = to(server.comments("Aurora Air?", author="maya"), clock)

    assert isinstance(await platform.reply(mention, decided(mention)), Busy)
    assert server.posts == 0


async def test_four_hundred_restarts_are_one_login(
    world: RedditWorld, clock: ManualClock, tmp_path: Path
) -> None:
    """A crash loop asks for no token while the last one holds; its file is its owner's alone."""
    mention = to(world.server.comments("Aurora Air?", author="maya"), clock)
    for _ in range(400):
        again = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
        assert isinstance(await again.reread(mention), Present)
        await again.close()
        clock.advance(timedelta(seconds=5))

    assert world.server.logins == 1
    assert stat.S_IMODE((tmp_path / "login.json").stat().st_mode) == 0o600

    clock.advance(timedelta(hours=1))
    again = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
    assert isinstance(await again.reread(mention), Present)
    await again.close()
    assert world.server.logins == 2


@pytest.mark.parametrize("left", [b"", b"{", b"null", b'{"whose": 1}'])
async def test_a_spoiled_login_file_is_no_login(
    world: RedditWorld, clock: ManualClock, tmp_path: Path, left: bytes
) -> None:
    """Whatever a full disk left there: Reddit is asked."""
    (tmp_path / "login.json").write_bytes(left)
    mention = to(world.server.comments("Aurora Air?", author="maya"), clock)
    platform = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)

    assert isinstance(await platform.reread(mention), Present)
    await platform.close()
    assert world.server.logins == 1


async def test_a_login_is_kept_for_whose_it_is(
    world: RedditWorld, clock: ManualClock, tmp_path: Path
) -> None:
    """With other keys in the settings the kept one is somebody else's."""
    mention = to(world.server.comments("Aurora Air?", author="maya"), clock)
    for token in (REFRESH_TOKEN, "another"):
        platform = world.connect(
            clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, refresh_token=token
        )
        with suppress(Revoked):
            await platform.reread(mention)
        await platform.close()

    assert world.server.logins == 2


async def test_a_token_that_reddit_forgot_costs_one_more_read_and_never_a_second_post(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """A read renews it at once; a comment comes back a moment later."""
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    assert isinstance(await platform.reread(mention), Present)
    server.tokens.clear()
    assert isinstance(await platform.reread(mention), Present)
    assert server.logins == 2

    server.tokens.clear()
    assert isinstance(await platform.reply(mention, decided(mention)), Busy)
    assert isinstance(await platform.reply(mention, decided(mention)), Posted)
    assert server.posts == 2
    assert len([item for item in server.items.values() if item.author == BRAND]) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.json_response({"error": "invalid_grant"}),
        lambda: web.json_response({"message": "Bad Request", "error": 400}, status=400),
        lambda: web.json_response({"message": "Unauthorized", "error": 401}, status=401),
        lambda: web.Response(status=503),
        lambda: web.Response(text="<html>"),
        lambda: web.json_response({"access_token": 7}),
        lambda: web.json_response([1, 2]),
    ],
)
async def test_a_login_that_fails_sends_nothing(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, answer: Any
) -> None:
    """So the reply may come later, and a look proves nothing."""
    server.token_answer = answer
    mention = to(server.comments("Aurora Air?", author="maya"), clock)

    assert isinstance(await platform.reply(mention, decided(mention)), Busy)
    assert server.posts == 0
    with pytest.raises(Fault):
        await platform.find_reply(mention, decided(mention))


async def test_a_login_is_not_carried_elsewhere(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """A redirect would take the secrets along."""
    where = {"Location": f"{server.url}/elsewhere"}
    server.token_answer = lambda: web.Response(status=307, headers=where)
    mention = to(server.comments("Aurora Air?", author="maya"), clock)

    assert isinstance(await platform.reply(mention, decided(mention)), Busy)
    assert server.requests == ["POST api/v1/access_token"]


async def test_a_refresh_token_that_is_none_asks_for_a_person(
    world: RedditWorld, clock: ManualClock, tmp_path: Path
) -> None:
    """With the variable to set."""
    budget = OwnBudget(clock.now)
    platform = world.connect(clock=clock, budget=budget, folder=tmp_path, refresh_token="an old one")
    with pytest.raises(Revoked) as raised:
        await platform.profile()
    await platform.close()

    assert "HEARD_REDDIT__REFRESH_TOKEN" in raised.value.fix


def refusal(code: str, words: str, field: str | None = "ratelimit", **more: Any) -> dict[str, Any]:
    return {"json": {"errors": [[code, words, field]], **more}}


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (refusal("RATELIMIT", "you are doing that too much. try again in 9 minutes."), timedelta(minutes=9)),
        (
            refusal("RATELIMIT", "you are doing that too much. try again in 9 minutes.", ratelimit=571.5),
            timedelta(seconds=571.5),
        ),
        (
            refusal("RATELIMIT", "Take a break for 58 seconds before trying again."),
            timedelta(seconds=58),
        ),
        (refusal("RATELIMIT", "Come back some time."), timedelta(minutes=10)),
        (refusal("USER_REQUIRED", "Please log in to do that.", None), timedelta(minutes=1)),
        (refusal("THREAD_LOCKED", "Comments are locked.", "parent"), Refused),
        (refusal("DELETED_COMMENT", "that comment has been deleted", "parent"), Refused),
        (
            refusal("TOO_OLD", "that's a piece of history now; it's too late to reply to it", "parent"),
            Refused,
        ),
        ({"json": {"errors": [["ONLY_A_CODE"]]}}, Refused),
        ({"json": {"errors": ["odd"]}}, Refused),
        ({"json": {"errors": [], "data": {"things": []}}}, Unknown),
        ({"json": {"errors": [], "data": {"things": [{"kind": "t1", "data": {}}]}}}, Unknown),
        ({"json": {"errors": None}}, Unknown),
        ({"success": False, "jquery": []}, Unknown),
        ({"json": []}, Unknown),
    ],
)
async def test_what_reddit_says_of_a_comment(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, answer: Any, fate: Any
) -> None:
    """A wait is as long as Reddit names it (R5); a 200 may be a refusal, or say nothing."""
    server.answers = [answer]
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    got = await platform.reply(mention, decided(mention))

    assert server.posts == 1
    if isinstance(fate, timedelta):
        assert isinstance(got, Busy)
        assert got.after == fate
        assert answer["json"]["errors"][0][1] in got.why
    else:
        assert isinstance(got, fate)


# ── listening ────────────────────────────────────────────────────────────────────────────────────


async def test_a_comment_that_appears_late_with_an_older_time_is_heard(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """Moderators approved it after newer ones had been heard."""
    _, cursor = await look(platform, "places", None)
    late = server.comments("Aurora Air held for approval", author="maya")
    server.items[late].listed = False
    clock.advance(timedelta(minutes=10))
    newer = server.comments("Aurora Air is late", author="tom")
    entries, cursor = await look(platform, "places", cursor)
    assert set(mentions(entries)) == {newer}
    server.items[late].listed = True
    entries, cursor = await look(platform, "places", cursor)
    assert set(mentions(entries)) == {late}
    entries, _ = await look(platform, "places", cursor)

    assert entries == []


async def test_more_than_a_list_holds_is_named(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """The last 1,000 are heard, and the words say that older ones were missed."""
    _, cursor = await look(platform, "places", None)
    clock.advance(timedelta(hours=2))
    made = []
    for _ in range(1_100):
        clock.advance(timedelta(seconds=1))
        made.append(server.comments("Aurora Air!", author="maya"))
    entries, cursor = await look(platform, "places", cursor)
    (path,) = [path for path in platform.paths if path.name == "places"]

    assert set(mentions(entries)) == set(made[-1_000:])
    assert [m.id for m in mentions(entries).values()] == made[-1_000:]
    assert "Reddit shows the last 1,000 only; older ones were missed" in path.state().words
    assert not path.state().ok
    assert len(cursor) < 40_000


async def test_a_path_that_is_followed_again_from_an_old_position_hears_again(
    server: RedditServer, platform: RedditPlatform
) -> None:
    """The store may not have taken what was heard: nothing of it is remembered but in the position."""
    _, cursor = await look(platform, "places", None)
    post = server.comments("Aurora Air?", author="maya")
    first, _ = await look(platform, "places", cursor)
    again, _ = await look(platform, "places", cursor)

    assert set(mentions(first)) == set(mentions(again)) == {post}


async def test_posts_are_heard_with_their_title_and_words(
    server: RedditServer, platform: RedditPlatform
) -> None:
    """As what opens a conversation; a declared copy names the original."""
    _, cursor = await look(platform, "places", None)
    post = server.submits("Aurora Air lost my bag", "Twice <3 & counting", author="maya")
    copy = server.submits("Aurora Air again", "", author="tom", crosspost_parent=post)
    other = server.submits("Aurora Air", "elsewhere", author="tom", place="knitting")
    heard = mentions((await look(platform, "places", cursor))[0])

    assert set(heard) == {post, copy}
    assert other not in heard
    assert heard[post].text == "Aurora Air lost my bag\n\nTwice <3 & counting"
    assert (heard[post].in_reply_to, heard[post].conversation, heard[post].follows) == (None, post, False)
    assert heard[copy].cross_post_of == f"reddit:{post}"
    assert heard[post].url == f"https://www.reddit.com/r/{PLACE}/comments/{post[3:]}/a_post/"
    assert await platform.reread(heard[post]) == Present(heard[post].text)


async def test_a_reply_to_our_comment_speaks_to_us_on_every_path(
    server: RedditServer, platform: RedditPlatform
) -> None:
    """Whichever path hears it first, it is the same mention."""
    ours = server.comments("We are sorry.", author=BRAND)
    theirs = server.comments("Who else is here?", author="tom")
    cursors = {path.name: (await look(platform, path.name, None))[1] for path in platform.paths}
    to_us = server.comments("Aurora Air is no help", author="maya", under=ours)
    to_them = server.comments("Aurora Air is no help", author="maya", under=theirs)
    by_inbox = mentions((await look(platform, "inbox", cursors["inbox"]))[0])
    by_place = mentions((await look(platform, "places", cursors["places"]))[0])

    assert by_inbox == {to_us: by_place[to_us]}
    assert by_place[to_us].addressed
    assert by_place[to_us].in_reply_to == ours
    assert not by_place[to_them].addressed


async def test_a_private_message_is_no_mention(server: RedditServer, platform: RedditPlatform) -> None:
    """The inbox holds them too."""
    _, cursor = await look(platform, "inbox", None)

    assert (await look(platform, "inbox", cursor))[0] == []


async def test_without_communities_posts_are_searched_for(
    world: RedditWorld, server: RedditServer, clock: ManualClock, tmp_path: Path
) -> None:
    """Everywhere; and still nothing is ever posted that nobody decided."""
    budget = OwnBudget(clock.now)
    platform = world.connect(clock=clock, budget=budget, folder=tmp_path, places=())
    assert [path.name for path in platform.paths] == ["inbox", "search"]
    _, cursor = await look(platform, "search", None)
    post = server.submits("Aurora Air?", "", author="maya", place="knitting")
    server.submits("auroraairlines", "", author="maya")
    entries, _ = await look(platform, "search", cursor)
    await platform.close()

    assert set(mentions(entries)) == {post}
    assert server.posts == 0


async def test_an_application_without_an_account_only_listens(
    world: RedditWorld, server: RedditServer, clock: ManualClock, tmp_path: Path
) -> None:
    """It has no inbox, and posts nothing."""
    budget = OwnBudget(clock.now)
    platform = world.connect(clock=clock, budget=budget, folder=tmp_path, refresh_token="")
    _, cursor = await look(platform, "places", None)
    post = server.comments("Aurora Air?", author="maya")
    entries, _ = await look(platform, "places", cursor)
    mention = mentions(entries)[post]

    assert [path.name for path in platform.paths] == ["places"]
    assert not platform.can_post
    assert await platform.profile() is None
    assert isinstance(await platform.reply(mention, decided(mention)), Refused)
    assert await platform.reread(mention) == Present(mention.text)
    assert not [finding for finding in await platform.examine() if finding.state == "bad"]
    await platform.close()


def odd_records() -> list[tuple[Any, str]]:
    """Records as no Reddit should write them, each with what becomes of it."""
    good = {"name": "t1_odd", "author": "maya", "body": "Aurora Air", "created_utc": NOON.timestamp()}

    def with_(**changes: Any) -> dict[str, Any]:
        return {"kind": "t1", "data": {k: v for k, v in (good | changes).items() if v is not ...}}

    return [
        (with_(), "heard"),
        (with_(created_utc=str(NOON.timestamp())), "heard"),
        (with_(created_utc=int(NOON.timestamp())), "heard"),
        (with_(name=..., id=4711), "heard"),
        (with_(author=4711, author_fullname=815), "heard"),
        (with_(parent_id=None, link_id={"a": 1}, permalink=7, context=["x"]), "heard"),
        (with_(permalink="//evil.example/r/a/comments/b/"), "heard"),
        (with_(permalink="http://[::1"), "heard"),
        (with_(body="Aurora Air \ud83d"), "heard"),
        (with_(new_field={"deep": [1]}, type="a_new_type"), "heard"),
        (with_(created_utc=...), "unreadable"),
        (with_(created_utc="yesterday"), "unreadable"),
        (with_(created_utc=float("1e300")), "unreadable"),
        (with_(created_utc=True), "unreadable"),
        (with_(name=..., id=...), "unreadable"),
        (with_(name="t1_../../x"), "unreadable"),
        (with_(body=...), "unreadable"),
        (with_(body={"a": 1}), "unreadable"),
        ({"kind": "t1", "data": []}, "unreadable"),
        ({"kind": "t1"}, "unreadable"),
        ([], "unreadable"),
        (7, "unreadable"),
        ("t1", "unreadable"),
        (None, "unreadable"),
        (with_(author=None), "nothing"),
        (with_(author="[deleted]"), "nothing"),
        (with_(body="[removed]"), "nothing"),
        ({"kind": "more", "data": {"children": []}}, "nothing"),
        ({"kind": ["t1"], "data": {}}, "nothing"),
    ]


@pytest.mark.parametrize(("record", "becomes"), odd_records())
async def test_an_odd_record_is_heard_or_kept_and_told_once(
    platform: RedditPlatform, monkeypatch: pytest.MonkeyPatch, record: Any, becomes: str
) -> None:
    """Never an exception out of a path, and never a guess."""
    pages = deque([([], None), ([], None), *[([record], None), ([], None)] * 2])

    async def page(*_: Any, **__: Any) -> tuple[list[Any], str | None]:
        return pages.popleft()

    monkeypatch.setattr(platform, "page", page)
    _, cursor = await look(platform, "places", None)
    entries, cursor = await look(platform, "places", cursor)
    again, _ = await look(platform, "places", cursor)
    kinds = {Heard: "heard", Unreadable: "unreadable"}

    assert [kinds[type(entry)] for entry in entries] == ([] if becomes == "nothing" else [becomes])
    assert again == []
    for entry in entries:
        if isinstance(entry, Heard):
            entry.mention.text.encode()
            assert entry.mention.url is None or entry.mention.url.startswith("https://www.reddit.com/")
        if isinstance(entry, Unreadable):
            assert json.loads(entry.raw) == record


async def test_a_record_from_the_future_does_not_make_the_path_deaf(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """What comes after it has times long before it."""
    _, cursor = await look(platform, "places", None)
    server.items[server.comments("nothing", author="x")].created += 10**8
    _, cursor = await look(platform, "places", cursor)
    clock.advance(timedelta(minutes=5))
    post = server.comments("Aurora Air?", author="maya")

    assert set(mentions((await look(platform, "places", cursor))[0])) == {post}


async def test_an_odd_parent_does_not_make_the_path_deaf(
    server: RedditServer, platform: RedditPlatform
) -> None:
    """Then nobody knows that it speaks to us, and people read it all the same."""
    parent = server.comments("Hm", author="tom", body=None)
    _, cursor = await look(platform, "places", None)
    post = server.comments("Aurora Air?", author="maya", under=parent)
    heard = mentions((await look(platform, "places", cursor))[0])

    assert not heard[post].addressed


async def test_what_was_heard_and_is_deleted_is_told_once(
    server: RedditServer, platform: RedditPlatform
) -> None:
    """As long as Reddit still lists it, without its words."""
    _, cursor = await look(platform, "inbox", None)
    post = server.comments(f"u/{BRAND} hello", author="maya")
    _, cursor = await look(platform, "inbox", cursor)
    server.items[post].deleted = True
    told, cursor = await look(platform, "inbox", cursor)
    again, _ = await look(platform, "inbox", cursor)

    assert told == [Removed(post, "", "")]
    assert again == []


async def test_automoderator_is_a_bot(server: RedditServer, platform: RedditPlatform) -> None:
    """Nobody answers it (T11)."""
    _, cursor = await look(platform, "places", None)
    post = server.comments("Aurora Air rules", author="AutoModerator")

    assert mentions((await look(platform, "places", cursor))[0])[post].author.bot


async def test_a_community_that_is_not_there_is_named(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """Names that cannot be one are refused at once, with how to write them."""
    for wrong in ("../../api/v1/me", "two words", "r/", "a"):
        with pytest.raises(NotConnected):
            connect(a_setup(clock, places=(wrong,)))
    right = connect(a_setup(clock, places=("r/travel", "/r/Flights/", "aviation")))
    await right.close()

    assert right._lists["places"][0].path == "r/travel+Flights+aviation/comments/"


# ── one budget ───────────────────────────────────────────────────────────────────────────────────


class FastSession(requests.Session):
    """Answers at once with an empty list, and notes when it was asked."""

    clock: ManualClock
    asked: list[float]

    def request(self, method: Any, url: Any, *_: Any, **__: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.url = 200, str(url)
        if "access_token" in str(url):
            answer: Any = {"access_token": "t", "expires_in": 86_400, "scope": "*"}
        else:
            self.asked.append(self.clock.now().timestamp())
            answer = {"kind": "Listing", "data": {"children": [], "after": None}}
            answer |= {"name": BRAND}
        response._content = json.dumps(answer).encode()
        return response


async def test_three_workers_never_ask_more_than_a_hundred_times_a_minute(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an hour in which each asks as much as it can; listening alone takes at most sixty (R2)."""
    asked: list[float] = []
    monkeypatch.setattr(FastSession, "clock", clock, raising=False)
    monkeypatch.setattr(FastSession, "asked", asked, raising=False)
    monkeypatch.setattr("platforms.reddit.requests.Session", FastSession)
    budget = OwnBudget(clock.now)
    workers = [connect(a_setup(clock, budget=budget)) for _ in range(3)]
    mention = to("t1_a", clock)
    listened, waits = 0, []
    for second in range(0, 3_600, 5):
        for worker in workers:
            for path in worker.paths:
                before = len(asked)
                try:
                    await path._look(None)
                except TooMany as fault:
                    waits.append(fault.after)
                listened += len(asked) - before
            if second % 3 == 0:
                try:
                    await worker.reread_all([mention])
                except TooMany as fault:
                    waits.append(fault.after)
            await worker.reply(mention, decided(mention))
        clock.advance(timedelta(seconds=5))
    for worker in workers:
        await worker.close()
    fullest = max(sum(start <= at < start + 60 for at in asked) for start in asked[::7])

    assert fullest <= 100
    assert fullest > 80
    assert listened <= 60 * 60 + 60
    assert listened > 55 * 60
    assert waits
    assert all(timedelta(0) < wait <= timedelta(minutes=1) for wait in waits)


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


async def test_an_edit_is_seen_when_it_is_read_again(
    world: RedditWorld, server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """Reddit tells nobody of it otherwise."""
    mention = to(server.comments("My bag is lost", author="maya"), clock)
    world.edits(mention.id, "My bag is found")

    assert await platform.reread(mention) == Present("My bag is found")


@pytest.mark.parametrize(
    "more",
    [
        {"body": "[removed]"},
        {"author": None},
        {"author": "[deleted]", "body": "[deleted]"},
        {"author": "[deleted]", "author_fullname": None},
    ],
)
async def test_what_was_removed_or_has_no_author_is_gone(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, more: Any
) -> None:
    """By the moderators, with the account, or by its author."""
    removed = to(server.comments("My bag", author="maya"), clock)
    server.items[removed.id].more = more
    nowhere = to("t1_nowhere", clock)

    assert await platform.reread_all([removed, nowhere]) == [Gone(), Gone()]


async def test_an_odd_record_is_not_taken_for_a_deletion(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """A fault, so that nothing is redacted for Reddit's trouble."""
    odd = to(server.comments("My bag", author="maya", body=None), clock)
    with pytest.raises(Trouble):
        await platform.reread(odd)


async def test_an_answer_by_another_account_of_the_brand_is_seen(
    world: RedditWorld, server: RedditServer, clock: ManualClock
) -> None:
    """And an account that Reddit has not is no obstacle."""
    platform = connect(a_setup(clock, server.url, handles=frozenset({BRAND, "aurora_help", "Gone-Away"})))
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    assert await platform.answered(mention, ours=frozenset()) is None
    theirs = server.comments("Nina here.", author="Aurora_Help", under=mention.id)

    assert await platform.answered(mention, ours=frozenset()) == theirs
    await platform.close()


async def test_own_comments_that_go_back_no_further_prove_nothing(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """Where the list ends before the mention, a reply may stand beyond its end."""
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    clock.advance(timedelta(minutes=1))
    for _ in range(1_000):
        server.comments("Thank you.", author=BRAND)
    with pytest.raises(Trouble):
        await platform.find_reply(mention, decided(mention))


async def test_a_look_ends_at_the_mention_and_costs_little(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """An account with a long history is not read to its end."""
    for _ in range(500):
        server.comments("Thank you.", author=BRAND)
    clock.advance(timedelta(hours=1))
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    await platform.profile()
    before = len(server.requests)

    assert await platform.find_reply(mention, decided(mention)) is None
    assert len(server.requests) - before == 1


# ── who may, and who says so ─────────────────────────────────────────────────────────────────────


async def test_without_reddit_s_approval_nothing_connects(clock: ManualClock) -> None:
    """Rule R1; and each key that is missing is named."""
    with pytest.raises(NotConnected, match="R1") as raised:
        connect(a_setup(clock, approval=None))
    assert "approval_reference" in raised.value.fix
    for key in ("client_id", "client_secret", "user_agent"):
        setup = a_setup(clock)
        access = {name: value for name, value in setup.access.items() if name != key}
        with pytest.raises(NotConnected, match=f"HEARD_REDDIT__{key.upper()}"):
            connect(replace(setup, access=access))


async def test_settings_that_lie_about_change_nothing(
    server: RedditServer, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A praw.ini, variables, a netrc: neither another login nor another host."""
    (tmp_path / "netrc").write_text("default login eve password eve\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    ini = (
        "[DEFAULT]\nusername=eve\npassword=eve\nreddit_url=http://127.0.0.1:9\noauth_url=http://127.0.0.1:9\n"
    )
    (tmp_path / "praw.ini").write_text(ini)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRAW_ALLOW_ENDPOINT_OVERRIDE", "1")
    monkeypatch.setenv("praw_username", "eve")
    monkeypatch.setenv("praw_password", "eve")
    monkeypatch.setattr("praw.config.Config.CONFIG", None)
    platform = connect(a_setup(clock, server.url))
    profile = await platform.profile()
    await platform.close()
    monkeypatch.setattr("praw.config.Config.CONFIG", None)

    assert profile is not None
    assert profile.handle == BRAND


async def test_the_doctor_names_a_wrong_clock_and_missing_scopes(
    server: RedditServer, clock: ManualClock
) -> None:
    """With what mends them."""
    server.scopes = "identity read"
    ahead = ManualClock(clock.now() + timedelta(seconds=31))
    platform = connect(a_setup(ahead, server.url))
    found = {finding.about: finding for finding in await platform.examine()}
    await platform.close()

    assert found["approval"].words.endswith("request 4711 (rule R1)")
    assert found["login"].words == f"as u/{BRAND}"
    assert found["clock"].state == "warn"
    assert "31 s" in found["clock"].words
    assert found["scopes"].state == "bad"
    assert "submit" in found["scopes"].words
    assert "of 100 a minute" in found["budget"].words


async def test_nothing_of_a_post_or_a_secret_is_logged(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where everything is logged that can be."""
    with caplog.at_level(logging.DEBUG):
        mention = to(server.comments("Aurora Air secret-words", author="maya"), clock)
        await platform.reply(mention, decided(mention, "our-own-words"))
        await look(platform, "places", None)

    for words in ("secret-words", "our-own-words", CLIENT_SECRET, REFRESH_TOKEN, "token-1"):
        assert words not in caplog.text


# ── words as they are ────────────────────────────────────────────────────────────────────────────

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> list[str]:
    """What people see of Markdown, paragraph by paragraph; anything but plain text fails the test."""
    lines = []
    for token in MARKDOWN.parse(markdown):
        if token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "text_special", "link_open", "link_close"}, (markdown, kinds)
            lines.append("".join(child.content for child in token.children or ()))
        else:
            assert token.type in ("paragraph_open", "paragraph_close"), (markdown, token.type)
    return [" ".join(line.split()) for line in lines]


def plain(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in re.split(r"\r\n|\r|\n", text))
    return [line for line in lines if line]


LIVELY = st.text(st.sampled_from("ab1 *_~`#>[]()^\\|<&;!-+=.:/\n\tu&é"), max_size=40)
ANYTHING = st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.just("\n"), max_size=60)


@given(LIVELY | ANYTHING)
def test_a_text_is_shown_exactly_as_it_was_written(text: str) -> None:
    """Whatever is in it, and nothing of it becomes emphasis, a list, a table, a heading or a link."""
    assert shown(escaped(text)) == plain(text)


@pytest.mark.parametrize(
    "text",
    [
        "1. first\n2) second\n- third\n+ fourth\n# fifth\n> sixth",
        "=====\n-----\n*****\n_____\n~~~~~\n```",
        "text\n=====",
        "    four spaces\n\ttab",
        ">!spoiler!< x^2 ^(super script) ~~struck~~ **bold** __bold__",
        "[a](https://evil.example) ![gif](giphy|abc) <b>html</b> &amp; &#35; &copy",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "[ref]: https://evil.example",
        "See https://auroraair.example/lost_bags?id=1&x=2#top, please.",
        "(see https://auroraair.example/help)",
        "https://auroraair.example/*_odd_*~x~ and [https://auroraair.example]",
        "u/some_name, u/_name_ and r/aviation",
        "Your flight AA-1 costs 1.5 and 100% more (really). Sorry!",
    ],
)
def test_texts_that_mean_something_in_markdown(text: str) -> None:
    """One of each kind; links stay links."""
    assert shown(escaped(text)) == plain(text)


def test_plain_words_and_links_are_left_alone() -> None:
    """Nobody who reads the source of a reply should stumble over what was not needed."""
    text = "Hi Maya, see https://auroraair.example/lost_bags (AA-1). Yours, u/some_name!"

    assert escaped(text) == text
    assert escaped("one\r\ntwo\n\n\nthree") == "one\n\ntwo\n\nthree"
    assert base36(36) == "10"


async def test_a_reply_full_of_markdown_is_found_again(
    server: RedditServer, platform: RedditPlatform, clock: ManualClock
) -> None:
    """Reddit keeps the source; white space may come back otherwise."""
    text = "1. *Hi* Maya & co <3\n\n\n# of bags:  2 ~ u/some_name"
    mention = to(server.comments("Aurora Air?", author="maya"), clock)
    posted = await platform.reply(mention, decided(mention, text))
    assert isinstance(posted, Posted)
    server.items[posted.id].text = server.items[posted.id].text.replace("\n\n", "\r\n\r\n") + "\n"
    found = await platform.find_reply(mention, decided(mention, text))

    assert found == posted
