"""Looks again at what was heard: deleted posts lose their words here too, edited ones are read anew.

Streams tell of deletions and edits at once where they can; this is the truth behind them (X12, R4, B4), and
how a colleague's answer on the platform itself is noticed.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from casework import moves
from casework.case import ALL, WITH_PEOPLE, Case, Moved
from casework.clock import Clock
from casework.errors import Conflict, IllegalMove
from casework.mention import Mention
from platforms.faults import Fault
from platforms.platform import Gone, Platform
from streams.case_store import CaseStore
from streams.switch import Cursors

log = structlog.get_logger(__name__)

EVERY: Final = timedelta(hours=12)
"""How often each mention is looked at again. X wants what it deleted gone within 24 hours (X12)."""

AT_ONCE: Final = 100
PAGE: Final = 2_000
ANSWERS_AT_ONCE: Final = 20
BACK: Final = timedelta(days=2)
"""How old a case may be for a colleague's answer to be looked for: older ones are not answered in passing."""


@dataclass(slots=True)
class Rereader:
    """Looks again at the mentions of every case; positions are kept in the store, so a restart goes on.

    ``forget`` makes the store drop what it still has on disk of words that were taken away. What is
    merely too old is `listener.retention`'s.
    """

    cases: CaseStore
    cursors: Cursors
    platforms: Mapping[str, Platform]
    clock: Clock
    forget: Callable[[], Awaitable[object]]
    _looked: dict[str, datetime] = field(default_factory=dict)

    async def look_again(self) -> None:
        """Every mention that is due, on every platform; one that cannot be read now is tried next time."""
        for name, platform in self.platforms.items():
            if not await self._due(name):
                continue
            try:
                withdrawn = await self._look_through(name, platform)
            except Fault as fault:
                log.warning("looking again stopped", platform=name, why=str(fault))
                continue
            await self.cursors.set(f"reread/{name}/done", self.clock.now().isoformat())
            log.info("looked again", platform=name, withdrawn=withdrawn)
            if withdrawn:
                await self.forget()

    async def _due(self, name: str) -> bool:
        done = await self.cursors.get(f"reread/{name}/done")
        return done is None or self.clock.now() - datetime.fromisoformat(done) >= EVERY

    async def _look_through(self, name: str, platform: Platform) -> int:
        withdrawn, cursor = 0, await self.cursors.get(f"reread/{name}") or None
        while True:
            page = await self.cases.page(tuple(ALL), limit=PAGE, cursor=cursor)
            here = [case for case in page.cases if case.platform == name]
            due = [(case, mention) for case in here for mention in case.mentions if mention.text]
            for start in range(0, len(due), AT_ONCE):
                withdrawn += await self._compare(platform, due[start : start + AT_ONCE])
            cursor = page.cursor
            await self.cursors.set(f"reread/{name}", cursor or "")
            if cursor is None:
                return withdrawn

    async def _compare(self, platform: Platform, due: Sequence[tuple[Case, Mention]]) -> int:
        seen = await platform.reread_all([mention for _, mention in due])
        withdrawn = 0
        for (case, mention), found in zip(due, seen, strict=True):
            if isinstance(found, Gone):
                withdrawn += await self._move(
                    case.id, partial(moves.withdraw, mention_key=mention.key, at=self.clock.now())
                )
            elif found.text != mention.text:
                amend = partial(moves.amend, mention_key=mention.key, text=found.text, at=self.clock.now())
                await self._move(case.id, amend)
        return withdrawn

    async def _move(self, case_id: str, decide: Callable[[Case], Moved]) -> bool:
        try:
            await self.cases.move(case_id, decide)
        except (Conflict, IllegalMove):
            # It moved meanwhile, or a reply to it is in flight: the next look finds it as it is then.
            return False
        return True

    async def look_for_answers(self) -> int:
        """Whether colleagues answered on the platform themselves: their answer keeps the promise.

        A few cases at a time, those not looked at for longest first; returns how many were answered.
        """
        now = self.clock.now()
        waiting = [
            case
            async for case in self.cases.every(tuple(WITH_PEOPLE))
            if case.platform in self.platforms and now - case.opened_at < BACK
        ]
        self._looked = {case.id: self._looked[case.id] for case in waiting if case.id in self._looked}
        waiting.sort(key=lambda case: (case.id in self._looked, self._looked.get(case.id, now)))
        answered = 0
        for case in waiting[:ANSWERS_AT_ONCE]:
            self._looked[case.id] = now
            try:
                answered += await self._look_for_answer(case)
            except Fault as fault:
                log.info("no look for answers", platform=case.platform, why=str(fault))
                break
        return answered

    async def _look_for_answer(self, case: Case) -> bool:
        platform = self.platforms[case.platform]
        ours = frozenset(reply.id for reply in case.replies)
        reply_id = await platform.answered(case.last, ours=ours)
        if reply_id is None:
            return False
        posted = partial(
            moves.post_by_hand,
            by=f"a colleague on {case.platform}",
            at=self.clock.now(),
            text="",
            reply_id=reply_id,
            # The customer may have written again since the case was read.
            answers=case.last.key,
        )
        return await self._move(case.id, posted)
