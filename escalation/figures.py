"""A stretch of time in numbers: promises, waits, mood, topics, drafts, what is late now and why.

Pure: cases and timelines in, figures out. A share of fewer than five is no percentage: it would say more
about one customer than about the day.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from statistics import median
from typing import Final, TypeVar

from casework.case import Case, Move, due_next
from casework.classification import Sentiment
from casework.draft import ReplyKind
from casework.moves import HEARD, STILL_ON_IT, raised_by
from casework.reply import Reply
from casework.sla import Promise, PromisePolicy, PromiseState
from casework.timeline import TimelineEntry
from casework.words import person, platform_name, visible

_Wait = TypeVar("_Wait", timedelta, float)

SMALL: Final = 5
"""Fewer are counted, not given as a percentage."""

SOON: Final = timedelta(hours=1)
PACE_OVER: Final = timedelta(hours=1)


def share(part: int, of: int) -> float | None:
    """A share, 0 to 1; None where there are too few to say."""
    return part / of if of >= SMALL else None


@dataclass(frozen=True, slots=True)
class PromiseFigure:
    """One kind of promise: how many ended kept or missed in the time, and how many are owed now."""

    name: str
    target: float
    kept: int
    missed: int
    owed: int
    late: int

    @property
    def ended(self) -> int:
        """Kept or missed."""
        return self.kept + self.missed

    @property
    def share(self) -> float | None:
        """The share kept; None where too few ended."""
        return share(self.kept, self.ended)


@dataclass(frozen=True, slots=True)
class TopicFigure:
    """What one intent, or one topic, brought: mentions, negative ones, the median wait for a first reply."""

    name: str
    mentions: int
    negative: int
    wait: timedelta | None

    @property
    def negative_share(self) -> float | None:
        """The share that was negative; None where there were too few."""
        return share(self.negative, self.mentions)


@dataclass(frozen=True, slots=True)
class DraftFigure:
    """What people made of the drafts."""

    unchanged: int = 0
    edited: int = 0
    rejected: int = 0

    @property
    def decided(self) -> int:
        """All that were decided."""
        return self.unchanged + self.edited + self.rejected


@dataclass(frozen=True, slots=True)
class Figures:
    """A stretch of time, ``since`` (in it) to ``until`` (not in it), and how things stand at ``now``.

    ``mentions`` were written in the time; ``moods`` counts them by feeling, those not judged yet not at all.
    ``wait`` and ``wait_p90`` are of the first replies posted in the time. ``missed`` are the cases whose
    promise broke in it, the earliest first. ``will_break`` is how many more cases break a promise within the
    next hour if people go on at the pace of the last.
    """

    since: datetime
    until: datetime
    now: datetime
    promises: tuple[PromiseFigure, ...]
    mentions: int
    wait: timedelta | None
    wait_p90: timedelta | None
    moods: Mapping[Sentiment, int]
    topics: tuple[TopicFigure, ...]
    missed: tuple[str, ...]
    automatic: int
    drafts: DraftFigure
    open: int
    late: int
    at_risk: int
    will_break: int

    def mood(self, feeling: Sentiment) -> float | None:
        """The share of a feeling; None where too few mentions are judged."""
        return share(self.moods.get(feeling, 0), sum(self.moods.values()))


def figures(
    cases: Iterable[Case],
    policies: Iterable[PromisePolicy],
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    timelines: Mapping[str, Sequence[TimelineEntry]] | None = None,
) -> Figures:
    """Count cases that were open or moved in the time. ``timelines`` (by case id) tell edits and rejections.

    A promise counts when it was kept, or when it fell due unkept; a stopped clock hides no broken one.
    """
    seen, told = [as_of(case, now) for case in cases], timelines or {}
    within = Within(since, until)
    written = [(case, sum(m.created_at in within for m in case.mentions)) for case in seen]
    firsts = {case.id: wait for case in seen if (wait := _first_wait(case, within)) is not None}
    stands = Counter(_stand(case) for case in seen if case.open)
    return Figures(
        since=since,
        until=until,
        now=now,
        promises=tuple(_promise(policy, seen, within) for policy in policies),
        mentions=sum(count for _, count in written),
        wait=_middle(list(firsts.values())),
        wait_p90=nine_of_ten(list(firsts.values())),
        moods=_moods(written),
        topics=_topics(written, firsts),
        missed=_missed(seen, within),
        automatic=sum(r.automatic and r.posted_at in within for case in seen for r in case.replies),
        drafts=_drafts(seen, told, within),
        open=stands.total(),
        late=stands[PromiseState.BREACHED],
        at_risk=stands[PromiseState.AT_RISK],
        will_break=will_break(seen, now),
    )


def as_of(case: Case, now: datetime) -> Case:
    """The case with its promises as they have become by now; those that stand still are as they were."""
    return replace(case, promises=tuple(promise for promise, _ in raised_by(case, now)))


@dataclass(frozen=True, slots=True)
class Within:
    """A stretch of time: ``since`` is in it, ``until`` is not."""

    since: datetime
    until: datetime

    def __contains__(self, at: datetime | None) -> bool:
        return at is not None and self.since <= at < self.until


# ── promises ─────────────────────────────────────────────────────────────────────────────────────


def _promise(policy: PromisePolicy, cases: Sequence[Case], within: Within) -> PromiseFigure:
    of_kind = [(case, p) for case in cases for p in case.promises if p.name == policy.name]
    owed = [p for case, p in of_kind if case.open and p.running]
    return PromiseFigure(
        name=policy.name,
        target=policy.target,
        kept=sum(was_kept(p, within) for _, p in of_kind),
        missed=sum(broke(p, within) for _, p in of_kind),
        owed=len(owed),
        late=sum(p.state is PromiseState.BREACHED for p in owed),
    )


def was_kept(promise: Promise, within: Within) -> bool:
    """Whether the promise was kept in the time."""
    return promise.state is PromiseState.MET and promise.settled_at in within


def broke(promise: Promise, within: Within) -> bool:
    """Whether the promise fell due in the time, unkept. The case must be `as_of` the present."""
    return promise.state is PromiseState.BREACHED and promise.due_at in within


def _missed(cases: Iterable[Case], within: Within) -> tuple[str, ...]:
    broken = [(p.due_at, case.id) for case in cases for p in case.promises if broke(p, within)]
    return tuple(dict.fromkeys(case_id for _, case_id in sorted(broken)))


def _stand(case: Case) -> PromiseState:
    owed = [promise.state for promise in case.promises if promise.running]
    worst = (PromiseState.BREACHED, PromiseState.AT_RISK)
    return next((state for state in worst if state in owed), PromiseState.OPEN)


@dataclass(slots=True)
class Forecast:
    """What breaks within the hour, if the first due is always answered first; cases are counted one by one.

    The pace is the cases that people answered within the last hour; at none, everything due breaks. Late
    cases come first and take their time too. A stopped clock hides no late one.
    """

    now: datetime
    answered: int = 0
    _due: list[datetime] = field(default_factory=list)

    def count(self, case: Case) -> None:
        """Take one case into account."""
        self.answered += any(
            by_people(r) and self.now - PACE_OVER < r.posted_at <= self.now for r in case.replies
        )
        if case.open and (promise := due_next(case)) is not None:
            self._due.append(promise.due_at)

    @property
    def late(self) -> int:
        """The cases that are late already."""
        return sum(due_at <= self.now for due_at in self._due)

    @property
    def due(self) -> int:
        """The cases that fall due within the hour."""
        return sum(self._soon(due_at) for due_at in self._due)

    @property
    def will_break(self) -> int:
        """How many of those will not be answered in time."""
        return sum(
            self._soon(due_at) and not self._reached(place, due_at)
            for place, due_at in enumerate(sorted(self._due), start=1)
        )

    def _soon(self, due_at: datetime) -> bool:
        return self.now < due_at <= self.now + SOON

    def _reached(self, place: int, due_at: datetime) -> bool:
        return self.answered > 0 and self.now + place * PACE_OVER / self.answered < due_at


def will_break(cases: Iterable[Case], now: datetime) -> int:
    """How many more cases break a promise within the hour, as `Forecast` says."""
    forecast = Forecast(now)
    for case in cases:
        forecast.count(case)
    return forecast.will_break


def by_people(reply: Reply) -> bool:
    """Whether a person decided on the reply."""
    return not reply.automatic


# ── waits, moods, topics ─────────────────────────────────────────────────────────────────────────


def _first_wait(case: Case, within: Within) -> timedelta | None:
    first = min(case.replies, key=lambda reply: reply.posted_at, default=None)
    if first is None or first.posted_at not in within:
        return None
    return waited(case, first)


def waited(case: Case, reply: Reply) -> timedelta:
    """How long the customer waited for a reply, from the first mention on."""
    # A clock that is wrong in the future must not shorten the wait.
    return reply.posted_at - min(case.mentions[0].created_at, case.opened_at)


def _middle(waits: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(wait.total_seconds() for wait in waits)) if waits else None


def nine_of_ten(waits: Sequence[_Wait]) -> _Wait | None:
    """The shortest wait that nine of ten did not exceed."""
    return sorted(waits)[ceil(0.9 * len(waits)) - 1] if waits else None


def _moods(written: Iterable[tuple[Case, int]]) -> Mapping[Sentiment, int]:
    counted: Counter[Sentiment] = Counter()
    for case, count in written:
        if case.classification is not None:
            counted[case.classification.sentiment] += count
    return dict(counted)


def _topics(written: Iterable[tuple[Case, int]], firsts: Mapping[str, timedelta]) -> tuple[TopicFigure, ...]:
    """Each intent and each topic, the most mentioned first; a case counts under all of its own."""
    mentions: Counter[str] = Counter()
    negative: Counter[str] = Counter()
    waits: dict[str, list[timedelta]] = {}
    for case, count in written:
        judged = case.classification
        for name in dict.fromkeys((str(judged.intent), *judged.topics)) if judged else ():
            mentions[name] += count
            negative[name] += count if judged and judged.sentiment is Sentiment.NEGATIVE else 0
            waits.setdefault(name, []).extend([firsts[case.id]] if case.id in firsts else [])
    rows = [
        TopicFigure(name, count, negative[name], _middle(waits[name]))
        for name, count in mentions.items()
        if count
    ]
    return tuple(sorted(rows, key=lambda row: (-row.mentions, row.name)))


def _drafts(
    cases: Iterable[Case], timelines: Mapping[str, Sequence[TimelineEntry]], within: Within
) -> DraftFigure:
    unchanged = edited = rejected = 0
    for case in cases:
        entries = timelines.get(case.id, ())
        by_people = {entry.detail for entry in entries if entry.what == Move.EDIT}
        rejected += sum(entry.what == Move.REJECT and entry.at in within for entry in entries)
        for reply in case.replies:
            ours = reply.kind is ReplyKind.ANSWER and not (reply.automatic or reply.by_hand)
            if ours and reply.posted_at in within:
                # The draft that was sent is named in the reply's key.
                was_edited = reply.key.removeprefix(f"{case.id}:") in by_people
                edited, unchanged = edited + was_edited, unchanged + (not was_edited)
    return DraftFigure(unchanged, edited, rejected)


# ── why late ─────────────────────────────────────────────────────────────────────────────────────


class Cause(StrEnum):
    """Why a promise broke, in the words that a count of them ends with: "2 of 3 never opened"."""

    HEARD_LATE = "heard of too late"
    NOT_DELIVERED = "not delivered to Slack"
    NEVER_OPENED = "never opened"
    SNOOZED = "snoozed"
    IDLE = "taken, then left"
    REFUSED = "refused by the platform"
    WAITED = "kept waiting by the platform"
    SECOND_APPROVAL = "waiting for a second approval"
    WORKED_ON = "worked on, not in time"


@dataclass(frozen=True, slots=True)
class Late:
    """Why one case is late: the cause, and what happened, for people. Names in it are as they are."""

    cause: Cause
    words: str


_APPROVALS = re.compile(r"(\d+) of (\d+) approvals$")
_BY_PEOPLE: Final = frozenset(
    {Move.RELABEL, Move.APPROVE, Move.EDIT, Move.REJECT, Move.TAKE, Move.SNOOZE, Move.REOPEN, Move.ESCALATE}
)
"""What people do to get a case answered; a note or an acknowledged alarm is none of it."""


def why_late(case: Case, timeline: Sequence[TimelineEntry], *, undelivered: str = "") -> str:
    """Why the case's first broken promise broke, in words; nothing where none is broken."""
    late = late_because(case, timeline, undelivered=undelivered)
    return late.words if late else ""


def late_because(case: Case, timeline: Sequence[TimelineEntry], *, undelivered: str = "") -> Late | None:
    """Why the case's first broken promise broke, by what had last happened when it fell due.

    ``undelivered`` is the reason why Slack did not show the case, where it did not.
    """
    broken = [p for p in case.promises if p.state is PromiseState.BREACHED]
    if not broken:
        return None
    promise = min(broken, key=lambda p: p.due_at)
    heard = next(
        (e.at for e in timeline if e.detail == promise.mention and e.what in (Move.HEAR, Move.JOIN)), None
    )
    if (heard or case.opened_at) >= promise.due_at:
        return Late(Cause.HEARD_LATE, "heard of only after it was due")
    before = [e for e in timeline if promise.started_at <= e.at < promise.due_at]
    telling = next((late for e in reversed(before) if (late := _told_by(e, case, promise)) is not None), None)
    if telling is not None:
        return telling
    if undelivered:
        return Late(Cause.NOT_DELIVERED, f"not delivered to Slack: {visible(undelivered)}")
    return Late(Cause.NEVER_OPENED, "never opened")


def _told_by(entry: TimelineEntry, case: Case, promise: Promise) -> Late | None:
    """What one entry explains, if it is the last that explains anything."""
    who, where = person(entry.by), platform_name(case.platform)
    earlier = _minutes(promise.due_at - entry.at)
    if entry.what == Move.REFUSE:
        return Late(Cause.REFUSED, f"{where} refused the reply {earlier} before it was due")
    if entry.what in (Move.WAIT, Move.LOSE_TRACK):
        return Late(Cause.WAITED, f"approved, but {where} did not take the reply in time")
    if entry.what == Move.APPROVE and (counted := _APPROVALS.search(entry.detail)):
        return Late(
            Cause.SECOND_APPROVAL, f"{who} approved it; approval {counted[1]} of {counted[2]} is all it got"
        )
    if entry.what == Move.SNOOZE:
        return Late(Cause.SNOOZED, f"snoozed by {who} {earlier} before it was due")
    if entry.what == Move.RELEASE:
        return Late(Cause.IDLE, f"nobody has had it since {earlier} before it was due")
    if entry.by == HEARD or entry.what not in _BY_PEOPLE:
        return None
    if entry.what == Move.TAKE:
        if entry.detail == STILL_ON_IT:
            return Late(Cause.IDLE, f"{who} was still on it {earlier} before it was due")
        to = visible(entry.detail.removeprefix("to ")) if entry.detail else who
        return Late(Cause.IDLE, f"{to} has had it since {earlier} before it was due")
    return Late(Cause.WORKED_ON, f"worked on by {who}, last {earlier} before it was due")


def _minutes(length: timedelta) -> str:
    minutes = round(length / timedelta(minutes=1))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
