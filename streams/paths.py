"""How well each path hears, as the process that listens last said: for the desk, the doctor, `/readyz`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from streams.connection import Store

KEY: Final = "heard:paths"
STALE: Final = timedelta(seconds=60)
"""A report that is older was made by a process that is gone."""


@dataclass(frozen=True, slots=True)
class PathReport:
    """One path of a platform: ``name`` is ``platform/path``, ``words`` say how it stands."""

    name: str
    ok: bool
    words: str
    since: datetime
    reported_at: datetime
    last_at: datetime | None = None
    connects: int = 0

    def stale(self, now: datetime) -> bool:
        """Whether nobody listens there any more."""
        return now - self.reported_at > STALE


class PathReports:
    """The latest report of every path."""

    def __init__(self, store: Store) -> None:
        self._writes = store.writes

    async def put(self, reports: list[PathReport]) -> None:
        """Say how paths stand; what was said of them before is forgotten."""
        if reports:
            await self._writes.hset(KEY, mapping={r.name: msgspec.json.encode(r) for r in reports})

    async def every(self) -> list[PathReport]:
        """What was said last of each path, by name."""
        raw: Any = await self._writes.hgetall(KEY)
        return sorted((msgspec.json.decode(r, type=PathReport) for r in raw.values()), key=lambda r: r.name)
