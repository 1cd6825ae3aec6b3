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
from casework.hours import ALWAYS, OpeningHours, Span, Stretch, add
from casework.reply import Reply


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
    """What keeps a promise: any reply, one that a person decided on, or only an answer."""

    REPLY = "reply"
    HUMAN_REPLY = "human reply"
    ANSWER = "answer"


class Since(StrEnum):
    """Which unanswered mention a promise runs from: any, the first of a case, or what follows a reply."""

    ANY = "any mention"
    FIRST = "first mention"
    FOLLOW_UP = "follow-up"


OWNER = "owner"
"""Whoever has the case; while nobody has, everybody on duty."""

BACKUP = "backup"
"""Who stands in for an owner."""


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 (a promise's warning, never a Python one)
    """When to warn before a promise breaks: at a share of its time, or with so much time left."""

    share: float | None = None
    left: timedelta | None = None


@dataclass(frozen=True, slots=True)
class LadderStep:
    """Who is told once a promise is broken, how long after the breach, and how often again.

    It stops when somebody says that they heard it, or when the reply is posted.
    """

    after: timedelta
    who: str
    every: timedelta | None = None


@dataclass(frozen=True, slots=True)
class PromisePolicy:
    """One kind of promise: its target, for whom, on which clock, kept by what, warned when.

    ``within`` of None means "by the end of the day". Empty filters match everything. In ``quiet`` hours,
    local time, nobody is told of anything; what comes due in them is told at their end. ``timezone`` is
    where a day of the plain clock ends, if that is not where the brand is.
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
    since: Since = Since.ANY
    quiet: Span | None = None
    timezone: str | None = None

    def begins_with(self, follow_up: bool) -> bool:
        """Whether a mention of this kind begins it; a follow-up is one that comes after a reply of ours."""
        return self.since is Since.ANY or follow_up == (self.since is Since.FOLLOW_UP)

    def covers(self, platform: str, classification: Classification | None) -> bool:
        """Whether a mention is promised this. An unclassified one is: silence must not hide it."""
        if self.platforms and platform not in self.platforms:
            return False
        if classification is None:
            return True
        if self.urgencies and classification.urgency not in self.urgencies:
            return False
        return not self.intents or classification.intent in self.intents

    def start(
        self, mention: str, at: datetime, hours: OpeningHours, pauses: Sequence[Stretch] = ()
    ) -> "Promise":
        """The promise that begins with a mention heard at ``at``, and stands still in the pauses."""
        zoned = replace(hours, timezone=self.timezone) if self.timezone else hours
        count = _Count(at, zoned, pauses, opening=self.opening_clock)
        due_at = count.due(self.within)
        # A promise that begins with less time left than a warning asks for is at risk from the start.
        warnings = [
            self._aloud(max(count.warning(warning, self.within, due_at), at), hours)
            for warning in self.warn_at
        ]
        steps = _in_order(self.ladder)
        return Promise(
            name=self.name,
            mention=mention,
            met_by=self.met_by,
            started_at=at,
            due_at=due_at,
            warn_at=tuple(sorted({warn for warn in warnings if warn < due_at})),
            ladder=tuple([(self._aloud(due_at + step.after, hours), step.who) for step in steps]),
        )

    def again(self, who: str, now: datetime, hours: OpeningHours) -> datetime | None:
        """When somebody who was told now is told again; None when once is enough."""
        every = next((step.every for step in self.ladder if step.who == who and step.every), None)
        return None if every is None else self._aloud(now + every, hours)

    def recounted(
        self, promise: "Promise", now: datetime, hours: OpeningHours, pauses: Sequence[Stretch]
    ) -> "Promise":
        """A promise that is still owed, as this policy counts it by now.

        What was raised is not raised again, and what broke stays broken unless it is due later than now.
        """
        fresh = self.start(promise.mention, promise.started_at, hours, pauses)
        if promise.state is PromiseState.BREACHED and fresh.due_at <= now:
            return promise
        raised = promise.state is PromiseState.AT_RISK
        later = tuple(at for at in fresh.warn_at if at > now or not raised)
        still = raised and len(later) < len(fresh.warn_at)
        return replace(fresh, state=PromiseState.AT_RISK if still else PromiseState.OPEN, warn_at=later)

    def _aloud(self, at: datetime, hours: OpeningHours) -> datetime:
        """The instant, or the end of the quiet hours that it falls in."""
        return at if self.quiet is None else _loud_hours(self.quiet, hours.timezone).opens(at)


@dataclass(frozen=True, slots=True)
class _Count:
    """Counts time from ``at`` on one clock, outside the pauses."""

    at: datetime
    hours: OpeningHours
    pauses: Sequence[Stretch]
    opening: bool

    def due(self, within: timedelta | None) -> datetime:
        if within is not None:
            return self._after(within)
        end_of_day = self.hours.end_of_open_day if self.opening else self.hours.end_of_day
        return end_of_day(self.at, self.pauses)

    def warning(self, warning: Warning, within: timedelta | None, due_at: datetime) -> datetime:
        left, share = warning.left, warning.share or 0.0
        if within is None:
            # A day has no length on any clock: what is left of it is read off the wall.
            return self.at + (due_at - self.at) * share if left is None else due_at - left
        return self._after(_part(within, share) if left is None else max(within - left, timedelta(0)))

    def _after(self, length: timedelta) -> datetime:
        if self.opening:
            return self.hours.add(self.at, length, self.pauses)
        return add(self.at, length, self.pauses) if self.pauses else self.at + length


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

    def kept_by(self, reply: Reply) -> bool:
        """Whether this reply keeps the promise."""
        if self.met_by is MetBy.HUMAN_REPLY:
            return not reply.automatic
        return self.met_by is MetBy.REPLY or reply.kind is ReplyKind.ANSWER

    def settle(self, at: datetime) -> "Promise":
        """The promise once its reply was posted at ``at``: met if in time, else breached for good."""
        if self.settled_at is not None:
            return self
        met = at < self.due_at
        state = PromiseState.MET if met else PromiseState.BREACHED
        return replace(self, state=state, settled_at=at, warn_at=(), ladder=())


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that people must hear about a promise: it is at risk, broken, or still not acknowledged.

    ``at`` is the instant that it was for: it tells the alerts of one promise to one person apart.
    """

    promise: str
    state: PromiseState
    due_at: datetime
    to: str
    at: datetime | None = None


def raise_due(
    promise: Promise, now: datetime, promises: "Promises | None" = None
) -> tuple[Promise, tuple[Alert, ...]]:
    """What a promise has become by ``now``, and the alerts to raise, each exactly once.

    Missed warnings are raised as one, and so are missed repeats: after a long stop the newest state is what
    people need. ``promises`` know who is told again, and when; without them nobody is.
    """
    if promise.settled_at is not None:
        return promise, ()
    if promise.state.running and promise.due_at <= now:
        promise = replace(promise, state=PromiseState.BREACHED, warn_at=())
    elif promise.state.running:
        return _warn(promise, now)
    return _climb(promise, now, promises)


def _warn(promise: Promise, now: datetime) -> tuple[Promise, tuple[Alert, ...]]:
    later = tuple(at for at in promise.warn_at if at > now)
    if len(later) == len(promise.warn_at):
        return promise, ()
    passed = promise.warn_at[-len(later) - 1]
    alert = Alert(promise.name, PromiseState.AT_RISK, promise.due_at, OWNER, passed)
    return replace(promise, state=PromiseState.AT_RISK, warn_at=later), (alert,)


def _climb(promise: Promise, now: datetime, promises: "Promises | None") -> tuple[Promise, tuple[Alert, ...]]:
    told = [(at, who) for at, who in promise.ladder if at <= now]
    if not told:
        return promise, ()
    alerts = tuple(Alert(promise.name, PromiseState.BREACHED, promise.due_at, who, at) for at, who in told)
    again = [(promises.again(promise.name, who, now), who) for _, who in told] if promises else []
    later = [rung for rung in promise.ladder if rung[0] > now] + [(at, who) for at, who in again if at]
    return replace(promise, ladder=tuple(sorted(later))), alerts


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
        follow_up: bool = False,
        pauses: Sequence[Stretch] = (),
    ) -> tuple[Promise, ...]:
        """``running`` plus a new promise for each policy that covers the mention and is not running.

        The oldest unanswered mention keeps its promise: a later one never moves a deadline.
        """
        held = [promise.name for promise in running if promise.running]
        new = [
            policy.start(mention, at, self.hours, pauses)
            for policy in self.policies
            if policy.name not in held
            and policy.begins_with(follow_up)
            and policy.covers(platform, classification)
        ]
        return (*running, *new)

    def again(self, name: str, who: str, now: datetime) -> datetime | None:
        """When somebody who was told of a broken promise now is told again; None when never."""
        policy = self._named(name)
        return policy.again(who, now, self.hours) if policy else None

    def recounted(
        self, running: Sequence[Promise], now: datetime, pauses: Sequence[Stretch]
    ) -> tuple[Promise, ...]:
        """What is owed, as the policies of now count it. A promise that no policy makes any more stays."""
        return tuple(
            policy.recounted(promise, now, self.hours, pauses)
            if promise.running and (policy := self._named(promise.name))
            else promise
            for promise in running
        )

    def _named(self, name: str) -> PromisePolicy | None:
        return next((policy for policy in self.policies if policy.name == name), None)

    def still_owed(
        self, promises: Sequence[Promise], *, platform: str, classification: Classification
    ) -> tuple[Promise, ...]:
        """``promises`` without the running ones that this classification does not ask for."""
        covering = {policy.name for policy in self.policies if policy.covers(platform, classification)}
        return tuple(promise for promise in promises if not promise.running or promise.name in covering)


@lru_cache(maxsize=64)
def _loud_hours(quiet: Span, timezone: str) -> OpeningHours:
    return OpeningHours(timezone, ((Span(quiet.end, quiet.start),),) * 7)


@lru_cache(maxsize=64)
def _part(length: timedelta, share: float) -> timedelta:
    return length * share


@lru_cache(maxsize=64)
def _in_order(ladder: tuple[LadderStep, ...]) -> tuple[LadderStep, ...]:
    return tuple(sorted(ladder, key=lambda step: step.after))
