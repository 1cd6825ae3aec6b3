"""What the customer sees: a reply decided but not yet posted (the outbox), and a reply that was posted."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from casework.draft import ReplyKind


class Way(StrEnum):
    """How a reply may reach the customer under the platform's rules."""

    SEND = "send"
    BY_HAND = "by hand"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether Heard may post a reply itself, by which rule, in words for a person."""

    way: Way
    rule: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A reply that is decided and not yet known to be posted: the outbox of one case.

    ``key`` is its idempotency material: the same for every attempt at the same reply, different for
    every other. ``not_after`` sends it back to a person rather than out silently late. ``started_at``
    is when the last attempt began; nothing of that attempt can be in flight after the platform's
    deadline and read lag have passed since. ``language`` is the reply's own, empty where nobody said.
    """

    key: str
    kind: ReplyKind
    text: str
    answers: str
    decided_by: str
    decided_at: datetime
    automatic: bool = False
    not_after: datetime | None = None
    started_at: datetime | None = None
    attempts: int = 0
    language: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that the platform has: ``id`` is the platform's own, ``key`` the outgoing reply it was.

    ``seen_at`` is when the customer could first read it; ``decided_by`` is who took editorial
    responsibility (EU AI Act Art. 50(4)), or ``heard`` for an automatic acknowledgement.
    """

    key: str
    kind: ReplyKind
    id: str
    text: str
    answers: str
    decided_by: str
    posted_at: datetime
    automatic: bool = False
    by_hand: bool = False
