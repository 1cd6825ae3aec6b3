"""`make simulate SEEDS=10000`, `SEEDS=500-900`, `SEED=17`: play seeds on every core and say what was seen.

A violation prints its seed; `SEED=` plays it again, byte for byte the same, with its trace.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.planted import BUGS, caught
from tests.simulation.world import MENTIONS, Figures, simulate, sweep_seldom

MOST_SHOWN = 20


@dataclass(slots=True)
class Sum:
    """What many seeds came to."""

    seeds: int = 0
    mentions: int = 0
    replies: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, figures: Figures) -> None:
        """One more."""
        self.seeds += 1
        self.mentions += figures.mentions
        self.replies += figures.replies
        self.faults += figures.faults
        self.ended += figures.ended
        if figures.violation:
            self.violations.append((figures.seed, figures.violation))

    def text(self, seconds: float) -> str:
        """The figures, violations last."""
        lines = [
            f"{self.seeds:>10,} seeds in {seconds:,.0f} s: {self.seeds / seconds:.1f} seeds/s, "
            f"{self.mentions / seconds:.0f} mentions/s",
            f"{self.mentions:>10,} mentions, {self.replies:,} replies posted",
            "",
            *_table("faults", self.faults),
            "",
            *_table("mentions ended", self.ended),
            "",
            f"{len(self.violations)} violations",
        ]
        for seed, what in sorted(self.violations)[:MOST_SHOWN]:
            lines.append(f"  seed {seed}: {what}\n    again, with its trace: make simulate SEED={seed}")
        return "\n".join(lines)


def _table(title: str, counts: Counter[str]) -> list[str]:
    return [title, *(f"{count:>10,} {what}" for what, count in counts.most_common())]


def seeds_of(said: str) -> range:
    """The seeds that ``500``, or ``500-900``, means."""
    first, dash, last = said.partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))


def play(seeds: Iterable[int], cores: int, mentions: int) -> Iterator[Figures]:
    """Every seed's figures, as they come."""
    played = partial(simulate, mentions=mentions)
    if cores == 1:
        yield from map(played, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(cores, sweep_seldom, maxtasksperchild=500) as pool:
        yield from pool.imap_unordered(played, seeds, chunksize=4)


def _again(seed: int, mentions: int) -> int:
    figures = simulate(seed, mentions=mentions, traced=True)
    print("\n".join(figures.lines))
    print(f"trace {figures.trace}")
    print(f"violation: {figures.violation}" if figures.violation else "no violation")
    return 1 if figures.violation else 0


def _planted(within: int, mentions: int) -> int:
    missed = 0
    for bug in BUGS:
        found = caught(bug, within=within, mentions=mentions)
        missed += found is None
        words = f"caught after {found[0]} seeds: {found[1]}" if found else f"NOT caught within {within} seeds"
        print(f"{bug}: {words}", flush=True)
    return 1 if missed else 0


def main(arguments: list[str] | None = None) -> int:
    """Play what was asked for; 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", nargs="?", default="10000", help="how many, or which: 500-900")
    parser.add_argument("--seed", type=int, help="play one again and show its trace")
    parser.add_argument("--planted", action="store_true", help="say when planted bugs are caught")
    parser.add_argument("--mentions", type=int, default=MENTIONS, help="mentions a seed")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    if given.seed is not None:
        return _again(given.seed, given.mentions)
    if given.planted:
        return _planted(1000, given.mentions)
    return _all(seeds_of(given.seeds), given.cores, given.mentions)


def _all(seeds: range, cores: int, mentions: int) -> int:
    total, began = Sum(), time.monotonic()
    # Stopped half way it says what it has seen: so many seeds are worth something too.
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _frame: asked.append(which))
    for figures in play(seeds, cores, mentions):
        total.add(figures)
        if figures.violation:
            print(f"seed {figures.seed}: {figures.violation}", flush=True)
        if total.seeds % 100 == 0:
            rate = total.seeds / (time.monotonic() - began)
            print(f"{total.seeds} seeds, {rate:.1f} a second, {len(total.violations)} violations", flush=True)
        if asked:
            break
    print(total.text(time.monotonic() - began))
    return 1 if total.violations or total.seeds < len(seeds) else 0


if __name__ == "__main__":
    sys.exit(main())
