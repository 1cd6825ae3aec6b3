"""The line without the model: mentions a second from feed to classified case, against raw streams."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis

from casework import moves
from casework.case import Topic
from casework.classification import Classification, Confidence, Intent, Sentiment, Urgency
from casework.clock import SystemClock
from casework.mention import Author, Mention
from casework.sla import MetBy, PromisePolicy, Promises
from casework.sla import Warning as EarlyWarning
from config.wiring import collect_less_often
from listener.tracker import Tracker
from listener.worker import Listener
from platforms.platform import Heard
from streams.case_store import CaseStore
from streams.connection import Store, open_store
from streams.consumer import Consumer, Result, Work
from streams.dead_letters import DeadLetters
from streams.switch import Cursors

MENTIONS = 6_000
ROUNDS = 5
BATCH = 500
TEXT = "@auroraair third time asking, my bag from AU412 is still missing and nobody answers the phone"
PROMISES = Promises(
    (
        PromisePolicy(
            "first hour",
            timedelta(hours=1),
            MetBy.REPLY,
            warn_at=(EarlyWarning(share=0.5), EarlyWarning(share=0.8)),
        ),
        PromisePolicy("same day", None, MetBy.ANSWER, warn_at=(EarlyWarning(left=timedelta(hours=2)),)),
    )
)
JUDGED = Classification(
    Sentiment.NEGATIVE, Intent.COMPLAINT, Urgency.HIGH, Confidence(0.9, 0.9, 0.9), model="none"
)


@dataclass(frozen=True, slots=True)
class LineFigures:
    """Medians over the rounds, in entries or mentions a second.

    Two ceilings: by the client that the line itself uses, and by the quickest client there is.
    """

    same_client: float
    quickest: float
    line: float

    def text(self) -> str:
        """The figures, the ratio last."""
        return (
            f"line without the model   {self.line:>9,.0f} mentions/s\n"
            f"raw, the line's client   {self.same_client:>9,.0f} entries/s   "
            f"ratio {self.line / self.same_client:.3f} (bar 0.10)\n"
            f"raw, quickest client     {self.quickest:>9,.0f} entries/s   "
            f"ratio {self.line / self.quickest:.3f}"
        )


async def measure() -> LineFigures:
    """Both, interleaved, each round on an emptied store."""
    collect_less_often()
    same, quickest, line = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(None, Path(folder)) as store:
            for _ in range(ROUNDS):
                quickest.append(await asyncio.to_thread(_raw_quickest, store))
                await _empty(store)
                same.append(await _raw(store))
                await _empty(store)
                line.append(await _line(store))
    return LineFigures(median(same), median(quickest), median(line))


async def _empty(store: Store) -> None:
    await store.writes.flushall()


def _raw_quickest(store: Store) -> float:
    """Pipelined XADD, then XREADGROUP and XACK, on one stream, by the quickest client there is for it."""
    client = Redis.from_url(store.url)
    client.flushall()
    client.xgroup_create("raw", "group", id="0", mkstream=True)
    started = time.perf_counter()
    for _ in range(0, MENTIONS, BATCH):
        pipe = client.pipeline(transaction=False)
        for number in range(BATCH):
            pipe.xadd("raw", {"c": f"C-{number}", "a": TEXT})
        pipe.execute()
    read = 0
    while read < MENTIONS:
        answer: Any = client.xreadgroup("group", "me", {"raw": ">"}, count=BATCH)
        ids = [entry_id for entry_id, _ in answer[0][1]]
        client.xack("raw", "group", *ids)
        read += len(ids)
    rate = MENTIONS / (time.perf_counter() - started)
    client.close()
    return rate


async def _raw(store: Store) -> float:
    """The same by the asyncio client that the line uses."""
    client: Any = store.writes
    await client.xgroup_create("raw", "group", id="0", mkstream=True)
    started = time.perf_counter()
    for _ in range(0, MENTIONS, BATCH):
        async with client.pipeline(transaction=False) as pipe:
            for number in range(BATCH):
                pipe.xadd("raw", {"c": f"C-{number}", "a": TEXT})
            await pipe.execute()
    read = 0
    while read < MENTIONS:
        answer = await client.xreadgroup("group", "me", {"raw": ">"}, count=BATCH)
        ids = [entry_id for entry_id, _ in answer[0][1]]
        await client.xack("raw", "group", *ids)
        read += len(ids)
    return MENTIONS / (time.perf_counter() - started)


async def _line(store: Store) -> float:
    """Feed, dedupe, case, timeline, deadlines, stream, next stage, settle."""
    cases, clock = CaseStore(store), SystemClock()
    now = datetime.now(UTC)

    async def judge(works: Sequence[Work]) -> Sequence[Result]:
        return [moves.classify(work.case, JUDGED, at=now, promises=PROMISES) for work in works]

    listener = Listener(
        feed="bench",
        cases=cases,
        dead=DeadLetters(store),
        cursors=Cursors(store),
        tracker=Tracker(),
        promises=lambda: PROMISES,
        clock=clock,
    )
    consumer = Consumer(
        store, cases, topic=Topic.MENTIONS, group="classifier", name="bench", handler=judge, clock=clock
    )
    feed = [
        Heard(Mention("x", f"post-{n}", Author(f"author-{n}", f"author{n}"), TEXT, now), str(n))
        for n in range(MENTIONS)
    ]

    async def consume() -> None:
        done = 0
        while done < MENTIONS:
            done += await consumer.step(block_ms=100)

    await consumer.step()
    started = time.perf_counter()
    # Side by side, as they run in one process: one works while the other waits for the disk.
    await asyncio.gather(listener.take_in(feed), consume())
    return MENTIONS / (time.perf_counter() - started)


if __name__ == "__main__":
    print(asyncio.run(measure()).text())
