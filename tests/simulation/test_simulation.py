"""The whole line under faults that a seed draws: what must hold holds, and what is broken is found.

`make simulate` plays ten thousand seeds; these are some that everybody plays each time.
"""

import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.simulation.__main__ import play
from tests.simulation.planted import BUGS, caught
from tests.simulation.sites import Help
from tests.simulation.world import MENTIONS, SITES, Figures, simulate

FEW = 20
TENS = range(10)
ROOT = Path(__file__).parents[2]


@cache
def ten(tens: int) -> tuple[Figures, ...]:
    """Ten seeds, played once however many tests look at them."""
    return tuple(simulate(seed, mentions=FEW) for seed in range(10 * tens, 10 * tens + 10))


@pytest.mark.parametrize("tens", TENS)
def test_nothing_is_lost_doubled_late_or_sent_against_somebodys_will(tens: int) -> None:
    """With crashes, lost answers, storms, clocks that jump, and people who are in each other's way."""
    for figures in ten(tens):
        seed = figures.seed
        assert not figures.violation, f"{figures.violation} (make simulate SEED={seed} MENTIONS={FEW})"
        assert figures.mentions == FEW
        assert figures.replies > 0


@pytest.mark.timeout(240)
def test_every_kind_of_fault_happens() -> None:
    """A fault that is never drawn proves nothing."""
    happened = sum((figures.faults for tens in TENS for figures in ten(tens)), Counter[str]())

    assert {
        "crash",
        "crash before a write",
        "crash after a write, before its answer",
        "crash at a POST, before it left",
        "crash at a POST, after it left",
        "crash at a POST, after it arrived",
        "crash at a read",
        "hard stop",
        "process stopped for a while",
        "store connection lost",
        "duplicated delivery",
        "reordered delivery",
        "late delivery",
        "POST answer lost",
        "POST arrived, connection reset",
        "POST arrives late",
        "POST never arrives",
        "POST refused",
        "POST 429",
        "POST 5xx, not posted",
        "POST 5xx, posted",
        "platform down",
        "platform storm",
        "clock jump",
        "edit",
        "deletion",
        "opt-out",
        "answered past Heard",
        "two press at once",
        "kill switch",
    } <= {fault for fault, count in happened.items() if count}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught(bug: str) -> None:
    """Within a few seeds: the check can fail."""
    found = caught(bug, within=30, mentions=2 * FEW)

    assert found is not None, f"{bug} was not caught"


def test_a_seed_is_played_again_to_the_byte() -> None:
    """In this process, in another one, and whatever order its sets have."""
    here = simulate(3, mentions=FEW, traced=True)
    again = simulate(3, mentions=FEW, traced=True)
    assert here.lines == again.lines

    program = "from tests.simulation.world import simulate; print(simulate(3, mentions=20).trace)"
    others = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    ]
    assert others == [here.trace, here.trace]


def test_a_seed_is_the_same_whatever_the_memory_holds() -> None:
    """Here many people wait for a process to begin again, each in their turn."""
    held, traces = [], set()
    for number in range(3):
        held.append([object() for _ in range(500 * number)])
        traces.add(simulate(6059, mentions=MENTIONS).trace)
    assert len(traces) == 1


def test_on_two_cores_the_same_is_seen_as_on_one() -> None:
    """As `make simulate` plays them, in processes of their own."""
    seeds = range(2)
    alone = sorted(play(seeds, 1, 5), key=lambda figures: figures.seed)
    assert sorted(play(seeds, 2, 5), key=lambda figures: figures.seed) == alone


def test_another_seed_is_another_day() -> None:
    """Or ten thousand seeds would be one."""
    assert simulate(3, mentions=FEW).trace != simulate(4, mentions=FEW).trace


def test_a_violation_names_its_seed_and_is_played_again() -> None:
    """What is found can be looked into."""
    bug = "settle before saving"
    found = caught(bug, within=30, mentions=FEW)
    assert found is not None
    after, violation = found
    again = [simulate(after - 1, mentions=FEW, plant=BUGS[bug]) for _ in range(2)]

    assert [figures.violation for figures in again] == [violation, violation]
    assert again[0].trace == again[1].trace


def test_every_behaviour_of_platforms_is_played() -> None:
    """A key of the mention, a key for an hour, a refused duplicate, no help at all."""
    assert {against for against, _ in SITES.values()} == set(Help)
