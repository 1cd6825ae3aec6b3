"""Alerts reach people: at risk goes to whoever owns the case, a breach climbs the ladder of managers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from casework import moves
from casework.case import Case
from casework.clock import Clock
from casework.sla import Alert, PromiseState
from streams import codec
from streams.consumer import Result, Work


class Herald(Protocol):
    """A way to tell people something about a case, without its text."""

    @property
    def name(self) -> str:
        """What the timeline calls this way."""
        ...

    async def announce(self, case: Case) -> None:
        """A case waits for a person."""
        ...

    async def alert(self, case: Case, alert: Alert) -> None:
        """A promise is at risk or broken. May raise `TryAgainLater`; told twice is better than never."""
        ...


@dataclass(frozen=True, slots=True)
class AlertWorker:
    """Delivers each alert and writes on the timeline who was told, which way."""

    herald: Herald
    clock: Clock

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """One `tell` move for each alert."""
        return [await self._one(work) for work in works]

    async def _one(self, work: Work) -> Result:
        if not work.entry.alert:
            return None
        alert = codec.read_alert(work.entry.alert)
        if alert.state is PromiseState.AT_RISK:
            alert = replace(alert, to=work.case.owner or "everybody on duty")
        await self.herald.alert(work.case, alert)
        return moves.tell(work.case, alert, at=self.clock.now(), where=self.herald.name)
