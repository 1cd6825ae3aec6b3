"""A small part of `make crash` for every day: the product, killed at a few positions drawn by a seed."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash import alarming, deciding, hearing, scenes, sending, strace
from tests.crash.campaign import Campaign
from tests.crash.positions import Outcome, Position, Results, Run, Scene

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        bool(strace.refusal()),
        reason=f"NO PROCESS IS KILLED HERE, AND NOTHING OF IT IS SHOWN: {strace.refusal()}",
    ),
]

SEED = 20_261_128
WITHIN = {
    "send/loop/sendto": 20,
    "send/loop/recvfrom": 20,
    "send/others/sendto": 9,
    "send/others/recvfrom": 5,
}
"""How often a sender makes these calls at the least: what is drawn from them is reached."""
OTHERS = {
    Scene(hearing.STAGE, "bluesky"): ("hear", 4),
    Scene(deciding.STAGE, "desk"): ("press", 4),
    Scene(deciding.STAGE, "slack"): ("press", 20),
    Scene(alarming.STAGE, "slack"): ("raise", 60),
}


NAIVE = Scene(sending.STAGE, "reddit")
NAIVE_RESET = Scene(sending.STAGE, "reddit", "reset")


def a_few(chance: random.Random) -> list[Run]:
    """Senders on the two platforms that need the shortest wait, and one of everything else."""
    rows = sorted(WITHIN)
    return [
        _sending("mastodon", "lost", chance, chance.choice(rows)),
        _sending("mastodon", "delayed", chance, chance.choice(rows)),
        _sending("bluesky", "5xx", chance, "send/loop/sendto"),
        *(
            Run(scene, (Position(phase, "loop", "sendto", chance.randint(1, most)),))
            for scene, (phase, most) in OTHERS.items()
        ),
    ]


def _sending(on: str, fate: str, chance: random.Random, row: str) -> Run:
    phase, threads, call = row.split("/")
    where = Position(phase, "loop" if threads == "loop" else "others", call, chance.randint(1, WITHIN[row]))
    return Run(Scene(sending.STAGE, on, fate), (where,))


async def played(runs: list[Run], folder: Path, module: str = "config.cli") -> list[Outcome]:
    """What came of each."""
    results = Results(folder / "results.jsonl")
    campaign = Campaign(scenes.opening(module), results, folder, print, lambda _scene: 2)
    await campaign.play(runs)

    assert campaign.failed == {}
    return [results.found[run.key] for run in runs]


@dataclass(frozen=True)
class Played:
    """What came of the product, and of the control; both at once, as both mostly wait."""

    product: list[Outcome]
    naive: list[Outcome]


@pytest.fixture(scope="module")
def came_of(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """All of it, played once."""
    before_its_record = Position("send", "others", "recvfrom", 1)
    naive = [Run(NAIVE_RESET), Run(NAIVE, (before_its_record,))]

    async def both() -> Played:
        folder = tmp_path_factory.mktemp("crash")
        product, control = await asyncio.gather(
            played(a_few(random.Random(SEED)), folder / "product"),
            played(naive, folder / "naive", scenes.NAIVE),
        )
        return Played(product, control)

    return asyncio.run(both())


def test_wherever_it_dies_nothing_is_lost_and_nothing_comes_twice(came_of: Played) -> None:
    """Sender, listener, approvals at the desk and in Slack, and the clock; `make crash` does all of it."""
    assert [one.key for one in came_of.product if one.killed != 1] == []
    assert [(one.key, one.end) for one in came_of.product if one.lost or one.double] == []


def test_a_sender_that_believes_what_it_is_told_is_found_out(came_of: Played) -> None:
    """The control: it loses what is reset, and doubles what it had posted and not written down."""
    reset, before_its_record = came_of.naive

    assert (reset.lost, before_its_record.killed, before_its_record.double) == (1, 1, 1)
