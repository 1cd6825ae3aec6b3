"""Every position of every scene, many side by side: which are still to do, who does them, what was found."""

import asyncio
import os
import random
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tests.crash.positions import Outcome, Position, Results, Run, Scene, rows

TRIES: Final = 3
PROGRESS_S: Final = 30.0
BEYOND: Final = 8
"""So far beyond what a survey counted a row goes on: what a process does each second it does for ever."""


class Bench(Protocol):
    """A product to be killed, and the world around it; runs are played one after the other."""

    @property
    def left(self) -> int:
        """How many more runs can be played here."""
        ...

    async def play(self, run: Run) -> Outcome:
        """Play one run."""
        ...

    async def doubles(self) -> int:
        """How much came double here by now, in all runs together."""
        ...


Open = Callable[[Scene, Path], AbstractAsyncContextManager[Bench]]
"""Opens a bench for scenes like this one in a new folder."""


# ── what is to be done ───────────────────────────────────────────────────────────────────────────


def surveys(scenes: Iterable[Scene]) -> list[Run]:
    """A run without a death for each scene: it counts."""
    return [Run(scene) for scene in scenes]


def every_position(scenes: Iterable[Scene], results: Results) -> list[Run]:
    """The positions that are known of and not yet done.

    Each row is as long as the survey counted, and goes on for as long as its last one was reached: asked
    again once these are done, there is nothing more, or a little.
    """
    wanted = [run for scene in scenes for run in _positions_of(scene, results)]
    return [run for run in wanted if run.key not in results.found]


def _positions_of(scene: Scene, results: Results) -> Iterator[Run]:
    survey = results.found.get(Run(scene).key)
    for phase, threads, call, count in rows(survey.calls if survey else {}):
        number, goes_on = 0, True
        while goes_on:
            number += 1
            run = Run(scene, (Position(phase, threads, call, number),))
            yield run
            outcome = results.found.get(run.key)
            reached = outcome is not None and outcome.killed > 0
            goes_on = number <= count or (reached and number < count + BEYOND)


def counted(scene: Scene, results: Results) -> list[Position]:
    """The positions that a survey counted."""
    survey = results.found.get(Run(scene).key)
    return [
        Position(phase, threads, call, number)
        for phase, threads, call, times in rows(survey.calls if survey else {})
        for number in range(1, times + 1)
    ]


def some_positions(scene: Scene, results: Results, chance: random.Random, count: int) -> list[Run]:
    """So many of the positions that a survey counted, the same for a seed whatever was done of them."""
    deaths = counted(scene, results)
    return [Run(scene, (death,)) for death in chance.sample(deaths, min(count, len(deaths)))]


def pairs(
    scenes: Sequence[Scene], results: Results, chance: random.Random, count: int, starting: Sequence[Position]
) -> list[Run]:
    """Two deaths behind one another, some for each scene: at work, and at what is done because of that.

    The second is one of the look for what became of the first attempt, as any fate leads to it, or one of
    ``starting`` again.
    """
    drawn: list[Run] = []
    for scene in scenes:
        alike = [one for one in scenes if (one.stage, one.on) == (scene.stage, scene.on)]
        looks = [death for one in alike for death in counted(one, results) if death.phase == "look"]
        at_work = [death for death in counted(scene, results) if death.phase != "look"]
        if at_work:
            seconds = [*looks, *chance.sample(starting, min(len(starting), len(looks) or 20))]
            drawn += [
                Run(scene, (chance.choice(at_work), chance.choice(seconds)))
                for _ in range(-(-count // len(scenes)))
            ]
    return drawn


# ── doing it ─────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Campaign:
    """Plays runs on so many benches side by side, and keeps what comes of each."""

    opens: Open
    results: Results
    folder: Path
    say: Callable[[str], None]
    side_by_side: Callable[[Scene], int] = lambda _scene: 2
    failed: dict[str, str] = field(default_factory=dict)
    opened: int = 0

    async def play(self, wanted: Sequence[Run]) -> None:
        """Play these runs, but for those that were played before."""
        runs = [run for run in wanted if run.key not in self.results.found]
        if not runs:
            return
        queues: dict[tuple[str, str], deque[Run]] = {}
        for run in runs:
            queues.setdefault((run.scene.stage, run.scene.on), deque()).append(run)
        workers = [
            asyncio.create_task(self._work(queue))
            for queue in queues.values()
            for _ in range(min(self.side_by_side(queue[0].scene), len(queue)))
        ]
        began, before, pending = time.monotonic(), len(self.results.found), set(workers)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=PROGRESS_S)
            done, took = len(self.results.found) - before, time.monotonic() - began
            self.say(f"{done} of {len(runs)} runs after {took:.0f} s, load {os.getloadavg()[0]:.1f}")
        await asyncio.gather(*workers)

    async def _work(self, queue: deque[Run]) -> None:
        while queue:
            self.opened += 1
            folder = self.folder / str(self.opened)
            run = queue.popleft()
            try:
                async with self.opens(run.scene, folder) as bench:
                    double = await self._one(bench, run)
                    while queue and bench.left > TRIES:
                        run = queue.popleft()
                        double += await self._one(bench, run)
                    await self._look_back(bench, run, double)
            except Exception as error:
                # What it died of is kept, and the bench with it: the next run gets another.
                self.failed[run.key] = f"{type(error).__name__}: {error}"
                self.say(f"{run.key} failed, see {folder}: {self.failed[run.key]}")
            else:
                shutil.rmtree(folder, ignore_errors=True)

    async def _one(self, bench: Bench, run: Run) -> int:
        for _ in range(TRIES):
            outcome = await bench.play(run)
            # What the process did not come to this time, it may come to the next.
            if outcome.killed or not run.deaths or outcome.lost or outcome.double:
                break
        self.results.add(outcome)
        if outcome.lost or outcome.double:
            self.say(f"{run.key}: {outcome.lost} lost, {outcome.double} double: {outcome.end}")
        return outcome.double

    async def _look_back(self, bench: Bench, run: Run, double: int) -> None:
        """Whatever was counted after each run: nothing may have come double later."""
        later = await bench.doubles() - double
        if later:
            self.results.add(
                Outcome(f"{run.scene}#later", double=later, end=f"at the latest after {run.key}")
            )
            self.say(f"{run.key}: {later} double by the end of its bench")
