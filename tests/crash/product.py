"""The product as a process: its real command line, its own home and store; killed and started again."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from casework.errors import HeardError
from streams import embedded
from streams.connection import Store, open_store
from tests.crash import nursery, strace
from tests.crash.places import CLOCK
from tests.crash.positions import Outcome, Position, Run, Threads

ROOT: Final = Path(__file__).parents[2]
DEFAULTS: Final = ROOT / "config" / "defaults"
READY_S: Final = 120.0
"""For importing on a machine where many processes do so at once."""
STARTS_AT_ONCE: Final = 3
"""How many may be importing: more of them make everything late, and nothing faster."""
POLL_S: Final = 0.05
NEVER: Final = datetime.min.replace(tzinfo=UTC)
RUNNING: Final = '"event": "running"'


async def wait_for(condition: Callable[[], bool], within_s: float) -> bool:
    """Whether the condition came to hold in time."""

    async def asked() -> bool:
        return condition()

    return await wait_until(asked, within_s)


async def wait_until(condition: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """Whether what must be asked for came to hold in time."""
    deadline = time.monotonic() + within_s
    while not (holds := await condition()) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)
    return holds


class Process(Protocol):
    """A running process, or one that ended."""

    @property
    def pid(self) -> int:
        """Its id."""
        ...

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        ...

    def kill(self) -> None:
        """SIGKILL."""
        ...

    async def wait(self) -> int:
        """How it ended, once it has."""
        ...


class EndedByItself(Exception):
    """The product ended, and nobody had killed it."""


@dataclass
class Product:
    """One home of the product, and the process that runs in it, if one does.

    ``module`` is what is started: the product, or what stands in its place for a control. ``dies_next`` is
    where it dies while it is started again.
    """

    folder: Path
    parts: Sequence[str]
    env: Mapping[str, str]
    brand: str
    module: str = "config.cli"
    own_store: bool = False
    process: Process | None = None
    started_at: float = 0.0
    ready_at: datetime = NEVER
    dies_next: Position | None = None
    traces: int = 0
    _server: embedded.EmbeddedServer | None = field(default=None, repr=False)
    _store: Store | None = field(default=None, repr=False)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack, repr=False)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        (self.home / "brand.yaml").write_text(self.brand)
        (self.home / "templates.yaml").write_text((DEFAULTS / "templates.yaml").read_text())
        if not self.own_store:
            self._server = embedded.start(self.folder / "store")

    @property
    def home(self) -> Path:
        """HEARD_HOME."""
        return self.folder / "home"

    @property
    def url(self) -> str:
        """Where its store is."""
        if self._server is not None:
            return self._server.url
        return f"unix://{embedded._socket_path(self.home.absolute() / 'store')}"

    @property
    def environment(self) -> dict[str, str]:
        """What it runs in, and any command beside it: nothing of ours, and where its home and store are."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HEARD_", "REDIS_"))}
        kept |= {"HEARD_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self.env}
        return kept if self._server is None else {**kept, "REDIS_URL": self._server.url}

    async def store(self) -> Store:
        """Its store, as a client that keeps no server alive; open until the product is started again."""
        if self._store is None:
            self._store = await self._open.enter_async_context(open_store(self.url, self.folder))
        return self._store

    async def _let_go(self) -> None:
        self._store = None
        with suppress(HeardError):
            await self._open.aclose()

    # ── life and death ───────────────────────────────────────────────────────────────────────────

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.returncode is None

    async def revive(self, outcome: Outcome) -> None:
        """Start it if it does not run, as often as that takes; each death since it last ran is counted."""
        while not self.alive:
            self.check_killed()
            outcome.killed += self.process is not None
            dies, self.dies_next = self.dies_next, None
            await self.start(dies)

    async def start(self, dies: Position | None = None) -> None:
        """Start it, and return once it is ready; or once it is dead, if it is to die while it starts."""
        if self.own_store:
            # Its server ended with it: the next one is another.
            await self._let_go()
        async with _turn():
            log = self.home / "logs" / "heard.log"
            before = log.stat().st_size if log.exists() else 0
            trace = self._trace()
            await self._spawn(dies, trace)
            deadline = time.monotonic() + READY_S
            while not (log.exists() and RUNNING in _from(log, before)):
                if not self.alive:
                    self.check_killed()
                    return
                if time.monotonic() > deadline:
                    raise EndedByItself(f"not ready after {READY_S} s: {self.last_words()}")
                await asyncio.sleep(POLL_S)
            if dies is not None:
                await self._free()
                await self._mourned(Path(trace))
            self.started_at, self.ready_at = time.monotonic(), CLOCK.now()

    async def _free(self) -> None:
        """It came further than where it was to die while it started: nobody waits for that any more."""

        def tracer() -> int:
            assert self.process is not None
            with suppress(OSError):
                status = Path(f"/proc/{self.process.pid}/status").read_text()
                return int(status.partition("TracerPid:")[2].split()[0])
            return 0

        if tracer():
            with suppress(ProcessLookupError):
                os.kill(tracer(), signal.SIGTERM)
        await wait_for(lambda: not tracer(), READY_S)

    async def _spawn(self, dies: Position | None, trace: str) -> None:
        only = [part for name in self.parts for part in ("--only", name)]
        talk = self.folder / "talk.log"
        if dies is None:
            self.process = nursery.born(
                self.module, ["up", *only], environment=self.environment, folder=self.folder, talk=talk
            )
            return
        # -D: strace is the grandchild, so that the child is the product. -I 1: it lets itself be ended.
        tracer = ["strace", "-D", "-I", "1", *strace.to_kill(dies.call, dies.number), "-o", trace]
        with talk.open("ab") as says:
            self.process = await asyncio.create_subprocess_exec(
                *tracer,
                sys.executable,
                "-m",
                self.module,
                "up",
                *only,
                env=self.environment,
                cwd=self.folder,
                stdout=DEVNULL,
                stderr=says,
                stdin=DEVNULL,
            )

    def check_killed(self) -> None:
        """Raises `EndedByItself` if it is dead of anything but a SIGKILL."""
        code = self.process.returncode if self.process is not None else None
        if code not in (None, -signal.SIGKILL):
            raise EndedByItself(f"ended with {code}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of what it said."""
        return (self.folder / "talk.log").read_text(errors="replace").strip()[-300:]

    async def die(self) -> None:
        """Kill it, if it runs."""
        if self.process is not None and self.alive:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        self.process, self.dies_next = None, None

    async def stop(self) -> None:
        """Kill it, and end its store."""
        await self.die()
        await self._let_go()
        if self._server is not None:
            await asyncio.to_thread(self._server.close)

    # ── under strace ─────────────────────────────────────────────────────────────────────────────

    def threads(self, which: Threads) -> list[int]:
        """The ids of its threads now."""
        assert self.process is not None
        pid = self.process.pid
        if which == "loop":
            return [pid]
        return sorted(int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid))

    def _trace(self) -> str:
        self.traces += 1
        return str(self.folder / f"trace.{self.traces}")

    @asynccontextmanager
    async def watched(self, phase: str, run: Run, outcome: Outcome) -> AsyncIterator[None]:
        """What happens in the block is a phase: it is counted, or the process dies in it, as it is to."""
        dies = phase_of(run.deaths, phase)
        if phase and not run.deaths:
            async with self._counted(phase, outcome):
                yield
        elif dies is not None:
            async with self._killed(dies, outcome):
                yield
        else:
            yield

    @asynccontextmanager
    async def _counted(self, phase: str, outcome: Outcome) -> AsyncIterator[None]:
        loop, others = self.threads("loop"), self.threads("others")
        into = Path(self._trace())
        async with strace.counting(loop[0], into):
            yield
        for thread, calls in strace.read_trace(into).counts.items():
            if thread not in loop and thread not in others:
                outcome.unreachable += calls.total()
                continue
            for call, number in calls.items():
                row = f"{phase}/{'loop' if thread in loop else 'others'}/{call}"
                # Of several other threads each is counted for itself; the busiest says how far to go.
                outcome.calls[row] = max(outcome.calls.get(row, 0), number)

    @asynccontextmanager
    async def _killed(self, dies: Position, outcome: Outcome) -> AsyncIterator[None]:
        threads = self.threads(dies.threads)
        into = Path(self._trace())
        async with strace.killing(threads, dies.call, dies.number, into):
            yield
        outcome.before += await self._mourned(into)

    async def _mourned(self, trace: Path) -> tuple[str, ...]:
        """The call that was not made any more, if one was not: then the process is dead, and known to be."""
        cut_off = strace.read_trace(trace).cut_off[:1]
        if cut_off:
            assert self.process is not None
            await self.process.wait()
        return cut_off


_TURNS: Final = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]()


def _turn() -> asyncio.Semaphore:
    """Whoever starts a process waits for this; one for each loop, as asyncio's own are bound to theirs."""
    return _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(STARTS_AT_ONCE))


def phase_of(deaths: Sequence[Position], phase: str) -> Position | None:
    """The death that belongs to a phase."""
    return next((death for death in deaths if death.phase == phase), None)


def _from(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
