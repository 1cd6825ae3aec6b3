"""Counts anew what open cases are owed once the brand promises something else.

Beside the sweep and not in it: no alarm waits until a million cases are counted. Each change is a move
through the one door and on the case's timeline; the store remembers by which promises it was last counted,
so that it is done once, also when the promises changed while nothing ran.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final

import structlog

from casework import moves
from casework.case import OPEN
from casework.clock import Clock
from casework.errors import Conflict
from casework.sla import Promises
from streams.case_store import CaseStore, Write
from streams.switch import Cursors

log = structlog.get_logger(__name__)

AT_ONCE: Final = 256
_OPEN: Final = tuple(sorted(OPEN))
_COUNTED_BY: Final = "promises/counted-by"
_CHANGED: Final = "the brand promises something else now"


@dataclass(slots=True)
class Recounter:
    """Recounts when the promises that are used are not those that the store was last counted by."""

    cases: CaseStore
    clock: Clock
    done: Cursors
    promises: Promises
    counted: bool = False

    def use(self, promises: Promises) -> None:
        """Count by these promises from the next ring on."""
        self.promises, self.counted = promises, False

    async def recount(self) -> int:
        """Count what open cases are owed by the present promises, if that was not done; how many changed.

        Whoever moves a case meanwhile takes it first; then it is counted in another round.
        """
        if self.counted:
            return 0
        wanted = fingerprint(self.promises)
        before = await self.done.get(_COUNTED_BY)
        if before == wanted:
            self.counted = True
            return 0
        changed = 0
        if before is not None:
            ids = [case_id for _, case_id in await self.cases.ids_in(_OPEN)]
            for start in range(0, len(ids), AT_ONCE):
                changed += await self._recount(ids[start : start + AT_ONCE])
        await self.done.set(_COUNTED_BY, wanted)
        self.counted = True
        if changed:
            log.info("promises changed, open cases were counted anew", cases=changed)
        return changed

    async def _recount(self, case_ids: Sequence[str]) -> int:
        changed, left = 0, list(case_ids)
        while left:
            cases = [case for case in await self.cases.load_all(left) if case is not None and case.open]
            now = self.clock.now()
            counted = [moves.recount(case, at=now, promises=self.promises, why=_CHANGED) for case in cases]
            moved = [one for one in counted if one is not None]
            outcomes = await self.cases.save_all([Write(one) for one in moved])
            left = [
                one.case.id
                for one, outcome in zip(moved, outcomes, strict=True)
                if isinstance(outcome, Conflict)
            ]
            changed += len(moved) - len(left)
        return changed


def fingerprint(promises: Promises) -> str:
    """Tells two sets of promises, with their hours, apart; the same in every process."""
    return sha256(json.dumps(asdict(promises), default=_plain, sort_keys=True).encode()).hexdigest()


def _plain(value: object) -> object:
    return sorted(map(str, value)) if isinstance(value, frozenset) else str(value)
