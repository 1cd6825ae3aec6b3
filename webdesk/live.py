"""The live stream of an open page: which rows changed, the counts, and the server's clock.

Events: ``sync`` (every waiting case with its version, so that a page that missed something finds out)
and ``change`` (the rows that changed). Ids are positions in the store's streams of changes, so
``Last-Event-ID`` brings a sleeping tab what it missed.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from fastapi.sse import ServerSentEvent

from streams.case_store import Change
from streams.connection import LOST, NO_STORE
from webdesk import views
from webdesk.desk import Desk
from webdesk.waiting import Waiting

log = structlog.get_logger(__name__)

POSITION: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,10})", re.ASCII)
# Changes of several partitions do not arrive in one order: what came in these last moments is told again.
OVERLAP_MS: Final = 3000
REMEMBERED: Final = 5000
GATHER_S: Final = 0.1
TICK_S: Final = 10.0
FIRST_TICK_S: Final = 1.0
SYNC_AGE_S: Final = 1.0
CANCEL_AGAIN_S: Final = 0.2

Queue = asyncio.Queue[Change | None]


def position(last_event_id: str) -> str | None:
    """Where to read on from: a little before the last position that the browser saw; None for now."""
    match = POSITION.fullmatch(last_event_id)
    return f"{max(0, int(match[1]) - OVERLAP_MS)}-0" if match else None


def _order(change_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in change_id.split("-"))


class Live:
    """Feeds every open page from one reading of the store's changes, until the desk closes.

    One reading for all: a blocking read holds a connection, and the store's clients have a hundred.
    """

    def __init__(self, desk: Desk, waiting: Waiting) -> None:
        self._desk = desk
        self._waiting = waiting
        self._closed = False
        self._pump: asyncio.Task[None] | None = None
        self._pages: set[Queue] = set()
        self._recent: deque[Change] = deque(maxlen=REMEMBERED)

    async def close(self) -> None:
        """End all streams, so that the server can stop at once."""
        self._closed = True
        self._end_pages()
        if self._pump is not None:
            await _stop(self._pump)

    async def stream(
        self, *, you: str, filters: views.Filters, after: str | None, draw: Callable[[views.Row], str]
    ) -> AsyncIterator[ServerSentEvent]:
        """What one open page needs to hear, until it goes away."""
        queue = self._open_page(after)
        patience = FIRST_TICK_S
        try:
            yield await self._sync(you, filters)
            while True:
                changes, ended = await _gather(queue, patience)
                if changes:
                    yield await self._changed(changes, you, filters, draw)
                elif not ended:
                    patience = TICK_S
                    yield await self._sync(you, filters)
                if ended:
                    return
        except NO_STORE as error:
            # The browser comes back by itself, and the page that it loads then says what is wrong.
            log.warning("store lost, an open page ends", error=type(error).__name__)
        finally:
            self._pages.discard(queue)

    def _open_page(self, after: str | None) -> Queue:
        queue: Queue = asyncio.Queue()
        if self._closed:
            queue.put_nowait(None)
            return queue
        if self._pump is None or self._pump.done():
            # What the first page missed is read from the store; a page with an older gap mends by sync.
            self._recent.clear()
            self._pump = asyncio.create_task(self._read(after))
        elif after is not None:
            for change in self._recent:
                if _order(change.id) > _order(after):
                    queue.put_nowait(change)
        self._pages.add(queue)
        return queue

    def _end_pages(self) -> None:
        for page in self._pages:
            page.put_nowait(None)

    async def _read(self, after: str | None) -> None:
        with suppress(*LOST):
            async for change in self._desk.store.changes(after, wait_ms=2000):
                self._recent.append(change)
                for page in self._pages:
                    page.put_nowait(change)
        # The connection is lost: every browser comes back by itself, and the first one reads on.
        self._end_pages()

    async def _sync(self, you: str, filters: views.Filters) -> ServerSentEvent:
        cases = await self._waiting.read(at_most_old=SYNC_AGE_S)
        now = self._desk.clock.now()
        if filters.any:
            cases = [case for case in cases if filters.match(views.row(case, now, you=you))]
        versions = {case.id: case.version for case in cases}
        return ServerSentEvent(event="sync", data={**self._common(), "versions": versions})

    async def _changed(
        self, changes: Sequence[Change], you: str, filters: views.Filters, draw: Callable[[views.Row], str]
    ) -> ServerSentEvent:
        now = self._desk.clock.now()
        shown = []
        for case in await self._waiting.after(changes):
            row = views.row(case, now, you=you)
            if filters.match(row) or not row.waiting:
                shown.append(
                    {"id": row.id, "version": row.version, "waiting": row.waiting, "html": draw(row)}
                )
        newest = max(changes, key=lambda change: _order(change.id))
        return ServerSentEvent(event="change", id=newest.id, data={**self._common(), "rows": shown})

    def _common(self) -> dict[str, object]:
        now = self._desk.clock.now()
        counts = self._waiting.counts(now)
        return {"now": int(now.timestamp() * 1000), "speed": self._desk.speed, "counts": counts}


async def _stop(task: "asyncio.Task[None]") -> None:
    # redis-py can lose a cancellation that comes while it connects; the task would read on for ever.
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)


async def _gather(queue: Queue, patience: float) -> tuple[list[Change], bool]:
    # A burst is told as one event: the first change, and what follows within a tenth of a second.
    found: list[Change | None] = []
    with suppress(TimeoutError):
        found.append(await asyncio.wait_for(queue.get(), patience))
        await asyncio.sleep(GATHER_S)
    while not queue.empty():
        found.append(queue.get_nowait())
    return [change for change in found if change is not None], None in found
