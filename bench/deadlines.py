"""The sweep with many open deadlines: memory for each, time of a look, and a burst of them due in one second.

    python -m bench.deadlines [SIZE ...]      # the sizes of `make sweep` if none is given

Deadlines that are not due must cost nothing, and each that is due must be raised once, whoever races for it.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from typing import Any, Final

from bench.line import PROMISES, TEXT
from casework import moves
from casework.case import Move, Topic
from casework.clock import ManualClock
from casework.mention import Author, Mention
from config.wiring import collect_less_often
from escalation.promises import PromiseClock
from streams import codec, topics
from streams.case_store import CaseStore, Write
from streams.connection import Store, open_store

SIZES: Final = (10_000, 100_000, 1_000_000)
BURST: Final = 10_000
SMALL: Final = (10_000,)
SMALL_BURST: Final = 2_000
FEW: Final = 1_000
"""How many are open in the store that each size is compared with, look by look."""
SOME: Final = 100
ROUNDS: Final = 9
NOTHINGS: Final = 10
AT_ONCE: Final = 1_000
CLOCKS: Final = 2

DAY: Final = datetime(2026, 11, 3, tzinfo=UTC)
OPENED: Final = DAY + timedelta(hours=12)
STEP: Final = timedelta(milliseconds=200)
WARNED, WARNED_AGAIN, BROKEN = (timedelta(minutes=minutes) for minutes in (30, 48, 60))
PER_SIZE: Final = ROUNDS * (1 + SOME)
"""How many deadlines the looks at one size take; they are `STEP` apart."""

DUE_BAR, CASE_BAR, BURST_BAR_S = 100, 1024, 30.0


@dataclass(frozen=True, slots=True)
class Look:
    """What the sweep costs while so many deadlines are open: medians of rounds, in milliseconds.

    ``few_ms`` is a sweep with nothing due where few are open, taken in turn with ``nothing_ms``.
    """

    open: int
    due_bytes: float
    case_bytes: float
    few_ms: float
    nothing_ms: float
    one_ms: float
    some_ms: float
    burst_s: float
    race_s: float

    @property
    def flat(self) -> float:
        """How many times longer than with few open."""
        return self.nothing_ms / self.few_ms

    def text(self) -> str:
        """One row of the table."""
        return (
            f"{self.open:>9,} open  {self.due_bytes:>3.0f} B  {self.case_bytes:>5,.0f} B  "
            f"nothing due {self.nothing_ms:>5.2f} ms ({self.few_ms:.2f} with {FEW:,} open)  "
            f"1 due {self.one_ms:>5.2f}  {SOME} due {self.some_ms:>5.1f}  "
            f"burst {self.burst_s:.1f} s, raced {self.race_s:.1f} s"
        )


@dataclass(frozen=True, slots=True)
class DeadlineFigures:
    """The looks, by how many deadlines were open, and how many fell due in one second at each."""

    looks: tuple[Look, ...]
    burst: int

    def text(self) -> str:
        """The figures, those with a bar last."""
        last = self.looks[-1]
        slowest = max(max(look.burst_s, look.race_s) for look in self.looks)
        return "\n".join(
            [
                *(look.text() for look in self.looks),
                f"sweep, nothing due     {last.nothing_ms:>9.2f} ms at {last.open:,}   ratio to {FEW:,}: "
                f"{last.flat:.2f} (bar: the same)",
                f"a deadline             {last.due_bytes:>9,.0f} B (bar {DUE_BAR})",
                f"an open case, no text  {last.case_bytes:>9,.0f} B (bar {CASE_BAR:,})",
                f"{self.burst:>6,} in one second   {slowest:>9.1f} s at most until each was raised, once "
                f"(bar {BURST_BAR_S:.0f})",
            ]
        )


async def measure(sizes: Sequence[int] = SMALL, burst: int = SMALL_BURST) -> DeadlineFigures:
    """At each size, in order, on one store that grows."""
    collect_less_often()
    looks = []
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        async with open_store(None, Path(folder)) as store, open_store(None, Path(other)) as small:
            few, crowd = _Crowd(small), _Crowd(store)
            await few.grow_to(FEW)
            for place, size in enumerate(sizes):
                looks.append(await _look(crowd, few, place, size, burst))
                print(f"… {looks[-1].text().strip()}", file=sys.stderr, flush=True)
    return DeadlineFigures(tuple(looks), burst)


async def _look(crowd: "_Crowd", few: "_Crowd", place: int, size: int, burst: int) -> Look:
    await crowd.grow_to(size)
    due_bytes, case_bytes = await crowd.weigh()
    took = await _sweeps(crowd, few, place)
    burst_s, race_s = await _burst(crowd, DAY + place * timedelta(hours=2), burst)
    return Look(size, due_bytes, case_bytes, *took, burst_s, race_s)


async def _sweeps(crowd: "_Crowd", few: "_Crowd", place: int) -> tuple[float, float, float, float]:
    """With few open and nothing due; then here with nothing due, with one, with some."""
    quiet, nothing, one, some = list[float](), list[float](), list[float](), list[float]()
    before = ManualClock(OPENED)
    clock = ManualClock(OPENED + WARNED + place * PER_SIZE * STEP - STEP / 2)
    for _ in range(ROUNDS):
        for _ in range(NOTHINGS):
            quiet.append(await few.swept(before, 0))
            nothing.append(await crowd.swept(clock, 0))
        for sweeps, due in ((one, 1), (some, SOME)):
            clock.advance(due * STEP)
            sweeps.append(await crowd.swept(clock, due))
    return 1000 * median(quiet), 1000 * median(nothing), 1000 * median(one), 1000 * median(some)


async def _burst(crowd: "_Crowd", heard_at: datetime, count: int) -> tuple[float, float]:
    """So many promises of one instant: a warning by one clock, the next by racing ones, then they break."""
    ids = await crowd.open([heard_at] * count)
    burst_s = await crowd.swept(ManualClock(heard_at + WARNED), count)
    with _clocks(crowd.store.url) as clocks:
        race_s = clocks.race(heard_at + WARNED_AGAIN)
    await crowd.swept(ManualClock(heard_at + BROKEN), count)
    await crowd.check_raised_once(ids, [heard_at + passed for passed in (WARNED, WARNED_AGAIN, BROKEN)])
    return burst_s, race_s


class _Crowd:
    """Open cases of as many authors."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.cases = CaseStore(store)
        self._authors = 0
        self._size = 0
        self._empty_bytes = 0

    async def grow_to(self, size: int) -> None:
        """Open cases until there are so many; the first fall due one after the other, the rest later."""
        if not self._empty_bytes:
            self._empty_bytes = await self._used()
        last = PER_SIZE * len(SIZES)
        for first in range(self._size, size, AT_ONCE):
            places = range(first, min(first + AT_ONCE, size))
            await self.open([OPENED + min(place, last) * STEP for place in places])
        self._size = size

    async def open(self, heard_at: Sequence[datetime]) -> list[str]:
        """One case of a new author for each instant, through the door."""
        ids: list[str] = []
        for first in range(0, len(heard_at), AT_ONCE):
            mentions = [self._mention(at) for at in heard_at[first : first + AT_ONCE]]
            new = await self.cases.new_ids(mentions)
            opened = [
                moves.hear(mention, case_id=case_id, at=mention.created_at, promises=PROMISES)
                for mention, case_id in zip(mentions, new, strict=True)
            ]
            await self.cases.save_all([Write(moved) for moved in opened])
            ids += new
        return ids

    def _mention(self, at: datetime) -> Mention:
        self._authors += 1
        number = self._authors
        return Mention("x", f"post-{number}", Author(f"author-{number}", f"author{number}"), TEXT, at)

    async def weigh(self) -> tuple[float, float]:
        """Bytes of memory a deadline takes, and a whole open case without its text."""
        client: Any = self.store.writes
        due = sum(
            [await client.memory_usage(topics.due_key(p), samples=0) or 0 for p in topics.all_partitions()]
        )
        return due / self._authors, (await self._used() - self._empty_bytes) / self._authors - len(TEXT)

    async def _used(self) -> int:
        return int((await self.store.writes.info("memory"))["used_memory"])

    async def swept(self, clock: ManualClock, due: int) -> float:
        """Seconds that one sweep takes, which must find so many due."""
        sweeper = PromiseClock(cases=self.cases, clock=clock, promises=PROMISES)
        began = time.perf_counter()
        moved = await sweeper.sweep()
        took = time.perf_counter() - began
        assert moved == due, f"{moved} moved where {due} were due"  # noqa: S101
        return took

    async def check_raised_once(self, ids: Sequence[str], instants: Sequence[datetime]) -> None:
        """See that each case was told of once for each instant, on its timeline and on the alerts' stream."""
        wakes = [
            sum(entry.what == Move.WAKE for entry in timeline) for timeline in await self.cases.timelines(ids)
        ]
        assert set(wakes) == {len(instants)}, Counter(wakes)  # noqa: S101
        alerts = await self._alerts(set(ids))
        expected = dict.fromkeys(((case_id, at) for case_id in ids for at in instants), 1)
        assert alerts == expected, Counter(alerts.values())  # noqa: S101

    async def _alerts(self, ids: set[str]) -> Counter[tuple[str, datetime | None]]:
        found: Counter[tuple[str, datetime | None]] = Counter()
        for partition in topics.all_partitions():
            entries: Any = await self.store.writes.xrange(topics.topic_key(partition, Topic.ALERTS))
            for _, fields in entries:
                alert = codec.read_alert(fields[b"a"])
                case_id = fields[b"c"].decode()
                if case_id in ids:
                    found[case_id, alert.at] += 1
        return found


class _Clocks:
    """Processes with a promise clock each."""

    def __init__(self, processes: Sequence[Popen[str]]) -> None:
        self._processes = processes
        self._answers()

    def race(self, instant: datetime) -> float:
        """Let all sweep at once; seconds until the last is done."""
        began = time.perf_counter()
        for process in self._processes:
            assert process.stdin is not None  # noqa: S101
            process.stdin.write(instant.isoformat() + "\n")
            process.stdin.flush()
        self._answers()
        return time.perf_counter() - began

    def _answers(self) -> list[int]:
        """A line from each."""
        return [json.loads(process.stdout.readline()) for process in self._processes if process.stdout]


@contextmanager
def _clocks(url: str) -> Iterator[_Clocks]:
    command = [sys.executable, "-m", "bench.deadlines", "clock", url]
    processes = [Popen(command, stdin=PIPE, stdout=PIPE, text=True) for _ in range(CLOCKS)]
    try:
        yield _Clocks(processes)
    finally:
        for process in processes:
            process.communicate()


async def _clock(url: str) -> None:
    """A process of its own: sweeps at each instant that it reads, and says how many cases it moved."""
    async with open_store(url, Path()) as store:
        print(0, flush=True)
        for line in sys.stdin:
            clock = ManualClock(datetime.fromisoformat(line.strip()))
            sweeper = PromiseClock(cases=CaseStore(store), clock=clock, promises=PROMISES)
            print(await sweeper.sweep(), flush=True)


async def _main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["clock"]:
        await _clock(arguments[1])
        return
    sizes = [int(size) for size in arguments] or SIZES
    print((await measure(sizes, BURST)).text())


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:]))
