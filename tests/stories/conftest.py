"""A small world for the stories: Aurora Air's own settings, a real store, a clock that the story moves."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from casework import moves
from casework.case import Case
from casework.classification import Classification, Intent, Sentiment, Urgency
from casework.clock import ManualClock
from casework.mention import Author, Mention
from casework.sla import Alert
from config.places import demo_brand
from config.wiring import Line, put_together
from platforms.feed import Feed
from platforms.platform import Heard
from platforms.replay import RecordedReply, ReplayPlatform, ReplyRecord
from streams.connection import Store
from streams.spikes import News
from tests.fakes.cases import judged
from tests.fakes.embedding import embed

MORNING = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


class ReadyModel:
    """Judges by what the story says a text is; everything else is a question of normal urgency."""

    name = "ready"

    def __init__(self) -> None:
        self.verdicts: dict[str, Classification] = {}

    def classify(
        self,
        texts: Sequence[str],
        *,
        topics: Mapping[str, Sequence[str]] | None = None,
        handles: Collection[str] | None = None,
    ) -> list[Classification]:
        """One judgement a text."""
        question = judged(Urgency.NORMAL, Intent.QUESTION, Sentiment.NEUTRAL)
        return [self.verdicts.get(text, question) for text in texts]

    def embed(self, texts: Sequence[str], *, handles: Collection[str] | None = None) -> list[list[float]]:
        """Vectors of letters, not of meaning: enough to find an article by its own words."""
        return [list(vector) for vector in embed(texts)]


@dataclass
class Managers:
    """Everybody who can be told: what they were told, in order."""

    name: str = "the story"
    told: list[tuple[str, Alert]] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)
    spikes: list[News] = field(default_factory=list)

    async def announce(self, case: Case) -> None:
        """A case waits for a person."""
        self.announced.append(case.id)

    async def alert(self, case: Case, alert: Alert) -> None:
        """A promise is at risk or broken."""
        self.told.append((case.id, alert))

    async def spike(self, news: News) -> None:
        """Far more is said than usual, or no longer."""
        self.spikes.append(news)


@dataclass
class World:
    """What a story can do: customers write, people decide, time passes, and one can look."""

    line: Line
    clock: ManualClock
    model: ReadyModel
    managers: Managers
    record: ReplyRecord
    posts: int = 0

    async def write(
        self,
        text: str,
        *,
        judged: Classification | None = None,
        author: str = "maya",
        to: str | None = None,
        platform: str = "x",
        addressed: bool = True,
    ) -> Case:
        """A customer posts, and everything that happens by itself happens."""
        if judged is not None:
            self.model.verdicts[text] = judged
        self.posts += 1
        mention = Mention(
            platform=platform,
            id=f"post-{self.posts}",
            author=Author(author, author, author.title()),
            text=text,
            created_at=self.clock.now(),
            in_reply_to=to,
            addressed=addressed,
        )
        await self.line.listener("story").take_in([Heard(mention, str(self.posts))])
        await self.settle()
        found = {m.key: c.id async for c in self.line.cases.every() for m in c.mentions}
        return await self.line.cases.load(found[mention.key])

    async def pass_time(self, minutes: int) -> None:
        """Time passes, minute by minute, and what falls due happens."""
        for _ in range(minutes):
            self.clock.advance(timedelta(minutes=1))
            await self.settle()

    async def settle(self) -> None:
        """Let every stage do what is left to do."""
        busy = True
        while busy:
            busy = bool(await self.line.promise_clock.sweep())
            await self.line.spike_clock.step()
            for consumer in self.line.consumers.values():
                busy = bool(await consumer.step()) or busy

    async def approve(self, seen: Case, by: str) -> Case:
        """A person presses Approve on the case as they see it."""
        assert seen.draft is not None
        sha256 = seen.draft.sha256
        await self.line.cases.move(
            seen.id,
            lambda case: moves.approve(case, by=by, at=self.clock.now(), draft_sha256=sha256),
            seen_version=seen.version,
        )
        await self.settle()
        return await self.line.cases.load(seen.id)

    async def write_draft(self, seen: Case, text: str, by: str) -> Case:
        """A person puts their own words in the draft's place."""
        return await self.line.cases.move(
            seen.id,
            lambda case: moves.edit(case, by=by, at=self.clock.now(), text=text, draft_id=f"by-{by}"),
            seen_version=seen.version,
        )

    async def look(self, case: Case) -> Case:
        """The case as it is now."""
        return await self.line.cases.load(case.id)

    def customer_sees(self, case: Case) -> list[RecordedReply]:
        """The replies on the platform to this case's mentions."""
        ids = {mention.id for mention in case.mentions}
        return [reply for reply in self.record.every() if reply.in_reply_to in ids]


@contextmanager
def a_world(store: Store, home: Path) -> Iterator[World]:
    """A morning at Aurora Air, nothing heard yet; what is not in the store lies in ``home``."""
    clock, model, managers = ManualClock(MORNING), ReadyModel(), Managers()
    record = ReplyRecord(home / "replies.sqlite3")
    platform = ReplayPlatform(Feed("story", ()), record, clock)
    with put_together(
        store,
        demo_brand(),
        clock=clock,
        model=model,
        platforms={"*": platform},
        herald=managers,
        locks=home / "locks",
        tell_spike=managers.spike,
    ) as line:
        yield World(line, clock, model, managers, record)


@pytest.fixture
def world(store: Store, tmp_path: Path) -> Iterator[World]:
    """A morning of its own for each story."""
    with a_world(store, tmp_path) as begun:
        yield begun
