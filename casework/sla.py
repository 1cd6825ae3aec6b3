"""Promises: what the brand promises, when each promise is due, and what has become of it.

A promise runs from the oldest customer mention it has not been kept for. All instants are aware UTC;
`casework.hours` knows what the clocks on the wall say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from casework.classification import Classification, Urgency
from casework.draft import ReplyKind
from casework.hours import ALWAYS, OpeningHours


class PromiseState(StrEnum):
    """What has become of a promise."""

    OPEN = "open"
    AT_RISK = "at risk"
    MET = "met"
    BREACHED = "breached"

    @property
    def running(self) -> bool:
        """Whether the promise can still be kept."""
        return self in (PromiseState.OPEN, PromiseState.AT_RISK)


class MetBy(StrEnum):
    """What keeps a promise: any reply, or only an answer."""

    REPLY = "reply"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 (a promise's warning, never a Python one)
    """When to warn before a promise breaks: at a share of its time, or with so much time left."""

    share: float | None = None
    left: timedelta | None = None


@dataclass(frozen=True, slots=True)
class LadderStep:
    """Who is told once a promise is broken, and how long after the breach; stops when acknowledged."""

    after: timedelta
    who: str


@dataclass(frozen=True, slots=True)
class PromisePolicy:
    """One kind of promise: its target, for whom, on which clock, kept by what, warned when.

    ``within`` of None means "by the end of the day". Empty filters match everything.
    """

    name: str
    within: timedelta | None
    met_by: MetBy
    urgencies: frozenset[Urgency] = frozenset()
    intents: frozenset[str] = frozenset()
    platforms: frozenset[str] = frozenset()
    opening_clock: bool = False
    warn_at: tuple[Warning, ...] = ()
    ladder: tuple[LadderStep, ...] = (LadderStep(timedelta(0), "managers"),)
    target: float = 0.9

    def covers(self, platform: str, classification: Classification | None) -> bool:
        """Whether a mention is promised this. An unclassified one is: silence must not hide it."""
        if self.platforms and platform not in self.platforms:
            return False
        if classification is None:
            return True
        if self.urgencies and classification.urgency not in self.urgencies:
            return False
        return not self.intents or classification.intent in self.intents

    def start(self, mention: str, at: datetime, hours: OpeningHours) -> "Promise":
        """The promise that begins with a mention heard at ``at``."""
        due_at = self._due(at, hours)
        # A promise that begins with less time left than a warning asks for is at risk from the start.
        warnings = [self._warns(warning, at, due_at, hours) for warning in self.warn_at]
        steps = _in_order(self.ladder)
        return Promise(
            name=self.name,
            mention=mention,
            met_by=self.met_by,
            started_at=at,
            due_at=due_at,
            warn_at=tuple(sorted({max(warn, at) for warn in warnings if warn < due_at})),
            ladder=tuple([(due_at + step.after, step.who) for step in steps]),
        )

    def _due(self, at: datetime, hours: OpeningHours) -> datetime:
        if self.within is None:
            return hours.end_of_open_day(at) if self.opening_clock else hours.end_of_day(at)
        return hours.add(at, self.within) if self.opening_clock else at + self.within

    def _warns(self, warning: Warning, at: datetime, due_at: datetime, hours: OpeningHours) -> datetime:
        if warning.left is not None:
            if self.opening_clock and self.within is not None:
                return hours.add(at, max(self.within - warning.left, timedelta(0)))
            return due_at - warning.left
        share = warning.share or 0.0
        if self.within is None:
            return at + (due_at - at) * share
        part = _part(self.within, share)
        return hours.add(at, part) if self.opening_clock else at + part


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise made to one customer: when it began, when it is due, and what has become of it.

    ``warn_at`` and ``ladder`` hold only what is still to come; each is taken off as it is raised, so
    that nothing is raised twice. A breached promise keeps ``settled_at`` of the late reply.
    """

    name: str
    mention: str
    met_by: MetBy
    started_at: datetime
    due_at: datetime
    state: PromiseState = PromiseState.OPEN
    warn_at: tuple[datetime, ...] = ()
    ladder: tuple[tuple[datetime, str], ...] = ()
    settled_at: datetime | None = None
    acknowledged_by: str | None = None

    @property
    def running(self) -> bool:
        """Whether a reply is still owed under this promise, in time or late."""
        return self.settled_at is None

    @property
    def next_wake(self) -> datetime | None:
        """When the clock must look at this promise next; None when nothing is left to raise."""
        if self.settled_at is not None:
            return None
        if self.state.running:
            return self.warn_at[0] if self.warn_at else self.due_at
        return self.ladder[0][0] if self.ladder else None

    def kept_by(self, kind: ReplyKind) -> bool:
        """Whether a reply of this kind keeps the promise."""
        return self.met_by is MetBy.REPLY or kind is ReplyKind.ANSWER

    def settle(self, at: datetime) -> "Promise":
        """The promise once its reply was posted at ``at``: met if in time, else breached for good."""
        if self.settled_at is not None:
            return self
        met = at < self.due_at
        state = PromiseState.MET if met else PromiseState.BREACHED
        return replace(self, state=state, settled_at=at, warn_at=(), ladder=())


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people must hear about a promise: it is at risk, broken, or still not acknowledged."""

    promise: str
    state: PromiseState
    due_at: datetime
    to: str


def raise_due(promise: Promise, now: datetime) -> tuple[Promise, tuple[Alert, ...]]:
    """What a promise has become by ``now``, and the alerts to raise, each exactly once.

    Missed warnings are raised as one: after a long stop the newest state is what people need.
    """
    if promise.settled_at is not None:
        return promise, ()
    if promise.state.running and promise.due_at <= now:
        promise = replace(promise, state=PromiseState.BREACHED, warn_at=())
    elif promise.state.running:
        return _warn(promise, now)
    return _climb(promise, now)


def _warn(promise: Promise, now: datetime) -> tuple[Promise, tuple[Alert, ...]]:
    later = tuple(at for at in promise.warn_at if at > now)
    if len(later) == len(promise.warn_at):
        return promise, ()
    alert = Alert(promise.name, PromiseState.AT_RISK, promise.due_at, "owner")
    return replace(promise, state=PromiseState.AT_RISK, warn_at=later), (alert,)


def _climb(promise: Promise, now: datetime) -> tuple[Promise, tuple[Alert, ...]]:
    told = [who for at, who in promise.ladder if at <= now]
    if not told:
        return promise, ()
    alerts = tuple(Alert(promise.name, PromiseState.BREACHED, promise.due_at, who) for who in told)
    return replace(promise, ladder=promise.ladder[len(told) :]), alerts


def release(promises: Sequence[Promise], at: datetime) -> tuple[Promise, ...]:
    """The promises once nothing is owed any more (closed, ignored): running ones go, broken ones stay."""
    kept = (promise for promise in promises if not (promise.running and promise.state.running))
    return tuple(promise if promise.settled_at else promise.settle(at) for promise in kept)


@dataclass(frozen=True, slots=True)
class Promises:
    """The brand's promises together with its hours: starts what a mention is owed."""

    policies: tuple[PromisePolicy, ...]
    hours: OpeningHours = ALWAYS

    def owed(
        self,
        running: Sequence[Promise],
        *,
        mention: str,
        at: datetime,
        platform: str,
        classification: Classification | None,
    ) -> tuple[Promise, ...]:
        """``running`` plus a new promise for each policy that covers the mention and is not running.

        The oldest unanswered mention keeps its promise: a later one never moves a deadline.
        """
        held = [promise.name for promise in running if promise.running]
        new = [
            policy.start(mention, at, self.hours)
            for policy in self.policies
            if policy.name not in held and policy.covers(platform, classification)
        ]
        return (*running, *new)

    def still_owed(
        self, promises: Sequence[Promise], *, platform: str, classification: Classification
    ) -> tuple[Promise, ...]:
        """``promises`` without the running ones that this classification does not ask for."""
        covering = {policy.name for policy in self.policies if policy.covers(platform, classification)}
        return tuple(promise for promise in promises if not promise.running or promise.name in covering)


@lru_cache(maxsize=64)
def _part(length: timedelta, share: float) -> timedelta:
    return length * share


@lru_cache(maxsize=64)
def _in_order(ladder: tuple[LadderStep, ...]) -> tuple[LadderStep, ...]:
    return tuple(sorted(ladder, key=lambda step: step.after))
