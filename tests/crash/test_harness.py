"""The harness itself: what strace counts, which positions follow, how it goes on where it was."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.crash import scenes, strace
from tests.crash.campaign import Campaign, every_position, pairs, some_positions, surveys
from tests.crash.positions import Outcome, Position, Results, Run, Scene
from tests.crash.table import rows_of, table

TALKS = """
import socket, sys, threading
ours, theirs = socket.socketpair()
def talk():
    for _ in range(4):
        ours.send(b"x")
sys.stdin.read(1)
talk()
other = threading.Thread(target=talk)
other.start()
other.join()
"""
SCENE = Scene("sender", "x", "lost")

traced = pytest.mark.skipif(bool(strace.refusal()), reason=f"NOTHING IS KILLED HERE: {strace.refusal()}")


@asynccontextmanager
async def talking() -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that sends four times in one thread and four times in another, once it is told to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TALKS, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told(process: asyncio.subprocess.Process) -> int:
    """Let it begin; how it ended."""
    await process.communicate(b"x")
    return process.returncode or 0


@traced
async def test_calls_are_counted_for_each_thread_by_itself(tmp_path: Path) -> None:
    """Four and four, not eight."""
    async with talking() as process, strace.counting(process.pid, tmp_path / "trace"):
        assert await told(process) == 0
    counts = strace.read_trace(tmp_path / "trace").counts

    assert [calls["sendto"] for calls in counts.values()] == [4, 4]


@traced
async def test_a_process_dies_before_the_call_that_is_counted_to(tmp_path: Path) -> None:
    """The third is not made; the trace says what it would have been."""
    async with talking() as process:
        async with strace.killing([process.pid], "sendto", 3, tmp_path / "trace"):
            assert await told(process) == -9
        seen = strace.read_trace(tmp_path / "trace", process.pid)

    assert seen.counts[process.pid]["sendto"] == 3
    assert [call[:7] for call in seen.cut_off] == ["sendto("]


@traced
async def test_a_call_that_is_never_made_kills_nothing(tmp_path: Path) -> None:
    """The first thread sends four times."""
    async with talking() as process, strace.killing([process.pid], "sendto", 5, tmp_path / "trace"):
        assert await told(process) == 0


# ── which positions there are ────────────────────────────────────────────────────────────────────


@dataclass
class Rehearsal:
    """A bench whose process makes so many calls, whatever it is asked for, and loses at some of them."""

    calls: dict[str, int]
    loses: frozenset[int] = frozenset()
    played: list[str] = field(default_factory=list)
    left: int = 1_000
    late: int = 0

    async def doubles(self) -> int:
        return self.late

    async def play(self, run: Run) -> Outcome:
        self.played.append(run.key)
        if not run.deaths:
            # A survey sees one call fewer than there may be.
            return Outcome(run.key, calls={row: number - 1 for row, number in self.calls.items()})
        reached = [d for d in run.deaths if d.number <= self.calls[f"{d.phase}/{d.threads}/{d.call}"]]
        lost = any(death.number in self.loses for death in reached)
        return Outcome(run.key, killed=len(reached), lost=int(lost))


def rehearsing(bench: Rehearsal, results: Results, folder: Path) -> Campaign:
    @asynccontextmanager
    async def opens(_scene: Scene, _folder: Path) -> AsyncIterator[Rehearsal]:
        yield bench

    return Campaign(opens, results, folder, said.append)


said: list[str] = []


async def play_all(campaign: Campaign) -> None:
    await campaign.play(surveys([SCENE]))
    while wanted := every_position([SCENE], campaign.results):
        await campaign.play(wanted)


async def test_every_call_is_a_position_until_one_is_not_reached(tmp_path: Path) -> None:
    """The survey's count is where it begins to look for the end of a row, and not the end."""
    bench = Rehearsal({"send/loop/sendto": 5, "look/others/recvfrom": 2})
    await play_all(rehearsing(bench, Results(tmp_path / "results.jsonl"), tmp_path))
    killed = {key for key in bench.played if " " in key}

    assert {f"{SCENE} send/loop/sendto/{number}" for number in range(1, 7)} <= killed
    assert {f"{SCENE} look/others/recvfrom/{number}" for number in range(1, 4)} <= killed
    assert len(killed) == 9


async def test_what_was_found_before_a_death_of_the_harness_is_not_done_again(tmp_path: Path) -> None:
    """Also where the last line of its file was cut off."""
    file = tmp_path / "results.jsonl"
    first = Rehearsal({"send/loop/sendto": 5})
    await play_all(rehearsing(first, Results(file), tmp_path))
    whole = file.read_text()
    file.write_text(whole[:-20])
    second = Rehearsal({"send/loop/sendto": 5})
    await play_all(rehearsing(second, Results(file), tmp_path))

    assert set(second.played) == {first.played[-1]}
    assert set(Results(file).found) == set(first.played)


async def test_what_is_lost_is_said_and_in_the_table(tmp_path: Path) -> None:
    """With the position, so that it can be looked at."""
    said.clear()
    bench = Rehearsal({"send/loop/sendto": 5}, loses=frozenset({4}))
    campaign = rehearsing(bench, Results(tmp_path / "results.jsonl"), tmp_path)
    await play_all(campaign)
    *_, whole = rows_of(campaign.results)

    assert (whole.positions, whole.lost, whole.double) == (5, 1, 0)
    assert any("send/loop/sendto/4: 1 lost" in line for line in said)
    assert "sender/x/lost" in table(rows_of(campaign.results))


async def test_what_comes_double_later_is_found_at_the_end(tmp_path: Path) -> None:
    """Each run was right when it was counted."""
    bench = Rehearsal({"send/loop/sendto": 2}, late=1)
    campaign = rehearsing(bench, Results(tmp_path / "results.jsonl"), tmp_path)
    await campaign.play(surveys([SCENE]))

    assert rows_of(campaign.results)[-1].double == 1


async def test_a_bench_that_fails_is_no_success(tmp_path: Path) -> None:
    """The run that it failed in is named, and the others are played on another."""

    class Failing(Rehearsal):
        async def play(self, run: Run) -> Outcome:
            if run.deaths and run.deaths[0].number == 2:
                raise RuntimeError("no disk")
            return await super().play(run)

    campaign = rehearsing(Failing({"send/loop/sendto": 3}), Results(tmp_path / "r.jsonl"), tmp_path)
    await campaign.play(surveys([SCENE]))
    await campaign.play(every_position([SCENE], campaign.results))

    assert campaign.failed == {f"{SCENE} send/loop/sendto/2": "RuntimeError: no disk"}
    assert f"{SCENE} send/loop/sendto/3" in campaign.results.found


async def test_pairs_and_samples_are_the_same_for_a_seed(tmp_path: Path) -> None:
    """A pair dies at work, and then as it looks or as it is started again."""
    bench = Rehearsal({"send/loop/sendto": 5, "look/loop/sendto": 5})
    results = Results(tmp_path / "results.jsonl")
    await play_all(rehearsing(bench, results, tmp_path))
    started = scenes.starting(random.Random(7), 5)
    drawn = [pairs([SCENE], results, random.Random(7), 9, started) for _ in range(2)]

    assert drawn[0] == drawn[1]
    assert {tuple(death.phase for death in run.deaths) for run in drawn[0]} == {
        ("send", "look"),
        ("send", "start"),
    }
    assert some_positions(SCENE, results, random.Random(7), 3) == some_positions(
        SCENE, results, random.Random(7), 3
    )


def test_every_scene_has_somebody_who_opens_it(tmp_path: Path) -> None:
    """Four platforms by five fates for the sender, and the others."""
    opens = scenes.opening()
    assert len(scenes.SENDER) == 20
    for scene in (*scenes.WHOLE, *scenes.WITH_STORE):
        assert opens(scene, tmp_path)
        assert scenes.side_by_side(scene) >= 1
    assert all(isinstance(run.deaths[0], Position) for run in scenes.starts([SCENE], random.Random(1), 3))
