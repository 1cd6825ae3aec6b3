"""The loop that all stages share: own pending first, then new entries, then what dead consumers left.

A stage is a function from a batch of cases to one result each:

- a `Moved`: saved through the one door together with the settling of its entry;
- ``None``: nothing was needed, the entry is settled;
- `TryAgainLater`: kept, with every later entry of the same case behind it;
- `Unprocessable`: a dead letter, with its reason;
- `Conflict`: somebody else moved the case meanwhile, so it is handed over again as it is now.

Poison never blocks the line: a batch that raises is handled again one by one, and what still raises, or
was delivered too often because it killed its consumer, becomes a dead letter.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from casework.case import Case, Moved, Topic
from casework.clock import Clock
from casework.errors import Conflict, TryAgainLater, Unprocessable
from streams import topics
from streams.case_store import CaseStore, Entry, Write
from streams.connection import LOST, Store
from streams.dead_letters import DeadLetters

log = structlog.get_logger(__name__)

PER_STREAM: Final = 16
BLOCK_MS: Final = 1000
MAX_DELIVERIES: Final = 5
"""A handler that was begun this often and never ended is taken for poison."""
RECLAIM_EVERY_S: Final = 15.0
RECLAIM_IDLE: Final = timedelta(minutes=1)
AT_MOST_LEFT: Final = 1000
CONFLICT_ROUNDS: Final = 8
SOON: Final = timedelta(seconds=1)
RECONNECT_S: Final = 0.5

Result = Moved | None | TryAgainLater | Unprocessable | Conflict


@dataclass(frozen=True, slots=True)
class Work:
    """One case as it is now, and the entry that asks for something to be done with it."""

    case: Case
    entry: Entry


Handler = Callable[[Sequence[Work]], Awaitable[Sequence[Result]]]
GiveUp = Callable[[Case, str, datetime], Moved | None]
"""What becomes of a case whose entry is a dead letter now, and why it is one; None if nothing does."""


@dataclass(slots=True)
class _Waiting:
    """Entries that wait for a time, in the order they came."""

    ready_at: dict[Entry, datetime] = field(default_factory=dict)

    def add(self, entry: Entry, ready_at: datetime) -> None:
        self.ready_at[entry] = ready_at

    def case_until(self, case_id: str) -> datetime | None:
        return max((at for entry, at in self.ready_at.items() if entry.case_id == case_id), default=None)

    def take_ready(self, now: datetime) -> list[Entry]:
        ready = [entry for entry, at in self.ready_at.items() if at <= now]
        for entry in ready:
            del self.ready_at[entry]
        return ready


@dataclass(frozen=True, slots=True)
class _Begun:
    """An entry that somebody began: how often it was handed over, and to whom last."""

    partition: int
    id: str
    deliveries: int
    consumer: bytes


class Consumer:
    """One consumer of one topic: hands batches to a stage and settles them through the one door.

    ``name`` must be the same after a restart and different for every living consumer of the group, so
    that what was begun before a death is taken up at once. ``give_up`` says what becomes of the case of a
    dead letter.
    """

    def __init__(
        self,
        store: Store,
        cases: CaseStore,
        *,
        topic: Topic,
        group: str,
        name: str,
        handler: Handler,
        clock: Clock,
        give_up: GiveUp | None = None,
    ) -> None:
        self._store = store
        self._cases = cases
        self._give_up = give_up
        self._dead = DeadLetters(store)
        self._topic = topic
        self._group = group
        self._name = name
        self._handler = handler
        self._clock = clock
        self._keys = {topics.topic_key(p, topic): p for p in topics.all_partitions()}
        self._prepared = False
        self._begun: deque[_Begun] = deque()
        self._waiting = _Waiting()
        self._reclaimed_at = -RECLAIM_EVERY_S

    def use(self, handler: Handler) -> None:
        """Hand the next batch to another handler: the brand's settings changed."""
        self._handler = handler

    async def run(self) -> None:
        """Consume until cancelled, through lost connections."""
        while True:
            try:
                await self.step(block_ms=BLOCK_MS)
            except LOST as error:
                log.warning("store lost, trying again", group=self._group, error=type(error).__name__)
                self._prepared = False
                await asyncio.sleep(RECONNECT_S)

    async def step(self, *, block_ms: int | None = None) -> int:
        """Handle one batch; returns how many entries it held. ``block_ms`` None never waits."""
        if not self._prepared:
            await self._prepare()
        entries = self._waiting.take_ready(self._clock.now()) or await self._recover()
        if not entries:
            entries = await self._reclaim() or await self._new(block_ms)
        if entries:
            await self._handle(entries)
        return len(entries)

    def next_ready(self) -> datetime | None:
        """When the first entry that waits may be handled again; None when none waits."""
        return min(self._waiting.ready_at.values(), default=None)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    async def _prepare(self) -> None:
        async with self._store.writes.pipeline(transaction=False) as pipe:
            for key in self._keys:
                pipe.xgroup_create(key, self._group, id="0", mkstream=True)
            answers = await pipe.execute(raise_on_error=False)
        failed = [a for a in answers if isinstance(a, Exception) and "BUSYGROUP" not in str(a)]
        if failed:
            raise failed[0]
        self._waiting = _Waiting()
        self._begun = deque(await self._left_behind(consumername=self._name))
        self._prepared = True

    async def _left_behind(self, **which: Any) -> list[_Begun]:
        """Entries that were handed to somebody and never settled, in every partition."""
        async with self._store.writes.pipeline(transaction=False) as pipe:
            for key in self._keys:
                pipe.xpending_range(key, self._group, "-", "+", AT_MOST_LEFT, **which)
            answers = await pipe.execute()
        return [
            _Begun(partition, item["message_id"].decode(), int(item["times_delivered"]), item["consumer"])
            for partition, answer in zip(self._keys.values(), answers, strict=True)
            for item in answer
        ]

    async def _recover(self) -> list[Entry]:
        """The next entry that was begun before a death, alone: if it kills us, only it is counted."""
        while self._begun:
            begun = self._begun.popleft()
            key = topics.topic_key(begun.partition, self._topic)
            raw: Any = await self._store.writes.xclaim(key, self._group, self._name, 0, [begun.id])
            # Nothing comes back for an entry that was settled meanwhile.
            for entry in self._entries(begun.partition, raw):
                if begun.deliveries < MAX_DELIVERIES:
                    return [entry]
                await self._bury(entry, "its handling ended the process every time")
        return []

    async def _new(self, block_ms: int | None) -> list[Entry]:
        client = self._store.writes if block_ms is None else self._store.reads
        # Any: redis-py's stubs ask for a wider, invariant dict.
        positions: Any = dict.fromkeys(self._keys, ">")
        answers: Any = await client.xreadgroup(
            self._group, self._name, positions, count=PER_STREAM, block=block_ms
        )
        return [entry for key, raw in answers or [] for entry in self._entries(self._keys[key.decode()], raw)]

    async def _reclaim(self) -> list[Entry]:
        """What consumers that died left behind: idle too long, and whoever had it is not us."""
        # The server counts idleness by its own time, so this looks at the machine's, not at the clock.
        now = time.monotonic()
        if now - self._reclaimed_at < RECLAIM_EVERY_S:
            return []
        self._reclaimed_at = now
        me = self._name.encode()
        left = await self._left_behind(idle=RECLAIM_IDLE // timedelta(milliseconds=1))
        self._begun.extend(begun for begun in left if begun.consumer != me)
        return await self._recover()

    def _entries(self, partition: int, raw: Iterable[Any]) -> list[Entry]:
        return [
            Entry(
                partition=partition,
                topic=self._topic,
                group=self._group,
                id=entry_id.decode(),
                case_id=fields.get(b"c", b"").decode(),
                alert=fields.get(b"a", b""),
            )
            for entry_id, fields in raw
        ]

    # ── handling ─────────────────────────────────────────────────────────────────────────────────

    async def _handle(self, entries: Sequence[Entry]) -> None:
        todo = await self._in_turn(entries)
        for _ in range(CONFLICT_ROUNDS):
            if not todo:
                return
            todo = await self._round(todo)
        for entry in todo:
            await self._put_off(entry, self._clock.now() + SOON)

    async def _in_turn(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries whose case has none waiting before them; the others wait behind it."""
        in_turn = []
        for entry in entries:
            until = self._waiting.case_until(entry.case_id)
            if until is None:
                in_turn.append(entry)
            else:
                await self._put_off(entry, until)
        return in_turn

    async def _round(self, entries: Sequence[Entry]) -> list[Entry]:
        """Handle the first entry of each case; returns what must be handled again."""
        first: dict[str, Entry] = {}
        later = [entry for entry in entries if first.setdefault(entry.case_id, entry) is not entry]
        batch = list(first.values())
        cases = await self._cases.load_all([e.case_id for e in batch if topics.CASE_ID.fullmatch(e.case_id)])
        by_id = {case.id: case for case in cases if case is not None}
        await self._cases.settle([entry for entry in batch if entry.case_id not in by_id])
        works = [Work(by_id[entry.case_id], entry) for entry in batch if entry.case_id in by_id]
        results = await self._results(works)
        again = await self._end(works, results)
        return await self._in_turn([*again, *later])

    async def _results(self, works: Sequence[Work], *, again: bool = False) -> Sequence[Result]:
        if not works:
            return []
        try:
            results = await self._handler(works)
        except (TryAgainLater, Unprocessable, Conflict) as fate:
            if len(works) == 1:
                return [fate]
        except (RedisError, OSError):
            raise
        except Exception as error:
            # redis-py may raise anything when a connection dies under it; a bug raises it twice.
            if len(works) == 1 and again:
                log.exception("handler failed", group=self._group, case=works[0].case.id)
                return [Unprocessable(f"{type(error).__name__} in {self._group}")]
        else:
            return results
        return [(await self._results([work], again=True))[0] for work in works]

    async def _end(self, works: Sequence[Work], results: Sequence[Result]) -> list[Entry]:
        """Save, settle, keep or bury each; returns the entries whose case moved on under them."""
        saves = [(w.entry, r) for w, r in zip(works, results, strict=True) if isinstance(r, Moved)]
        outcomes = await self._cases.save_all([Write(moved, settle=entry) for entry, moved in saves])
        await self._cases.settle([w.entry for w, r in zip(works, results, strict=True) if r is None])
        for work, result in zip(works, results, strict=True):
            if isinstance(result, TryAgainLater):
                await self._put_off(work.entry, self._clock.now() + result.after)
            elif isinstance(result, Unprocessable):
                await self._bury(work.entry, str(result))
        overtaken = [e for (e, _), end in zip(saves, outcomes, strict=True) if isinstance(end, Conflict)]
        return overtaken + [w.entry for w, r in zip(works, results, strict=True) if isinstance(r, Conflict)]

    async def _put_off(self, entry: Entry, ready_at: datetime) -> None:
        """Keep an entry for later: no handling of it killed us, so its deliveries are counted anew."""
        key = topics.topic_key(entry.partition, entry.topic)
        await self._store.writes.xclaim(
            key, self._group, self._name, 0, [entry.id], retrycount=0, justid=True
        )
        self._waiting.add(entry, ready_at)

    async def _bury(self, entry: Entry, reason: str) -> None:
        log.error("dead letter", group=self._group, case=entry.case_id, reason=reason)
        now = self._clock.now()
        await self._dead.bury(entry, reason, at=now)
        if self._give_up is None or not topics.CASE_ID.fullmatch(entry.case_id):
            return
        # Only now: should the case itself be what ends us, its entry is out of the way already.
        (case,) = await self._cases.load_readable([entry.case_id])
        moved = self._give_up(case, reason, now) if case is not None else None
        if moved is not None:
            await self._cases.save_all([Write(moved)])
