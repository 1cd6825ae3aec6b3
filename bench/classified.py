"""The line with the model: classified mentions a second, and how long a mention waits for its draft."""

import asyncio
import gzip
import json
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from casework.case import WITH_PEOPLE
from casework.clock import SystemClock
from casework.mention import Author, Mention
from classifier.model import Classifier
from config.heralds import LogHerald
from config.places import demo_brand
from config.wiring import Line, put_together
from platforms.feed import Feed
from platforms.platform import Heard
from platforms.replay import ReplayPlatform, ReplyRecord
from streams.connection import Store, open_store

DAY = Path(__file__).parents[1] / "config" / "demo" / "day.jsonl"
REAL = Path(__file__).parents[2] / "shared" / "data" / "brandgold" / "validation.jsonl.gz"
MENTIONS = 240
ROUNDS = 5
RATE = 20.0
STEADY_S = 30.0
LONGEST_WORDS = 64


@dataclass(frozen=True, slots=True)
class ClassifiedFigures:
    """Medians over the rounds, in texts a second; waits in milliseconds."""

    plain_loop: float
    line: float
    waits_ms: tuple[float, ...]

    def text(self) -> str:
        """The figures, each with its ratio."""
        percentiles = quantiles(self.waits_ms, n=100)
        return (
            f"classified mentions      {self.line:>9,.1f} mentions/s\n"
            f"encoder, one at a time   {self.plain_loop:>9,.1f} texts/s     "
            f"ratio {self.line / self.plain_loop:.2f}\n"
            f"mention to draft at {RATE:g}/s  p50 {median(self.waits_ms):,.0f} ms   "
            f"p99 {percentiles[98]:,.0f} ms   (n={len(self.waits_ms)}, bar p99 100 ms)"
        )


def texts() -> list[str]:
    """Real mentions where the labelled set is at hand, the demo day's otherwise; always the same ones."""
    if REAL.exists():
        lines = gzip.decompress(REAL.read_bytes()).decode().splitlines()
    else:
        lines = DAY.read_text(encoding="utf-8").splitlines()
    found = [str(json.loads(line)["text"]) for line in lines]
    random.Random(1).shuffle(found)
    return found


async def measure() -> ClassifiedFigures:
    """Throughput in interleaved rounds, then a steady stream."""
    model, chosen = Classifier.load(threads=1), texts()
    some = [chosen[n % len(chosen)] for n in range(MENTIONS)]
    plain, line_rates = [], []
    with tempfile.TemporaryDirectory() as folder:
        async with open_store(None, Path(folder) / "store") as store:
            for _ in range(ROUNDS):
                plain.append(_plain_loop(model, some))
                await store.writes.flushall()
                with _line(store, model, Path(folder)) as line:
                    line_rates.append(await _classify(line, some))
            await store.writes.flushall()
            with _line(store, model, Path(folder)) as line:
                waits = await _steady(line, chosen)
    return ClassifiedFigures(median(plain), median(line_rates), tuple(waits))


def _plain_loop(model: Classifier, some: Sequence[str]) -> float:
    """The same encoder, one text at a time, each at one fixed length: what a simple loop would do."""
    padded = [" ".join((text.split() + ["."] * LONGEST_WORDS)[:LONGEST_WORDS]) for text in some[:60]]
    started = time.perf_counter()
    for text in padded:
        model.classify([text])
    return len(padded) / (time.perf_counter() - started)


def _line(store: Store, model: Classifier, folder: Path) -> AbstractContextManager[Line]:
    clock = SystemClock()
    platform = ReplayPlatform(Feed("bench", ()), ReplyRecord(folder / "replies.sqlite3"), clock)
    return put_together(
        store,
        demo_brand(),
        clock=clock,
        model=model,
        platforms={"*": platform},
        herald=LogHerald(),
        locks=folder / "locks",
    )


def _mention(number: int, text: str) -> Heard:
    author = Author(f"author-{number}", f"author{number}")
    return Heard(Mention("x", f"post-{number}", author, text, datetime.now(UTC)), str(number))


async def _classify(line: Line, some: Sequence[str]) -> float:
    started = time.perf_counter()
    await line.listener("bench").take_in([_mention(n, text) for n, text in enumerate(some)])
    done, consumer = 0, line.consumers["classifier"]
    while done < len(some):
        done += await consumer.step()
    return len(some) / (time.perf_counter() - started)


async def _steady(line: Line, chosen: Sequence[str]) -> list[float]:
    """Milliseconds from being heard to standing before people, for mentions that come at a steady rate."""
    heard_at: dict[str, float] = {}
    waits: list[float] = []
    running = [
        asyncio.create_task(line.consumers[stage].run())
        for stage in ("classifier", "responder", "escalation")
    ]

    async def watch() -> None:
        async for change in line.cases.changes("0-0"):
            case = await line.cases.load(change.case_id)
            if case.status in WITH_PEOPLE and case.last.id in heard_at:
                waits.append((time.perf_counter() - heard_at.pop(case.last.id)) * 1000)

    watching = asyncio.create_task(watch())
    listener, began = line.listener("steady"), time.perf_counter()
    for number in range(int(RATE * STEADY_S)):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        entry = _mention(number, chosen[number % len(chosen)])
        heard_at[entry.mention.id] = time.perf_counter()
        await listener.take_in([entry])
    await asyncio.sleep(2)
    for task in (*running, watching):
        task.cancel()
    await asyncio.gather(*running, watching, return_exceptions=True)
    return waits
