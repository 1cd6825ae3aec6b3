"""The sender: the only code that posts. Never two replies, never none.

What a customer gets is decided elsewhere; here it is carried out so that whatever dies when, exactly one
reply arrives: the intent is on disk before anything leaves; one POST, no retries; an attempt whose fate
is unknown is looked for only once nothing of it can still be in flight, and then recorded or repeated
byte for byte. The clock brings such a case back (`Case.look_at`), so nothing depends on this process.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from casework import moves
from casework.case import IN_FLIGHT, WITH_THE_SENDER, Case, Moved, Status
from casework.clock import Clock
from casework.errors import Conflict, HeardError, TryAgainLater
from casework.mention import Mention
from casework.reply import Outgoing, Way
from casework.sla import Promises
from platforms.platform import DEADLINE, Busy, Fate, Gone, Platform, Posted, Refused, Unknown
from platforms.rules import Action, Situation, TermsOf, may, said
from streams.case_store import CaseStore, Entry
from streams.consumer import Result, Work
from streams.switch import AutomaticPause, PauseSwitch

log = structlog.get_logger(__name__)

MARGIN: Final = timedelta(seconds=5)
PAUSE_CHECK: Final = timedelta(seconds=1)
RECORD_ROUNDS: Final = 50
STOPPED_IN_TIME: Final = "the author asked not to be answered, just in time (rule X5)"


@dataclass(frozen=True, slots=True)
class Sender:
    """Posts what was decided, one POST an attempt, and records what became of it."""

    cases: CaseStore
    platforms: Mapping[str, Platform]
    terms: TermsOf
    switch: PauseSwitch
    pause: AutomaticPause
    promises: Promises
    clock: Clock

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """Each case in turn: a platform's answers are awaited one at a time."""
        return [await self._one(work) for work in works]

    async def _one(self, work: Work) -> Result:
        case = work.case
        try:
            if case.status is Status.APPROVED and case.look_at is None:
                return await self._first_attempt(case, work.entry)
            if case.taking_back and case.status not in WITH_THE_SENDER:
                await self._platform(case).take_back(case.taking_back)
                return moves.take_back(case, at=self.clock.now(), promises=self.promises)
            if case.status in IN_FLIGHT and case.look_at is None:
                return await self._look(case, work.entry)
        except (TryAgainLater, Conflict) as fate:
            return fate
        # Moved on, or waiting until the clock brings it back.
        return None

    # ── before ───────────────────────────────────────────────────────────────────────────────────

    async def _first_attempt(self, case: Case, entry: Entry) -> Result:
        mention, outgoing = _decided(case)
        platform = self._platform(case)
        # Before the look, which costs the platform a read, and again after it, just before the post.
        await self._check_switch()
        stopped = await self._look_before(case, mention, outgoing, platform)
        if stopped is not None:
            return stopped
        await self._check_switch()
        now = self.clock.now()
        begun = await self.cases.save(moves.begin_sending(case, at=now, look_at=self._look_at(now, platform)))
        return await self._post(begun, entry, platform)

    async def _look_before(
        self, case: Case, mention: Mention, outgoing: Outgoing, platform: Platform
    ) -> Moved | None:
        """The move that keeps the reply from leaving; None when nothing speaks against it."""
        now = self.clock.now()
        seen = await platform.reread(mention)
        if isinstance(seen, Gone):
            return moves.withdraw(case, mention_key=mention.key, at=now)
        if seen.text != mention.text:
            return moves.amend(case, mention_key=mention.key, text=seen.text, at=now)
        situation = await self._situation(case, mention, outgoing)
        ours = frozenset(reply.id for reply in case.replies)
        why = (
            _too_late(outgoing, now)
            or _forbidden(situation, outgoing)
            or _somebody(await platform.answered(mention, ours=ours))
            or await self._resting(outgoing)
        )
        if not why:
            return None
        # The case goes to people: what it says from now on is whether their reply may be posted.
        return moves.stop_sending(case, at=now, why=why, permission=may(situation, Action.REPLY))

    async def _situation(self, case: Case, mention: Mention, outgoing: Outgoing) -> Situation:
        """The case under the settings and the opt-outs of now."""
        opted_out = await self.cases.opted_out(case.platform, case.author.id)
        terms = self.terms(case.platform)
        return Situation.of(case, mention, terms, opted_out=opted_out, sending=outgoing)

    async def _resting(self, outgoing: Outgoing) -> str | None:
        """Why what nobody read stays in: a spike began since it was decided."""
        return await self.pause.paused() if outgoing.automatic else None

    async def _check_switch(self) -> None:
        by = await self.switch.paused_by()
        if by is not None:
            raise TryAgainLater(f"sending was stopped by {by}", after=PAUSE_CHECK)

    # ── the one POST ─────────────────────────────────────────────────────────────────────────────

    async def _post(self, case: Case, entry: Entry, platform: Platform) -> Result:
        mention, outgoing = _decided(case)
        if await self.cases.opted_out(case.platform, case.author.id):
            # The last thing that is asked before the post: whoever says stop until here is heard (X5).
            return moves.refuse(case, at=self.clock.now(), why=STOPPED_IN_TIME)
        try:
            async with asyncio.timeout(DEADLINE.total_seconds()):
                fate = await platform.reply(mention, outgoing)
        except TimeoutError:
            fate = Unknown(f"no answer within {DEADLINE.seconds} s")
        except Exception as error:
            # A platform's bug must not hide that something may be out.
            log.exception("platform failed", platform=platform.name, case=case.id)
            fate = Unknown(f"{type(error).__name__} while posting")
        return await self._record(case, entry, fate, platform)

    async def _record(self, case: Case, entry: Entry, fate: Fate, platform: Platform) -> Result:
        """Write down what became of the attempt, whatever else happened to the case meanwhile."""
        for _ in range(RECORD_ROUNDS):
            try:
                await self.cases.save(self._ended(case, fate, platform), settle=entry)
            except Conflict:
                case = await self.cases.load(case.id)
            else:
                return None
        raise HeardError(f"{case.id} never stood still to record its reply; the clock will look for it")

    def _ended(self, case: Case, fate: Fate, platform: Platform) -> Moved:
        now = self.clock.now()
        if isinstance(fate, Posted):
            return moves.sent(case, reply_id=fate.id, posted_at=fate.at, at=now, promises=self.promises)
        if isinstance(fate, Refused):
            return moves.refuse(case, at=now, why=fate.why)
        if isinstance(fate, Busy) and case.status is Status.SENDING:
            return moves.wait_its_turn(case, at=now, why=fate.why, until=now + fate.after)
        return moves.lose_track(case, at=now, why=fate.why, look_at=self._look_at(now, platform))

    # ── after an unknown fate ────────────────────────────────────────────────────────────────────

    async def _look(self, case: Case, entry: Entry) -> Result:
        """Nothing can be in flight any more: what the platform shows now is the truth."""
        mention, outgoing = _decided(case)
        platform = self._platform(case)
        found = await platform.find_reply(mention, outgoing)
        if found is not None:
            return self._ended(case, found, platform)
        now = self.clock.now()
        if isinstance(await platform.reread(mention), Gone):
            return moves.refuse(case, at=now, why="the author deleted the post; nothing was published")
        situation = await self._situation(case, mention, outgoing)
        why = _forbidden(situation, outgoing) or _too_late(outgoing, now) or await self._resting(outgoing)
        if why:
            return moves.refuse(case, at=now, why=why)
        await self._check_switch()
        again = await self.cases.save(moves.resend(case, at=now, look_at=self._look_at(now, platform)))
        return await self._post(again, entry, platform)

    def _look_at(self, now: datetime, platform: Platform) -> datetime:
        return now + DEADLINE + platform.read_lag + MARGIN

    def _platform(self, case: Case) -> Platform:
        platform = self.platforms.get(case.platform) or self.platforms.get("*")
        if platform is None:
            raise TryAgainLater(f"no account on {case.platform} is connected", after=timedelta(minutes=1))
        return platform


def _decided(case: Case) -> tuple[Mention, Outgoing]:
    outgoing = case.outgoing
    if outgoing is None:
        raise HeardError(f"{case.id} is {case.status} with an empty outbox")
    mention = next((m for m in case.mentions if m.key == outgoing.answers), case.last)
    return mention, outgoing


def _too_late(outgoing: Outgoing, now: datetime) -> str | None:
    if outgoing.not_after is not None and now > outgoing.not_after:
        return "it could not be posted in time; read it again before it goes out"
    return None


def _forbidden(situation: Situation, outgoing: Outgoing) -> str | None:
    permission = may(situation, Action.ACKNOWLEDGE if outgoing.automatic else Action.REPLY)
    return None if permission.way is Way.SEND else said(permission)


def _somebody(reply_id: str | None) -> str | None:
    return f"somebody of the brand answered already ({reply_id})" if reply_id else None
