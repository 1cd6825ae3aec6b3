"""The promise clock: takes what falls due through the one door, exactly once whoever else does too.

Deadlines are data in the store: the sweep finds everything that is due, however late it is called. It asks
only for what is due, so what is not costs nothing; several clocks may sweep one store, and the door lets
each case be moved by one of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom
from typing import Final

import structlog

from casework import moves
from casework.case import Case, Moved
from casework.clock import Clock
from casework.errors import Conflict
from casework.sla import Promises
from streams import topics
from streams.case_store import CaseStore, Write

log = structlog.get_logger(__name__)

AT_ONCE: Final = 64
"""How many cases a partition gives to one look."""

TOGETHER: Final = 256
"""How many cases are woken at once: a burst must not keep a click in Slack waiting."""


@dataclass(slots=True)
class PromiseClock:
    """Raises what is due: warnings, breaches, the ladder, ended snoozes, sends to look for.

    ``promises`` are the brand's: they know who is told again of a promise that stays broken. Clocks that race
    begin with different partitions (``first``), as two that go in step do all the work twice.
    """

    cases: CaseStore
    clock: Clock
    promises: Promises | None = None
    first: int = field(default_factory=lambda: SystemRandom().randrange(topics.PARTITIONS))

    async def sweep(self) -> int:
        """Take everything that is due now; returns how many cases moved.

        A case that somebody else moves meanwhile is theirs, or due again at the next sweep. What cannot be
        woken is passed over: it keeps nothing behind it waiting.
        """
        moved, left = 0, dict.fromkeys(self._partitions(), 0)
        while left:
            now = self.clock.now()
            # Asked anew for each part of a burst: what others took meanwhile costs nothing.
            due = await self.cases.due_ids(now, left, at_most=AT_ONCE)
            taken = _together(due)
            woken = await self._wake([case_id for ids in taken.values() for case_id in ids], now)
            moved += await self._save(woken)
            waiting = {p: left[p] for p, ids in due.items() if ids and p not in taken}
            left = _not_exhausted(taken, left, woken) | waiting
        return moved

    def _partitions(self) -> list[int]:
        every = [*topics.all_partitions()]
        return every[self.first :] + every[: self.first]

    async def _wake(self, case_ids: Sequence[str], now: datetime) -> list[Moved]:
        found = await self.cases.load_readable(case_ids)
        return [moved for case in found if case and (moved := self._woken(case, now))]

    async def wake(self, due: Sequence[Case], now: datetime) -> int:
        """Wake these cases; returns how many moved."""
        return await self._save([woken for case in due if (woken := self._woken(case, now)) is not None])

    async def _save(self, woken: Sequence[Moved]) -> int:
        outcomes = await self.cases.save_all([Write(moved) for moved in woken])
        return sum(not isinstance(outcome, Conflict) for outcome in outcomes)

    def _woken(self, case: Case, now: datetime) -> Moved | None:
        try:
            return moves.wake(case, at=now, promises=self.promises)
        except Exception:
            # Whatever is wrong with one case, the alarms of all others are raised.
            log.exception("a case that cannot be woken", case=case.id)
            return None


def _together(due: Mapping[int, Sequence[str]]) -> dict[int, Sequence[str]]:
    """The first partitions that gave something, so many that their cases can be woken at once."""
    together, cases = dict[int, Sequence[str]](), 0
    for partition, ids in due.items():
        cases += len(ids)
        if together and cases > TOGETHER:
            break
        if ids:
            together[partition] = ids
    return together


def _not_exhausted(
    taken: Mapping[int, Sequence[str]], left: Mapping[int, int], woken: Sequence[Moved]
) -> dict[int, int]:
    """The partitions that gave all they may, and how many of their first ones cannot be woken."""
    moved = Counter(topics.partition_of_case(one.case.id) for one in woken)
    return {p: left[p] + len(ids) - moved[p] for p, ids in taken.items() if len(ids) == AT_ONCE}
