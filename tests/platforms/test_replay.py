"""The replay platform: plays what was recorded, keeps what it was sent, and can misbehave."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.reply import Outgoing
from platforms.feed import Feed, Recorded, shifted
from platforms.platform import Busy, Gone, Heard, Posted, Present, Refused, Unknown
from platforms.replay import ReplayPlatform, ReplyRecord, Weather
from tests.fakes.cases import NOON, a_mention

MINUTE = timedelta(minutes=1)
REPLY = Outgoing(
    key="C-1:draft-1",
    kind=ReplyKind.ANSWER,
    text="Hi!",
    answers="x:post-1",
    decided_by="Nina",
    decided_at=NOON,
)


def a_feed() -> Feed:
    recorded = (
        Recorded(a_mention(1), 1, deleted_at=NOON + 3 * MINUTE),
        Recorded(a_mention(2), 2, edited_at=NOON + 3 * MINUTE, edited_text="Found it!"),
    )
    return Feed("feed", recorded, lines=2, by_key={item.mention.key: item for item in recorded})


@pytest.fixture
def record(tmp_path: Path) -> ReplyRecord:
    return ReplyRecord(tmp_path / "replies.sqlite3")


def platform(record: ReplyRecord, clock: ManualClock, weather: Weather | None = None) -> ReplayPlatform:
    return ReplayPlatform(a_feed(), record, clock, own_handles=frozenset({"auroraair"}), weather=weather)


async def test_a_mention_is_heard_once_its_time_has_come(record: ReplyRecord, clock: ManualClock) -> None:
    """From a position on, up to an instant."""
    replay = platform(record, clock)
    (first,) = replay.until(NOON, None)

    assert isinstance(first, Heard)
    assert first.mention.id == "post-1"
    assert replay.until(NOON, first.cursor) == []
    assert [e.cursor for e in replay.until(NOON + MINUTE, first.cursor)] == ["2"]
    assert replay.next_at("2") is None


async def test_following_ends_with_the_feed(record: ReplyRecord, clock: ManualClock) -> None:
    """Everything is heard once, in order."""
    clock.advance(5 * MINUTE)
    heard = [entry async for stretch in platform(record, clock).follow(None) for entry in stretch]

    assert [entry.cursor for entry in heard] == ["1", "2"]


async def test_a_reply_is_on_disk_before_it_is_answered(record: ReplyRecord, clock: ManualClock) -> None:
    """Another process reads it back; a second sending is a second reply, as on any platform."""
    replay = platform(record, clock)
    first = await replay.reply(a_mention(), REPLY)
    second = await replay.reply(a_mention(), REPLY)

    assert first == Posted("reply-1", NOON)
    assert second == Posted("reply-2", NOON)
    assert [reply.key for reply in ReplyRecord(record._path).every()] == [REPLY.key, REPLY.key]


async def test_our_reply_is_found_by_its_key(record: ReplyRecord, clock: ManualClock) -> None:
    """And nobody else's is taken for it."""
    replay = platform(record, clock)
    await replay.reply(a_mention(), REPLY)

    assert await replay.find_reply(a_mention(), REPLY) == Posted("reply-1", NOON)
    assert await replay.find_reply(a_mention(), replace(REPLY, key="C-1:draft-2")) is None


async def test_a_reply_by_somebody_of_the_brand_is_seen(record: ReplyRecord, clock: ManualClock) -> None:
    """One that was posted through us is known by its id and is none."""
    replay = platform(record, clock)
    await replay.reply(a_mention(), REPLY)

    assert await replay.answered(a_mention(), ours=frozenset()) == "reply-1"
    assert await replay.answered(a_mention(), ours=frozenset({"reply-1"})) is None


async def test_a_mention_is_reread_as_its_author_left_it(record: ReplyRecord, clock: ManualClock) -> None:
    """Deleted and edited from their times on."""
    replay = platform(record, clock)
    assert await replay.reread(a_mention(1)) == Present("My bag is lost!")

    clock.advance(3 * MINUTE)

    assert await replay.reread(a_mention(1)) == Gone()
    assert await replay.reread(a_mention(2)) == Present("Found it!")


@pytest.mark.parametrize(
    ("weather", "fate", "arrived"),
    [
        (Weather(refuse=1), Refused, 0),
        (Weather(busy=1), Busy, 0),
        (Weather(error=1), Unknown, 0),
        (Weather(lost=1), Unknown, 1),
    ],
)
async def test_it_misbehaves_when_told(
    record: ReplyRecord, clock: ManualClock, weather: Weather, fate: type, arrived: int
) -> None:
    """A lost answer is the only failure after which the reply is there."""
    assert isinstance(await platform(record, clock, weather).reply(a_mention(), REPLY), fate)
    assert len(record.every()) == arrived


def test_what_befalls_an_attempt_is_the_same_in_every_process() -> None:
    """But another attempt has another luck, or nothing would ever arrive."""
    weather = Weather(lost=0.5, seed=7)

    assert weather.luck(REPLY) == Weather(lost=0.5, seed=7).luck(REPLY)
    assert weather.luck(REPLY) != weather.luck(replace(REPLY, attempts=1))


def test_a_recorded_day_can_be_played_as_today() -> None:
    """All its times move together."""
    feed = shifted(a_feed(), timedelta(days=1))

    assert feed.recorded[0].mention.created_at == NOON + timedelta(days=1)
    assert feed.recorded[0].deleted_at == NOON + timedelta(days=1, minutes=3)
    assert feed.by_key["x:post-1"].mention.created_at == NOON + timedelta(days=1)
