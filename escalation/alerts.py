"""Alerts reach people: at risk goes to whoever owns the case, a breach climbs the ladder of managers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from casework import moves
from casework.case import Case
from casework.clock import Clock
from casework.sla import BACKUP, OWNER, Alert
from streams import codec
from streams.consumer import Result, Work

ON_DUTY: Final = "everybody on duty"


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
    backup: str | None = None

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """One `tell` move for each alert."""
        return [await self._one(work) for work in works]

    async def _one(self, work: Work) -> Result:
        if not work.entry.alert:
            return None
        alert = codec.read_alert(work.entry.alert)
        alert = replace(alert, to=self._whom(work.case, alert))
        await self.herald.alert(work.case, alert)
        return moves.tell(work.case, alert, at=self.clock.now(), where=self.herald.name)

    def _whom(self, case: Case, alert: Alert) -> str:
        """Whoever is meant by the owner, and by who stands in for one; others are called what they are."""
        backup = self.backup or ON_DUTY
        if alert.to == OWNER:
            return case.owner or backup
        return backup if alert.to == BACKUP else alert.to
