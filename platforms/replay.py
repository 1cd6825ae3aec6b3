"""The replay platform: plays a recorded feed, takes replies, and keeps its own durable record of them.

It can be told to behave as badly as real platforms do (`Weather`), so that the demo, the tests and the
crash campaigns all use this one.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from casework.clock import Clock
from casework.mention import Mention
from casework.reply import Outgoing
from platforms.feed import Feed
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
    Refused,
    Unknown,
    Unreadable,
)

POLL_S: Final = 0.05
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS replies (
    id INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT, in_reply_to TEXT, key TEXT, text TEXT, posted_at TEXT
)
"""


@dataclass(frozen=True, slots=True)
class Weather:
    """How badly the platform behaves, as shares of attempts (0 to 1).

    ``lost``: the reply arrives, its answer does not. ``error``: a 5xx, nothing arrives. ``busy``: a 429.
    ``refuse``: a 403. What befalls an attempt depends only on the seed, the reply and the attempt.
    """

    lost: float = 0.0
    error: float = 0.0
    busy: float = 0.0
    refuse: float = 0.0
    delay: timedelta = timedelta(0)
    seed: int = 0

    def luck(self, outgoing: Outgoing) -> float:
        """A number from 0 to 1 for this attempt, the same in every process."""
        material = f"{self.seed}:{outgoing.key}:{outgoing.attempts}".encode()
        return int.from_bytes(hashlib.sha256(material).digest()[:8]) / 2**64


@dataclass(frozen=True, slots=True)
class RecordedReply:
    """A reply as the platform has it."""

    id: str
    platform: str
    in_reply_to: str
    key: str
    text: str
    posted_at: datetime


class ReplyRecord:
    """What the platform was sent, on disk before it is answered. Knows nothing of Heard's own store."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        with self._open() as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=30)
        try:
            db.execute("PRAGMA synchronous=FULL")
            with db:
                yield db
        finally:
            db.close()

    def add(self, mention: Mention, outgoing: Outgoing, at: datetime) -> str:
        """Take a reply; returns its id. Taking the same one twice makes two, as a platform would."""
        row = (mention.platform, mention.id, outgoing.key, outgoing.text, at.isoformat())
        sql = "INSERT INTO replies (platform, in_reply_to, key, text, posted_at) VALUES (?, ?, ?, ?, ?)"
        with self._open() as db:
            return f"reply-{db.execute(sql, row).lastrowid}"

    def remove(self, reply_id: str) -> None:
        """Forget a reply; one that is not there is fine."""
        with self._open() as db:
            db.execute("DELETE FROM replies WHERE id = ?", (reply_id.removeprefix("reply-"),))

    def forget(self, marks: Mapping[str, str]) -> None:
        """Keep of the replies to these mentions when there were some, and the mention's mark.

        The file holds no more of them afterwards.
        """
        with self._open() as db:
            db.execute("PRAGMA secure_delete=ON")
            for key, mark in marks.items():
                platform, _, post = key.partition(":")
                db.execute(
                    "UPDATE replies SET text = '', in_reply_to = ?, key = replace(key, ?, ?) "
                    "WHERE platform = ? AND in_reply_to = ?",
                    (mark.partition(":")[2], key, mark, platform, post),
                )
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()

    def to(self, mention: Mention) -> list[RecordedReply]:
        """The replies to one mention, oldest first."""
        return self._select(
            "WHERE platform = ? AND in_reply_to = ? ORDER BY id", mention.platform, mention.id
        )

    def every(self) -> list[RecordedReply]:
        """All replies, oldest first."""
        return self._select("ORDER BY id")

    def _select(self, where: str, *values: str) -> list[RecordedReply]:
        columns = "id, platform, in_reply_to, key, text, posted_at"
        with self._open() as db:
            rows = db.execute(f"SELECT {columns} FROM replies {where}", values).fetchall()  # noqa: S608 (ours)
        return [
            RecordedReply(f"reply-{n}", platform, to, key, text, datetime.fromisoformat(at).astimezone(UTC))
            for n, platform, to, key, text, at in rows
        ]


class ReplayPlatform:
    """Plays a feed by a clock and takes replies to it, in whatever weather."""

    name = "replay"
    read_lag = timedelta(seconds=5)

    def __init__(
        self,
        feed: Feed,
        record: ReplyRecord,
        clock: Clock,
        *,
        own_handles: frozenset[str] = frozenset(),
        weather: Weather | None = None,
    ) -> None:
        self._feed = feed
        self._brands = [item.mention for item in feed.recorded if item.mention.author.handle in own_handles]
        self._record = record
        self._clock = clock
        self._weather = weather or Weather()
        self._began = clock.now()

    @property
    def paths(self) -> Sequence["ReplayPlatform"]:
        """The recorded feed is the one thing to hear."""
        return (self,)

    @property
    def can_post(self) -> bool:
        """Replies are taken, and go nowhere."""
        return True

    def state(self) -> PathState:
        """A recorded feed is always there."""
        return PathState(ok=True, words="plays a recorded feed", since=self._began)

    @property
    def feed(self) -> Feed:
        """What is played."""
        return self._feed

    @property
    def record(self) -> ReplyRecord:
        """What it was sent."""
        return self._record

    def until(self, instant: datetime, cursor: str | None) -> list[Heard | Unreadable]:
        """Everything of the feed after a position that was written by an instant."""
        start = int(cursor or 0)
        bad = self._feed.unreadable
        played: list[Heard | Unreadable] = [
            Unreadable(line.where, line.raw, line.why, str(n))
            for n, line in enumerate(bad, start=1)
            if n > start
        ]
        for number, item in enumerate(self._feed.recorded, start=len(bad) + 1):
            if item.mention.created_at > instant:
                break
            if number > start:
                played.append(Heard(item.mention, str(number)))
        return played

    def next_at(self, cursor: str | None) -> datetime | None:
        """When the next mention after a position was written; None at the end of the feed."""
        position = max(0, int(cursor or 0) - len(self._feed.unreadable))
        recorded = self._feed.recorded
        return recorded[position].mention.created_at if position < len(recorded) else None

    async def follow(self, cursor: str | None) -> AsyncGenerator[Sequence[Entry], None]:
        """Each entry once the clock has reached it, from the beginning on; ends with the feed."""
        position = cursor
        while True:
            played = self.until(self._clock.now(), position)
            if played:
                position = played[-1].cursor
                yield played
            if self.next_at(position) is None:
                return
            await asyncio.sleep(POLL_S)

    async def reread(self, mention: Mention) -> Present | Gone:
        """The mention as its author has left it by now."""
        now = self._clock.now()
        recorded = self._feed.by_key.get(mention.key)
        if recorded is None:
            return Present(mention.text)
        if recorded.deleted_at and recorded.deleted_at <= now:
            return Gone()
        if recorded.edited_at and recorded.edited_at <= now:
            return Present(recorded.edited_text or mention.text)
        return Present(mention.text)

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """Many mentions as their authors have left them."""
        return [await self.reread(mention) for mention in mentions]

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """A reply that somebody else of the brand gave."""
        replies = await asyncio.to_thread(self._record.to, mention)
        posted = [reply.id for reply in replies]
        posted += [
            post.id
            for post in self._brands
            if post.platform == mention.platform
            and post.in_reply_to == mention.id
            and post.created_at <= self._clock.now()
        ]
        return next((reply_id for reply_id in posted if reply_id not in ours), None)

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """Take a reply, unless the weather forbids."""
        weather, luck = self._weather, self._weather.luck(outgoing)
        if weather.delay:
            await asyncio.sleep(weather.delay.total_seconds())
        for share, fate in (
            (weather.refuse, Refused("403 from the replay platform")),
            (weather.busy, Busy("429 from the replay platform", timedelta(seconds=60))),
            (weather.error, Unknown("503 from the replay platform")),
        ):
            if luck < share:
                return fate
            luck -= share
        now = self._clock.now()
        reply_id = await asyncio.to_thread(self._record.add, mention, outgoing, now)
        return Unknown("the answer was lost") if luck < weather.lost else Posted(reply_id, now)

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """Our reply by its key, if the record has it."""
        replies = await asyncio.to_thread(self._record.to, mention)
        return next((Posted(r.id, r.posted_at) for r in replies if r.key == outgoing.key), None)

    async def take_back(self, reply_id: str) -> None:
        """The record forgets a reply."""
        await asyncio.to_thread(self._record.remove, reply_id)

    async def profile(self) -> Profile | None:
        """The account that a recorded day answers from."""
        return Profile(id="replay", handle="replay", labelled=True, says="Replies are recorded, not posted.")

    async def examine(self) -> Sequence[Finding]:
        """Nothing can be wrong with it."""
        return [Finding("login", "ok", f"plays {len(self._feed.recorded)} recorded mentions")]

    async def close(self) -> None:
        """There is nothing to let go of."""
