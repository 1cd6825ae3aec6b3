"""The classifier's stage: judges the last mention of each new case, many texts in one pass."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from casework import moves
from casework.case import Case, Move, Status
from casework.classification import Classification, Sentiment
from casework.clock import Clock
from casework.sla import Promises
from streams.consumer import Result, Work
from streams.volume import Volume

Judge = Callable[[Sequence[str]], Sequence[Classification]]
"""Texts in, one judgement each out, in order."""

FRESH: Final = timedelta(minutes=15)
"""What was written longer ago is a backlog: it says nothing about how much is said now."""


@dataclass(frozen=True, slots=True)
class ClassifierWorker:
    """Judges a batch of cases. The model runs in a thread of its own, so that nothing else waits for it."""

    judge: Judge
    promises: Promises
    clock: Clock
    volume: Volume

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """One `Moved` for each case that is still new; None for one that moved on."""
        waiting = [work.case for work in works if work.case.status is Status.NEW]
        judged = await asyncio.to_thread(self.judge, [case.last.text for case in waiting]) if waiting else []
        now = self.clock.now()
        await self._count(waiting, judged, now)
        moved = {
            case.id: moves.classify(case, judgement, at=now, promises=self.promises)
            for case, judgement in zip(waiting, judged, strict=True)
        }
        return [moved.get(work.case.id) for work in works]

    async def _count(self, cases: Sequence[Case], judged: Sequence[Classification], now: datetime) -> None:
        """Count what is said now. An edited mention was counted when it was new.

        Whoever dies before the batch is saved leaves it to be judged, and counted, once more: a few too
        many in one slot, which is no reason to ask the store about each mention.
        """
        fresh = [
            judgement
            for case, judgement in zip(cases, judged, strict=True)
            if case.moved != Move.AMEND and now - case.last.created_at <= FRESH
        ]
        if fresh:
            negative = sum(judgement.sentiment is Sentiment.NEGATIVE for judgement in fresh)
            await self.volume.count(now, len(fresh), negative)
