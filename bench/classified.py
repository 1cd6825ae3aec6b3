"""The line with the model: classified mentions a second, and how long a mention waits for draft and verdict.

No text comes twice while something is measured, since the model would remember what it said of the first.
"""

import asyncio
import gc
import gzip
import json
import random
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles

from casework.case import WITH_PEOPLE, Case, Status
from casework.clock import SystemClock
from casework.mention import Author, Mention
from classifier.bundle import read_bundle
from classifier.model import Classifier
from classifier.reference import Reference
from config.heralds import LogHerald
from config.places import demo_brand
from config.wiring import STAGES, Line, put_together
from platforms.feed import Feed
from platforms.platform import Heard
from platforms.replay import ReplayPlatform, ReplyRecord
from streams.connection import Store, open_store

DAY = Path(__file__).parents[1] / "config" / "demo" / "day.jsonl"
REAL = Path(__file__).parents[2] / "shared" / "data" / "brandgold"
ROUNDS = 5
MENTIONS = 240
IN_A_LOOP = 60
DRAFTS_A_SECOND, DRAFTS_FOR_S = 20.0, 30.0
VERDICTS_A_SECOND, VERDICTS_FOR_S = 100.0, 10.0
WORKERS = 2
_ENDS_S = 3.0


@dataclass(frozen=True, slots=True)
class ClassifiedFigures:
    """Medians over the rounds, in texts a second; waits in milliseconds."""

    loop: float
    line: float
    to_draft_ms: tuple[float, ...]
    to_verdict_ms: tuple[float, ...]

    def text(self) -> str:
        """The figures, each with its ratio or its bar."""
        return (
            f"classified mentions      {self.line:>9,.1f} mentions/s\n"
            f"transformers, one by one {self.loop:>9,.1f} texts/s     "
            f"ratio {self.line / self.loop:.2f}\n"
            f"mention to draft at {DRAFTS_A_SECOND:g}/s     {_waits(self.to_draft_ms, 100)}\n"
            f"to verdict at {VERDICTS_A_SECOND:g}/s, {WORKERS} workers  {_waits(self.to_verdict_ms, 50)}"
        )


def _waits(found: Sequence[float], bar_ms: float) -> str:
    last = quantiles(found, n=100)[98]
    holds = "holds" if last <= bar_ms else "MISSED"
    told = f"p50 {median(found):,.0f} ms   p99 {last:,.0f} ms"
    return f"{told}   (n={len(found):,}, bar p99 {bar_ms:g} ms: {holds})"


def texts() -> list[str]:
    """Real mentions where the labelled set is at hand, the demo day's otherwise; always the same ones."""
    lines = [
        line
        for file in sorted(REAL.glob("*.jsonl.gz"))
        for line in gzip.decompress(file.read_bytes()).decode().splitlines()
    ] or DAY.read_text(encoding="utf-8").splitlines()
    found = list(dict.fromkeys(str(json.loads(line)["text"]) for line in lines))
    random.Random(1).shuffle(found)
    return found


async def measure() -> ClassifiedFigures:
    """Throughput in interleaved rounds, then two steady streams."""
    model, reference, chosen = Classifier.load(threads=1), Reference(read_bundle()), texts()
    loop, rates = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with open_store(None, folder) as store:
            for number in range(ROUNDS):
                some = _some(chosen, MENTIONS, first=number * MENTIONS)
                loop.append(_in_a_loop(reference, some[:IN_A_LOOP]))
                await store.writes.flushall()
                model.forget()
                with _line(store, folder, model) as line:
                    rates.append(await _classify(line, some))
            await store.writes.flushall()
            model.forget()
            to_draft = await _drafted(store, folder, model, chosen)
            await store.writes.flushall()
            to_verdict = await _judged(store, folder, chosen)
    return ClassifiedFigures(median(loop), median(rates), tuple(to_draft), tuple(to_verdict))


def _some(chosen: Sequence[str], count: int, *, first: int = 0) -> list[str]:
    return list(islice(cycle(chosen), first, first + count))


def _in_a_loop(reference: Reference, some: Sequence[str]) -> float:
    """The same encoder in transformers, one text at a time: what a simple loop would do."""
    started = time.perf_counter()
    for text in some:
        reference.logits([text])
    return len(some) / (time.perf_counter() - started)


def _line(
    store: Store, folder: Path, model: Classifier | None, stages: Sequence[str] = tuple(STAGES)
) -> AbstractContextManager[Line]:
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
        stages=stages,
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


async def _drafted(store: Store, folder: Path, model: Classifier, chosen: Sequence[str]) -> list[float]:
    """Milliseconds from being heard to standing before people, all stages in this process."""
    stages = ("classifier", "responder", "escalation")
    with _line(store, folder, model, stages) as line:
        running = [asyncio.create_task(consumer.run()) for consumer in line.consumers.values()]
        some = _some(chosen, int(DRAFTS_A_SECOND * DRAFTS_FOR_S))
        waits = await _steady(line, some, DRAFTS_A_SECOND, lambda case: case.status in WITH_PEOPLE)
        await _ended(running)
    return waits


async def _judged(store: Store, folder: Path, chosen: Sequence[str]) -> list[float]:
    """Milliseconds from being heard to the saved verdict, judged by processes of their own."""
    some = _some(chosen, int(VERDICTS_A_SECOND * VERDICTS_FOR_S))
    async with AsyncExitStack() as workers:
        for _ in range(WORKERS):
            await workers.enter_async_context(_worker(store, folder))
        with _line(store, folder, None, ()) as line:
            return await _steady(line, some, VERDICTS_A_SECOND, lambda case: case.status != Status.NEW)


async def _steady(
    line: Line, some: Sequence[str], a_second: float, there: Callable[[Case], bool]
) -> list[float]:
    """Let mentions come at a steady rate; the milliseconds until each case is where it should be."""
    heard_at: dict[str, float] = {}
    waits: list[float] = []

    async def watch() -> None:
        async for change in line.cases.changes("0-0"):
            now, case = time.perf_counter(), await line.cases.load(change.case_id)
            if there(case) and case.last.id in heard_at:
                waits.append((now - heard_at.pop(case.last.id)) * 1000)

    gc.collect()  # What was measured before has left garbage, whose collection would be counted here.
    watching = asyncio.create_task(watch())
    listener, began = line.listener("steady"), time.perf_counter()
    for number, text in enumerate(some):
        await asyncio.sleep(max(0.0, began + number / a_second - time.perf_counter()))
        entry = _mention(number, text)
        heard_at[entry.mention.id] = time.perf_counter()
        await listener.take_in([entry])
    await asyncio.sleep(_ENDS_S)
    await _ended([watching])
    return waits


async def _ended(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _worker(store: Store, folder: Path) -> AsyncIterator[Process]:
    """A process that judges whatever stands in the store, from when it is warm."""
    command = (sys.executable, "-m", "bench.classified", store.url, str(folder))
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert process.stdout is not None  # noqa: S101
    await process.stdout.readline()
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def _work(url: str, folder: Path) -> None:
    async with open_store(url, folder) as store:
        with _line(store, folder, Classifier.load(), ("classifier",)) as line:
            print("warm", flush=True)
            await line.consumers["classifier"].run()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], Path(sys.argv[2])))
