"""Whoever takes a case has it on a lease: after 20 minutes of silence they are asked, then it is released.

A person's own move on the case is an answer, and so is editing its reply. Nothing is asked while the brand
is closed, nor of somebody whom Slack does not know (they work at the web desk).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import structlog

from casework import moves
from casework.case import WITH_PEOPLE, Case, Move, Status
from casework.clock import Clock
from casework.errors import HeardError
from casework.moves import HEARD, SNOOZE_OVER
from casework.timeline import TimelineEntry
from escalation.boards import Frame, still_on_it
from escalation.delivery import A_POST, POSTS, REST_OF_POSTS, Messages
from escalation.slack_web import Lost, NotPosted, RateLimited, SlackTrouble
from platforms.limits import Budget
from streams.case_store import CaseStore
from streams.connection import LOST, end_if_cancelled
from streams.leases import Question, Questions
from streams.locks import EditLocks
from streams.people import PeopleNames

log = structlog.get_logger(__name__)

SILENT_FOR: Final = timedelta(minutes=20)
ANSWER_WITHIN: Final = timedelta(minutes=5)
EVERY_S: Final = 30.0
UNANSWERED: Final = f"no answer within {ANSWER_WITHIN // timedelta(minutes=1)} minutes"
HELD: Final = tuple(WITH_PEOPLE - {Status.SNOOZED})
"""What waits for its owner: a case that rests waits for nobody."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The owner is to be asked; they have the case ``since``."""

    owner: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """The owner was asked and did not answer."""

    owner: str


Due: TypeAlias = Ask | Release | None


def due(case: Case, timeline: Sequence[TimelineEntry], now: datetime, asked_at: datetime | None) -> Due:
    """What an owner's silence asks for now; ``asked_at`` is when they, or one before them, were asked."""
    if case.owner is None or case.status not in HELD:
        return None
    seen = _last_seen(case, timeline)
    # A move that came while the question was on its way is an answer too: only one about this very
    # silence stands, and that had lasted when it was asked.
    if asked_at is not None and seen <= asked_at - SILENT_FOR:
        return Release(case.owner) if now >= asked_at + ANSWER_WITHIN else None
    return Ask(case.owner, _had_since(case, timeline)) if now - seen >= SILENT_FOR else None


def _last_seen(case: Case, timeline: Sequence[TimelineEntry]) -> datetime:
    """When the owner last did something about the case; it begins anew when a rest of it is over."""
    signs = [
        entry.at
        for entry in timeline
        if entry.by == case.owner or (entry.what == Move.WAKE and SNOOZE_OVER in entry.detail)
    ]
    return max([_had_since(case, timeline), *signs])


def _had_since(case: Case, timeline: Sequence[TimelineEntry]) -> datetime:
    """When the owner got the case. Saying that they are still on it gives them nothing new."""
    taken = [e.at for e in timeline if e.what == Move.TAKE and e.detail != moves.STILL_ON_IT]
    return taken[-1] if taken else case.opened_at


class Leases:
    """Asks and releases. Any number may run: a question is claimed in the store before it is asked.

    ``open_now`` says whether the brand is there at an instant, ``frame`` how the question is drawn.
    """

    def __init__(
        self,
        *,
        web: Messages,
        cases: CaseStore,
        questions: Questions,
        names: PeopleNames,
        locks: EditLocks,
        budget: Budget,
        clock: Clock,
        frame: Callable[[], Frame],
        open_now: Callable[[datetime], bool],
    ) -> None:
        self._web = web
        self._cases = cases
        self._questions = questions
        self._names = names
        self._locks = locks
        self._budget = budget
        self._clock = clock
        self._frame = frame
        self._open_now = open_now

    async def run(self) -> None:
        """Look at every lease twice a minute until cancelled, through lost stores."""
        while True:
            with suppress(*LOST):
                await self.step()
            end_if_cancelled()
            await asyncio.sleep(EVERY_S)

    async def step(self) -> None:
        """Look at every case that somebody has, once. What Slack does not take now is asked next time."""
        if not self._open_now(self._clock.now()):
            return
        questions = await self._questions.every()
        owned = [case async for case in self._cases.every(HELD) if case.owner is not None]
        for case in owned:
            try:
                await self._look(case, questions.pop(case.id, None))
            except NotPosted as refused:
                # Theirs alone: others are asked all the same.
                log.warning("owner not asked", case=case.id, reason=refused.reason)
            except SlackTrouble as trouble:
                log.warning("owners not asked", reason=trouble.reason)
                return
            except HeardError as error:
                log.info("case moved meanwhile", case=case.id, error=type(error).__name__)
        await self._forget(questions)

    async def _look(self, case: Case, question: Question | None) -> None:
        if question is not None and not question.sent and self._stands(question):
            # It is on its way; or whoever sent it died, and the owner may see it all the same.
            return
        asked_at = question.asked_at if question is not None and question.sent else None
        found = due(case, await self._cases.timeline(case.id), self._clock.now(), asked_at)
        if found is None:
            return
        editing = await self._locks.holder(case.id)
        if editing is not None and editing.by == case.owner:
            await self._questions.replace(case.id, question, None)
        elif isinstance(found, Ask):
            await self._ask(case, found, question)
        else:
            await self._release(case, found)

    def _stands(self, question: Question) -> bool:
        return self._clock.now() < question.asked_at + ANSWER_WITHIN

    async def _ask(self, case: Case, ask: Ask, before: Question | None) -> None:
        now = self._clock.now()
        # Nobody is silent while the desk is closed, and nobody can answer then.
        if not (self._open_now(now - SILENT_FOR) and self._open_now(now + ANSWER_WITHIN)):
            return
        owner_id = await self._names.id_of(ask.owner)
        if owner_id is None or not await self._may_post(owner_id):
            return
        asking = Question(now)
        if not await self._questions.replace(case.id, before, asking):
            return
        payload = still_on_it(case, self._frame(), since=ask.since, until=now + ANSWER_WITHIN)
        try:
            await self._web.post(owner_id, payload)
        except SlackTrouble as trouble:
            # One that is lost they may see: they are asked anew once it is over, and lose nothing by it.
            if not isinstance(trouble, Lost):
                await self._questions.replace(case.id, asking, None)
                await self._heed(trouble)
            raise
        await self._questions.replace(case.id, asking, replace(asking, sent=True))

    async def _release(self, case: Case, found: Release) -> None:
        """Give it back, unless somebody moved it since it was looked at: their move may be the answer."""
        why = f"{found.owner} gave {UNANSWERED}"
        at = self._clock.now()
        await self._cases.move(
            case.id,
            lambda now: moves.release_case(now, by=HEARD, at=at, why=why),
            seen_version=case.version,
        )

    async def _forget(self, left: dict[str, Question]) -> None:
        """Forget what was asked about cases that are done, or nobody's; one that may come back is kept."""
        for case_id, question in left.items():
            if not self._stands(question):
                await self._questions.replace(case_id, question, None)

    async def _may_post(self, owner_id: str) -> bool:
        workspace = await self._workspace()
        waits = await self._budget.take(f"{workspace}:{owner_id}", (A_POST,))
        return waits is None and await self._budget.take(workspace, (POSTS, REST_OF_POSTS)) is None

    async def _heed(self, trouble: SlackTrouble) -> None:
        """What Slack says of its pace holds for all who post."""
        if isinstance(trouble, RateLimited):
            until = self._clock.now() + trouble.after
            await self._budget.told(await self._workspace(), REST_OF_POSTS, left=0, until=until)

    async def _workspace(self) -> str:
        return f"slack:{(await self._web.auth()).team_id}"
