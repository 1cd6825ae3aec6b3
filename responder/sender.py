"""The sender: the only code that posts. Never two replies, never none.

What a customer gets is decided elsewhere; here it is carried out so that whatever dies when, exactly one
reply arrives: the intent is on disk before anything leaves; one POST, no retries; an attempt whose fate
is unknown is looked for only once nothing of it can still be in flight, and then recorded or repeated
byte for byte. The clock brings such a case back (`Case.look_at`), so nothing depends on this process.

Three lengths of time carry this, all measured by a clock that does not jump, as a process may be stopped
and go on hours later: an intent follows the look that allowed it within `LOOK_LASTS`, a POST its intent
within `MARGIN`, or not at all; and a look for what is out waits until this process has seen the attempt be
out for `DEADLINE`, the platform's read lag and `MARGIN`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from platforms.faults import Fault, Forbidden
from platforms.platform import DEADLINE, Busy, Fate, Gone, Platform, Posted, Present, Refused, Unknown
from platforms.rules import Action, Situation, TermsOf, may, said
from streams.case_store import CaseStore, Entry
from streams.claim import Claim
from streams.consumer import RECLAIM_IDLE, Result, Work
from streams.switch import AutomaticPause, PauseSwitch

log = structlog.get_logger(__name__)

MARGIN: Final = timedelta(seconds=5)
LOOK_LASTS: Final = DEADLINE
"""So long after a look began it still says what is: two reads of a slow platform fit in."""
PAUSE_CHECK: Final = timedelta(seconds=1)
RECORD_ROUNDS: Final = 50
ASKED_AGAIN: Final = "sending was stopped, or nobody could say in time that it was not"
MOVED_ON: Final = "the author deleted or changed the post just in time; nothing was published"
NOBODY_SENT: Final = "it could not be handled, and nothing was posted"
STOPPED_IN_TIME: Final = "the author asked not to be answered, just in time (rule X5)"


@dataclass(frozen=True, slots=True)
class Sender:
    """Posts what was decided, one POST an attempt, and records what became of it."""

    cases: CaseStore
    platforms: Mapping[str, Platform]
    terms: TermsOf
    switch: PauseSwitch
    claim: Claim
    pause: AutomaticPause
    promises: Promises
    clock: Clock
    _met: Counter[str] = field(default_factory=Counter)
    """How often each case met a platform in trouble, in a row."""
    _out: dict[str, timedelta] = field(default_factory=dict)
    """When each attempt of this process left, as `Clock.elapsed`, until its fate is known."""
    _began: timedelta = field(init=False)
    """When this process began: whoever sent before it was dead by then (`config.lanes.only_one`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_began", self.clock.elapsed())

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """Each case in turn: a platform's answers are awaited one at a time.

        A platform in trouble is asked for one case of a batch, and not for all: they would use up what it
        allows, and keep the replies elsewhere waiting. Those that met trouble least often go first, so that
        a case that always does keeps no other back.
        """
        results, troubled = dict[int, Result](), dict[str, Fault]()
        for place in sorted(range(len(works)), key=lambda place: self._met[works[place].case.id]):
            case = works[place].case
            if case.platform in troubled:
                results[place] = troubled[case.platform]
                continue
            results[place] = result = await self._one(works[place])
            if isinstance(result, Fault) and not isinstance(result, Forbidden):
                troubled[case.platform] = result
                self._met[case.id] += 1
            else:
                self._met.pop(case.id, None)
        return [results[place] for place in range(len(works))]

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
        await self._check_free()
        looked = self.clock.elapsed()
        stopped = await self._look_before(case, mention, outgoing, platform)
        if stopped is not None:
            return stopped
        await self._check_free()
        now, leaving = self._leaving(outgoing, looked)
        begun = await self.cases.save(moves.begin_sending(case, at=now, look_at=self._look_at(now, platform)))
        return await self._post(begun, entry, platform, leaving)

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
        why = await self._objection(case, mention, situation, platform)
        if not why:
            return None
        # The case goes to people: what it says from now on is whether their reply may be posted.
        return moves.stop_sending(case, at=now, why=why, permission=may(situation, Action.REPLY))

    async def _objection(
        self, case: Case, mention: Mention, situation: Situation, platform: Platform
    ) -> str | None:
        """What speaks against posting at this moment, apart from the mention itself."""
        outgoing = _outgoing(case)
        ours = frozenset(reply.id for reply in case.replies)
        return (
            _too_late(outgoing, self.clock.now())
            or _forbidden(situation, outgoing)
            or _somebody(await platform.answered(mention, ours=ours))
            or await self._resting(outgoing)
        )

    async def _situation(self, case: Case, mention: Mention, outgoing: Outgoing) -> Situation:
        """The case under the settings and the opt-outs of now."""
        opted_out = await self.cases.opted_out(case.platform, case.author.id)
        terms = self.terms(case.platform)
        return Situation.of(case, mention, terms, opted_out=opted_out, sending=outgoing)

    async def _resting(self, outgoing: Outgoing) -> str | None:
        """Why what nobody read stays in: a spike began since it was decided."""
        return await self.pause.paused() if outgoing.automatic else None

    async def _check_free(self) -> None:
        """Raise `TryAgainLater` if nothing may leave from here now: sending was stopped, or another sends."""
        other = await self.claim.held_by_another()
        if other is not None:
            # Longer than the idleness after which that one's consumer takes our entries over.
            raise TryAgainLater(f"{other} sends", after=2 * RECLAIM_IDLE)
        by = await self.switch.paused_by()
        if by is not None:
            raise TryAgainLater(f"sending was stopped by {by}", after=PAUSE_CHECK)

    def _leaving(self, outgoing: Outgoing, looked: timedelta) -> tuple[datetime, timedelta]:
        """When an attempt of now leaves, by the wall and as `Clock.elapsed`.

        Raises `TryAgainLater` if the look was too long ago, or it has become too late since: a clock on the
        wall that was an hour behind may have been set right meanwhile.
        """
        now, leaving = self.clock.now(), self.clock.elapsed()
        if leaving - looked > LOOK_LASTS or _too_late(outgoing, now):
            raise TryAgainLater("the look before the post took too long", after=PAUSE_CHECK)
        return now, leaving

    # ── the one POST ─────────────────────────────────────────────────────────────────────────────

    async def _post(self, case: Case, entry: Entry, platform: Platform, leaving: timedelta) -> Result:
        """``leaving`` is when the intent was written down, as `Clock.elapsed`."""
        mention, outgoing = _decided(case)
        asked = self.clock.elapsed()
        # The last that is asked before the post, at once: whoever says stop until here is heard (X5, T15).
        opted_out, stopped, known = await asyncio.gather(
            self.cases.opted_out(case.platform, case.author.id),
            self.switch.paused(),
            self.cases.load(case.id),
        )
        if not any(m.key == mention.key and m.text == mention.text for m in known.mentions):
            # A listener was told of it since the look.
            return moves.refuse(known, at=self.clock.now(), why=MOVED_ON)
        if opted_out:
            return moves.refuse(case, at=self.clock.now(), why=STOPPED_IN_TIME)
        if stopped or self.clock.elapsed() - asked > PAUSE_CHECK:
            # An answer that took longer says what was, not what is.
            now = self.clock.now()
            return moves.wait_its_turn(case, at=now, why=ASKED_AGAIN, until=now + PAUSE_CHECK)
        if self.clock.elapsed() - leaving > MARGIN:
            # Stopped meanwhile, or the store was slow: it might arrive after somebody has looked for it.
            log.warning("too late to leave", case=case.id, platform=platform.name)
            return None
        self._out[case.id] = self.clock.elapsed()
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
                if not isinstance(fate, Unknown):
                    self._out.pop(case.id, None)
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
        self._wait_out(case, platform)
        found = await platform.find_reply(mention, outgoing)
        if found is not None:
            return self._ended(case, found, platform)
        looked = self.clock.elapsed()
        why = _changed(mention, await platform.reread(mention))
        if why is None:
            situation = await self._situation(case, mention, outgoing)
            why = await self._objection(case, mention, situation, platform)
        if why is not None:
            return moves.refuse(case, at=self.clock.now(), why=why)
        await self._check_free()
        now, leaving = self._leaving(outgoing, looked)
        again = await self.cases.save(moves.resend(case, at=now, look_at=self._look_at(now, platform)))
        return await self._post(again, entry, platform, leaving)

    def _wait_out(self, case: Case, platform: Platform) -> None:
        """Raise `TryAgainLater` while the attempt may still arrive, or not be shown yet.

        ``look_at`` came by the clock on the wall, which may have been set an hour on meanwhile.
        """
        since = self.clock.elapsed() - self._out.get(case.id, self._began)
        left = _settles_within(platform) - since
        if left > timedelta(0):
            raise TryAgainLater("an attempt may still be under way", after=left)
        self._out.pop(case.id, None)

    def _look_at(self, now: datetime, platform: Platform) -> datetime:
        return now + _settles_within(platform)

    def _platform(self, case: Case) -> Platform:
        platform = self.platforms.get(case.platform) or self.platforms.get("*")
        if platform is None:
            raise TryAgainLater(f"no account on {case.platform} is connected", after=timedelta(minutes=1))
        return platform


def give_up(case: Case, reason: str, at: datetime) -> Moved | None:
    """What was approved and never left goes back to people once its entry is a dead letter.

    None where something may be out already: whoever puts the dead letter back has it looked for.
    """
    if case.status is not Status.APPROVED or case.look_at is not None:
        return None
    return moves.stop_sending(case, at=at, why=f"{NOBODY_SENT}: {reason}")


def _settles_within(platform: Platform) -> timedelta:
    """How long after an intent nothing of its attempt is under way, and the platform shows what arrived."""
    return DEADLINE + platform.read_lag + MARGIN


def _outgoing(case: Case) -> Outgoing:
    if case.outgoing is None:
        raise HeardError(f"{case.id} is {case.status} with an empty outbox")
    return case.outgoing


def _decided(case: Case) -> tuple[Mention, Outgoing]:
    outgoing = _outgoing(case)
    mention = next((m for m in case.mentions if m.key == outgoing.answers), case.last)
    return mention, outgoing


def _changed(mention: Mention, seen: Present | Gone) -> str | None:
    """Why what was decided for a mention is not sent again; its author moved on meanwhile."""
    if isinstance(seen, Gone):
        return "the author deleted the post; nothing was published"
    return "the author changed the post; nothing was published" if seen.text != mention.text else None


def _too_late(outgoing: Outgoing, now: datetime) -> str | None:
    if outgoing.not_after is not None and now > outgoing.not_after:
        return "it could not be posted in time; read it again before it goes out"
    return None


def _forbidden(situation: Situation, outgoing: Outgoing) -> str | None:
    permission = may(situation, Action.ACKNOWLEDGE if outgoing.automatic else Action.REPLY)
    return None if permission.way is Way.SEND else said(permission)


def _somebody(reply_id: str | None) -> str | None:
    return f"somebody of the brand answered already ({reply_id})" if reply_id else None
