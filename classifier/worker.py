"""The classifier's stage: judges the last mention of each new case, many texts in one pass."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from casework import moves
from casework.case import Status
from casework.classification import Classification
from casework.clock import Clock
from casework.sla import Promises
from streams.consumer import Result, Work

Judge = Callable[[Sequence[str]], Sequence[Classification]]
"""Texts in, one judgement each out, in order."""


@dataclass(frozen=True, slots=True)
class ClassifierWorker:
    """Judges a batch of cases. The model runs in a thread of its own, so that nothing else waits for it."""

    judge: Judge
    promises: Promises
    clock: Clock

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """One `Moved` for each case that is still new; None for one that moved on."""
        waiting = [work.case for work in works if work.case.status is Status.NEW]
        judged = await asyncio.to_thread(self.judge, [case.last.text for case in waiting]) if waiting else []
        now = self.clock.now()
        moved = {
            case.id: moves.classify(case, judgement, at=now, promises=self.promises)
            for case, judgement in zip(waiting, judged, strict=True)
        }
        return [moved.get(work.case.id) for work in works]
