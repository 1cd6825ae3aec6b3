"""The cases that wait for people, read once for all open tabs and kept true by the changes they hear of."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from casework.case import WITH_PEOPLE, Case
from streams.case_store import CaseStore, Change
from webdesk.views import counts_of, state_of

FULL_READ_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class _Shown:
    """How a case stands, until it changes or something falls due on it."""

    version: int
    until: datetime | None
    style: str


class Waiting:
    """The waiting cases; tabs that ask at the same moment share one reading."""

    def __init__(self, store: CaseStore) -> None:
        self._store = store
        self._lock = asyncio.Lock()
        self._cases: dict[str, Case] = {}
        self._left: dict[str, Case] = {}
        self._shown: dict[str, _Shown] = {}
        self._taken = float("-inf")

    async def read(self, *, at_most_old: float = 0.0) -> list[Case]:
        """The waiting cases as of this call, or at most so many seconds older."""
        asked = time.monotonic() - at_most_old
        async with self._lock:
            if self._taken < asked:
                await self._read_all()
            return list(self._cases.values())

    async def after(self, changes: Iterable[Change]) -> list[Case]:
        """The cases that changed, waiting or not, at these changes or later; only they are read."""
        newest: dict[str, int] = {}
        for change in changes:
            newest[change.case_id] = max(change.version, newest.get(change.case_id, 0))
        async with self._lock:
            if self._taken < time.monotonic() - FULL_READ_EVERY_S:
                await self._read_all()
            stale = [case_id for case_id, version in newest.items() if self._version(case_id) < version]
            for case in await self._store.load_all(stale):
                if case is not None:
                    self._put(case)
            found = (self._cases.get(case_id) or self._left.get(case_id) for case_id in newest)
            return [case for case in found if case is not None]

    def counts(self, now: datetime) -> dict[str, int]:
        """How many wait, and how many of them are late, at risk and not sent, as last read."""
        return counts_of(Counter(self._style(case, now) for case in self._cases.values()))

    def _style(self, case: Case, now: datetime) -> str:
        shown = self._shown.get(case.id)
        if shown is None or shown.version != case.version or (shown.until is not None and shown.until <= now):
            shown = _Shown(case.version, case.next_wake(), state_of(case, now).style)
            self._shown[case.id] = shown
        return shown.style

    async def _read_all(self) -> None:
        taken = time.monotonic()
        # A case that moves between two statuses while they are read may be in both, or in neither.
        self._cases = {case.id: case async for case in self._store.every(tuple(WITH_PEOPLE))}
        self._left = {key: case for key, case in self._cases.items() if case.status not in WITH_PEOPLE}
        for case_id in self._left:
            del self._cases[case_id]
        self._shown = {key: shown for key, shown in self._shown.items() if key in self._cases}
        self._taken = taken

    def _version(self, case_id: str) -> int:
        case = self._cases.get(case_id) or self._left.get(case_id)
        return case.version if case else 0

    def _put(self, case: Case) -> None:
        self._cases.pop(case.id, None)
        self._left.pop(case.id, None)
        (self._cases if case.status in WITH_PEOPLE else self._left)[case.id] = case
