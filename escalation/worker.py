"""The escalation's stage: announces every case that waits for a person, by the ways there are."""

from collections.abc import Sequence
from dataclasses import dataclass

from casework.case import WITH_PEOPLE
from escalation.alerts import Herald
from streams.consumer import Result, Work


@dataclass(frozen=True, slots=True)
class EscalationWorker:
    """Announces cases. What is announced twice is the same card; what moved on needs no announcement."""

    herald: Herald

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """None for each: announcing changes nothing about a case."""
        for work in works:
            if work.case.status in WITH_PEOPLE:
                await self.herald.announce(work.case)
        return [None] * len(works)
