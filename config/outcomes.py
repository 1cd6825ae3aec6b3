"""What a recorded day came to, case by case: what was decided by which rule, and what became of promises.

Nothing in it is text of a post or of a reply: words are compared by their fingerprints.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from casework.case import Case, Move, Moved
from casework.hours import OpeningHours
from casework.reply import Way
from casework.sla import Promise, PromiseState
from casework.staffing import Owed, by_hour, peak, staffing
from config.brand import Brand
from streams.case_store import CaseStore


class Action(StrEnum):
    """What is done with a case, as the sums name it."""

    DRAFTED = "drafted"
    ACKNOWLEDGED = "acknowledged"
    HELD = "held"
    WITH_PEOPLE = "drafted or held"
    IGNORED = "ignored"
    PASSED_OVER = "passed over"


class Kept(StrEnum):
    """What became of a promise by the end."""

    KEPT = "kept"
    BROKEN = "broken"
    OPEN = "open"


_ACTIONS: Final = {
    Move.DRAFT: Action.DRAFTED,
    Move.ACKNOWLEDGE: Action.ACKNOWLEDGED,
    Move.HOLD: Action.HELD,
    Move.IGNORE: Action.IGNORED,
}
_KEPT: Final = {PromiseState.MET: Kept.KEPT, PromiseState.BREACHED: Kept.BROKEN}
_NEEDS_WORDS: Final = (Action.DRAFTED, Action.HELD)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the responder decided on a case once, and why.

    ``way`` is how a reply may reach the customer; ``sources`` are what the draft rests on, ``words`` the
    fingerprints of what it and the acknowledgement say.
    """

    action: Action
    rule: str
    way: str = ""
    to: str = ""
    sources: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    why: str = field(default="", compare=False)

    @property
    def said(self) -> str:
        """``drafted, by hand``: the action, unless Heard may post the reply itself."""
        posted = self.way in ("", Way.SEND) or self.action is Action.IGNORED
        return f"{self.action}, reply {self.way}" if not posted else self.action


@dataclass(frozen=True, slots=True)
class Due:
    """One promise of a case: when it is due and what became of it."""

    name: str
    due_at: datetime
    kept: Kept


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case: every decision on it, oldest first, and its promises."""

    decisions: tuple[Decision, ...]
    promises: tuple[Due, ...] = ()

    @property
    def passed_over(self) -> bool:
        """Whether the mention became no case."""
        return any(decision.action is Action.PASSED_OVER for decision in self.decisions)


@dataclass(frozen=True, slots=True)
class Staffing:
    """Answers an hour that people must give to keep one kind of promise: by the hour, and all the time."""

    by_hour: Mapping[int, float]
    peak: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a whole recorded day came to: its cases by the key of the mention that opened each."""

    cases: Mapping[str, Outcome]
    actions: Mapping[str, int]
    promises: Mapping[str, Mapping[str, int]]
    staffing: Mapping[str, Staffing]
    timezone: str


@dataclass(slots=True)
class Decisions:
    """Takes down what the responder decides; must be told of every move that the line saves."""

    _by_case: dict[str, list[Decision]] = field(default_factory=dict)

    def saw(self, moved: Moved) -> None:
        """A move was saved."""
        case = moved.case
        if action := _ACTIONS.get(Move(case.moved)):
            self._by_case.setdefault(case.id, []).append(_decision(case, action))

    def on(self, case: Case) -> tuple[Decision, ...]:
        """The decisions on a case, oldest first."""
        return tuple(self._by_case.get(case.id, ()))


def _decision(case: Case, action: Action) -> Decision:
    draft, outgoing = case.draft, case.outgoing
    words = [draft.sha256] if draft else []
    words += [_fingerprint(outgoing.text)] if outgoing and action is Action.ACKNOWLEDGED else []
    return Decision(
        action=action,
        rule=case.rule,
        way=case.permission.way if case.permission else "",
        to=case.escalated_to or "",
        sources=tuple(source.id for source in draft.sources) if draft else (),
        words=tuple(words),
        why=case.why,
    )


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def outcomes(
    cases: CaseStore, decisions: Decisions, brand: Brand, now: datetime, wordless: Collection[str] = ()
) -> Outcomes:
    """What is in a store once its day is over; ``wordless`` are mentions whose text is gone.

    Whether their cases get a draft nobody can tell, so for them drafted and held are one.
    """
    found, gathered = dict[str, Outcome](), _Gathered(brand, now)
    async for case in cases.every():
        first = case.mentions[0].key
        decided = decisions.on(case)
        if wordless and not {mention.key for mention in case.mentions}.isdisjoint(wordless):
            decided = tuple(_by_labels_alone(decision) for decision in decided)
        found[first] = Outcome(decided, tuple(_due(promise) for promise in case.promises))
        gathered.count(case)
    passed = {key: why async for key, why in cases.outcomes() if why.startswith("-")}
    for key, why in passed.items():
        found[key] = Outcome((Decision(Action.PASSED_OVER, why[1:]),))
    return gathered.outcomes(found)


def _by_labels_alone(decision: Decision) -> Decision:
    action = Action.WITH_PEOPLE if decision.action in _NEEDS_WORDS else decision.action
    return Decision(action, decision.rule, decision.way, decision.to, why=decision.why)


def _due(promise: Promise) -> Due:
    return Due(promise.name, promise.due_at, _KEPT.get(promise.state, Kept.OPEN))


class _Gathered:
    """The sums of a day, case by case."""

    def __init__(self, brand: Brand, now: datetime) -> None:
        promises = brand.promises(now=now)
        self._timezone = brand.timezone
        self._hours: dict[str, OpeningHours | None] = {
            policy.name: promises.hours if policy.opening_clock else None for policy in promises.policies
        }
        self._owed: dict[str, list[Owed]] = {name: [] for name in self._hours}
        self._kept: dict[str, dict[str, int]] = {name: dict.fromkeys(Kept, 0) for name in self._hours}

    def count(self, case: Case) -> None:
        """Take in what a case was promised. What an automatic reply kept, people need not."""
        automatic = {reply.posted_at for reply in case.replies if reply.automatic}
        for promise in case.promises:
            self._kept[promise.name][_KEPT.get(promise.state, Kept.OPEN)] += 1
            if promise.state is not PromiseState.MET or promise.settled_at not in automatic:
                self._owed[promise.name].append(Owed(promise.started_at, promise.due_at))

    def outcomes(self, cases: Mapping[str, Outcome]) -> Outcomes:
        """Everything together."""
        actions = {action.value: 0 for action in Action}
        for outcome in cases.values():
            for decision in outcome.decisions:
                actions[decision.action] += 1
        return Outcomes(
            cases=cases,
            actions=actions,
            promises={
                name: {str(kept): count for kept, count in n.items()} for name, n in self._kept.items()
            },
            staffing={name: self._staffing(name) for name in self._owed},
            timezone=self._timezone,
        )

    def _staffing(self, name: str) -> Staffing:
        stretches = staffing(self._owed[name], self._hours[name])
        return Staffing(by_hour(stretches, self._timezone), peak(stretches))
