"""The case: one customer, one matter. The only thing with a status, drafts and deadlines.

This file is the table of what a case is and which move is legal when; `casework.moves` makes them.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from casework.classification import Classification
from casework.draft import Draft
from casework.errors import IllegalMove
from casework.hours import Stretch
from casework.mention import Author, Mention
from casework.pause import Pause, stretches
from casework.reply import Outgoing, Permission, Reply
from casework.sla import Alert, Promise, PromiseState
from casework.timeline import TimelineEntry


class Status(StrEnum):
    """Where a case stands on the line."""

    NEW = "new"
    CLASSIFIED = "classified"
    IGNORED = "ignored"
    ACKNOWLEDGED = "acknowledged"
    DRAFTED = "drafted"
    APPROVED = "approved"
    SENDING = "sending"
    ANSWERED = "answered"
    CLOSED = "closed"
    SNOOZED = "snoozed"
    HELD = "held"
    UNKNOWN = "unknown"
    FAILED = "failed"
    ERASED = "erased"


class Move(StrEnum):
    """Everything that can happen to a case, as the verb that an error or the timeline says."""

    HEAR = "hear"
    JOIN = "join"
    CLASSIFY = "classify"
    RELABEL = "relabel"
    IGNORE = "ignore"
    ACKNOWLEDGE = "acknowledge"
    DRAFT = "draft"
    HOLD = "hold"
    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    TAKE = "take"
    RELEASE = "release"
    SNOOZE = "snooze"
    PAUSE = "pause"
    RESUME = "go on"
    RECOUNT = "recount its promises"
    CLOSE = "close"
    NOTE = "note"
    REOPEN = "reopen"
    ESCALATE = "escalate"
    POST_BY_HAND = "post by hand"
    BEGIN_SENDING = "begin sending"
    STOP_SENDING = "stop sending"
    SENT = "be sent"
    REFUSE = "be refused"
    LOSE_TRACK = "lose track"
    WAIT = "wait its turn"
    RESEND = "resend"
    ASK_BACK = "ask the reply back"
    TAKE_BACK = "take the reply back"
    WAKE = "wake"
    TELL = "tell"
    HUSH = "hush"
    AMEND = "amend"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    ERASE = "erase"


class Topic(StrEnum):
    """The streams between the stages, named for what the entries on them have become."""

    MENTIONS = "mentions"
    CLASSIFIED = "classified"
    ESCALATED = "escalated"
    APPROVED = "approved"
    ALERTS = "alerts"


ALL = frozenset(Status)
FINAL = frozenset({Status.ERASED})
DONE = frozenset({Status.IGNORED, Status.ANSWERED, Status.CLOSED, Status.ERASED})
OPEN = ALL - DONE
IN_FLIGHT = frozenset({Status.SENDING, Status.UNKNOWN})
WITH_THE_SENDER = IN_FLIGHT | {Status.APPROVED}
WITH_PEOPLE = frozenset({Status.DRAFTED, Status.HELD, Status.ACKNOWLEDGED, Status.FAILED, Status.SNOOZED})

LEGAL: dict[Move, frozenset[Status]] = {
    Move.HEAR: frozenset(),
    Move.JOIN: ALL - FINAL,
    Move.CLASSIFY: frozenset({Status.NEW}),
    Move.RELABEL: WITH_PEOPLE,
    Move.IGNORE: frozenset({Status.CLASSIFIED}),
    Move.ACKNOWLEDGE: frozenset({Status.CLASSIFIED}),
    Move.DRAFT: frozenset({Status.CLASSIFIED}),
    Move.HOLD: frozenset({Status.CLASSIFIED}),
    Move.APPROVE: WITH_PEOPLE,
    Move.EDIT: WITH_PEOPLE,
    Move.REJECT: WITH_PEOPLE,
    Move.TAKE: OPEN,
    Move.RELEASE: OPEN,
    Move.SNOOZE: WITH_PEOPLE - {Status.SNOOZED},
    Move.PAUSE: WITH_PEOPLE,
    Move.RESUME: OPEN,
    Move.RECOUNT: OPEN,
    Move.CLOSE: OPEN - IN_FLIGHT,
    Move.NOTE: ALL - FINAL,
    Move.REOPEN: frozenset({Status.IGNORED, Status.ANSWERED, Status.CLOSED}),
    Move.ESCALATE: WITH_PEOPLE,
    Move.POST_BY_HAND: WITH_PEOPLE,
    Move.BEGIN_SENDING: frozenset({Status.APPROVED}),
    Move.STOP_SENDING: frozenset({Status.APPROVED}),
    Move.SENT: IN_FLIGHT,
    Move.REFUSE: IN_FLIGHT,
    Move.LOSE_TRACK: frozenset({Status.SENDING}),
    Move.WAIT: frozenset({Status.SENDING}),
    Move.RESEND: IN_FLIGHT,
    Move.ASK_BACK: ALL - FINAL - WITH_THE_SENDER,
    Move.TAKE_BACK: ALL - FINAL - WITH_THE_SENDER,
    Move.WAKE: ALL - FINAL,
    Move.TELL: ALL - FINAL,
    Move.HUSH: ALL - FINAL,
    Move.AMEND: ALL - FINAL - IN_FLIGHT,
    Move.WITHDRAW: ALL - FINAL,
    Move.EXPIRE: ALL - FINAL - IN_FLIGHT,
    Move.ERASE: ALL - IN_FLIGHT,
}
"""Which statuses each move may start from. Hearing starts from nothing: it makes the case."""


@dataclass(frozen=True, slots=True)
class Case:
    """One customer, one matter, as of ``version``.

    ``why`` says in words why the case is where it is; ``rule`` is the brand's policy rule that decided.
    ``approvals`` are who has approved the present draft, where one approval is not enough.
    ``taking_back`` is the platform's id of a reply that a person wants deleted, until it is.
    ``rested`` is the status a snooze returns to; ``look_at`` is when the sender takes the case up again:
    an attempt to post can no longer be in flight, so that looking for our reply proves something, or the
    platform takes the next reply. ``pauses`` are when its promises stood still, one that lasts at the
    end. ``moved_by`` and ``moved`` name the last move, so that whoever comes second can be told who was
    faster.
    """

    id: str
    platform: str
    author: Author
    opened_at: datetime
    mentions: tuple[Mention, ...]
    status: Status = Status.NEW
    version: int = 1
    classification: Classification | None = None
    draft: Draft | None = None
    permission: Permission | None = None
    outgoing: Outgoing | None = None
    replies: tuple[Reply, ...] = ()
    promises: tuple[Promise, ...] = ()
    owner: str | None = None
    escalated_to: str | None = None
    why: str = ""
    rule: str = ""
    rejections: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    snoozed_until: datetime | None = None
    rested: Status | None = None
    look_at: datetime | None = None
    taking_back: str = ""
    pauses: tuple[Pause, ...] = ()
    moved_by: str = "heard"
    moved: str = Move.HEAR
    moved_at: datetime | None = None

    @property
    def last(self) -> Mention:
        """The customer's last mention: the one that a draft must answer."""
        return self.mentions[-1]

    @property
    def open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.status in OPEN

    @property
    def pause(self) -> Pause | None:
        """The pause that lasts; None while the promises run."""
        return self.pauses[-1] if self.pauses and self.pauses[-1].lasting else None

    @property
    def paused(self) -> tuple[Stretch, ...]:
        """When the promises stood still, up to the pause that lasts."""
        return stretches(self.pauses)

    def unanswered(self) -> tuple[Mention, ...]:
        """The mentions after the last one that an answer settled, oldest first."""
        answered = [reply.answers for reply in self.replies if reply.kind == "answer"]
        keys = [mention.key for mention in self.mentions]
        last = max((keys.index(key) for key in answered if key in keys), default=-1)
        return self.mentions[last + 1 :]

    def next_wake(self) -> datetime | None:
        """When the clock must look at this case next: a promise, a snooze's end, or a send to look up."""
        wakes = [promise.next_wake for promise in self.promises] if self.pause is None else []
        wakes.append(self.snoozed_until if self.status is Status.SNOOZED else None)
        wakes.append(self.look_at if self.status in WITH_THE_SENDER else None)
        return min((wake for wake in wakes if wake is not None), default=None)


@dataclass(frozen=True, slots=True)
class Send:
    """One entry for a stream: the case, and the alert that it carries to people, if any."""

    topic: Topic
    alert: Alert | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The outcome of a move: the case as it became, its new timeline, and what is sent on.

    ``was`` is the version the move was made on: the store takes it only while that is still current.
    ``heard`` is the key of the mention that the move takes in: each is taken in once. ``posts`` are the
    posts of the platform by which what the same author writes later finds this case.
    """

    case: Case
    timeline: tuple[TimelineEntry, ...]
    sends: tuple[Send, ...] = ()
    was: int = 0
    was_status: Status | None = None
    heard: str | None = None
    posts: tuple[str, ...] = ()


def check_legal(case: Case, move: Move) -> None:
    """Raise `IllegalMove` unless the table allows the move from the case's status."""
    if case.status not in LEGAL[move]:
        raise IllegalMove(move, case.status, case.id)


class Standing(StrEnum):
    """The words that the desk, Slack and the command line share for how a case stands."""

    ON_TIME = "On time"
    AT_RISK = "At risk"
    LATE = "Late"
    ANSWERED = "Answered"
    SNOOZED = "Snoozed"
    NOT_SENT = "Not sent"
    CLOSED = "Closed"


def standing(case: Case) -> Standing:
    """How the case stands, in the words people see. A broken promise shows through a snooze."""
    owed = [promise.state for promise in case.promises if promise.running]
    if case.status is Status.ANSWERED:
        return Standing.ANSWERED
    if not case.open:
        return Standing.CLOSED
    if case.status is Status.FAILED:
        return Standing.NOT_SENT
    if PromiseState.BREACHED in owed:
        return Standing.LATE
    if PromiseState.AT_RISK in owed:
        return Standing.AT_RISK
    return Standing.SNOOZED if case.status is Status.SNOOZED else Standing.ON_TIME


def due_next(case: Case) -> Promise | None:
    """The promise that is due first of those still owed; None when nothing is owed, or nothing runs."""
    owed = (p for p in case.promises if p.running)
    runs = (p for p in owed if case.pause is None or p.state is PromiseState.BREACHED)
    return min(runs, key=lambda p: p.due_at, default=None)


def redacted(mention: Mention) -> Mention:
    """The mention without its words and its author's name: what a deletion leaves."""
    author = replace(mention.author, handle="", name="", followers=0)
    return replace(mention, text="", author=author, url=None)
