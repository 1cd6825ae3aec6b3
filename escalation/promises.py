"""The promise clock: takes what falls due through the one door, exactly once whoever else does too.

Deadlines are data in the store: the sweep finds everything that is due, however late it is called.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from casework import moves
from casework.case import Case, Moved
from casework.clock import Clock
from casework.errors import Conflict
from casework.sla import Promises
from streams.case_store import CaseStore, Write

AT_ONCE: Final = 64
_NONE: Final = Promises(())
"""How many cases a partition gives to one look."""


@dataclass(slots=True)
class PromiseClock:
    """Raises what is due: warnings, breaches, the ladder, ended snoozes, sends to look for.

    ``promises`` are the brand's: they know who is told again of a promise that stays broken.
    """

    cases: CaseStore
    clock: Clock
    promises: Promises = _NONE

    async def sweep(self) -> int:
        """Take everything that is due now; returns how many cases moved.

        A case that somebody else moves meanwhile is theirs, or due again at the next sweep.
        """
        moved = 0
        while True:
            now = self.clock.now()
            due = await self.cases.due(now, at_most=AT_ONCE)
            won = await self.wake(due, now)
            moved += won
            # Fewer than a partition may give: every partition has given all it had.
            if won == 0 or len(due) < AT_ONCE:
                return moved

    async def wake(self, due: Sequence[Case], now: datetime) -> int:
        """Wake these cases; returns how many moved."""
        writes = [Write(woken) for case in due if (woken := self._woken(case, now)) is not None]
        outcomes = await self.cases.save_all(writes)
        return sum(not isinstance(outcome, Conflict) for outcome in outcomes)

    def _woken(self, case: Case, now: datetime) -> Moved | None:
        return moves.wake(case, at=now, promises=self.promises)
