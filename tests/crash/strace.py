"""strace put on to a running process: counts its calls, or kills it before the k-th of them.

Two facts of strace 6.1, both measured: it counts each call of each thread for itself, and the call that
it counts to is not made any more. So a place to die is a thread, a call and a number, and a thread is
aimed at by attaching to it alone.
"""

import asyncio
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

READS: Final = ("read", "readv", "pread64", "preadv", "recvfrom", "recvmsg")
WRITES: Final = ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg", "sendmmsg")
PLACES: Final = (
    "connect",
    "accept4",
    "openat",
    "fsync",
    "fdatasync",
    "rename",
    "renameat2",
    "unlink",
    "mkdir",
    "ftruncate",
    "flock",
)
CALLS: Final = (*READS, *WRITES, *PLACES)
"""The calls that read or write files or sockets, or change which there are."""

ATTACH_S: Final = 20.0
_LINE: Final = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. )?(?P<call>\w+)(?P<rest>.*)")


@cache
def refusal() -> str:
    """Why nothing can be traced here; empty where it can."""
    if not sys.platform.startswith("linux"):
        return "strace needs Linux"
    if shutil.which("strace") is None:
        return "strace is not installed (apt-get install strace)"
    tried = subprocess.run(
        ["strace", "-e", "inject=getppid:signal=KILL", "-o", "/dev/null", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"strace may not trace here: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a trace saw: how often each thread made each call, and the calls that were cut off, in words."""

    counts: dict[int, Counter[str]]
    cut_off: tuple[str, ...]


@asynccontextmanager
async def counting(process: int, into: Path) -> AsyncIterator[None]:
    """Write down the calls of all threads of a process, also of those that it starts meanwhile."""
    options = ["-f", "-yy", "-s", "48", "-e", f"trace={','.join(CALLS)}", "-e", "signal=none"]
    async with _attached(options, [process], into):
        yield


@asynccontextmanager
async def killing(threads: Sequence[int], call: str, number: int, into: Path) -> AsyncIterator[None]:
    """Kill the process before any of these threads makes a call for the ``number``-th time from now on."""
    async with _attached(to_kill(call, number), threads, into):
        yield


def to_kill(call: str, number: int) -> list[str]:
    """Strace's words for it."""
    inject = f"inject={call}:signal=KILL:when={number}"
    return ["-yy", "-s", "48", "-e", f"trace={call}", "-e", inject, "-e", "signal=none"]


@asynccontextmanager
async def _attached(options: Sequence[str], threads: Sequence[int], into: Path) -> AsyncIterator[None]:
    wanted = [part for thread in threads for part in ("-p", str(thread))]
    tracer = await asyncio.create_subprocess_exec(
        "strace", *options, "-o", str(into), *wanted, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(ATTACH_S):
            await _all_attached(tracer, len(threads))
        yield
    finally:
        with suppress(ProcessLookupError):
            tracer.terminate()
        await tracer.communicate()


async def _all_attached(tracer: asyncio.subprocess.Process, threads: int) -> None:
    """It says of each that it is attached: only then may anything begin."""
    assert tracer.stderr is not None
    for _ in range(threads):
        line = (await tracer.stderr.readline()).decode(errors="replace")
        # A thread that ended just now is none to wait for; nothing at all is a process that did.
        if not line:
            return
        assert "attached" in line or "No such process" in line, line


def read_trace(path: Path, alone: int = 0) -> Seen:
    """What a trace file says. Traces of one thread do not name it: ``alone`` does."""
    counts: dict[int, Counter[str]] = {}
    cut_off: list[str] = []
    for line in path.read_text(errors="replace").splitlines():
        match = _LINE.match(line if line[:1].isdigit() else f"{alone} {line}")
        if match is None:
            continue
        thread, call, rest = int(match["thread"]), match["call"], match["rest"]
        if not rest.startswith(" resumed>"):
            counts.setdefault(thread, Counter())[call] += 1
        if re.search(r"\) += \?$", line):
            cut_off.append(f"{call}{rest}"[:110])
    return Seen(counts, tuple(cut_off))
