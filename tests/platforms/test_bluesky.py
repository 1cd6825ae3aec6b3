"""What is special about Bluesky: keys that cannot double, logins that last, records that may say anything."""

import asyncio
import json
import stat
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from atproto import models  # type: ignore[import-untyped]

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms.bluesky import (
    DENIED_FOR,
    POINTS,
    Bluesky,
    PostUri,
    Sieve,
    believed,
    connect,
    facets_of,
    instant_of,
    is_handle,
    is_tid,
    places,
    record_key,
    speaks_to,
)
from platforms.faults import Fault, Forbidden, Revoked
from platforms.limits import OwnBudget
from platforms.platform import (
    Busy,
    Entry,
    Heard,
    Platform,
    Posted,
    Present,
    Reached,
    Refused,
    Removed,
    Unreadable,
)
from platforms.setup import NotConnected, Setup
from platforms.words import Words
from tests.contracts.conftest import Ears
from tests.contracts.worlds.bluesky import BlueskyWorld, open_world
from tests.fakes.bluesky_server import BRAND, POST, Refusal, cid_of, did_of, frame, handle_of, iso, tid
from tests.fakes.waiting import until

INTEROP = Path("/work/shared/data/naughty/atproto-interop")
NOON = datetime(2026, 11, 3, 12, 0, tzinfo=UTC)
NOON_US = int(NOON.timestamp() * 1_000_000)
US = did_of(BRAND)
MAYA = did_of("maya")
WORDS = "Hi Maya, we are looking for your bag and will write again today. (AA-1)"


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[BlueskyWorld]:
    async with open_world(clock) as opened:
        yield opened


@pytest.fixture
async def platform(world: BlueskyWorld, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Platform]:
    connected = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
    yield connected
    await connected.close()


@pytest.fixture
async def reader(world: BlueskyWorld, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Platform]:
    """Heard with no account at all."""
    connected = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, account=False)
    yield connected
    await connected.close()


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    listening = Ears()
    yield listening
    await listening.close()


def a_mention(uri: str, *, handle: str = "maya.example.social", language: str | None = "en") -> Mention:
    author = Author(uri.split("/")[2], handle)
    return Mention("bluesky", uri, author, "My bag is lost", NOON, language=language)


def decided(mention: Mention, text: str = WORDS, kind: ReplyKind = ReplyKind.ANSWER) -> Outgoing:
    return Outgoing("C-100:1", kind, text, mention.key, "nina", NOON + timedelta(minutes=3), started_at=NOON)


def vectors(name: str) -> list[str]:
    path = INTEROP / name
    if not path.exists():
        pytest.skip("the protocol's own vectors are not on this machine")
    lines = path.read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line.strip() and not line.startswith("#")]


# ── the protocol's own vectors ───────────────────────────────────────────────────────────────────


def test_timestamp_identifiers_are_told_from_others() -> None:
    """As the protocol's own vectors tell them."""
    assert all(is_tid(line) for line in vectors("tid_syntax_valid.txt"))
    assert not any(is_tid(line) for line in vectors("tid_syntax_invalid.txt"))


def test_handles_are_told_from_others() -> None:
    """As the protocol's own vectors tell them."""
    wrong = [line for line in vectors("handle_syntax_valid.txt") if not is_handle(line)]
    wrong += [line for line in vectors("handle_syntax_invalid.txt") if is_handle(line)]

    assert not wrong


def test_record_keys_are_told_from_others() -> None:
    """As the protocol's own vectors tell them, in the address of a post."""
    wrong = [
        key for key in vectors("recordkey_syntax_valid.txt") if not PostUri.read(f"at://{US}/{POST}/{key}")
    ]
    wrong += [
        key for key in vectors("recordkey_syntax_invalid.txt") if PostUri.read(f"at://{US}/{POST}/{key}")
    ]

    assert not wrong


def test_no_address_that_is_none_is_taken_for_a_post() -> None:
    """And a valid one is a post's by DID, and comes back as it was, or is none of ours to read."""
    assert not any(PostUri.read(line) for line in vectors("aturi_syntax_invalid.txt"))
    for line in vectors("aturi_syntax_valid.txt"):
        read = PostUri.read(line)
        assert read is None or str(read) == line


def test_times_of_any_writing_break_nothing() -> None:
    """What is no time, or has no zone, is not believed; the valid ones are read."""
    for line in vectors("datetime_syntax_invalid.txt") + vectors("datetime_parse_invalid.txt"):
        assert believed(line, NOON) <= NOON
    unread = [line for line in vectors("datetime_syntax_valid.txt") if instant_of(line) is None]

    assert len(unread) <= 2, unread


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────


def test_half_a_million_keys_are_valid_and_hardly_ever_meet(
    record_property: Callable[[str, object], None],
) -> None:
    """At 5,000 replies a second for 100 seconds; about one pair is to be expected of 30 bits."""
    seen: Counter[str] = Counter()
    for number in range(500_000):
        time_us = NOON_US + number // 5_000 * 1_000_000 + number % 5_000
        seen[record_key(US, f"at://{MAYA}/{POST}/{tid(time_us)}", "answer", otherwise=NOON)] += 1
    meetings = 500_000 - len(seen)
    record_property("meetings", meetings)

    assert all(map(is_tid, seen))
    assert meetings <= 8


def test_a_key_comes_from_what_never_changes() -> None:
    """Not from the wording, the case or the time of hearing; another kind has another key."""
    mention = a_mention(f"at://{MAYA}/{POST}/{tid(NOON_US)}")
    later = replace(mention, created_at=NOON + timedelta(hours=1), text="edited")
    answer, acknowledgement = decided(mention), decided(mention, kind=ReplyKind.ACKNOWLEDGEMENT)
    worded_anew = replace(answer, key="C-9:9", text="Other words", decided_at=NOON + timedelta(days=1))
    first = next(places(US, mention, answer))

    assert next(places(US, later, worded_anew)) == first
    assert next(places(US, mention, acknowledgement)) != first
    assert next(places(MAYA, mention, answer)).rkey != first.rkey


@pytest.mark.parametrize("rkey", ["self", "zzzzzzzzzzzzz", "jzzzzzzzzzzzz", "2222222222222", "~", "a" * 512])
def test_a_strange_key_of_a_mention_still_gives_a_valid_one(rkey: str) -> None:
    """Another server may let its people write any key."""
    uri, long_ago = f"at://{MAYA}/{POST}/{rkey}", datetime(1960, 1, 1, tzinfo=UTC)

    assert is_tid(record_key(US, uri, "answer", otherwise=long_ago))


async def test_a_key_with_a_stranger_s_reply_is_passed_by(world: BlueskyWorld, platform: Platform) -> None:
    """Once in a million replies two mentions share a key: the second takes the next one, and finds it."""
    other, post = world.says("Hello"), world.says("My bag is lost")
    mention = a_mention(post)
    outgoing = decided(mention)
    first, second, *_ = places(US, mention, outgoing)
    world.server.publish(BRAND, world.record("Hi", addressed=False, in_reply_to=other), rkey=first.rkey)
    fate = await platform.reply(mention, outgoing)
    found = await platform.find_reply(mention, outgoing)

    assert isinstance(fate, Posted)
    assert found is not None
    assert fate.id == found.id == str(second)


async def test_with_every_database_lost_there_is_no_second_reply(
    world: BlueskyWorld, platform: Platform
) -> None:
    """Even if it was worded anew: the repository remembers."""
    mention = a_mention(world.says("My bag is lost"))
    await platform.reply(mention, decided(mention))
    again = await platform.reply(mention, replace(decided(mention, "Worded anew."), key="C-1:1"))

    assert isinstance(again, Refused)
    assert len(world.published()) == 1


async def test_a_key_that_is_taken_meanwhile_is_looked_at(world: BlueskyWorld, platform: Platform) -> None:
    """InvalidSwap is no failure where what is there is this very reply."""
    mention = a_mention(world.says("My bag is lost"))
    outgoing = decided(mention)
    uri = next(places(US, mention, outgoing))
    earlier = world.record(WORDS, addressed=False, in_reply_to=mention.id)
    hidden = {"uri": str(uri), "cid": cid_of(earlier), "record": earlier}
    looks = 0

    def get_record(request: object, body: object) -> object:
        nonlocal looks
        looks += 1
        if looks == 1:
            world.server.repository[str(uri)] = hidden
            raise Refusal(400, "RecordNotFound", f"Could not locate record: {uri}")
        return {"uri": str(uri), "cid": hidden["cid"], "value": earlier}

    world.server._getRecord = get_record  # type: ignore[method-assign, assignment]
    fate = await platform.reply(mention, outgoing)

    assert isinstance(fate, Posted)
    assert (fate.id, world.posts) == (str(uri), 1)


# ── the record ───────────────────────────────────────────────────────────────────────────────────


async def test_the_record_is_valid_and_its_bytes_never_change(
    world: BlueskyWorld, platform: Platform
) -> None:
    """By atproto's own models; with an explicit null where a record must not be yet."""
    first = world.says("My bag is lost")
    mention = a_mention(world.says("Anybody?", in_reply_to=first))
    outgoing = decided(
        mention, "Hi @maya.example.social 👋🏽, see https://aurora.example/help. Yours, @nobody.example"
    )
    world.next_posts("dropped")
    await platform.reply(mention, outgoing)
    await platform.reply(mention, replace(outgoing, attempts=2))
    one, two = world.server.put_bodies
    record = models.AppBskyFeedPost.Record.model_validate(one["record"])

    assert one == two
    assert "swapRecord" in one
    assert one["swapRecord"] is None
    assert record.created_at == "2026-11-03T12:03:00.000Z"
    assert record.langs == ["en"]
    assert (record.reply.parent.uri, record.reply.root.uri) == (mention.id, first)
    assert record.reply.parent.cid == world.server.posts[mention.id]["cid"]


async def test_links_and_handles_stand_where_their_bytes_are() -> None:
    """Emoji, accents and flags count as UTF-8 counts them; who does not exist stays plain text."""

    async def resolve(handle: str) -> str | None:
        return MAYA if handle == "maya.example.social" else None

    text = "Olá 👩‍👩‍👧 @maya.example.social 🇨🇭 https://aurora.example/hilfe?a=ü. @nobody.example, a@b.example"
    facets = await facets_of(text, resolve)
    shown = []
    for facet in facets:
        index = facet["index"]
        assert isinstance(index, dict)
        shown.append(text.encode()[index["byteStart"] : index["byteEnd"]].decode())

    assert shown == ["@maya.example.social", "https://aurora.example/hilfe?a=ü"]
    assert facets[0]["features"] == [{"$type": "app.bsky.richtext.facet#mention", "did": MAYA}]


@pytest.mark.parametrize("text", ["a" * 301, "👩‍👩‍👧‍👦" * 130, "e\u0301" * 299 + "🇨🇭🇨🇭"])
async def test_a_text_too_long_by_either_count_never_leaves(
    world: BlueskyWorld, platform: Platform, text: str
) -> None:
    """300 graphemes and 3,000 bytes."""
    mention = a_mention(world.says("My bag is lost"))
    fate = await platform.reply(mention, decided(mention, text))

    assert isinstance(fate, Refused)
    assert "too long" in fate.why
    assert world.posts == 0


async def test_nothing_is_answered_on_jetstream_s_word_alone(
    world: BlueskyWorld, platform: Platform, ears: Ears
) -> None:
    """B5: a forged event is heard, looked for, and not answered."""
    await ears.open(*platform.paths)
    record = world.record("My bag is lost", addressed=True)
    time_us = world.server.next_us()
    world.send_raw(frame(world.server.account("mallory"), time_us, "create", tid(time_us), record))
    forged = f"at://{did_of('mallory')}/{POST}/{tid(time_us)}"
    await ears.hear(forged)
    fate = await platform.reply(ears.mentions[forged], decided(ears.mentions[forged]))

    assert isinstance(fate, Refused)
    assert world.posts == 0


async def test_a_new_post_that_the_appview_has_not_yet_is_read_from_its_repository(
    world: BlueskyWorld, platform: Platform, clock: ManualClock
) -> None:
    """Indexing takes seconds; after a minute what is not shown is gone."""
    mention = a_mention(world.says("My bag is lost", addressed=False))
    shown = world.server.posts.pop(mention.id)

    assert await platform.reread(mention) == Present("My bag is lost")
    assert isinstance(await platform.reply(mention, decided(mention)), Posted)
    clock.advance(timedelta(minutes=2))
    assert await platform.reread(mention) != Present("My bag is lost")
    world.server.posts[mention.id] = shown


async def test_another_account_s_post_is_not_taken_back(world: BlueskyWorld, platform: Platform) -> None:
    """Only what is ours can be deleted."""
    post = world.says("My bag is lost")
    with pytest.raises(Forbidden):
        await platform.take_back(post)


# ── the login ────────────────────────────────────────────────────────────────────────────────────


async def test_four_hundred_restarts_are_one_login(
    world: BlueskyWorld, clock: ManualClock, tmp_path: Path
) -> None:
    """B3: 300 logins a day are all that Bluesky allows; a crash loop must not use them up."""
    for _ in range(400):
        again = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
        assert (await again.profile()) is not None
        await again.close()
        clock.advance(timedelta(minutes=10))
    file = tmp_path / "session.json"

    assert world.server.calls["com.atproto.server.createSession"] == 1
    assert world.server.calls["com.atproto.server.refreshSession"] >= 30
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_refused_password_is_not_tried_for_every_call(
    world: BlueskyWorld, clock: ManualClock, tmp_path: Path
) -> None:
    """It would use up the day's logins, and a new password would have to wait for them."""
    platform = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
    world.reads_become("401")
    for _ in range(20):
        with pytest.raises(Revoked, match="Bluesky refuses the login of"):
            await platform.profile()
    assert world.server.calls["com.atproto.server.createSession"] == 1

    world.reads_become("ok")
    clock.advance(DENIED_FOR)
    assert await platform.profile() is not None
    await platform.close()


async def test_two_processes_share_a_login(world: BlueskyWorld, clock: ManualClock, tmp_path: Path) -> None:
    """A refresh token works once: whoever comes second takes what the first has got."""
    both = [
        world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, account=True)
        for _ in range(2)
    ]
    for _ in range(5):
        await asyncio.gather(*(one.profile() for one in both))
        clock.advance(timedelta(hours=3))
    for one in both:
        await one.close()

    assert world.server.calls["com.atproto.server.createSession"] == 1
    assert world.server.calls["com.atproto.server.refreshSession"] == 4


@pytest.mark.parametrize("left", [b"", b"{", b"null", b'{"did": 1}'])
async def test_a_spoiled_session_file_is_no_session(
    world: BlueskyWorld, platform: Platform, tmp_path: Path, left: bytes
) -> None:
    """Whatever a full disk left there."""
    (tmp_path / "session.json").write_bytes(left)

    assert await platform.profile() is not None


async def test_a_session_that_ended_early_is_made_anew(world: BlueskyWorld, platform: Platform) -> None:
    """Reading goes on at once; a reply comes back a second later, and not twice."""
    mention = a_mention(world.says("My bag is lost"))
    await platform.profile()
    world.server.end_sessions()
    fate = await platform.reply(mention, decided(mention))
    assert isinstance(fate, Busy)
    assert isinstance(await platform.reply(mention, decided(mention)), Posted)
    world.server.end_sessions()
    assert await platform.profile() is not None
    assert len(world.published()) == 1


async def test_points_are_counted(world: BlueskyWorld, clock: ManualClock, tmp_path: Path) -> None:
    """B3: when they are used up, a reply waits and nothing is sent."""
    budget = OwnBudget(clock.now)
    platform = world.connect(clock=clock, budget=budget, folder=tmp_path)
    mention = a_mention(world.says("My bag is lost"))
    await budget.take(f"bluesky:{handle_of(BRAND)}", POINTS, 4_999)
    fate = await platform.reply(mention, decided(mention))
    await platform.close()

    assert isinstance(fate, Busy)
    assert fate.after == timedelta(hours=1)
    assert world.posts == 0


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"handle": "a.example"}, "APP_PASSWORD"),
        ({"app_password": "x"}, "HANDLE"),
        ({"handle": "a.example", "app_password": "x", "service_url": "http://pds.example"}, "clear"),
    ],
)
def test_half_an_account_and_an_open_line_are_refused(
    access: dict[str, str], said: str, clock: ManualClock, tmp_path: Path
) -> None:
    """In words, with what mends it."""
    setup = Setup("Aurora Air", ("aurora air",), frozenset(), clock, OwnBudget(clock.now), tmp_path, access)
    with pytest.raises(NotConnected) as raised:
        connect(setup)

    assert said in str(raised.value)
    assert raised.value.fix


# ── listening ────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_but_a_name_is_needed_to_listen(
    world: BlueskyWorld, reader: Platform, ears: Ears
) -> None:
    """By Jetstream alone; who speaks to the brand is still told apart, and nothing can be posted."""
    await ears.open(*reader.paths)
    spoken, named = world.says("Where is my bag?"), world.says("Aurora Air again", addressed=False)
    await ears.hear(spoken, named)
    mention = ears.mentions[spoken]
    (login,) = [finding for finding in await reader.examine() if finding.about == "login"]

    assert [path.name for path in reader.paths] == ["jetstream"]
    assert (reader.can_post, await reader.profile()) == (False, None)
    assert (mention.addressed, ears.mentions[named].addressed) == (True, False)
    assert "without an account" in login.words
    assert isinstance(await reader.reply(mention, decided(mention)), Refused)
    assert await reader.find_reply(mention, decided(mention)) is None
    assert world.server.calls["com.atproto.server.createSession"] == 0


async def test_own_accounts_that_cannot_be_found_yet_are_found_later(
    world: BlueskyWorld, reader: Platform, ears: Ears
) -> None:
    """Words are heard meanwhile."""
    assert isinstance(reader, Bluesky)
    del world.server.names[US]
    world.server.read_fate = "503"
    await reader._learn_us()
    reader._learn_again = 0.0
    world.server.account(BRAND)
    world.server.read_fate = "ok"
    await ears.open(*reader.paths)
    post = world.says("Where is my bag?")
    await ears.hear(post)

    assert ears.mentions[post].addressed


async def test_five_thousand_missed_posts_are_heard_after_a_restart(
    world: BlueskyWorld, reader: Platform, ears: Ears, clock: ManualClock, tmp_path: Path
) -> None:
    """Jetstream goes back to where we were, days if need be."""
    await ears.open(*reader.paths)
    await ears.hear(world.says("Before"))
    await ears.close()
    clock.advance(timedelta(hours=9))
    missed = [world.says(f"Number {n}", author=f"author{n % 90}") for n in range(5_000)]
    again = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, account=False)
    await ears.open(*again.paths)
    await ears.hear(*missed, within_s=40)
    await ears.close()
    await again.close()

    assert world.server.calls["app.bsky.actor.getProfiles"] < 100


async def test_an_author_without_a_profile_is_called_by_the_did(
    world: BlueskyWorld, reader: Platform, ears: Ears
) -> None:
    """And a mention never waits for a name: the AppView may be down."""
    world.server.without_profile.add(MAYA)
    await ears.open(*reader.paths)
    nameless = world.says("My bag is lost")
    await ears.hear(nameless)
    world.reads_become("503")
    unnamed = world.says("So is mine", author="ben")
    await ears.hear(unnamed)

    assert ears.mentions[nameless].author == Author(MAYA, MAYA)
    assert ears.mentions[unnamed].author.handle == did_of("ben")
    assert (
        ears.mentions[unnamed].url
        == f"https://bsky.app/profile/{did_of('ben')}/post/{unnamed.split('/')[-1]}"
    )


async def test_an_author_that_calls_itself_a_bot_is_one(
    world: BlueskyWorld, reader: Platform, ears: Ears
) -> None:
    """T11: bots are never answered."""
    await ears.open(*reader.paths)
    post = world.says("Aurora Air news", author="newsbot")
    await ears.hear(post)

    assert ears.mentions[post].author.bot
    assert ears.mentions[post].author.followers == 12


async def test_a_deleted_account_takes_its_posts_along(
    world: BlueskyWorld, reader: Platform, ears: Ears
) -> None:
    """Jetstream says so once, of the account."""
    await ears.open(*reader.paths)
    posts = [world.says("One"), world.says("Two")]
    await ears.hear(*posts)
    account = {"active": False, "did": MAYA, "seq": 7, "status": "deleted", "time": iso(NOON)}
    event = {"did": MAYA, "time_us": world.server.next_us(), "kind": "account", "account": account}
    world.send_raw(json.dumps(event).encode())
    await until(lambda: set(posts) <= ears.removed, "the posts to be gone")


async def test_our_own_posts_are_no_mentions(world: BlueskyWorld, platform: Platform, ears: Ears) -> None:
    """A colleague's answer comes back on Jetstream, and opens no case."""
    await ears.open(*platform.paths)
    post = world.says("My bag is lost")
    answer = world.colleague_answers(post, "Aurora Air is on it")
    await ears.hear(post, world.says("The last"))

    assert answer not in ears.mentions


async def test_notifications_of_the_same_instant_are_each_heard_once(
    world: BlueskyWorld, clock: ManualClock, tmp_path: Path
) -> None:
    """A position is an instant and what was read of it."""
    platform = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, stream=False)
    assert isinstance(platform, Bluesky)
    first = world.says("One")
    cursor = (await platform._fetch_notifications(None)).entries[-1].cursor
    second = world.says("Two")
    world.server.notifications[-1]["indexedAt"] = world.server.notifications[-2]["indexedAt"]
    heard = [
        e.mention.id for e in (await platform._fetch_notifications(cursor)).entries if isinstance(e, Heard)
    ]
    cursor = (await platform._fetch_notifications(cursor)).entries[-1].cursor
    late = world.says("Late")
    # Indexed last, and yet listed below what came before it.
    world.server.notifications.insert(0, world.server.notifications.pop())
    last = [
        e.mention.id for e in (await platform._fetch_notifications(cursor)).entries if isinstance(e, Heard)
    ]
    await platform.close()

    assert (heard, last) == ([second], [late])
    assert first not in heard


async def test_a_notification_from_a_slow_clock_is_heard_and_nothing_twice(
    world: BlueskyWorld, clock: ManualClock, tmp_path: Path
) -> None:
    """The AppView lists by the author's clock where that is behind, so the newest may stand far down."""
    platform = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path, stream=False)
    assert isinstance(platform, Bluesky)
    first = await platform._fetch_notifications(None)
    on_time = [world.says(f"On time {n}") for n in range(3)]
    second = await platform._fetch_notifications(first.entries[-1].cursor)
    slow = world.says("From a slow clock")
    late = world.server.notifications.pop()
    late["indexedAt"] = iso(clock.now() - timedelta(hours=2))
    world.server.notifications.insert(0, late)
    third = await platform._fetch_notifications(second.entries[-1].cursor)
    fourth = await platform._fetch_notifications(third.entries[-1].cursor)
    await platform.close()

    heard = [
        [e.mention.id for e in swept.entries if isinstance(e, Heard)] for swept in (second, third, fourth)
    ]
    assert heard == [on_time, [slow], []]


async def test_a_redirect_is_not_followed(world: BlueskyWorld, platform: Platform) -> None:
    """Neither by a call, which would carry the login along, nor by Jetstream."""
    assert isinstance(platform, Bluesky)
    await platform.profile()
    before = world.server.calls.total()
    platform._appview = platform._service = world.server.url + "/elsewhere"
    platform._jetstream = platform._jetstream.replace("/subscribe", "/elsewhere/subscribe")
    with pytest.raises(Fault):
        await platform.reread(a_mention(f"at://{MAYA}/{POST}/{tid(NOON_US)}"))
    with pytest.raises(Fault):
        async with platform._open_jetstream(None):
            pass

    assert world.server.calls.total() == before
    assert world.connects == 0


@pytest.mark.parametrize(
    "body", [b"[1]", b'"x"', b'{"error":5,"message":[1]}', b"null", b"\xff", b"", b"[" * 9_000]
)
@pytest.mark.parametrize("status", [200, 400, 404, 500])
async def test_an_answer_of_any_shape_is_a_fault(
    world: BlueskyWorld, platform: Platform, status: int, body: bytes
) -> None:
    """Some proxy on the way may answer in Bluesky's place."""
    mention = a_mention(world.says("My bag is lost"))
    world.server.odd_error = (status, body)
    with pytest.raises(Fault):
        await platform.reread(mention)
    with pytest.raises(Fault):
        await platform.find_reply(mention, decided(mention))

    assert isinstance(await platform.reply(mention, decided(mention)), Busy)
    assert any(finding.state == "bad" for finding in await platform.examine())


async def test_an_unlabelled_profile_is_warned_of(world: BlueskyWorld, platform: Platform) -> None:
    """B2, with where it is told how."""
    world.server.bot_label = False
    (label,) = [finding for finding in await platform.examine() if finding.about == "label"]

    assert (label.state, "B2" in label.words, bool(label.fix)) == ("warn", True, True)


# ── odd records ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "is_believed"),
    [
        ("2026-11-03T11:59:00.000Z", True),
        ("2026-11-03T12:59:00+01:00", True),
        ("2026-11-03T11:59:00.000", False),
        ("2031-01-01T00:00:00Z", False),
        ("1985-04-12T23:20:50.123Z", False),
        ("0000-01-01T00:00:00Z", False),
        ("9999-12-31T23:59:59-23:59", False),
        ("yesterday", False),
        ("", False),
        (None, False),
        (1_730_000_000, False),
        (["2026-11-03"], False),
    ],
)
def test_a_time_that_cannot_be_is_not_believed(written: object, is_believed: bool) -> None:
    """The author's app writes it; then the time of coming counts."""
    believed_at = believed(written, NOON)

    assert (believed_at == NOON - timedelta(minutes=1)) is is_believed
    assert believed_at.tzinfo is not None


ODD: tuple[object, ...] = (
    {},
    [],
    "text",
    None,
    {"text": None},
    {"text": 7},
    {"text": ["aurora air"]},
    {"text": "aurora air", "facets": "no"},
    {"text": "aurora air", "facets": [None, 3, {"features": 3}, {"features": [[], {"did": {"a": 1}}]}]},
    {"text": "aurora air", "reply": {"parent": US, "root": []}},
    {"text": "aurora air", "reply": {"parent": {"uri": 5}, "root": {"uri": f"at://{US}"}}},
    {"text": "aurora air", "reply": {"parent": {"uri": f"at://{US}/{POST}/.."}}},
    {"text": "aurora air", "embed": {"record": {"record": {"record": {}}}}},
    {"text": "aurora air", "langs": "en"},
    {"text": "aurora air", "langs": [3, "!!!"]},
    {"text": "aurora air", "createdAt": {"$date": 1}},
    {"text": "aurora air " * 9_000},
    {"text": "aurora air", "new field": {"of": ["next", "year"]}, "$type": "app.bsky.feed.post#v2"},
)


def sifted(*frames: bytes) -> list[Entry]:
    return [
        e for e in Sieve(Words(["aurora air"]), frozenset({US})).sift(frames) if not isinstance(e, Reached)
    ]


@pytest.mark.parametrize("record", ODD)
def test_a_record_of_any_shape_is_heard_or_kept_with_what_is_wrong(record: object) -> None:
    """Never an exception, never a guess."""
    raw = frame(MAYA, NOON_US, "create", tid(NOON_US), record)  # type: ignore[arg-type]
    entries = sifted(raw)

    assert all(isinstance(entry, Heard | Unreadable) for entry in entries)
    text = record.get("text") if isinstance(record, dict) else None
    if isinstance(text, str) and len(text) < 40_000:
        (entry,) = entries
        assert isinstance(entry, Heard)
        assert entry.mention.text == text


@pytest.mark.parametrize(
    "event",
    [
        {"did": MAYA, "time_us": "soon", "kind": "commit"},
        {"did": MAYA, "time_us": -1, "kind": "commit"},
        {"did": MAYA, "time_us": 10**30, "kind": "commit"},
        {
            "did": 7,
            "time_us": NOON_US,
            "kind": "commit",
            "commit": {"collection": POST, "operation": "create"},
        },
        {"did": "did:plc:a/../b", "time_us": NOON_US, "commit": {"collection": POST, "operation": "create"}},
        {
            "did": MAYA,
            "time_us": NOON_US,
            "commit": {"collection": POST, "operation": "create", "rkey": ".."},
        },
        {"did": MAYA, "time_us": NOON_US, "commit": {"collection": POST, "operation": "create", "rkey": [1]}},
        {"did": MAYA, "time_us": NOON_US, "commit": {"collection": POST, "operation": "burn", "rkey": "a"}},
        {"did": MAYA, "time_us": NOON_US, "kind": "account", "account": "gone"},
        {"did": [MAYA], "time_us": NOON_US, "kind": "account", "account": {"active": False}},
        {"aurora air": "aurora air"},
    ],
)
def test_an_event_of_any_shape_breaks_nothing(event: object) -> None:
    """It is kept with what is wrong, or is none of ours."""
    assert all(isinstance(entry, Unreadable) for entry in sifted(json.dumps(event).encode()))


def _ways_to_speak() -> Iterator[tuple[dict[str, object], bool]]:
    ours, other = f"at://{US}/{POST}/3l3l3l3l3l3l3", f"at://{MAYA}/{POST}/3l3l3l3l3l3l3"
    yield {"facets": [{"features": [{"did": US}]}]}, True
    yield {"facets": [{"features": [{"did": MAYA}, {"did": US}]}]}, True
    yield {"reply": {"parent": {"uri": ours}, "root": {"uri": other}}}, True
    yield {"embed": {"record": {"uri": ours}}}, True
    yield {"embed": {"record": {"record": {"uri": ours}}, "media": {}}}, True
    yield {"reply": {"parent": {"uri": other}, "root": {"uri": ours}}}, False
    yield {"facets": [{"features": [{"did": MAYA}]}]}, False
    yield {"facets": [{"features": [{"did": US + "x"}]}]}, False
    yield {"reply": {"parent": {"uri": f"at://{US}x/{POST}/3"}}}, False
    yield {}, False


@pytest.mark.parametrize(("more", "to_us"), list(_ways_to_speak()))
def test_who_speaks_to_us_is_told_by_the_did(more: dict[str, object], to_us: bool) -> None:
    """B1: by a tag, a reply or a quote; the text may say what it likes."""
    record = {"text": "@auroraair.example.social", **more}

    assert speaks_to(record, frozenset({US})) is to_us


def test_a_conversation_of_ours_is_heard_without_being_spoken_to() -> None:
    """Somebody answers somebody under our post."""
    record = {
        "text": "same here",
        "reply": {"parent": {"uri": f"at://{MAYA}/{POST}/3a"}, "root": {"uri": f"at://{US}/{POST}/3b"}},
    }
    (entry,) = sifted(frame(did_of("ben"), NOON_US, "create", tid(NOON_US), record))

    assert isinstance(entry, Heard)
    assert not entry.mention.addressed
    assert entry.mention.conversation == f"at://{US}/{POST}/3b"


def test_only_what_was_heard_is_told_as_deleted() -> None:
    """Jetstream tells of everybody's deletions."""
    sieve = Sieve(Words(["aurora air"]))
    heard, deleted = (
        frame(MAYA, NOON_US + n, op, tid(NOON_US), {"text": "aurora air"} if op == "create" else None)
        for n, op in enumerate(("create", "delete"))
    )
    stranger = frame(did_of("ben"), NOON_US, "delete", tid(NOON_US), None)
    other = frame(MAYA, NOON_US, "delete", tid(NOON_US + 5), None)
    entries = [e for e in sieve.sift([heard, stranger, other, deleted, deleted]) if isinstance(e, Removed)]

    assert entries == [Removed(f"at://{MAYA}/{POST}/{tid(NOON_US)}", MAYA, str(NOON_US + 1))]


def test_the_position_moves_without_mentions() -> None:
    """Every five seconds of Jetstream's own time, read off the raw frame."""
    sieve = Sieve(Words(["aurora air"]))
    raws = [
        frame(MAYA, NOON_US + s * 1_000_000, "create", tid(NOON_US), {"text": "hello"}) for s in range(12)
    ]
    positions = [int(entry.cursor) - NOON_US for raw in raws for entry in sieve.sift([raw])]

    assert positions == [0, 5_000_000, 10_000_000]
