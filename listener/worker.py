"""The listener: a feed in, cases out; the cursor moves only after what was heard is safely in the store."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from casework import moves
from casework.case import FINAL, Case, Moved
from casework.clock import Clock
from casework.errors import Conflict, IllegalMove, Unprocessable
from casework.mention import Mention
from casework.sla import Promises
from listener.tracker import Tracker
from platforms.platform import Entry, Heard, Path, Removed, Unreadable
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
    """Takes in one feed: each mention ends as a case, as part of one, or with a reason why not.

    ``promises`` are asked for anew with each mention: they change while a feed is followed.
    """

    feed: str
    cases: CaseStore
    dead: DeadLetters
    cursors: Cursors
    tracker: Tracker
    promises: Callable[[], Promises]
    clock: Clock

    async def run(self, path: Path) -> None:
        """Follow a path of a platform until it ends, through lost connections of the store."""
        while True:
            try:
                await self._follow(path)
            except LOST as error:
                log.warning("store lost, trying again", feed=self.feed, error=type(error).__name__)
                await asyncio.sleep(RECONNECT_S)
            else:
                return

    async def _follow(self, path: Path) -> None:
        async with aclosing(path.follow(await self.cursors.get(self.feed))) as stretches:
            async for stretch in stretches:
                await self.take_in(stretch)

    async def take_in(self, entries: Sequence[Entry]) -> None:
        """Take in a stretch of the feed, in order, and move the cursor past it."""
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            for entry in batch:
                if isinstance(entry, Unreadable):
                    await self._bury(entry)
            heard = [entry for entry in batch if isinstance(entry, Heard)]
            await self._hear([entry.mention for entry in heard])
            for entry in heard:
                if entry.edited:
                    await self._amend(entry.mention)
            for entry in batch:
                if isinstance(entry, Removed):
                    await self._withdraw(entry)
            cursor = next((entry.cursor for entry in reversed(batch) if entry.cursor), None)
            if cursor is not None:
                await self.cursors.set(self.feed, cursor)

    async def _amend(self, mention: Mention) -> None:
        """The words of a mention that was heard before are now these."""
        await self._change(
            mention.key,
            mention.author.id,
            lambda case: moves.amend(case, mention_key=mention.key, text=mention.text, at=self.clock.now()),
            unless=lambda known: known.text in ("", mention.text),
        )

    async def _withdraw(self, entry: Removed) -> None:
        key = f"{self._platform}:{entry.id}"
        await self._change(
            key,
            entry.author_id,
            lambda case: moves.withdraw(case, mention_key=key, at=self.clock.now()),
            unless=lambda known: not known.text,
        )

    async def _change(
        self,
        key: str,
        author_id: str,
        decide: Callable[[Case], Moved],
        *,
        unless: Callable[[Mention], bool],
    ) -> None:
        """Move the case that has a mention, however often it moves meanwhile; nothing if none has it."""
        case_id = await self.cases.case_of(key, author_id)
        for _ in range(ROUNDS if case_id else 0):
            case = await self.cases.load(case_id or "")
            known = next((mention for mention in case.mentions if mention.key == key), None)
            if known is None or unless(known):
                return
            try:
                await self.cases.save(decide(case))
            except Conflict:
                continue
            except IllegalMove:
                # A reply to it is in flight: the next look at what is still there (`Rereader`) finds it.
                return
            else:
                return

    @property
    def _platform(self) -> str:
        return self.feed.partition("/")[0]

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
            moves.hear(mention, case_id=new, at=now, promises=self.promises())
            for mention, new in zip(opening, ids, strict=True)
        ]
        return opened + [self._join(case, mention, now) for mention, case in joining]

    def _join(self, case: Case, mention: Mention, now: datetime) -> Moved:
        return moves.join(case, mention, at=now, promises=self.promises())
