"""`make crash`: kills the product before every call of every scene, and prints what was lost or came double.

python -m tests.crash [--folder .crash] [--scenes sender/x] [--naive] [--sample N]
"""

import argparse
import asyncio
import logging
import random
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import structlog

from tests.crash import scenes as all_scenes
from tests.crash import strace
from tests.crash.campaign import Campaign, every_position, pairs, some_positions, surveys
from tests.crash.positions import Results, Scene
from tests.crash.table import rows_of, table

SEED: Final = 20_261_128
PAIRS: Final = 120
STARTS: Final = 5
WITH_STORE: Final = 12


def say(words: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {words}\n")
    sys.stdout.flush()


async def crash(campaign: Campaign, scenes: Sequence[Scene], sample: int | None) -> None:
    """Everything that is not known yet of these scenes, or so many positions of it."""
    results, chance = campaign.results, random.Random(SEED)
    await campaign.play(surveys(scenes))
    if sample is not None:
        each = -(-sample // len(scenes))
        await campaign.play([run for scene in scenes for run in some_positions(scene, results, chance, each)])
        return
    while wanted := [run for run in every_position(scenes, results) if run.key not in campaign.failed]:
        chance.shuffle(wanted)
        await campaign.play(wanted)
    seconds = all_scenes.starting(random.Random(SEED), PAIRS)
    await campaign.play(pairs(scenes, results, random.Random(SEED), PAIRS, seconds))
    await campaign.play(list(all_scenes.starts(scenes, random.Random(SEED), STARTS)))


async def with_store(campaign: Campaign) -> None:
    """A sample of the positions at which the embedded store dies too."""
    scenes = all_scenes.WITH_STORE
    await campaign.play(surveys(scenes))
    chance = random.Random(SEED)
    await campaign.play(
        [run for scene in scenes for run in some_positions(scene, campaign.results, chance, WITH_STORE)]
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".crash"), help="where results are kept")
    parser.add_argument("--scenes", default="", help="only those whose name begins so, such as sender/x")
    parser.add_argument("--naive", action="store_true", help="the control: a sender that believes")
    parser.add_argument("--sample", type=int, help="only so many positions in all, drawn with a seed")
    parser.add_argument("--times", type=float, default=1.0, help="so many times the usual side by side")
    asked = parser.parse_args()
    if strace.refusal():
        say(f"nothing can be killed here: {strace.refusal()}")
        return 2
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    named = all_scenes.SENDER if asked.naive else all_scenes.WHOLE
    scenes = [scene for scene in named if str(scene).startswith(asked.scenes)]
    results = Results(asked.folder / ("naive.jsonl" if asked.naive else "results.jsonl"))
    work = Path(mkdtemp(prefix="heard-crash-"))
    module = all_scenes.NAIVE if asked.naive else "config.cli"
    side_by_side = partial(all_scenes.side_by_side, times=asked.times)
    campaign = Campaign(all_scenes.opening(module), results, work, say, side_by_side)
    began = time.monotonic()
    # Whoever ends us ends what we started, in order: as with Ctrl+C, which a shell's background ignores.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        asyncio.run(_all(campaign, scenes, asked))
    except KeyboardInterrupt:
        say(f"cut off; the same command goes on with what is in {asked.folder}")
        campaign.failed["the rest"] = "it was cut off"
    return _told(campaign, time.monotonic() - began, naive=asked.naive)


async def _all(campaign: Campaign, scenes: Sequence[Scene], asked: argparse.Namespace) -> None:
    await crash(campaign, scenes, asked.sample)
    if not asked.naive and not asked.scenes and asked.sample is None:
        await with_store(campaign)


def _told(campaign: Campaign, took_s: float, *, naive: bool) -> int:
    """Print the table; returns the exit code."""
    rows = rows_of(campaign.results)
    say(f"{took_s:.0f} s\n{table(rows)}")
    for key, why in campaign.failed.items():
        say(f"not tried: {key}: {why}")
    if campaign.failed:
        say(f"what is left of them is in {campaign.folder}")
    else:
        shutil.rmtree(campaign.folder, ignore_errors=True)
    whole = rows[-1]
    if naive:
        # The control: it must be found out.
        return 0 if whole.lost and whole.double else 1
    return 1 if whole.lost or whole.double or campaign.failed else 0


if __name__ == "__main__":
    sys.exit(main())
