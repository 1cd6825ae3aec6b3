"""The listener: a feed in, cases out; the cursor moves only after what was heard is safely in the store."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from casework import moves
from casework.case import FINAL, Case, Moved
from casework.clock import Clock
from casework.errors import Conflict, Unprocessable
from casework.mention import Mention
from casework.sla import Promises
from listener.tracker import Tracker
from platforms.platform import Heard, Platform, Unreadable
from streams.case_store import CaseStore, Write
from streams.connection import LOST
from streams.dead_letters import DeadLetters
from streams.switch import Cursors

log = structlog.get_logger(__name__)

ROUNDS: Final = 20
BATCH: Final = 512
RECONNECT_S: Final = 1.0


@dataclass(slots=True)
class Listener:
    """Takes in one feed: each mention ends as a case, as part of one, or with a reason why not."""

    feed: str
    cases: CaseStore
    dead: DeadLetters
    cursors: Cursors
    tracker: Tracker
    promises: Promises
    clock: Clock

    async def run(self, platform: Platform) -> None:
        """Follow a platform until its feed ends, through lost connections of the store."""
        while True:
            try:
                await self._follow(platform)
            except LOST as error:
                log.warning("store lost, trying again", feed=self.feed, error=type(error).__name__)
                await asyncio.sleep(RECONNECT_S)
            else:
                return

    async def _follow(self, platform: Platform) -> None:
        async for entry in platform.follow(await self.cursors.get(self.feed)):
            await self.take_in([entry])

    async def take_in(self, entries: Sequence[Heard | Unreadable]) -> None:
        """Take in a stretch of the feed, in order, and move the cursor past it."""
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            for entry in batch:
                if isinstance(entry, Unreadable):
                    await self._bury(entry)
            await self._hear([entry.mention for entry in batch if isinstance(entry, Heard)])
            await self.cursors.set(self.feed, batch[-1].cursor)

    async def _bury(self, entry: Unreadable) -> None:
        log.warning("unreadable line", where=entry.where, why=entry.why)
        await self.dead.bury_line(entry.where, entry.raw, entry.why, at=self.clock.now())

    async def _hear(self, mentions: Sequence[Mention]) -> None:
        todo: Sequence[Mention] = await self._pass_over(mentions)
        for _ in range(ROUNDS * BATCH):
            if not todo:
                return
            todo = await self._round(todo)
        raise Unprocessable("mentions could not be taken in: their cases never stood still")

    async def _pass_over(self, mentions: Sequence[Mention]) -> list[Mention]:
        reasons = [self.tracker.pass_over(mention) for mention in mentions]
        for mention, reason in zip(mentions, reasons, strict=True):
            if reason is not None:
                await self.cases.pass_over(mention, reason)
        return [mention for mention, reason in zip(mentions, reasons, strict=True) if reason is None]

    async def _round(self, mentions: Sequence[Mention]) -> list[Mention]:
        """Take in the first mention of each author; returns what is left, in order.

        One at a time an author: the second must find the case that the first one opened.
        """
        first: dict[tuple[str, str], Mention] = {}
        for mention in mentions:
            first.setdefault((mention.platform, mention.author.id), mention)
        moved = await self._moves(list(first.values()))
        outcomes = await self.cases.save_all([Write(move) for move in moved])
        overtaken = {m.heard for m, end in zip(moved, outcomes, strict=True) if isinstance(end, Conflict)}
        taken = {mention.key for mention in first.values()} - overtaken
        return [mention for mention in mentions if mention.key not in taken]

    async def _moves(self, mentions: Sequence[Mention]) -> list[Moved]:
        now = self.clock.now()
        # Only what belongs to something said before can have a case; whether a mention was heard before
        # the door itself checks.
        following = [mention for mention in mentions if mention.follows]
        known = await self.cases.known(following)
        asked = [(m, case_id) for m, (seen, case_id) in zip(following, known, strict=True) if seen is None]
        cases = await self.cases.load_all([case_id for _, case_id in asked if case_id is not None])
        found = {case.id: case for case in cases if case is not None and case.status not in FINAL}
        joining = [(mention, found[case_id]) for mention, case_id in asked if case_id in found]
        opening = [mention for mention in mentions if not mention.follows]
        opening += [mention for mention, case_id in asked if case_id not in found]
        ids = await self.cases.new_ids(opening)
        opened = [
            moves.hear(mention, case_id=new, at=now, promises=self.promises)
            for mention, new in zip(opening, ids, strict=True)
        ]
        return opened + [self._join(case, mention, now) for mention, case in joining]

    def _join(self, case: Case, mention: Mention, now: datetime) -> Moved:
        return moves.join(case, mention, at=now, promises=self.promises)
