"""A platform with people on it, as the contract of platforms needs it: what can be done there, and seen.

Each world is a server on loopback that speaks the platform's real wire format, played by hand; the
platform under test reaches it through its own library, unmodified. `tests/contracts/worlds/` has one file
a platform, each with ``open_world``. A world is in the process of the test, so that a test can look into
it, and every world can misbehave.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, Protocol

from casework.clock import ManualClock
from platforms.limits import Budget
from platforms.listening import Manners
from platforms.platform import Platform

PostFate = Literal[
    "ok", "lost", "reset", "dropped", "garbage", "429", "401", "403", "500", "502", "503", "504"
]
"""What becomes of a POST that publishes.

``lost``: it is published and the connection closed without an answer. ``reset``: published, and reset.
``dropped``: closed without an answer, and not published. ``garbage``: published, and answered with 200
and something that is no JSON. The numbers: not published, and answered with that status.
"""

ReadFate = Literal["ok", "closed", "garbage", "429", "401", "500", "503"]
"""What becomes of every read, and of every connect of a stream, until told otherwise."""

QUICK = Manners(
    silence=timedelta(seconds=0.5),
    gap=timedelta(seconds=0.02),
    first_wait=timedelta(seconds=0.02),
    longest_wait=timedelta(seconds=0.1),
    deaf=timedelta(seconds=0.3),
)
"""Manners for tests, so that what takes minutes on a platform takes a moment here."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a platform can show at all. ``ceiling`` is how far back its lists go at most.

    ``finds_unaddressed``: posts with the brand's words that do not speak to it are heard.
    ``sifts_words``: it looks for the brand's words itself, or Heard does there.
    ``same_reply_once``: the platform itself makes one reply of two equal attempts (RULES §2.2).
    """

    has_stream: bool = True
    tells_edits: bool = True
    tells_deletions: bool = True
    finds_unaddressed: bool = True
    sifts_words: bool = True
    same_reply_once: bool = False
    ceiling: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A reply as the world shows it to people."""

    id: str
    in_reply_to: str
    text: str


class World(Protocol):
    """A platform with people on it; the brand is Aurora Air, its account ``auroraair`` where one fits."""

    name: str
    traits: Traits

    def connect(
        self,
        *,
        clock: ManualClock,
        budget: Budget,
        folder: Path,
        manners: Manners | None = QUICK,
        every: timedelta = timedelta(seconds=0.05),
        stream: bool = True,
        words: tuple[str, ...] = ("aurora air", "auroraair"),
    ) -> Platform:
        """A platform of Heard's as a fresh process would make it; called again, it is a restart."""
        ...

    def says(
        self, text: str, *, author: str = "maya", addressed: bool = True, in_reply_to: str | None = None
    ) -> str:
        """Somebody posts; returns the id that the mention will have.

        ``addressed`` posts speak to the brand in the platform's own way (an @mention, a facet, a reply);
        the world adds what that takes, and the mention's text has ``text`` in it. Others do not.
        """
        ...

    def edits(self, post_id: str, text: str) -> None:
        """The author changes the words."""
        ...

    def deletes(self, post_id: str) -> None:
        """The author takes the post away."""
        ...

    def colleague_answers(self, post_id: str, text: str) -> str:
        """Somebody at the brand answers with the brand's account, past Heard; returns the reply's id."""
        ...

    def published(self) -> list[Published]:
        """Everything that the brand's account has published and not deleted, oldest first."""
        ...

    @property
    def posts(self) -> int:
        """How many POSTs that would publish have arrived, whatever became of them."""
        ...

    @property
    def connects(self) -> int:
        """How often a stream was connected to, or tried to be."""
        ...

    def next_posts(self, *fates: PostFate) -> None:
        """What becomes of the next POSTs that publish; after them all is well again."""
        ...

    def reads_become(self, fate: ReadFate) -> None:
        """What becomes of every read and connect from now on."""
        ...

    def stream_loses(self, how: Literal["nothing", "everything", "even signs of life"]) -> None:
        """The stream stays open and leaves things out: entries alone, or signs of life too."""
        ...

    def close_streams(self) -> None:
        """Every open stream is closed, politely."""
        ...

    def repeat_stream(self) -> None:
        """The stream sends everything it has sent again, newest first."""
        ...

    def send_raw(self, raw: bytes) -> None:
        """The stream sends these bytes where an entry would stand (a line, a frame), whatever they are."""
        ...


OpenWorld = Callable[[ManualClock], AbstractAsyncContextManager[World]]
"""What ``open_world`` of each file in ``worlds/`` is."""
