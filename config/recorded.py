"""Recorded days: `heard demo` and `heard replay` on a store of their own, resumed where they were killed."""

import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from casework.case import Moved
from casework.clock import Clock, ManualClock
from casework.errors import HeardError
from config.brand import Brand
from config.heralds import LogHerald
from config.lanes import only_one
from config.play import Agenda, Player, Progress, begin, end
from config.summary import Summary, summarise
from config.wiring import Line, Model, own_handles, put_together
from escalation.alerts import Herald
from platforms.feed import Feed
from platforms.replay import ReplayPlatform, ReplyRecord, Weather
from streams.connection import Store, open_store

DEMO: Final = Path(__file__).with_name("demo")
DAY: Final = DEMO / "day.jsonl"


@dataclass(frozen=True, slots=True)
class Recording:
    """A feed, the brand it is played for, and the folder that its run lives in."""

    feed: Feed
    brand: Brand
    folder: Path
    redis_url: str | None = None
    weather: Weather | None = None

    @property
    def name(self) -> str:
        """The feed's name and the fingerprint of what is in it: another day is another run."""
        lines = (f"{m.key} {m.created_at} {m.text}" for m in (item.mention for item in self.feed.recorded))
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
        return f"{self.feed.name}-{digest}"

    @contextmanager
    def held(self, *, again: bool = False) -> Iterator[bool]:
        """This recording is ours alone until the block ends; tells whether an earlier run goes on.

        What a finished run, or one of another feed, left is removed first, never under a running one:
        the lock stands beside the folder.

        Raises:
            HeardError: another process plays here, or the run on the store at REDIS_URL is over.
        """
        ended, begun = self.folder / "finished", self.folder / "feed"
        with only_one(self.folder.with_name(f"{self.folder.name}.playing"), "plays this recording already"):
            same = begun.exists() and begun.read_text() == self.name
            over = again or ended.exists() or not same
            if over and begun.exists() and self.redis_url is not None:
                raise HeardError(
                    "the store at REDIS_URL has a day that was played already: empty that database and "
                    f"remove {self.folder}, or unset REDIS_URL"
                )
            if over:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
            goes_on = begun.exists()
            begun.write_text(self.name)
            yield goes_on

    def finish(self) -> None:
        """Mark the run as over: the next one starts anew."""
        (self.folder / "finished").touch()


@dataclass(frozen=True, slots=True)
class Playing:
    """A line on a recording's store, and the platform that plays it."""

    store: Store
    line: Line
    platform: ReplayPlatform
    record: ReplyRecord

    async def summary(self) -> Summary:
        """What became of the feed so far."""
        return await summarise(
            self.line.cases,
            self.line.dead,
            promised=[policy.name for policy in self.line.promises.policies],
            feed=self.platform.feed,
            record=self.record,
        )


@asynccontextmanager
async def opened(
    recording: Recording,
    *,
    clock: Clock,
    model: Model,
    herald: Herald,
    on_saved: Callable[[Moved], None] | None = None,
) -> AsyncIterator[Playing]:
    """The line over a recording's own store.

    Raises:
        HeardError: the store at REDIS_URL holds other cases.
    """
    async with open_store(recording.redis_url, recording.folder / "store") as store:
        record = ReplyRecord(recording.folder / "replies.sqlite3")
        platform = ReplayPlatform(
            recording.feed, record, clock, own_handles=own_handles(recording.brand), weather=recording.weather
        )
        with put_together(
            store,
            recording.brand,
            clock=clock,
            model=model,
            platforms={"*": platform},
            herald=herald,
            locks=recording.folder / "locks",
            on_saved=on_saved,
        ) as line:
            owner = await line.cursors.claim(recording.name)
            if owner != recording.name:
                raise HeardError(f"the store at REDIS_URL holds other cases ({owner}); use an empty database")
            yield Playing(store, line, platform, record)


async def play_fast(recording: Recording, model: Model, *, progress: Progress | None = None) -> Summary:
    """Play a recording that is held to its end, nobody at the desk, and sum it up."""
    clock, agenda = ManualClock(begin(recording.feed)), Agenda()
    async with opened(
        recording, clock=clock, model=model, herald=LogHerald(), on_saved=agenda.saw
    ) as playing:
        player = Player(playing.line, playing.platform, recording.name, clock, agenda)
        await player.play(progress, last=end(recording.feed, playing.line))
        summary = await playing.summary()
    recording.finish()
    return summary
