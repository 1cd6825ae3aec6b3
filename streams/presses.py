"""The box of clicks: what somebody pressed is here, on disk, before it is acknowledged; each once.

Slack repeats what was not acknowledged in time, and forgets what was. So a press is stored first, under
its own name, and carried out from here whatever dies meanwhile.
"""

from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from streams.connection import Store

BOX: Final = "{presses}:box"
GROUP: Final = "desk"
REMEMBERED_S: Final = 24 * 3600
IDLE_MS: Final = 30_000
"""So long a press may lie with one worker before another takes it over."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One press as it lies in the box."""

    entry: str
    body: bytes
    attempts: int


class PressBox:
    """Keeps presses until they are settled."""

    def __init__(self, store: Store, *, idle_ms: int = IDLE_MS) -> None:
        self._store = store
        self._writes = store.writes
        self._reads = store.reads
        self._idle_ms = idle_ms

    async def put(self, press_id: str, body: bytes) -> bool:
        """Store a press; False when it lies here already, or did within the last day."""
        keys = (f"{{presses}}:seen:{press_id}", BOX)
        return bool(await self._store.keep_call("heard1_press", keys, str(REMEMBERED_S), body))

    async def take(self, worker: str, *, count: int = 32, wait_ms: int = 1000) -> list[Stored]:
        """What waits: first what a worker that is gone left behind, then what is new."""
        await self._prepare()
        claimed: Any = await self._writes.xautoclaim(BOX, GROUP, worker, self._idle_ms, count=count)
        left = [(entry, fields) for entry, fields in claimed[1] if fields]
        if left:
            return await self._with_attempts(left)
        answers: Any = await self._reads.xreadgroup(GROUP, worker, {BOX: ">"}, count=count, block=wait_ms)
        return [
            Stored(entry.decode(), fields[b"b"], 1)
            for _, entries in answers or []
            for entry, fields in entries
        ]

    async def left_by(self, worker: str, *, count: int = 1000) -> list[Stored]:
        """What this worker had begun when it died: asked once, as it starts again under the same name."""
        await self._prepare()
        answers: Any = await self._reads.xreadgroup(GROUP, worker, {BOX: "0"}, count=count)
        left = [(entry, fields) for _, entries in answers or [] for entry, fields in entries if fields]
        return await self._with_attempts(left) if left else []

    async def chosen(self, press_id: str) -> str:
        """The case that a press without one was about, if that was settled; else nothing."""
        raw: Any = await self._writes.get(_chosen_key(press_id))
        return raw.decode() if isinstance(raw, bytes) else ""

    async def choose(self, press_id: str, case_id: str) -> None:
        """Settle which case a press is about before it is moved: carried out again, it is the same."""
        await self._writes.set(_chosen_key(press_id), case_id, ex=REMEMBERED_S)

    async def _with_attempts(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[Stored]:
        first, last = entries[0][0], entries[-1][0]
        pending: Any = await self._writes.xpending_range(BOX, GROUP, first, last, count=len(entries) + 64)
        times = {row["message_id"]: int(row["times_delivered"]) for row in pending}
        return [Stored(entry.decode(), fields[b"b"], times.get(entry, 2)) for entry, fields in entries]

    async def settle(self, *entries: str) -> None:
        """These are carried out."""
        async with self._writes.pipeline(transaction=True) as pipe:
            pipe.xack(BOX, GROUP, *entries)
            pipe.xdel(BOX, *entries)
            await pipe.execute()

    async def every(self) -> list[Stored]:
        """What is not settled yet, whoever has it."""
        entries: Any = await self._writes.xrange(BOX)
        return [Stored(entry.decode(), fields[b"b"], 0) for entry, fields in entries]

    async def waiting(self) -> int:
        """How many are not settled yet."""
        return int(await self._writes.xlen(BOX))

    async def _prepare(self) -> None:
        try:
            await self._writes.xgroup_create(BOX, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def _chosen_key(press_id: str) -> str:
    return f"{{presses}}:chosen:{press_id}"
