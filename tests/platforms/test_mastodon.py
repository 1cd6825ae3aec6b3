"""Mastodon: what its HTML says, who may see a reply, and what its servers do that others do not."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import mastodon
import pytest
from aiohttp import web
from ruamel.yaml import YAML

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.mention import Mention
from casework.reply import Outgoing
from platforms.faults import Fault, TooMany, Trouble
from platforms.limits import OwnBudget
from platforms.mastodon import (
    CALLS,
    STATUSES,
    WIDEST_FIRST,
    MastodonPlatform,
    _mention,
    _streaming_at,
    _swept,
    connect,
    plain,
)
from platforms.platform import Busy, Gone, Heard, Posted, Present, Refused, Unknown, Unreadable
from platforms.setup import NotConnected, Setup
from tests.contracts.conftest import Ears
from tests.contracts.world import QUICK
from tests.contracts.worlds.mastodon import MastodonWorld, open_world
from tests.fakes.cases import NOON
from tests.fakes.mastodon_server import BRAND, TOKEN
from tests.fakes.waiting import until

RECORDINGS = Path("/work/shared/data/mastodon-py-cassettes")
HOSTILE = Path("/work/shared/data/naughty/own/hostile.jsonl")
WORDS = "Hi Maya, we are looking for your bag. (AA-1)"


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[MastodonWorld]:
    async with open_world(clock) as opened:
        yield opened


@pytest.fixture
def budget(clock: ManualClock) -> OwnBudget:
    return OwnBudget(clock.now)


@pytest.fixture
async def platform(
    world: MastodonWorld, clock: ManualClock, budget: OwnBudget, tmp_path: Path
) -> AsyncIterator[MastodonPlatform]:
    connected = world.connect(clock=clock, budget=budget, folder=tmp_path)
    yield connected
    await connected.close()


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    listening = Ears()
    yield listening
    await listening.close()


def a_setup(clock: ManualClock, **changes: object) -> Setup:
    setup = Setup(
        brand="Aurora Air",
        words=("auroraair",),
        handles=frozenset({BRAND}),
        clock=clock,
        budget=OwnBudget(clock.now),
        folder=Path(),
        access={"url": "http://127.0.0.1:9", "access_token": TOKEN},
        manners=QUICK,
    )
    return replace(setup, **changes)  # type: ignore[arg-type]  # each caller names real fields


def decided(mention: Mention, text: str = WORDS, key: str = "C-100:1") -> Outgoing:
    return Outgoing(key, ReplyKind.ANSWER, text, mention.key, "nina", NOON, started_at=NOON, attempts=1)


def said(world: MastodonWorld, text: str = "My bag is lost", **more: object) -> Mention:
    """A mention of the brand, as the sender holds it."""
    author = str(more.pop("author", "maya"))
    status = world.server.status(f"@{BRAND} {text}", author=author)
    status.update(more)
    return _mention(status, world.server.me)


# ── what people wrote ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>One</p><p>Two<br />three</p>", "One\n\nTwo\nthree"),
        ("<p>One</p>\n<p>Two<br>\nthree</p>\n", "One\n\nTwo\n three"),
        (
            '<p><span class="h-card"><a href="https://m.example/@auroraair" class="u-url mention">'
            "@<span>auroraair</span></a></span> help</p>",
            "@auroraair help",
        ),
        (
            '<p>See <a href="https://e.co/"><span class="invisible">https://</span>'
            '<span class="ellipsis">example.com/a/b?c=1</span><span>&amp;d=2</span></a></p>',
            "See https://example.com/a/b?c=1&d=2",
        ),
        ("<p>1 &lt; 2 &amp;amp; &quot;x&quot; &#39;y&#39; &#x1F600;</p>", "1 < 2 &amp; \"x\" 'y' 😀"),
        ("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>", "<script>alert(1)</script>"),
        ("<ul><li>one</li><li>two</li></ul><blockquote>three</blockquote>", "one\ntwo\n\nthree"),
        ("no markup at all", "no markup at all"),
        ("<p>I <3 it <- really</p>", "I <3 it <- really"),
        ("<p>cut off <a href=", "cut off <a href="),
        ("<![CDATA[x]]> <![if y]> <?php z ?>", "<![CDATA[x]]> <![if y]> <?php z ?>"),
        ("<p></p>", ""),
        ("<p>a  b\u00a0c\u200bd\u202ee</p>", "a  b\u00a0c\u200bd\u202ee"),
        ('<p>x<img src="http://evil.example/p.png" onerror="alert(1)">y</p>', "xy"),
    ],
)
def test_html_is_read_as_people_wrote_it(content: str, text: str) -> None:
    """Paragraphs, lines, whole links and visible handles; everything else stays as it is."""
    assert plain(content) == text


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<!--", "</", "&", "<a '\"", "<![", "<p>", '<a href="', "<a b='c' "]
)
def test_no_html_takes_long(piece: str) -> None:
    """A megabyte of it is read in a moment: Python's own parser took minutes for a tenth of that."""
    began = time.monotonic()
    plain(piece * (1_000_000 // len(piece)))

    assert time.monotonic() - began < 3


def test_every_hostile_text_survives_its_html(world: MastodonWorld) -> None:
    """As a server renders it, none is changed."""
    if not HOSTILE.exists():
        pytest.skip("the hostile corpus is not on this machine")
    texts = [json.loads(line)["text"] for line in HOSTILE.read_text(encoding="utf-8").splitlines()]
    server = world.server

    assert [t for t in texts if t.strip() and t.strip() not in plain(server.rendered(t)["content"])] == []


def recorded_bodies() -> Iterator[object]:
    for path in sorted(RECORDINGS.glob("*.yaml")):
        for interaction in YAML(typ="safe").load(path)["interactions"]:
            body = interaction["response"]["body"].get("string") or ""
            text = body.decode(errors="replace") if isinstance(body, bytes) else body
            for line in text.split("\n"):
                try:
                    yield json.loads(line.removeprefix("data: "))
                except ValueError:
                    continue


def records(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from records(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from records(inner)


def test_recordings_of_a_real_server_are_understood() -> None:
    """Every status and every notification in them."""
    if not RECORDINGS.exists():
        pytest.skip("the recordings are not on this machine")
    found = [record for body in recorded_bodies() for record in records(body)]
    statuses = [record for record in found if "content" in record and "account" in record]
    notifications = [
        record
        for record in found
        if record.get("type") == "mention" and isinstance(record.get("status"), dict)
    ]
    heard = [_swept(notification, "1", str(notification["id"])) for notification in notifications]
    odd = []
    for status in statuses:
        try:
            _mention(status, "1")
        except ValueError as error:
            odd.append((str(error), status["content"], status["media_attachments"]))

    assert len(statuses) > 100
    assert len(notifications) > 10
    assert all(isinstance(entry, Heard) for entry in heard)
    assert odd == []


# ── odd records ──────────────────────────────────────────────────────────────────────────────────


def test_ids_may_be_numbers_and_unknown_things_are_passed_over(world: MastodonWorld) -> None:
    """As on some other servers that speak this API."""
    status = world.server.status("hello", author="maya@far.example")
    status |= {"id": 17, "in_reply_to_id": 16, "visibility": "mutuals_only", "new": {"x": [1]}, "language": 3}
    mention = _mention(status, "1")

    assert (mention.id, mention.in_reply_to, mention.language) == ("17", "16", None)
    assert mention.author.handle == "maya@far.example"


@pytest.mark.parametrize(
    "broken",
    [
        {"account": None},
        {"account": {}},
        {"created_at": "2026-11-03T12:00:00"},
        {"created_at": None},
        {"id": None},
        {"id": True},
        {"content": ["x"]},
        {"content": ""},
        {"mentions": "x"},
        {"reblog": "x"},
        {"content": "", "media_attachments": [1]},
    ],
)
def test_what_is_no_status_is_kept_as_unreadable(world: MastodonWorld, broken: dict[str, object]) -> None:
    """With the record as it came, and the position after it."""
    status = {**world.server.status("x", author="maya"), **broken}
    entry = _swept({"id": "5", "type": "mention", "status": status}, "1", "5")

    assert isinstance(entry, Unreadable)
    assert json.loads(entry.raw)["status"] == status
    assert (entry.cursor, bool(entry.why)) == ("5", True)


def test_a_content_warning_stands_in_front_and_pictures_are_read_by_their_descriptions(
    world: MastodonWorld,
) -> None:
    """So that what people wrote about them is heard."""
    status = world.server.status("My bag", author="maya", spoiler_text="luggage")
    pictures = {
        "content": "",
        "media_attachments": [{"description": "A bag in two parts"}, {"description": None}],
    }

    assert _mention(status, "1").text == "luggage\nMy bag"
    assert _mention({**status, "spoiler_text": "", **pictures}, "1").text == "A bag in two parts"
    assert (
        _mention({**status, "content": "", "spoiler_text": "", "media_attachments": [{}]}, "1").text
        == "[media]"
    )


def test_a_boost_says_what_it_repeats(world: MastodonWorld) -> None:
    """So that it opens no case of its own."""
    original = world.server.status("hello", author="maya")
    boost = world.server.status("", author="omar", reblog=original, content="")
    mention = _mention(boost, "1")

    assert (mention.repost_of, mention.text, mention.author.handle) == (original["id"], "hello", "omar")


# ── replying ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("widest", [None, *WIDEST_FIRST])
@pytest.mark.parametrize("of_mention", WIDEST_FIRST)
async def test_a_reply_is_never_more_public_than_the_mention(
    world: MastodonWorld, clock: ManualClock, tmp_path: Path, of_mention: str, widest: str | None
) -> None:
    """Nor than the brand wants: all sixteen ways, on the wire (M3)."""
    mention = said(world, visibility=of_mention)
    platform = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, visibility=widest)
    await platform.reply(mention, decided(mention))
    (posted,) = world.server.posted
    widest_place = WIDEST_FIRST.index(widest) if widest else 0

    assert WIDEST_FIRST.index(posted["visibility"]) == max(WIDEST_FIRST.index(of_mention), widest_place)
    await platform.close()


async def test_a_visibility_that_nobody_knows_is_answered_to_its_author_alone(
    world: MastodonWorld, platform: MastodonPlatform
) -> None:
    """Other servers have some that Mastodon has not."""
    mention = said(world, visibility="mutuals_only")
    await platform.reply(mention, decided(mention))

    assert world.server.posted[0]["visibility"] == "direct"


async def test_the_author_is_named_once(world: MastodonWorld, platform: MastodonPlatform) -> None:
    """Without the handle nobody would be told; with two it looks like a mistake."""
    mention = said(world)
    await platform.reply(mention, decided(mention))
    await platform.reply(mention, decided(mention, text="Hello @Maya, we have it.", key="2"))
    await platform.reply(mention, decided(mention, text="Hello @maya@elsewhere.example.", key="3"))

    assert [form["status"] for form in world.server.posted] == [
        f"@maya {WORDS}",
        "Hello @Maya, we have it.",
        "@maya Hello @maya@elsewhere.example.",
    ]


async def test_a_reply_to_somebody_on_another_server_is_found(
    world: MastodonWorld, platform: MastodonPlatform
) -> None:
    """Their handle is shown without its server, and the text with other line ends."""
    mention = said(world, author="omar@far.example")
    world.next_posts("lost")
    outgoing = decided(
        mention, text="Hi <Omar> & all,\n\n\nsee https://aurora.example/very/long/path?a=1&b=2 (AA-7)"
    )
    fate = await platform.reply(mention, outgoing)

    assert isinstance(fate, Unknown)
    assert world.server.posted[0]["status"].startswith("@omar@far.example Hi")
    assert isinstance(await platform.find_reply(mention, outgoing), Posted)


async def test_a_server_that_ignores_the_idempotency_key_is_proved_by_a_look(
    world: MastodonWorld, platform: MastodonPlatform
) -> None:
    """The key is a help; the look is what counts."""
    world.server.honours_keys = False
    mention = said(world)
    world.next_posts("lost")
    await platform.reply(mention, decided(mention))

    assert await platform.find_reply(mention, decided(mention)) is not None
    assert len(world.published()) == 1


async def test_a_reply_is_found_where_the_thread_does_not_show_it(
    world: MastodonWorld, platform: MastodonPlatform
) -> None:
    """Among what the account wrote since, page by page, also when the mention itself is gone."""
    mention = said(world)
    for n in range(60):
        world.server.status(f"Other {n}", author=BRAND)
    posted = await platform.reply(mention, decided(mention))
    for n in range(60):
        world.server.status(f"Later {n}", author=BRAND)
    del world.server.statuses[mention.id]
    found = await platform.find_reply(mention, decided(mention))

    assert isinstance(posted, Posted)
    assert found == posted


async def test_a_reply_that_is_too_long_for_this_server_is_not_sent(
    world: MastodonWorld, platform: MastodonPlatform
) -> None:
    """The server says how much it takes; a longer one is allowed where it takes more."""
    mention = said(world)
    long = "ä" * 600
    refused = await platform.reply(mention, decided(mention, text=long))
    assert isinstance(refused, Refused)
    assert "606 of 500" in refused.why
    assert world.posts == 0


async def test_a_generous_server_takes_a_long_reply(world: MastodonWorld, platform: MastodonPlatform) -> None:
    """Its own figure counts."""
    world.server.max_characters = 5_000
    mention = said(world)

    assert isinstance(await platform.reply(mention, decided(mention, text="ä" * 600)), Posted)


async def test_a_mention_that_is_gone_is_not_answered(
    world: MastodonWorld, platform: MastodonPlatform
) -> None:
    """And no POST leaves."""
    mention = said(world)
    world.deletes(mention.id)

    assert isinstance(await platform.reply(mention, decided(mention)), Refused)
    assert world.posts == 0


async def test_a_server_that_is_not_there_took_nothing(clock: ManualClock, world: MastodonWorld) -> None:
    """No connection, no reply: that is known, and tried again later."""
    platform = connect(a_setup(clock))
    mention = said(world)

    assert isinstance(await platform.reply(mention, decided(mention)), Busy)
    await platform.close()


async def test_limits_that_cannot_be_read_do_not_hide_that_a_reply_is_out(
    world: MastodonWorld, platform: MastodonPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library raises for a broken header although the POST worked."""
    mention = said(world)
    await platform.profile()
    headers = world.server._headers

    def broken(left: int, limit: int = 300) -> dict[str, str]:
        return {**headers(left, limit), "X-RateLimit-Reset": "soon"}

    monkeypatch.setattr(world.server, "_headers", broken)

    assert isinstance(await platform.reply(mention, decided(mention)), Posted)
    assert world.posts == 1


async def test_nobody_is_followed_to_another_host(clock: ManualClock, world: MastodonWorld) -> None:
    """A redirect would carry the token, and a POST, elsewhere."""
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(request.path)
        raise web.HTTPTemporaryRedirect(f"{world.server.url}{request.path_qs}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    platform = connect(a_setup(clock, access={"url": url, "access_token": TOKEN}))
    with pytest.raises(Trouble):
        await platform.profile()

    assert reached == ["/api/v1/accounts/verify_credentials"]
    assert world.server.calls == []
    await platform.close()
    await runner.cleanup()


async def test_a_proxy_s_404_is_not_a_deletion(
    world: MastodonWorld, platform: MastodonPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mastodon says so in JSON; a proxy that lost its server says it about everything, in HTML."""
    mention = said(world)
    lost = web.Response(status=404, text="<html>404</html>")
    monkeypatch.setattr(world.server, "_misbehave", lambda _: lost)
    with pytest.raises(Fault):
        await platform.reread(mention)


async def test_a_server_without_the_call_for_many_is_asked_one_by_one(
    world: MastodonWorld, platform: MastodonPlatform
) -> None:
    """It came with Mastodon 4.3, and other servers have not got it."""
    world.server.bulk = False
    mentions = [said(world, f"Number {n}") for n in range(25)]
    world.deletes(mentions[3].id)
    seen = await platform.reread_all(mentions)

    assert [n for n, one in enumerate(seen) if isinstance(one, Gone)] == [3]
    assert seen[0] == Present(mentions[0].text)
    assert len(world.server.calls) == 1 + 25


# ── limits ───────────────────────────────────────────────────────────────────────────────────────


async def wait_of(platform: MastodonPlatform, mention: Mention) -> timedelta | None:
    """How long a look is told to wait; None when it was allowed."""
    try:
        await platform.reread(mention)
    except Fault as fault:
        return fault.after
    return None


async def test_no_more_calls_are_made_than_mastodon_allows(
    world: MastodonWorld, platform: MastodonPlatform, clock: ManualClock
) -> None:
    """300 in five minutes, whatever is wanted; afterwards it goes on (M4)."""
    world.server.limit_headers = False
    mention = said(world)
    await platform.reply(mention, decided(mention))
    waits = [wait for _ in range(310) if (wait := await wait_of(platform, mention)) is not None]
    fate = await platform.reply(mention, decided(mention, key="2"))

    assert len(world.server.calls) == CALLS.amount
    assert len(waits) > 10
    assert all(timedelta(0) < wait <= CALLS.per for wait in waits)
    assert isinstance(fate, Busy)
    assert world.posts == 1
    clock.advance(CALLS.per)
    assert await platform.reread(mention) == Present(mention.text)


async def test_the_server_s_own_figures_have_the_last_word(
    world: MastodonWorld, platform: MastodonPlatform, budget: OwnBudget
) -> None:
    """The header of a POST speaks of posts, that of a GET of calls."""
    mention = said(world)
    await platform.reread(mention)
    assert await budget.left(platform._account, CALLS) == 290
    await platform.reply(mention, decided(mention))

    assert await budget.left(platform._account, STATUSES) == 290


@pytest.mark.parametrize(
    ("reset", "wait"),
    [
        ("2026-11-03T12:04:00.500000Z", timedelta(minutes=4)),
        (str(int((NOON + timedelta(minutes=4)).timestamp())), timedelta(minutes=4)),
        ("2026-11-03T11:00:00Z", timedelta(seconds=1)),
        ("2027-11-03T11:00:00Z", timedelta(hours=3)),
        ("2026-11-03T12:04:00", timedelta(seconds=20)),
        ("soon", timedelta(seconds=20)),
        ("", timedelta(seconds=20)),
    ],
)
async def test_a_pause_lasts_as_long_as_the_server_says(
    world: MastodonWorld,
    platform: MastodonPlatform,
    monkeypatch: pytest.MonkeyPatch,
    reset: str,
    wait: timedelta,
) -> None:
    """An instant or seconds since 1970; never for ever, and 20 s where it says nothing useful."""
    mention = said(world)
    date = world.server._headers(0)["Date"]
    limits = {"Date": date, "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    world.next_posts("429")
    await platform.reread(mention)
    monkeypatch.setattr(
        world.server,
        "_error",
        lambda code, words: web.json_response({"error": words}, status=code, headers=limits),
    )
    fate = await platform.reply(mention, decided(mention))

    assert isinstance(fate, Busy)
    assert abs(fate.after - wait) < timedelta(seconds=1)


@pytest.mark.parametrize(("said", "wait"), [("7", 7.0), ("soon", 20.0)])
async def test_a_pause_may_be_said_the_common_way(
    world: MastodonWorld, platform: MastodonPlatform, monkeypatch: pytest.MonkeyPatch, said: str, wait: float
) -> None:
    """What stands before a server knows `Retry-After`, and not Mastodon's own headers."""
    monkeypatch.setattr(
        world.server,
        "_error",
        lambda code, _: web.json_response({}, status=code, headers={"Retry-After": said}),
    )
    world.reads_become("429")

    with pytest.raises(TooMany, match="Mastodon asks for a pause") as caught:
        await platform.profile()
    assert caught.value.after.total_seconds() == wait


# ── listening ────────────────────────────────────────────────────────────────────────────────────


async def test_five_thousand_missed_mentions_are_heard(
    world: MastodonWorld, platform: MastodonPlatform, ears: Ears, clock: ManualClock, tmp_path: Path
) -> None:
    """After a long night: oldest first, in pages of eighty."""
    await ears.open(platform.paths[-1])
    await ears.close()
    missed = [world.says(f"Number {n}", author=f"author{n % 40}") for n in range(5_000)]
    before = len(world.server.calls)
    await ears.open(platform.paths[-1])
    await ears.hear(*missed, within_s=40)

    assert list(ears.mentions) == missed
    assert len(world.server.calls) - before < 70


async def test_a_server_without_heartbeats_is_heard_all_the_same(
    world: MastodonWorld, platform: MastodonPlatform, ears: Ears
) -> None:
    """It looks dead every so often and is opened again; the sweep misses nothing meanwhile."""
    world.server.heartbeats = False
    await ears.open(*platform.paths)
    first = world.says("Into the quiet")
    await until(lambda: world.connects >= 4, "another connect after silence")
    second = world.says("Still there?")
    await ears.hear(first, second)


async def test_mentions_that_the_account_s_filter_sets_aside_are_heard(
    world: MastodonWorld, platform: MastodonPlatform, ears: Ears
) -> None:
    """Private mentions by strangers are, by default, and the stream does not tell of them at all."""
    await ears.open(*platform.paths)
    world.stream_loses("everything")
    post = world.says("Please do not tell everybody")
    world.server.notifications[-1]["filtered"] = True
    await ears.hear(post)


async def test_a_server_that_keeps_its_public_posts_to_itself_is_asked_rarely(
    world: MastodonWorld, platform: MastodonPlatform, ears: Ears
) -> None:
    """The path says so in words, and the others hear on."""
    world.server.public_allowed = False
    stream, public, sweep = platform.paths
    listening = asyncio.create_task(anext(public.follow(None)))
    await until(lambda: "does not let us" in public.state().words, "the refusal to be said")
    await ears.open(stream, sweep)
    await ears.hear(world.says("Hello"))
    await asyncio.sleep(0.1)

    assert world.server.calls.count(("GET", "/api/v1/streaming/public")) == 1
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening


async def test_our_own_posts_are_not_heard(
    world: MastodonWorld, platform: MastodonPlatform, ears: Ears
) -> None:
    """They come back by both streams."""
    await ears.open(*platform.paths)
    post = world.says("Hello")
    await ears.hear(post)
    own = world.colleague_answers(post, "auroraair has your bag")
    await ears.hear(world.says("The last"))

    assert own not in ears.mentions


async def test_a_server_that_does_not_know_min_id_is_not_asked_for_ever(
    world: MastodonWorld, platform: MastodonPlatform, ears: Ears
) -> None:
    """Each look hears what is new among the newest, and rests."""
    await ears.open(platform.paths[-1])
    world.server.knows_min_id = False
    posts = [world.says(f"Number {n}") for n in range(3)]
    await ears.hear(*posts)
    before = len(world.server.calls)
    await asyncio.sleep(0.3)

    assert len(world.server.calls) - before < 12
    assert list(ears.mentions) == posts


def test_only_the_sweep_hears_where_no_stream_is_wanted(clock: ManualClock) -> None:
    """And nothing at all where nobody is to listen."""
    setup = a_setup(clock)

    def names(setup: Setup) -> list[str]:
        return [path.name for path in connect(setup).paths]

    assert names(setup) == ["stream", "public", "notifications"]
    assert names(replace(setup, stream=False)) == ["notifications"]
    assert names(replace(setup, listen=False)) == []
    assert names(replace(setup, words=(), handles=frozenset())) == ["stream", "notifications"]


@pytest.mark.parametrize(
    ("said_by_server", "used"),
    [
        ("wss://streaming.mastodon.example", "https://streaming.mastodon.example"),
        ("ws://localhost:4000", "http://localhost:4000"),
        ("ws://127.0.0.1:4000/x", "http://127.0.0.1:4000"),
        ("ws://streaming.mastodon.example", "https://home.example"),
        ("http://10.0.0.1", "https://home.example"),
        ("nonsense", "https://home.example"),
        (None, "https://home.example"),
        ("wss://[broken", "https://home.example"),
    ],
)
def test_the_token_goes_to_a_streaming_host_only_over_tls(said_by_server: object, used: str) -> None:
    """Or within this machine; else to the home server itself."""
    assert _streaming_at("https://home.example", said_by_server) == used


# ── how it stands ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("access", "variable"),
    [({}, "HEARD_MASTODON__URL"), ({"url": "https://m.example"}, "HEARD_MASTODON__ACCESS_TOKEN")],
)
def test_what_is_not_set_is_named(clock: ManualClock, access: dict[str, str], variable: str) -> None:
    """By the variable that sets it."""
    with pytest.raises(NotConnected) as raised:
        connect(a_setup(clock, access=access))

    assert variable in raised.value.fix


def test_a_visibility_that_does_not_exist_is_refused_at_once(clock: ManualClock) -> None:
    """Not when the first reply is due."""
    with pytest.raises(NotConnected):
        connect(a_setup(clock, visibility="everybody"))


async def test_the_doctor_looks_at_flag_scopes_rules_and_clock(
    world: MastodonWorld, platform: MastodonPlatform, clock: ManualClock
) -> None:
    """Each in words that say what to do."""
    well = {finding.about: finding for finding in await platform.examine()}
    assert {about: finding.state for about, finding in well.items()} == dict.fromkeys(
        ("login", "label", "scopes", "clock", "rules", "length", "limits"), "ok"
    )
    assert well["rules"].words == (
        "2 rules of the server: Be kind.; Bots must never mention people who did not"
    )
    world.server.bot = False
    world.server.scopes = ["read", "write:media"]
    ahead = ManualClock(clock.now() + timedelta(minutes=6))
    other = world.connect(clock=ahead, budget=OwnBudget(ahead.now), folder=Path())
    ill = {finding.about: finding for finding in await other.examine()}

    assert {a for a, finding in ill.items() if finding.state != "ok"} == {"label", "scopes", "clock"}
    assert "360 s" in ill["clock"].words
    assert "write:statuses" in ill["scopes"].words
    await other.close()


async def test_the_profile_shows_the_note_as_text(platform: MastodonPlatform) -> None:
    """With the flag that says it is automated (M2)."""
    profile = await platform.profile()

    assert profile is not None
    assert (profile.handle, profile.labelled, profile.says) == (BRAND, True, "Ask us anything.")


def test_the_library_is_the_library() -> None:
    """Our file of the same name is another module."""
    assert hasattr(mastodon, "Mastodon")
    assert not hasattr(mastodon, "MastodonPlatform")


def test_no_secret_is_shown(clock: ManualClock) -> None:
    """Not in a setup's repr, nor in the name that limits are kept under."""
    platform = connect(a_setup(clock))

    assert TOKEN not in repr(platform._setup)
    assert TOKEN not in platform._account
