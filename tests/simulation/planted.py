"""Bugs to be found: doubles of the product's parts, each wrong in one way that an honest day hides.

A check that cannot fail shows nothing: the simulation must catch each of these within a thousand seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any, Final, cast

from casework.case import Case, Moved
from casework.mention import Mention
from casework.reply import Outgoing
from escalation.promises import PromiseClock
from platforms.platform import Fate, Platform, Unknown
from responder.sender import Sender
from streams.case_store import CaseStore
from streams.consumer import Consumer, Result, Work
from tests.simulation.world import Process, simulate

Plant = Callable[[Process], None]


class _SkipsTheLook(Sender):
    """Posts what was approved, whatever the platform shows by now."""

    __slots__ = ()

    async def _look_before(
        self, case: Case, mention: Mention, outgoing: Outgoing, platform: Platform
    ) -> Moved | None:
        return None


class _DropsTheWait(Sender):
    """Looks at once after an unknown fate, and believes what it does not see."""

    __slots__ = ()

    def _wait_out(self, case: Case, platform: Platform) -> None:
        return

    def _look_at(self, now: datetime, platform: Platform) -> datetime:
        return now + timedelta(seconds=1)


class _RetriesBlindly(Sender):
    """Does what libraries do: an answer that is lost is asked for again."""

    __slots__ = ()

    def _platform(self, case: Case) -> Platform:
        # A mypy fact: slots and no-argument super do not go together in a dataclass that was made anew.
        return cast(Platform, _Again(Sender._platform(self, case)))


class _Again:
    """A platform whose POST is tried twice."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def __getattr__(self, name: str) -> Any:
        return getattr(self._platform, name)

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        fate = await self._platform.reply(mention, outgoing)
        return await self._platform.reply(mention, outgoing) if isinstance(fate, Unknown) else fate


class _NeverPressed:
    """A switch as a sender has it that takes what was approved before it was pressed for free to go."""

    async def paused_by(self) -> str | None:
        return None

    async def paused(self) -> bool:
        return False


class _SettlesBeforeItSaves(Consumer):
    """Settles an entry as it takes it up, and saves what came of it afterwards."""

    async def _results(self, works: Sequence[Work], *, again: bool = False) -> Sequence[Result]:
        await self._cases.settle([work.entry for work in works])
        return await super()._results(works, again=again)


class _AlarmsFromMemory(PromiseClock):
    """Wakes the cases that its own process saved, and never asks the store what is due."""

    def remember(self, cases: CaseStore) -> None:
        """Begin to remember what is saved through here."""
        self._known: dict[str, datetime | None] = {}
        cases._on_saved = self._note

    def _note(self, moved: Moved) -> None:
        self._known[moved.case.id] = moved.case.next_wake()

    async def sweep(self) -> int:
        now = self.clock.now()
        due = [case_id for case_id, at in self._known.items() if at is not None and at <= now]
        return await self._save(await self._wake(due, now))


def _sender(double: type[Sender], **other: object) -> Plant:
    """A sender of another kind, or one that is given something else."""

    def plant(process: Process) -> None:
        consumer = process.line.consumers.get("sender")
        if consumer is not None:
            right = cast(Sender, consumer._handler)
            given = {part.name: getattr(right, part.name) for part in fields(right) if part.init}
            consumer.use(double(**(given | other)))

    return plant


def _consumers(process: Process) -> None:
    for consumer in process.line.consumers.values():
        consumer.__class__ = _SettlesBeforeItSaves


def _clock(process: Process) -> None:
    line = process.line
    line.promise_clock = _AlarmsFromMemory(line.cases, line.clock, line.promise_clock.promises)
    line.promise_clock.remember(line.cases)


BUGS: Final[Mapping[str, Plant]] = {
    "skip the look before sending": _sender(_SkipsTheLook),
    "settle before saving": _consumers,
    "drop the wait after an unknown fate": _sender(_DropsTheWait),
    "retry the POST blindly": _sender(_RetriesBlindly),
    "never ask the kill switch again": _sender(Sender, switch=_NeverPressed()),
    "raise alarms from memory": _clock,
}


def caught(bug: str, *, within: int, mentions: int = 100) -> tuple[int, str] | None:
    """After how many seeds, from 0 on, a bug is caught, and by which violation; None when it is not."""
    for seed in range(within):
        figures = simulate(seed, mentions=mentions, plant=BUGS[bug])
        if figures.violation:
            return seed + 1, figures.violation
    return None
