"""A process that sweeps once: `python -m tests.campaigns.sweeping URL INSTANT`. It says when it is ready."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from casework.clock import ManualClock
from escalation.promises import PromiseClock
from streams.case_store import CaseStore
from streams.connection import open_store
from tests.fakes.due import PROMISES

KILLED = -signal.SIGKILL


def sweep_for(life_s: float | None, url: str, now: datetime, *, processes: int = 1) -> list[int]:
    """Let processes sweep at once and kill them after so long, if they have not ended; how each ended."""
    command = [sys.executable, "-m", "tests.campaigns.sweeping", url, now.isoformat()]
    running = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    return [_end(process, life_s) for process in running]


def _end(process: "subprocess.Popen[bytes]", life_s: float | None) -> int:
    try:
        process.communicate(timeout=life_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return process.returncode


async def _sweep(arguments: Sequence[str]) -> None:
    url, now = arguments
    async with open_store(url, Path()) as store:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        await PromiseClock(CaseStore(store), ManualClock(datetime.fromisoformat(now)), PROMISES).sweep()


if __name__ == "__main__":
    asyncio.run(_sweep(sys.argv[1:]))
