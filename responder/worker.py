"""The responder's stage: by the brand's rules each judged case is ignored, acknowledged, drafted or held."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from casework import moves
from casework.case import Case, Moved, Status
from casework.classification import Classification, Doubt, Topic
from casework.clock import Clock
from casework.draft import Draft
from casework.mention import Mention
from casework.reply import Outgoing, Permission, Way
from casework.words import doubts_said
from platforms.rules import FOR_PEOPLE, RULES, Objection, Situation, TermsOf, may, said
from platforms.rules import Action as Posting
from responder.drafting import NothingFits
from responder.policy import Action, Rule, decide
from streams.allowance import Allowance
from streams.case_store import CaseStore
from streams.consumer import Result, Work
from streams.switch import AutomaticPause

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MANAGERS = "managers"


@dataclass(frozen=True, slots=True)
class Caps:
    """At most so many automatic replies, to everybody in an hour and to one person in a while."""

    per_hour: int = 20
    per_customer: int = 1
    customer_span: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Responder:
    """What the responder decides with: the brand's rules, and who writes.

    ``compose`` and ``acknowledgement`` may be slow (they look for meaning) and run in a thread.
    """

    rules: tuple[Rule, ...]
    terms: TermsOf
    compose: Callable[[Case, Rule], Draft | NothingFits]
    acknowledgement: Callable[[Case, Rule], Outgoing | NothingFits]
    caps: Caps


@dataclass(frozen=True, slots=True)
class ResponderWorker:
    """Moves judged cases on: one decision each."""

    responder: Responder
    cases: CaseStore
    allowance: Allowance
    pause: AutomaticPause
    clock: Clock

    async def __call__(self, works: Sequence[Work]) -> Sequence[Result]:
        """One `Moved` for each case that is judged and undecided; None for one that moved on."""
        return [await self._one(work.case) for work in works]

    async def _one(self, case: Case) -> Moved | None:
        judged = case.classification
        if case.status is not Status.CLASSIFIED or judged is None:
            return None
        now = self.clock.now()
        if Topic.OPT_OUT in judged.topics:
            await self.cases.opt_out(case.platform, case.author.id)
            return moves.ignore(case, rule="opt-out", why=RULES["X5"].sentence, at=now)
        rule = decide(self.responder.rules, case)
        opted_out = await self.cases.opted_out(case.platform, case.author.id)
        situation = Situation.of(case, case.last, self.responder.terms(case.platform), opted_out=opted_out)
        touched = sorted(FOR_PEOPLE & set(judged.topics))
        if touched and rule.do is not Action.ESCALATE:
            rule = Rule(id="T2", do=Action.ESCALATE, to=MANAGERS)
        if rule.do is not Action.ESCALATE and rule.when.doubted(judged):
            return await self._leave_to_people(case, rule, judged, may(situation, Posting.REPLY), now)
        return await self._carry_out(case, rule, situation, now)

    async def _leave_to_people(
        self, case: Case, rule: Rule, judged: Classification, allowed: Permission, now: datetime
    ) -> Moved:
        """The rule stands on what is in doubt: people decide, with a draft if the reading can be trusted."""
        why = f"rule {rule.id}; {doubts_said(judged)}"
        if {Doubt.LANGUAGE, Doubt.ORDERS} & set(judged.doubts):
            return moves.hold(case, permission=allowed, rule=rule.id, why=why, at=now, to=rule.to)
        return await self._draft(case, rule, allowed, why, now)

    async def _carry_out(self, case: Case, rule: Rule, situation: Situation, now: datetime) -> Moved:
        why, allowed = f"rule {rule.id}", may(situation, Posting.REPLY)
        if rule.do is Action.IGNORE:
            return moves.ignore(case, rule=rule.id, why=why, at=now)
        if rule.do is Action.ESCALATE:
            to = rule.to or MANAGERS
            return moves.hold(case, permission=allowed, rule=rule.id, why=why, at=now, to=to)
        if rule.do is Action.ACKNOWLEDGE:
            objection = await self._objection(situation, now)
            outgoing = None if objection else await self._write_acknowledgement(case, rule)
            if isinstance(outgoing, Outgoing):
                return await self._acknowledge(case, outgoing, rule, allowed, now)
            reason = said(objection) if objection else outgoing.why if outgoing else ""
            why = f"{why}; not acknowledged by itself: {reason}"
        return await self._draft(case, rule, allowed, why, now)

    async def _draft(self, case: Case, rule: Rule, allowed: Permission, why: str, now: datetime) -> Moved:
        draft = await self._compose(case, rule)
        if isinstance(draft, NothingFits):
            why = f"{why}; {draft.why}"
            return moves.hold(case, permission=allowed, rule=rule.id, why=why, at=now, to=rule.to)
        return moves.propose(case, draft, permission=allowed, rule=rule.id, why=why, at=now)

    async def _compose(self, case: Case, rule: Rule) -> Draft | NothingFits:
        # The template of a rule that acknowledges is for the acknowledgement, not for the answer.
        answering = replace(rule, template=None) if rule.do is Action.ACKNOWLEDGE else rule
        return await asyncio.to_thread(self.responder.compose, case, answering)

    # ── by itself ────────────────────────────────────────────────────────────────────────────────

    async def _objection(self, situation: Situation, now: datetime) -> Objection | None:
        """Why nothing may go out without a person; None when it may."""
        caps, mention = self.responder.caps, situation.mention
        if thread := _thread(mention):
            spent = await self.allowance.spent_on(mention.platform, thread, now - DAY, now)
            situation = replace(situation, automatic_in_thread=spent)
        permission = may(situation, Posting.ACKNOWLEDGE)
        if permission.way is not Way.SEND:
            return Objection(permission.why, permission.rule)
        if paused := await self.pause.paused():
            return Objection(paused)
        if await self.allowance.spent(now - HOUR, now) >= caps.per_hour:
            return Objection(f"{caps.per_hour} automatic replies went out within the hour.")
        since, author = now - caps.customer_span, mention.author.id
        if await self.allowance.spent_on(mention.platform, author, since, now) >= caps.per_customer:
            return Objection("This customer had an automatic reply lately.", "X2")
        return None

    async def _write_acknowledgement(self, case: Case, rule: Rule) -> Outgoing | NothingFits:
        return await asyncio.to_thread(self.responder.acknowledgement, case, rule)

    async def _acknowledge(
        self, case: Case, outgoing: Outgoing, rule: Rule, allowed: Permission, now: datetime
    ) -> Moved:
        await self.allowance.spend(case.platform, case.author.id, outgoing.key, now)
        if thread := _thread(case.last):
            await self.allowance.spend(case.platform, thread, outgoing.key, now)
        draft = await self._compose(case, rule)
        return moves.acknowledge(
            case,
            outgoing,
            draft=None if isinstance(draft, NothingFits) else draft,
            permission=allowed,
            rule=rule.id,
            why=f"rule {rule.id}",
            at=now,
        )


def _thread(mention: Mention) -> str | None:
    """What the allowance counts a Reddit submission under, as it counts an author (R3)."""
    return f"thread:{mention.conversation or mention.id}" if mention.platform == "reddit" else None
