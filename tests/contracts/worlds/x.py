"""The world of X: the server of `tests.fakes.x_server`, with Aurora Air and its customers on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

from casework.clock import ManualClock
from platforms.limits import Budget
from platforms.listening import Manners
from platforms.setup import Setup
from platforms.x import X, connect
from tests.contracts.world import QUICK, PostFate, Published, ReadFate, Traits
from tests.fakes.x_server import BEARER, KEYS, TIMELINE_SHOWS, FakeX


class XWorld:
    """X, played by hand."""

    name = "x"
    traits = Traits(tells_deletions=False, same_reply_once=True, ceiling=TIMELINE_SHOWS)

    def __init__(self, server: FakeX) -> None:
        self.server = server

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
    ) -> X:
        """With the bearer token and the four keys of a user."""
        return connect(
            Setup(
                brand="Aurora Air",
                words=words,
                handles=frozenset({"auroraair"}),
                clock=clock,
                budget=budget,
                folder=folder,
                access={"api_url": self.server.url, "bearer_token": BEARER, **KEYS},
                stream=stream,
                manners=manners,
                every=every,
            )
        )

    def says(
        self, text: str, *, author: str = "maya", addressed: bool = True, in_reply_to: str | None = None
    ) -> str:
        """To speak to the brand is to mention it."""
        words = f"@auroraair {text}" if addressed else text
        return str(self.server.says(words, author, reply_to=int(in_reply_to) if in_reply_to else None).id)

    def edits(self, post_id: str, text: str) -> None:
        """A new version under a new id."""
        addressed = self.server.posts[int(post_id)].text.startswith("@auroraair ")
        self.server.edits(int(post_id), f"@auroraair {text}" if addressed else text)

    def deletes(self, post_id: str) -> None:
        """All its versions."""
        self.server.deletes(int(post_id))

    def colleague_answers(self, post_id: str, text: str) -> str:
        """In X's own app."""
        author = self.server.posts[int(post_id)].author
        return str(self.server.says(f"@{author} {text}", "auroraair", reply_to=int(post_id)).id)

    def published(self) -> list[Published]:
        """The brand's timeline."""
        posts = [p for _, p in sorted(self.server.posts.items()) if p.author == "auroraair" and not p.deleted]
        return [
            Published(str(post.id), str(self.server.posts[post.reply_to or 0].history[0]), post.text)
            for post in posts
        ]

    @property
    def posts(self) -> int:
        """What arrived at POST /2/tweets."""
        return self.server.arrived

    @property
    def connects(self) -> int:
        """What arrived at the stream."""
        return self.server.connects

    def next_posts(self, *fates: PostFate) -> None:
        """What becomes of the next POSTs."""
        self.server.post_fates = list(fates)

    def reads_become(self, fate: ReadFate) -> None:
        """What becomes of reads and connects."""
        self.server.read_fate = fate

    def stream_loses(self, how: Literal["nothing", "everything", "even signs of life"]) -> None:
        """What the stream leaves out."""
        self.server.loses = how

    def close_streams(self) -> None:
        """X ends them."""
        self.server.close_streams()

    def repeat_stream(self) -> None:
        """Everything again, newest first."""
        for line in [*reversed(self.server.sent)]:
            self.server.send(line)

    def send_raw(self, raw: bytes) -> None:
        """A line, whatever it is."""
        self.server.send(raw)


@asynccontextmanager
async def open_world(clock: ManualClock) -> AsyncIterator[XWorld]:
    """A server on loopback."""
    server = FakeX(clock)
    await server.start()
    yield XWorld(server)
    await server.stop()
