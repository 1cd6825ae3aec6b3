"""Everything that is killed: which scenes there are, who opens a bench for them, how many side by side."""

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Final

from tests.crash import alarming, deciding, hearing, sending
from tests.crash.campaign import Bench, Open
from tests.crash.positions import Position, Run, Scene

SENDER: Final = tuple(
    Scene(sending.STAGE, name, fate) for name, fate in itertools.product(sending.PLATFORMS, sending.FATES)
)
LISTENER: Final = tuple(Scene(hearing.STAGE, name) for name in sending.PLATFORMS)
APPROVAL: Final = tuple(Scene(deciding.STAGE, way) for way in deciding.WAYS)
CLOCK: Final = (Scene(alarming.STAGE, "slack"),)
WHOLE: Final = (*SENDER, *LISTENER, *APPROVAL, *CLOCK)
"""Every position of these is tried."""
WITH_STORE: Final = tuple(Scene(sending.STAGE_WITH_STORE, name, "lost") for name in ("mastodon", "bluesky"))
"""And a sample of these: their store dies with them."""

SIDE_BY_SIDE: Final = {
    "sender/bluesky": 20,
    "sender/mastodon": 26,
    "sender/x": 20,
    "sender/reddit": 32,
    "listener/reddit": 3,
    "approval/slack": 4,
    "clock/slack": 8,
}
"""How many benches at once; 2 of what is not named. They mostly wait, senders for 30 to 85 seconds."""

NAIVE: Final = "tests.crash.naive"


def side_by_side(scene: Scene, times: float = 1.0) -> int:
    """How many benches are open for scenes like this one."""
    return max(1, round(SIDE_BY_SIDE.get(f"{scene.stage}/{scene.on}", 2) * times))


def opening(module: str = "config.cli") -> Open:
    """Opens benches whose sender is the product's, or another."""
    of: dict[str, Open] = {
        sending.STAGE: partial(sending.open_bench, module=module),
        sending.STAGE_WITH_STORE: sending.open_bench,
        hearing.STAGE: hearing.open_bench,
        deciding.STAGE: deciding.open_bench,
        alarming.STAGE: alarming.open_bench,
    }

    def opened(scene: Scene, folder: Path) -> AbstractAsyncContextManager[Bench]:
        return of[scene.stage](scene, folder)

    return opened


STARTING: Final = {"read": 1500, "openat": 1500, "connect": 4, "sendto": 25, "recvfrom": 25}
"""How far into its start a process may die, by the call. Most of the reading is of Python's own files."""


def starting(chance: random.Random, count: int) -> list[Position]:
    """Where a process dies that has something to do before it is ready to."""
    calls = [chance.choice(sorted(STARTING)) for _ in range(count)]
    return [Position("start", "loop", call, chance.randint(1, STARTING[call])) for call in calls]


def starts(scenes: Sequence[Scene], chance: random.Random, count: int) -> Iterator[Run]:
    """So many of these for each scene."""
    for scene in scenes:
        yield from (Run(scene, (death,)) for death in starting(chance, count))
