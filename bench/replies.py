"""The durable path: replies decided, posted and recorded, against how often this disk syncs at all.

A reply is two synced writes, one after the other and no two at once: its intent before the POST, its
record after it. So half of what the disk can sync is the ceiling of any sender that keeps its word.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from bench.line import JUDGED, PROMISES, TEXT
from casework import moves
from casework.case import Moved, Status, Topic
from casework.clock import SystemClock
from casework.draft import Draft
from casework.errors import HeardError
from casework.mention import Author, Mention
from casework.reply import Outgoing, Permission, Way
from platforms.feed import Feed
from platforms.platform import Fate, Posted, Present
from platforms.replay import ReplayPlatform, ReplyRecord
from platforms.rules import Terms
from responder.sender import Sender
from streams import topics
from streams.case_store import CaseStore, Write
from streams.claim import UNDISPUTED
from streams.connection import Store, open_store
from streams.consumer import Consumer
from streams.switch import AutomaticPause, PauseSwitch

REPLIES: Final = 400
SYNCS: Final = 1_000
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class ReplyFigures:
    """Medians of the rounds, each a second."""

    syncs: float
    replies: float

    def text(self) -> str:
        """The figures, the ratio last."""
        return (
            f"raw fsync of a record    {self.syncs:>9,.0f} /s\n"
            f"replies recorded         {self.replies:>9,.0f} /s   "
            f"ratio {self.replies / self.syncs:.3f} (a reply is two syncs: 0.5 is the ceiling)"
        )


class _TakesAll(ReplayPlatform):
    """A platform that answers at once, so that what is measured is ours."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Feed("bench", ()), ReplyRecord(folder / "replies.sqlite3"), SystemClock())

    async def reread(self, mention: Mention) -> Present:
        """As it was."""
        return Present(mention.text)

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> None:  # noqa: ARG002 (asked of nobody)
        """By nobody."""
        return

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:  # noqa: ARG002 (any is taken)
        """Posted."""
        return Posted(f"reply-to-{mention.id}", datetime.now(UTC))


async def measure() -> ReplyFigures:
    """Both, interleaved, each round on an emptied store in the same folder."""
    syncs, replies = [], []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as made:
        folder = Path(made)
        async with open_store(None, folder / "store") as store:
            platform = _TakesAll(folder)
            for _ in range(ROUNDS):
                syncs.append(await asyncio.to_thread(_syncs, folder / "raw"))
                await store.writes.flushall()
                replies.append(await _replies(store, platform))
    return ReplyFigures(median(syncs), median(replies))


def _syncs(file: Path) -> float:
    """Appends of a record's size, each on disk before the next."""
    record = os.urandom(2_000)
    with file.open("wb", buffering=0) as written:
        started = time.perf_counter()
        for _ in range(SYNCS):
            written.write(record)
            os.fdatasync(written.fileno())
        return SYNCS / (time.perf_counter() - started)


async def _replies(store: Store, platform: _TakesAll) -> float:
    cases, clock = CaseStore(store), SystemClock()
    await cases.save_all([Write(moved) for number in range(REPLIES) for moved in _approved(number)])
    sender = Sender(
        cases=cases,
        platforms={"*": platform},
        terms=lambda _: Terms(),
        switch=PauseSwitch(store),
        claim=UNDISPUTED,
        pause=AutomaticPause(store),
        promises=PROMISES,
        clock=clock,
    )
    consumer = Consumer(
        store, cases, topic=Topic.APPROVED, group="sender", name="bench", handler=sender, clock=clock
    )
    started = time.perf_counter()
    done = 0
    while done < REPLIES:
        done += await consumer.step()
    taken = time.perf_counter() - started
    answered = (await cases.counts())[Status.ANSWERED]
    if answered != REPLIES:
        raise HeardError(f"{answered} of {REPLIES} replies were recorded")
    return REPLIES / taken


def _approved(number: int) -> Sequence[Moved]:
    """A mention's way to an approved answer; each author has one."""
    now, author = datetime.now(UTC), Author(f"author-{number}", f"author{number}")
    mention = Mention("x", f"post-{number}", author, TEXT, now, addressed=True)
    case_id = topics.case_id(number + 1, topics.partition_of_mention(mention))
    heard = moves.hear(mention, case_id=case_id, at=now, promises=PROMISES)
    judged = moves.classify(heard.case, JUDGED, at=now, promises=PROMISES)
    draft = Draft("draft-1", "We are looking for it and write again today.", answers=mention.key)
    proposed = moves.propose(judged.case, draft, permission=Permission(Way.SEND), rule="", why="", at=now)
    approved = moves.approve(proposed.case, by="Nina", at=now, draft_sha256=draft.sha256)
    return heard, judged, proposed, approved


if __name__ == "__main__":
    print(asyncio.run(measure()).text())
