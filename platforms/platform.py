"""What every platform does for Heard, whatever it is called: listen, look, reply, look again, take back.

No type of any platform's own library crosses this line. Reading raises `platforms.faults.Fault` and its
kinds and nothing else; replying never raises, as something of it may be out.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from casework.mention import Mention
from casework.reply import Outgoing

DEADLINE = timedelta(seconds=20)
"""How long one POST may take in all; after it, nothing of ours can still leave this machine."""


# ── what is heard ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Heard:
    """A mention, and the position after it in the feed it came from.

    ``edited`` says that the platform knows it for a later version: if the mention was taken in before,
    its words are now these (X11). ``cursor`` is empty where the path cannot stand behind this entry yet.
    """

    mention: Mention
    cursor: str
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something in a feed that is no mention: where it stands, what it was, and what is wrong with it."""

    where: str
    raw: str
    why: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A post that its author or the platform took away. ``author_id`` is empty where nobody says."""

    id: str
    author_id: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Reached:
    """Nothing for the brand up to here: only the position moves, so that a restart reads little again."""

    cursor: str


Entry = Heard | Unreadable | Removed | Reached


@dataclass(frozen=True, slots=True)
class PathState:
    """How well a path hears. ``words`` say it to a person; ``since`` is when it began to be so.

    ``last_at`` is when the platform last sent anything at all, ``connects`` how often it was called.
    """

    ok: bool
    words: str
    since: datetime
    last_at: datetime | None = None
    connects: int = 0


class Path(Protocol):
    """One way of hearing a platform: a stream for speed, or a sweep for truth."""

    @property
    def name(self) -> str:
        """Unique on its platform; with the platform's name it names the cursor: ``bluesky/jetstream``."""
        ...

    def follow(self, cursor: str | None) -> AsyncGenerator[Sequence[Entry], None]:
        """Everything after a position, in its order, in stretches; from now on where there is none yet.

        Goes on for ever through every fault of the network and the platform: what was not heard
        meanwhile is heard late. The first thing of a path without a cursor is the position of now.
        """
        ...

    def state(self) -> PathState:
        """How well it hears at this moment."""
        ...


# ── what is there now ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Present:
    """The mention as the platform shows it now; ``text`` is its present text."""

    text: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The mention is not to be seen any more: deleted, or its author is."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The account that replies. ``labelled``: it says in the platform's own way that it is automatic.

    ``says`` is what its description says to people.
    """

    id: str
    handle: str
    labelled: bool
    says: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at on the platform, how it stands, in words, and what mends it."""

    about: str
    state: Literal["ok", "warn", "bad"]
    words: str
    fix: str = ""


# ── what becomes of a reply ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Posted:
    """The platform has the reply."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The platform said no, and nothing was posted."""

    why: str


@dataclass(frozen=True, slots=True)
class Busy:
    """The platform asks to come back later, and nothing was posted."""

    why: str
    after: timedelta


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost or useless: the reply may be there or not, now or in a while."""

    why: str


Fate = Posted | Refused | Busy | Unknown


class Replies(Protocol):
    """The half of a platform that the sender uses."""

    @property
    def name(self) -> str:
        """What mentions call it: ``x``, ``reddit``, ``bluesky``, ``mastodon``, ``replay``."""
        ...

    @property
    def read_lag(self) -> timedelta:
        """How long after a POST a look may still miss it."""
        ...

    async def reread(self, mention: Mention) -> Present | Gone:
        """The mention as it is now. May raise `Fault`."""
        ...

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """The id of a reply to the mention by the brand that is none of ``ours``; None when there is none.

        May raise `Fault`.
        """
        ...

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """POST once, without any retry. Never raises for the network's or the platform's sake.

        Reading the platform beforehand is allowed; as long as nothing of the reply has left, a fault is
        `Busy`, not `Unknown`.
        """
        ...

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """Our reply if the platform has it. Proves absence only after `DEADLINE` and `read_lag`.

        May raise `Fault`.
        """
        ...


class Platform(Replies, Protocol):
    """One platform, both directions."""

    @property
    def paths(self) -> Sequence[Path]:
        """The ways in which it hears, the stream first; none when it is not to listen."""
        ...

    @property
    def can_post(self) -> bool:
        """Whether an account is connected that may post."""
        ...

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """Many mentions as they are now, in order, in as few calls as the platform allows.

        May raise `Fault`.
        """
        ...

    async def take_back(self, reply_id: str) -> None:
        """Delete a reply of ours; one that is gone already is fine. May raise `Fault`."""
        ...

    async def profile(self) -> Profile | None:
        """The account that replies; None when none is connected. May raise `Fault`."""
        ...

    async def examine(self) -> Sequence[Finding]:
        """What the doctor wants to know: login, scopes, clock, label, budget. Never raises `Fault`."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
