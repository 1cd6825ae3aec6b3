"""The world of the replay platform: a recorded feed that is written while it is played."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from casework.clock import ManualClock
from casework.draft import ReplyKind
from casework.mention import Author, Mention
from casework.reply import Outgoing
from platforms.feed import Feed, Recorded
from platforms.limits import Budget
from platforms.listening import Manners
from platforms.platform import Busy, Fate, Refused, Unknown
from platforms.replay import ReplayPlatform, ReplyRecord
from tests.contracts.world import QUICK, PostFate, Published, ReadFate, Traits


class _Stormy(ReplayPlatform):
    """The replay platform, whose weather the test decides attempt by attempt."""

    world: "ReplayWorld"

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """The next fate, or all is well."""
        self.world.posts += 1
        fate = self.world.fates.pop(0) if self.world.fates else "ok"
        if fate in ("ok", "lost", "reset", "garbage"):
            posted = await super().reply(mention, outgoing)
            return posted if fate == "ok" else Unknown("the answer was lost")
        if fate in ("429", "401"):
            return Busy(fate, timedelta(seconds=1))
        return Refused("403") if fate == "403" else Unknown(fate)


class ReplayWorld:
    """A feed in memory; what is said is appended to it."""

    name = "replay"
    traits = Traits(has_stream=False, tells_edits=False, tells_deletions=False, sifts_words=False)
    connects = 0

    def __init__(self, clock: ManualClock, folder: Path) -> None:
        self.posts = 0
        self.fates: list[PostFate] = []
        self._clock = clock
        self._recorded: list[Recorded] = []
        self._playing: list[_Stormy] = []
        self._record = ReplyRecord(folder / "replies.sqlite3")

    def connect(
        self,
        *,
        clock: ManualClock,
        budget: Budget,
        folder: Path,
        manners: Manners | None = QUICK,
        every: timedelta = timedelta(seconds=0.05),
        stream: bool = True,
        words: tuple[str, ...] = (),
    ) -> ReplayPlatform:
        """A player of the feed as it grows."""
        played = _Stormy(self._feed(), self._record, clock, own_handles=frozenset({"auroraair"}))
        played.world = self
        self._playing.append(played)
        return played

    def _feed(self) -> Feed:
        """What was said so far; one more line far ahead keeps it from ending."""
        never = self._mention("the end", "never", "nobody")
        last = Recorded(replace(never, created_at=never.created_at + timedelta(days=999)), 0)
        return Feed(
            "replay", (*self._recorded, last), by_key={item.mention.key: item for item in self._recorded}
        )

    def _changed(self) -> None:
        for played in self._playing:
            played._feed = self._feed()

    def says(
        self, text: str, *, author: str = "maya", addressed: bool = True, in_reply_to: str | None = None
    ) -> str:
        """A line more in the feed."""
        post_id = f"post-{len(self._recorded) + 1}"
        mention = self._mention(text, post_id, author, addressed=addressed, in_reply_to=in_reply_to)
        self._recorded.append(Recorded(mention, len(self._recorded) + 1))
        self._changed()
        return post_id

    def _mention(self, text: str, post_id: str, author: str, **more: object) -> Mention:
        mention = Mention("replay", post_id, Author(author, author), text, self._clock.now())
        return replace(mention, **more)  # type: ignore[arg-type]  # each caller names real fields

    def edits(self, post_id: str, text: str) -> None:
        """The line says when it was edited."""
        self._change(post_id, edited_at=self._clock.now(), edited_text=text)

    def deletes(self, post_id: str) -> None:
        """The line says when it was deleted."""
        self._change(post_id, deleted_at=self._clock.now())

    def _change(self, post_id: str, **changes: object) -> None:
        place = next(n for n, item in enumerate(self._recorded) if item.mention.id == post_id)
        self._recorded[place] = replace(self._recorded[place], **changes)  # type: ignore[arg-type]
        self._changed()

    def colleague_answers(self, post_id: str, text: str) -> str:
        """A reply that the record has and Heard did not send."""
        mention = next(item.mention for item in self._recorded if item.mention.id == post_id)
        return self._record.add(
            mention,
            Outgoing("by-hand", ReplyKind.ANSWER, text, mention.key, "nina", self._clock.now()),
            self._clock.now(),
        )

    def published(self) -> list[Published]:
        """The record."""
        return [Published(reply.id, reply.in_reply_to, reply.text) for reply in self._record.every()]

    def next_posts(self, *fates: PostFate) -> None:
        """What becomes of the next attempts."""
        self.fates = list(fates)

    def reads_become(self, fate: ReadFate) -> None:
        """A recorded feed is always there."""

    def stream_loses(self, how: Literal["nothing", "everything", "even signs of life"]) -> None:
        """It has no stream."""

    def close_streams(self) -> None:
        """It has no stream."""

    def repeat_stream(self) -> None:
        """It has no stream."""

    def send_raw(self, raw: bytes) -> None:
        """It has no stream."""


@asynccontextmanager
async def open_world(clock: ManualClock) -> AsyncIterator[ReplayWorld]:
    """A feed, and a record of replies beside it."""
    with TemporaryDirectory() as folder:
        yield ReplayWorld(clock, Path(folder))
