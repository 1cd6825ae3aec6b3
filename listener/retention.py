"""Keeps posts and labels no longer than may be: whatever platform they came from, connected or not.

Posts lose their words and whose they were when their time is over; what is left is labels, marks for ids, and
times. Labels go in their own time. What a platform's author deleted is reduced to the same.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from casework import moves
from casework.case import ALL, Case, Moved, Status
from casework.clock import Clock
from casework.errors import Conflict, IllegalMove, TryAgainLater
from casework.forgetting import SIGN, Marks
from streams.case_store import CaseStore
from streams.switch import Cursors

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(hours=12)
"""How often every case is looked at. What would be too old by the next look goes in this one."""

PAGE: Final = 2_000
_DONE: Final = "retention/done"
_AT: Final = "retention/at"
_WITHDRAWN: Final = "the author deleted the post"


@dataclass(slots=True)
class Retention:
    """Looks through all cases, twice a day; its position is in the store, so a restart goes on.

    ``forget`` has files hold no more of what went.
    """

    cases: CaseStore
    cursors: Cursors
    clock: Clock
    forget: Callable[[], Awaitable[object]]
    keeps_posts: Callable[[str], timedelta]
    keeps_labels: Callable[[], timedelta]

    async def sweep(self) -> int:
        """Look, if it is time to; returns how many cases lost something."""
        done = await self.cursors.get(_DONE)
        if done is not None and self.clock.now() - datetime.fromisoformat(done) < EVERY:
            return 0
        lost, cursor = 0, await self.cursors.get(_AT) or None
        while True:
            page = await self.cases.page(tuple(ALL), limit=PAGE, cursor=cursor)
            for case in page.cases:
                lost += await self._look(case)
            cursor = page.cursor
            await self.cursors.set(_AT, cursor or "")
            if cursor is None:
                break
        # Also when nothing went now: a process that died before may have left its files as they were.
        if lost or await self.cursors.get("retention/files") != "clean":
            await self.cursors.set("retention/files", "not clean")
            await self.forget()
            await self.cursors.set("retention/files", "clean")
        await self.cursors.set(_DONE, self.clock.now().isoformat())
        log.info("kept no longer", cases=lost)
        return lost

    async def _look(self, case: Case) -> bool:
        age = self.clock.now() + EVERY - max(mention.created_at for mention in case.mentions)
        named = not case.author.id.startswith(SIGN)
        if case.status is not Status.ERASED and age > self.keeps_labels():
            return await self._unname(case.id, partial(_erase, at=self.clock.now()), labels=False)
        if named and (age > self.keeps_posts(case.platform) or _withdrawn(case)):
            why = _WITHDRAWN if _withdrawn(case) else self._kept(case.platform)
            return await self._unname(case.id, partial(_expire, at=self.clock.now(), why=why), labels=True)
        return False

    async def _unname(self, case_id: str, decide: Callable[[Case, Marks], Moved], *, labels: bool) -> bool:
        await self.cursors.set("retention/files", "not clean")
        try:
            await self.cases.unname(case_id, decide, labels=labels)
        except (Conflict, IllegalMove, TryAgainLater):
            # It moved meanwhile, or a reply to it is in flight: the next look finds it as it is then.
            return False
        return True

    def _kept(self, platform: str) -> str:
        hours = int(self.keeps_posts(platform).total_seconds() // 3600)
        length = f"{hours // 24} days" if hours >= 72 else f"{hours} hours"
        return f"posts are kept for {length}"


def _withdrawn(case: Case) -> bool:
    """Whether nothing of it is left to read: its author deleted all of it."""
    return not any(mention.text or mention.author.handle for mention in case.mentions)


def _expire(case: Case, marks: Marks, *, at: datetime, why: str) -> Moved:
    return moves.expire(case, at=at, why=why, marks=marks)


def _erase(case: Case, marks: Marks, *, at: datetime) -> Moved:
    return moves.erase(case, by=moves.HEARD, at=at, marks=marks)
