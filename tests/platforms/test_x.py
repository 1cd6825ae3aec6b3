"""What is special about X: money, versions of posts, a timeline that ends, one slot, and who is answered."""

import ast
import asyncio
import gzip
import inspect
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms import x as under_test
from platforms.faults import Fault, Revoked, TooMany
from platforms.limits import OwnBudget
from platforms.listening import SweepPath
from platforms.platform import (
    Busy,
    Entry,
    Gone,
    Heard,
    Posted,
    Present,
    Reached,
    Refused,
    Unknown,
    Unreadable,
)
from platforms.platform import Path as ListeningPath
from platforms.setup import NotConnected, Setup
from platforms.x import REPLIES, X, connect
from tests.contracts.conftest import Ears
from tests.contracts.world import QUICK
from tests.fakes.cases import NOON
from tests.fakes.waiting import until
from tests.fakes.x_server import BEARER, KEYS, OWN_ID, FakeX, Stream, occupied

CASSETTES = Path("/work/shared/data/tweepy-cassettes")
WORDS = "Hi Maya, we are looking for your bag. (AA-1)"


@pytest.fixture
async def server(clock: ManualClock) -> AsyncIterator[FakeX]:
    """X, on loopback."""
    fake = FakeX(clock)
    await fake.start()
    yield fake
    await fake.stop()


def set_up(server: FakeX, clock: ManualClock, **changes: Any) -> Setup:
    setup = Setup(
        brand="Aurora Air",
        words=("aurora air", "auroraair"),
        handles=frozenset({"auroraair"}),
        clock=clock,
        budget=OwnBudget(clock.now),
        folder=Path(),
        access={"api_url": server.url, "bearer_token": BEARER, **KEYS},
        stream=False,
        manners=QUICK,
        every=timedelta(seconds=0.05),
    )
    return replace(setup, **changes)


@pytest.fixture
async def x(server: FakeX, clock: ManualClock) -> AsyncIterator[X]:
    """Heard's side, without the stream."""
    platform = connect(set_up(server, clock))
    yield platform
    await platform.close()


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    """Somebody who listens."""
    listening = Ears()
    yield listening
    await listening.close()


def decided(mention: Mention, text: str = WORDS) -> Outgoing:
    return Outgoing("C-100:1", ReplyKind.ANSWER, text, mention.key, "nina", NOON, started_at=NOON, attempts=1)


async def heard_from(path: ListeningPath, cursor: str | None, count: int) -> list[Entry]:
    """The first entries after a position, until so many mentions were among them."""
    found: list[Entry] = []
    async with aclosing(path.follow(cursor)) as stretches:
        async for stretch in stretches:
            found += stretch
            if sum(isinstance(entry, Heard) for entry in found) >= count:
                break
    return found


async def one_mention(server: FakeX, ears: Ears, x: X, text: str = "@auroraair My bag is lost") -> Mention:
    if not ears.tasks:
        await ears.open(x.paths[0])
    post = str(server.says(text, "maya").id)
    await ears.hear(post)
    return ears.mentions[post]


# ── recordings of real traffic ───────────────────────────────────────────────────────────────────


def recorded_answers() -> list[Mapping[str, Any]]:
    """The JSON bodies of every recording."""
    found = []
    for path in sorted(CASSETTES.glob("*.yaml")):
        recording = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        for exchange in recording["interactions"]:
            raw = exchange["response"]["body"]["string"]
            raw = raw.encode() if isinstance(raw, str) else raw
            body = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
            found.append(body)
    return found


def test_every_recorded_post_is_read_or_told_to_be_unreadable() -> None:
    """Real answers of X, recorded without authors: their posts are kept as they are, and nothing is guessed;
    with an author beside them each is a mention.
    """
    if not CASSETTES.exists():
        pytest.skip("the recordings are not on this machine")
    read = 0
    for body in recorded_answers():
        company = under_test._Company.of(body)
        data = body.get("data")
        for post in data if isinstance(data, list) else [data]:
            if not isinstance(post, dict) or "text" not in post:
                continue
            entry = under_test._heard(post, company, OWN_ID, "1", "recorded")
            assert isinstance(entry, Heard | Unreadable)
            with_author = under_test._Company({"5": {"id": "5", "username": "maya"}}, {}, {})
            whole = under_test._heard({**post, "author_id": "5"}, with_author, OWN_ID, "1", "recorded")
            assert isinstance(whole, Heard)
            assert whole.mention.text
            assert whole.mention.created_at.year >= 2010
            read += 1

    assert read >= 100


# ── listening ────────────────────────────────────────────────────────────────────────────────────


async def test_five_thousand_mentions_missed_in_an_hour_are_all_heard(
    server: FakeX, x: X, clock: ManualClock
) -> None:
    """The timeline shows 800, and search the others; oldest first, each once, in 51 requests and one more."""
    before = str(server.says("@auroraair Before", "maya").id)
    clock.advance(timedelta(hours=1))
    missed = [str(server.says(f"@auroraair Number {n}", f"author{n % 40}").id) for n in range(5_000)]
    server.asked.clear()
    entries = await heard_from(x.paths[0], before, 5_000)

    assert [entry.mention.id for entry in entries if isinstance(entry, Heard)] == missed
    assert entries[-1].cursor == missed[-1]
    assert len([one for one in server.asked if "mentions" in one or "search" in one]) <= 51


async def test_a_storm_in_the_middle_of_a_long_way_back_does_not_begin_it_again(
    server: FakeX, x: X, clock: ManualClock
) -> None:
    """What was read is kept: the way back goes on where it was."""
    before = str(server.says("@auroraair Before", "maya").id)
    missed = [str(server.says(f"@auroraair Number {n}", "maya").id) for n in range(600)]
    path = x.paths[0]
    assert isinstance(path, SweepPath)
    listening = asyncio.create_task(heard_from(path, before, 600))
    await until(lambda: sum("mentions" in one for one in server.asked) >= 2, "the second page")
    server.read_fate = "503"
    await until(lambda: not path.state().ok, "the storm to show")
    server.read_fate = "ok"
    path.wake()
    entries = await listening

    assert [entry.mention.id for entry in entries if isinstance(entry, Heard)] == missed
    assert sum("mentions" in one for one in server.asked) == 6


async def test_what_lies_too_far_back_is_said_to_be_lost(server: FakeX, x: X, clock: ManualClock) -> None:
    """The timeline ends at 800 and search after 7 days: the state says from when to when."""
    before = str(server.says("@auroraair Before", "maya").id)
    for n in range(1_000):
        server.says(f"@auroraair Early {n}", "maya")
    clock.advance(timedelta(days=9))
    late = [str(server.says(f"@auroraair Late {n}", "maya").id) for n in range(900)]
    entries = await heard_from(x.paths[0], before, 900)

    assert [entry.mention.id for entry in entries if isinstance(entry, Heard)] == late
    assert "may be lost" in x.paths[0].state().words
    assert "2026-11-03 12:00 to 2026-11-05 12:05" in x.paths[0].state().words


async def test_the_first_look_is_cheap_and_digs_nothing_up(server: FakeX, x: X) -> None:
    """Five posts at most are read to know where now is."""
    for n in range(50):
        server.says(f"@auroraair Old {n}", "maya")
    entries = await heard_from(x.paths[0], None, 0)

    assert [type(entry) for entry in entries] == [Reached]
    assert sum("max_results=5" in one for one in server.asked) == 1


@pytest.mark.parametrize("edits", range(6))
async def test_a_post_edited_any_number_of_times_has_one_reply_to_its_latest_version(
    server: FakeX, x: X, ears: Ears, edits: int
) -> None:
    """It is one mention under its first id, with the words of now (X11)."""
    mention = await one_mention(server, ears, x)
    for n in range(edits):
        server.edits(int(mention.id), f"@auroraair Version {n} & more")
    if edits:
        await until(lambda: f"Version {edits - 1} & more" in ears.edited.get(mention.id, ""), "the edit")
        assert await x.reread(mention) == Present(f"@auroraair Version {edits - 1} & more")
    fate = await x.reply(mention, decided(mention))
    found = await x.find_reply(mention, decided(mention))

    assert isinstance(fate, Posted)
    assert found is not None
    assert found.id == fate.id
    assert set(ears.mentions) == {mention.id}
    (posted,) = server.post_bodies
    latest = server.posts[int(mention.id)].history[-1]
    assert posted == {"text": WORDS, "reply": {"in_reply_to_tweet_id": str(latest)}}


async def test_a_quote_of_ours_speaks_to_us_and_another_quote_does_not(
    server: FakeX, clock: ManualClock, ears: Ears
) -> None:
    """A quote summons as a mention does (X1); a link that only claims to quote us does not."""
    x = connect(set_up(server, clock, stream=True))
    await ears.open(*x.paths)
    ours = server.says("New routes!", "auroraair")
    theirs = server.says("Hello", "somebody")
    quote = str(server.says("Aurora Air again", "maya", quotes=ours.id).id)
    other = str(server.says("Aurora Air https://x.com/auroraair/status/1", "maya", quotes=theirs.id).id)
    await ears.hear(quote, other)
    await x.close()

    assert ears.mentions[quote].addressed
    assert not ears.mentions[other].addressed


async def test_a_long_post_and_its_links_are_read_as_they_were_written(
    server: FakeX, x: X, ears: Ears
) -> None:
    """All its words, without X's shortener and without X's escapes."""
    text = "@auroraair " + "far too long & <slow> " * 30 + "https://aurora.example/a?b=1&amp;c=2"
    mention = await one_mention(server, ears, x, text)

    assert mention.text == text


# ── the stream ───────────────────────────────────────────────────────────────────────────────────


async def test_our_rules_are_made_what_they_should_be_and_others_are_left_alone(
    server: FakeX, clock: ManualClock, ears: Ears
) -> None:
    """Stale ones of ours go, missing ones come, and right ones stay as they are."""
    server.rules = [
        {"id": "1", "value": "cats", "tag": "somebody else's"},
        {"id": "2", "value": '("old name")', "tag": "heard:Aurora Air"},
        {"id": "3", "value": "dogs"},
    ]
    x = connect(set_up(server, clock, stream=True))
    await ears.open(x.paths[0])
    rules = {rule["id"]: rule["value"] for rule in server.rules}
    server.close_streams()
    await until(lambda: server.connects >= 2, "a second connect")
    await x.close()

    assert "2" not in rules
    assert (rules.pop("1"), rules.pop("3")) == ("cats", "dogs")
    assert list(rules.values()) == ['(@auroraair OR "aurora air" OR "auroraair") -is:retweet -from:auroraair']
    assert len([one for one in server.asked if one.startswith("POST") and "rules" in one]) == 2


def test_many_words_fill_several_rules_of_a_length_that_x_takes(clock: ManualClock) -> None:
    """1,024 letters at most each; quotes inside words do no harm."""
    words = tuple(f'word {n} with "quotes"' for n in range(100))
    x = connect(set_up(FakeX(clock), clock, words=words))
    rules = x._rules("auroraair")

    assert len(rules) > 1
    assert all(len(rule) <= 1_024 for rule in rules)
    assert all(rule.count('"') % 2 == 0 for rule in rules)
    assert sum(rule.count(" with quotes") for rule in rules) == 100


class Ghost(asyncio.Transport):
    """A connection that nobody is at the other end of, which the server has not noticed."""

    def is_closing(self) -> bool:
        return False


async def test_a_dead_connection_that_holds_the_only_slot_is_ended(
    server: FakeX, clock: ManualClock, ears: Ears
) -> None:
    """X would hold it for up to a day (samples#140): it is ended by the endpoint that is for this."""
    server.streams.append(Stream(Ghost()))
    x = connect(set_up(server, clock, stream=True))
    await ears.open(x.paths[0])
    await ears.hear(str(server.says("@auroraair Anybody?", "maya").id))
    await x.close()

    assert server.kills == 1
    assert server.connects == 2


@pytest.mark.parametrize(
    "error",
    [
        occupied(),
        {"errors": [occupied()]},
        {"errors": [{"title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect"}]},
    ],
)
async def test_an_error_inside_the_stream_ends_the_connection(
    server: FakeX, clock: ManualClock, ears: Ears, error: dict[str, Any]
) -> None:
    """And the next one hears on."""
    x = connect(set_up(server, clock, stream=True))
    await ears.open(x.paths[0])
    server.send(json.dumps(error if "errors" in error else {"errors": [error]}).encode())
    await until(lambda: server.connects >= 2 and x.paths[0].state().ok, "a second connect")
    await ears.hear(str(server.says("@auroraair Still there?", "maya").id))
    await x.close()


async def test_what_other_rules_of_the_application_found_is_not_ours(
    server: FakeX, clock: ManualClock, ears: Ears
) -> None:
    """The one connection carries the finds of all rules."""
    server.rules = [{"id": "1", "value": "cats", "tag": "somebody else's"}]
    x = connect(set_up(server, clock, stream=True))
    await ears.open(x.paths[0])
    cats = str(server.says("cats are nice", "maya").id)
    await ears.hear(str(server.says("@auroraair Hello", "maya").id))
    await x.close()

    assert cats not in ears.mentions


async def test_what_only_names_the_brand_is_found_by_search_after_a_gap(
    server: FakeX, clock: ManualClock
) -> None:
    """The mentions do not have it, and the stream cannot go back."""
    x = connect(set_up(server, clock, stream=True))
    _, mentions, search = x.paths
    before = str(server.says("Nothing of ours", "maya").id)
    lost = str(server.says("Stuck with Aurora Air again", "maya").id)
    server.says("auroraairlines is somebody else", "maya")
    last = str(server.says("@auroraair Hello", "maya").id)
    found = await heard_from(search, before, 2)
    known = await heard_from(mentions, before, 1)
    await x.close()

    assert [entry.mention.id for entry in found if isinstance(entry, Heard)] == [lost, last]
    assert [entry.mention.id for entry in known if isinstance(entry, Heard)] == [last]


async def test_a_stream_that_takes_no_connects_is_left_alone_for_longer_each_time(x: X) -> None:
    """A minute, doubled, where X does not say for how long (X9)."""
    waits = [(await x._refused(under_test._Answer(429, {}, {}))).after for _ in range(6)]

    assert [wait.total_seconds() / 60 for wait in waits] == [1, 2, 4, 8, 15, 15]


# ── money and limits ─────────────────────────────────────────────────────────────────────────────


async def test_listening_stops_at_the_cap_and_replies_still_go_out(
    server: FakeX, clock: ManualClock, ears: Ears
) -> None:
    """At nine tenths nothing is read, in words; the rest is for replies, until it is gone too (X8)."""
    x = connect(set_up(server, clock, cents_per_day=50))
    await ears.open(x.paths[0])
    mention = await one_mention(server, ears, x)
    for n in range(600):
        server.says(f"@auroraair Number {n}", "maya")
    await until(lambda: "budget" in x.paths[0].state().words, "the cap to show")
    words = x.paths[0].state().words
    asked = len(server.asked)
    lists = await x._mention_lists()
    with pytest.raises(TooMany):
        await lists[0].fetch({"max_results": 100, "since_id": mention.id})
    assert len(server.asked) == asked
    first = await x.reply(mention, decided(mention))
    fates = [await x.reply(mention, decided(mention, f"Again {n}")) for n in range(8)]
    findings = {finding.about: finding for finding in await x.examine()}
    await x.close()

    assert words == "today's budget for X of 0.50 USD is spent; X is read again at 2026-11-04 12:00 UTC"
    assert isinstance(first, Posted)
    assert isinstance(fates[-1], Busy)
    assert "budget" in fates[-1].why
    assert findings["budget"].state == "warn"
    assert findings["budget"].fix


async def test_a_reply_with_a_link_costs_two_hundred_times_a_mention(
    server: FakeX, clock: ManualClock, ears: Ears
) -> None:
    """So it does not go out where a reply without one would (X8)."""
    x = connect(set_up(server, clock, cents_per_day=15))
    mention = await one_mention(server, ears, x)
    dear = await x.reply(mention, decided(mention, "See https://aurora.example (AA-1)"))
    cheap = await x.reply(mention, decided(mention))
    await x.close()

    assert isinstance(dear, Busy)
    assert isinstance(cheap, Posted)


async def test_the_same_post_is_paid_for_once_a_day(server: FakeX, clock: ManualClock, ears: Ears) -> None:
    """X's soft dedupe: reading a mention again and again does not eat the budget."""
    x = connect(set_up(server, clock, cents_per_day=100))
    mention = await one_mention(server, ears, x)
    await x.reread(mention)
    spent = await x._meter.spent()
    for _ in range(5):
        await x.reread(mention)

    assert await x._meter.spent() == spent
    await x.close()


async def test_x_s_own_headers_have_the_last_word(
    server: FakeX, x: X, ears: Ears, clock: ManualClock
) -> None:
    """Where X says that nothing is left, nothing is sent until it says so."""
    mention = await one_mention(server, ears, x)
    later = clock.now() + timedelta(minutes=7)
    server.headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(int(later.timestamp()))}
    assert isinstance(await x.reply(mention, decided(mention)), Posted)
    fate = await x.reply(mention, decided(mention, "Once more"))
    with pytest.raises(TooMany) as raised:
        await x.reread(mention)

    assert isinstance(fate, Busy)
    assert fate.after == raised.value.after == timedelta(minutes=7)
    assert server.arrived == 1
    assert await x._setup.budget.left(x._account, REPLIES) == 0


async def test_no_more_replies_go_out_than_x_takes(server: FakeX, x: X, ears: Ears) -> None:
    """A hundred in fifteen minutes (X10), whatever is decided."""
    mention = await one_mention(server, ears, x)
    fates = [await x.reply(mention, decided(mention, f"Text {n}")) for n in range(105)]

    assert sum(isinstance(fate, Posted) for fate in fates) == 100
    assert all(isinstance(fate, Busy) and "X10" in fate.why for fate in fates[100:])
    assert server.arrived == 100


# ── replying ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_duplicate_may_be_our_own_earlier_attempt(server: FakeX, x: X, ears: Ears) -> None:
    """X says "duplicate content" and no id: wait and look (RULES §2.2)."""
    mention = await one_mention(server, ears, x)
    await x.reply(mention, decided(mention))
    again = await x.reply(mention, decided(mention))

    assert isinstance(again, Unknown)
    assert await x.find_reply(mention, decided(mention)) is not None


async def test_a_refusal_is_told_in_x_s_own_words(server: FakeX, x: X, ears: Ears) -> None:
    """So that a person sees why."""
    await ears.open(x.paths[0])
    post = server.says("auroraair is bad", "maya")
    mention = Mention("x", str(post.id), Author("9001", "maya"), post.text, NOON, addressed=False)
    fate = await x.reply(mention, decided(mention))

    assert isinstance(fate, Refused)
    assert "not been mentioned" in fate.why
    assert server.unsummoned == 1


async def test_nothing_is_posted_under_a_post_that_is_gone(server: FakeX, x: X, ears: Ears) -> None:
    """Not even tried."""
    mention = await one_mention(server, ears, x)
    server.deletes(int(mention.id))
    fate = await x.reply(mention, decided(mention))

    assert isinstance(fate, Refused)
    assert server.arrived == 0
    assert await x.reread(mention) == Gone()


async def test_a_reply_with_a_link_and_escapes_is_known_again(server: FakeX, x: X, ears: Ears) -> None:
    """X shortens links, escapes letters, and puts the customer's handle before it."""
    mention = await one_mention(server, ears, x)
    text = "Terms & <conditions>: https://aurora.example/help?a=1 (AA-7)"
    server.post_fates = ["lost"]
    fate = await x.reply(mention, decided(mention, text))

    assert isinstance(fate, Unknown)
    assert await x.find_reply(mention, decided(mention, text)) is not None


async def test_a_reply_to_a_later_version_is_known_when_all_is_deleted(
    server: FakeX, x: X, ears: Ears
) -> None:
    """The deleted post does not tell its versions any more; our reply still stands under it."""
    mention = await one_mention(server, ears, x)
    server.edits(int(mention.id), "@auroraair My other bag")
    server.post_fates = ["lost"]
    await x.reply(mention, decided(mention))
    server.deletes(int(mention.id))

    assert await x.find_reply(mention, decided(mention)) is not None


async def test_what_cannot_be_reached_before_the_post_is_not_posted(server: FakeX, x: X, ears: Ears) -> None:
    """As long as nothing of the reply has left, its fate is no riddle."""
    mention = await one_mention(server, ears, x)
    server.read_fate = "closed"
    fate = await x.reply(mention, decided(mention))

    assert isinstance(fate, Busy)
    assert server.arrived == 0


async def test_a_busy_brand_s_timeline_is_read_back_to_the_mention(server: FakeX, x: X, ears: Ears) -> None:
    """However much was posted since."""
    mention = await one_mention(server, ears, x)
    await x.reply(mention, decided(mention))
    for n in range(350):
        server.says(f"@somebody answer {n}", "auroraair")

    assert await x.find_reply(mention, decided(mention)) is not None
    assert await x.answered(mention, ours=frozenset()) is not None


async def test_no_credits_left_is_said_in_words(x: X) -> None:
    """402: a person must buy some; nothing is out, and nothing is known."""
    answer = under_test._Answer(402, {}, {"title": "CreditsDepleted", "detail": "no credits"})
    fate = x._fate(answer, "1", "We are looking.")
    fault = under_test._fault(answer, NOON)

    assert isinstance(fate, Busy)
    assert "credits" in fate.why
    assert isinstance(fault, TooMany)


# ── hostile and odd records ──────────────────────────────────────────────────────────────────────

WHOLE = {
    "id": "1578522401263919106",
    "text": "@auroraair hello",
    "author_id": "5",
    "created_at": "2022-10-07T23:07:41.000Z",
}
AUTHORS = {"users": [{"id": "5", "username": "maya", "name": "Maya"}]}

ODD: list[tuple[str, dict[str, Any]]] = [
    ("the author is missing", {"author_id": "6"}),
    ("the author is a list", {"author_id": []}),
    ("the id is a word", {"id": "first"}),
    ("the id is true", {"id": True}),
    ("the id is enormous", {"id": 10**40}),
    ("there is no text", {"text": None}),
    ("the text is an object", {"text": {}}),
    ("it has no id and no time", {"id": None, "created_at": None}),
]
READABLE: list[tuple[str, dict[str, Any]]] = [
    ("the ids are numbers", {"id": 1578522401263919106, "author_id": 5}),
    ("the time has no zone", {"created_at": "2022-10-07T23:07:41"}),
    ("the time is missing", {"created_at": None}),
    ("the entities are a list", {"entities": []}),
    ("the mentions are words", {"entities": {"mentions": ["auroraair", 1, None]}}),
    ("the history is empty", {"edit_history_tweet_ids": []}),
    ("the history is nonsense", {"edit_history_tweet_ids": {"a": 1}}),
    ("it refers to what is unknown", {"referenced_tweets": [{"type": "teleported", "id": "1"}, None]}),
    ("half a letter is in it", {"text": "broken \ud83d letter"}),
    ("it has unknown fields", {"colour": {"is": ["blue"]}}),
    ("the note is a word", {"note_tweet": "long"}),
]


@pytest.mark.parametrize(("what", "changes"), ODD, ids=[what for what, _ in ODD])
def test_a_record_that_is_no_post_is_kept_with_what_is_wrong(what: str, changes: dict[str, Any]) -> None:
    """Never an exception, never a guess."""
    post = WHOLE | changes
    entry = under_test._heard(post, under_test._Company.of({"includes": AUTHORS}), OWN_ID, "", "mentions")

    assert isinstance(entry, Unreadable)
    assert entry.why
    assert json.loads(entry.raw) == post


@pytest.mark.parametrize(("what", "changes"), READABLE, ids=[what for what, _ in READABLE])
def test_an_odd_record_that_is_a_post_is_heard(what: str, changes: dict[str, Any]) -> None:
    """What X adds or leaves out costs no mention."""
    post = WHOLE | changes
    company = under_test._Company.of({"includes": AUTHORS, "data": [post]})
    entry = under_test._heard(post, company, OWN_ID, "", "mentions")

    assert isinstance(entry, Heard)
    assert (entry.mention.id, entry.mention.created_at.year) == ("1578522401263919106", 2022)
    assert entry.mention.text.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    changes=st.dictionaries(
        st.sampled_from([*WHOLE, "entities", "note_tweet", "referenced_tweets", "edit_history_tweet_ids"]),
        JSON,
    ),
    body=JSON,
)
@settings(max_examples=300, deadline=None)
def test_nothing_that_may_stand_in_a_record_breaks_the_reading(changes: dict[str, Any], body: Any) -> None:
    """Any JSON in any field."""
    post = WHOLE | changes
    company = under_test._Company.of({"includes": body, "data": [post, body]})
    entry = under_test._heard(post, company, OWN_ID, "", "mentions")

    assert isinstance(entry, Heard | Unreadable)


@given(
    before=st.lists(
        st.sampled_from(["@maya", "@auroraair", "@auroraair_fans", "hello", "#aurora"]), max_size=6
    ),
    quotes=st.sampled_from([None, "ours", "theirs", "unseen"]),
)
@settings(max_examples=300, deadline=None)
def test_addressed_is_what_x_calls_a_summons(before: list[str], quotes: str | None) -> None:
    """An @mention of the account itself by the author of the post, or a quote of a post of ours (X1)."""
    fake = FakeX(ManualClock(NOON))
    others = {"ours": fake.says("We", "auroraair").id, "theirs": fake.says("They", "other").id, "unseen": 4}
    post = fake.says(" ".join(before) or "-", "maya", quotes=others.get(quotes or ""))
    body = fake._envelope(post)
    entry = under_test._heard(body["data"], under_test._Company.of(body), OWN_ID, "", "stream")

    assert isinstance(entry, Heard)
    assert entry.mention.addressed == fake.summons(post)
    assert entry.mention.addressed == ("@auroraair" in before or quotes == "ours")


# ── what is never done, and what is needed ───────────────────────────────────────────────────────


def test_no_like_no_follow_no_quote_no_repost_is_in_the_code() -> None:
    """X wants none of them automated (X7): there is nothing here that could do it."""
    tree = ast.parse(inspect.getsource(under_test))
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    forbidden = (
        "like",
        "unlike",
        "follow_user",
        "unfollow_user",
        "follow",
        "retweet",
        "unretweet",
        "bookmark",
    )

    assert not calls & set(forbidden)
    assert "quote_tweet_id" not in arguments
    assert not [
        word
        for word in words
        if isinstance(word, str) and any(part in word for part in ("/likes", "/following", "/retweets"))
    ]


@pytest.mark.parametrize(
    ("access", "variable"),
    [
        ({}, "HEARD_X__BEARER_TOKEN"),
        ({"api_key": "a"}, "HEARD_X__API_SECRET"),
        ({**KEYS, "access_token_secret": ""}, "HEARD_X__ACCESS_TOKEN_SECRET"),
    ],
)
def test_a_missing_key_is_named(clock: ManualClock, access: dict[str, str], variable: str) -> None:
    """With the variable that sets it."""
    with pytest.raises(NotConnected) as raised:
        connect(set_up(FakeX(clock), clock, access=access))

    assert variable in raised.value.fix


async def test_a_bearer_token_alone_listens_and_does_not_post(
    server: FakeX, clock: ManualClock, ears: Ears
) -> None:
    """By the brand's handle, as there is no account of ours to ask for."""
    x = connect(set_up(server, clock, access={"api_url": server.url, "bearer_token": BEARER}))
    mention = await one_mention(server, ears, x)
    fate = await x.reply(mention, decided(mention))
    findings = await x.examine()
    profile = await x.profile()
    await x.close()

    assert mention.addressed
    assert not x.can_post
    assert profile is None
    assert isinstance(fate, Refused)
    assert server.arrived == 0
    assert not any(finding.state == "bad" for finding in findings)


async def test_the_four_keys_alone_hear_mentions(server: FakeX, clock: ManualClock, ears: Ears) -> None:
    """The stream needs the bearer token, and the doctor says so."""
    x = connect(set_up(server, clock, access={"api_url": server.url, **KEYS}, stream=True))
    await one_mention(server, ears, x)
    findings = {finding.about: finding for finding in await x.examine()}
    await x.close()

    assert [path.name for path in x.paths] == ["mentions"]
    assert findings["stream"].state == "warn"
    assert "HEARD_X__BEARER_TOKEN" in findings["stream"].fix


async def test_the_doctor_says_what_is_wrong_and_what_mends_it(
    server: FakeX, x: X, clock: ManualClock
) -> None:
    """A token that may only read, a clock that is off, a profile that says nothing of automation (X6)."""
    server.access_level = "read"
    server.users["auroraair"]["description"] = "We fly to robotic islands."
    server.headers = {"Date": "Tue, 03 Nov 2026 11:54:00 GMT"}
    findings = {finding.about: finding for finding in await x.examine()}

    assert findings["permission"].state == "bad"
    assert findings["clock"].state == "warn"
    assert "360 s" in findings["clock"].words
    assert findings["label"].state == "warn"
    assert all(finding.fix for finding in findings.values() if finding.state != "ok")


async def test_a_redirect_is_not_followed(server: FakeX, clock: ManualClock) -> None:
    """Tokens go to X and nowhere else."""
    app = web.Application()

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound(f"{server.url}{request.path_qs}")

    app.router.add_route("*", "/{tail:.*}", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    x = connect(set_up(server, clock, access={**KEYS, "api_url": f"http://{host}:{port}"}))
    with pytest.raises(Fault):
        await x.profile()
    await x.close()
    await runner.cleanup()

    assert server.asked == []


async def test_wrong_keys_are_a_revoked_login(server: FakeX, clock: ManualClock) -> None:
    """The signature is checked as X checks it; the words hold no secret."""
    keys = {**KEYS, "access_token_secret": "quite-another-secret"}
    x = connect(set_up(server, clock, access={"api_url": server.url, **keys}))
    with pytest.raises(Revoked) as raised:
        await x.profile()
    await x.close()

    assert "quite-another-secret" not in str(raised.value) + raised.value.fix
    assert raised.value.fix
