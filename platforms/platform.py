"""What every platform does for Heard, whatever it is called: listen, look, reply, look again.

No type of any platform's own library crosses this line.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from casework.mention import Mention
from casework.reply import Outgoing

DEADLINE = timedelta(seconds=20)
"""How long one POST may take in all; after it, nothing of ours can still leave this machine."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A mention, and the position after it in the feed it came from."""

    mention: Mention
    cursor: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something in a feed that is no mention: where it stands, what it was, and what is wrong with it."""

    where: str
    raw: str
    why: str
    cursor: str


@dataclass(frozen=True, slots=True)
class Present:
    """The mention as the platform shows it now; ``text`` is its present text."""

    text: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The mention is not to be seen any more: deleted, or its author is."""


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


class Platform(Protocol):
    """One platform, both directions."""

    @property
    def name(self) -> str:
        """What mentions call it: ``x``, ``reddit``, ``bluesky``, ``mastodon``, ``replay``."""
        ...

    @property
    def read_lag(self) -> timedelta:
        """How long after a POST a look may still miss it."""
        ...

    def follow(self, cursor: str | None) -> AsyncIterator[Heard | Unreadable]:
        """Everything after a position of the feed, in its order; from the beginning when there is none."""
        ...

    async def reread(self, mention: Mention) -> Present | Gone:
        """The mention as it is now. May raise `TryAgainLater`."""
        ...

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """The id of a reply to the mention by the brand that is none of ``ours``; None when there is none."""
        ...

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """POST once, without any retry. Never raises for the network's or the platform's sake."""
        ...

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """Our reply if the platform has it. Proves absence only after `DEADLINE` and `read_lag`."""
        ...
