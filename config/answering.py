"""Who answers while a recorded day is played: nobody, people at a pace, or people as they once did.

Answers are posted by hand, as a person would who needs no draft: what they say is nobody's matter here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from casework import moves
from casework.case import LEGAL, WITH_PEOPLE, Case, Move, Moved, due_next
from casework.hours import OpeningHours
from streams.case_store import CaseStore

PEOPLE: Final = "people"
"""Who moved, on the timelines of a store that is thrown away."""


class People(Protocol):
    """The people at the desk of a recorded day."""

    def saw(self, moved: Moved) -> None:
        """A move was saved."""
        ...

    def next_at(self) -> datetime | None:
        """When somebody does something next; None when nobody will."""
        ...

    async def act(self, cases: CaseStore, now: datetime, /) -> bool:
        """Do what people have done by now; tells whether they did anything."""
        ...


class Nobody:
    """Nobody is at the desk."""

    def saw(self, moved: Moved) -> None:
        """Nobody looks."""

    def next_at(self) -> datetime | None:
        """Never."""
        return None

    async def act(self, _cases: CaseStore, _now: datetime) -> bool:
        """Nothing."""
        return False


@dataclass(slots=True)
class AtPace:
    """People answer so many cases an hour, the earliest promise first, while the desk is open.

    One answer takes its part of an hour, from when a case waits and the one before is done.
    """

    per_hour: float
    hours: OpeningHours
    _waiting: dict[str, Case] = field(default_factory=dict)
    _done_at: datetime | None = None
    _next_at: datetime | None = None

    def saw(self, moved: Moved) -> None:
        """Keep the cases that owe somebody an answer and wait for people."""
        case = moved.case
        if case.status not in WITH_PEOPLE or due_next(case) is None:
            self._waiting.pop(case.id, None)
        else:
            self._waiting[case.id] = case
            if self._next_at is None:
                at = moved.timeline[-1].at
                self._next_at = self._after(max(at, self._done_at or at))

    def _after(self, start: datetime) -> datetime:
        return self.hours.add(start, timedelta(hours=1 / self.per_hour))

    def next_at(self) -> datetime | None:
        """When the answer that somebody is at is done."""
        return self._next_at if self._waiting else None

    async def act(self, cases: CaseStore, now: datetime) -> bool:
        """Post the answers that are done."""
        acted = False
        while self._waiting and self._next_at is not None and self._next_at <= now:
            self._done_at, self._next_at = self._next_at, self._after(self._next_at)
            await _answer(cases, min(self._waiting.values(), key=_most_urgent), self._done_at)
            acted = True
        if not self._waiting:
            self._next_at = None
        return acted


def _most_urgent(case: Case) -> tuple[datetime, str]:
    due = due_next(case)
    return due.due_at if due else case.opened_at, case.id


@dataclass(frozen=True, slots=True, order=True)
class Deed:
    """What a person once did about a mention: answered it, or closed its case without an answer."""

    at: datetime
    mention: str
    closed: bool = False


class AsRecorded:
    """People do what they did, when they did it; where nobody is asked now, nothing is done."""

    def __init__(self, deeds: Sequence[Deed]) -> None:
        self._deeds = sorted(deeds)

    def saw(self, moved: Moved) -> None:
        """What they did was decided long ago."""

    def next_at(self) -> datetime | None:
        """When the next deed was done."""
        return self._deeds[0].at if self._deeds else None

    async def act(self, cases: CaseStore, now: datetime) -> bool:
        """Do what was done by now."""
        acted = False
        while self._deeds and self._deeds[0].at <= now:
            deed = self._deeds.pop(0)
            case_id = await cases.case_of(deed.mention)
            case = await cases.load(case_id) if case_id is not None else None
            if case is not None and case.status in LEGAL[Move.POST_BY_HAND]:
                await (_close if deed.closed else _answer)(cases, case, deed.at)
                acted = True
        return acted


async def _answer(cases: CaseStore, case: Case, at: datetime) -> None:
    await cases.save(moves.post_by_hand(case, by=PEOPLE, at=at, text=""))


async def _close(cases: CaseStore, case: Case, at: datetime) -> None:
    await cases.save(moves.close(case, by=PEOPLE, at=at, reason="as recorded"))
