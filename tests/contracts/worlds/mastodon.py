"""The world of Mastodon: a home server on loopback, with the brand's account on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal

from aiohttp.test_utils import TestServer

from casework.clock import ManualClock
from platforms.limits import Budget
from platforms.listening import Manners
from platforms.mastodon import MastodonPlatform, connect
from platforms.setup import Setup
from tests.contracts.world import QUICK, PostFate, Published, ReadFate, Traits
from tests.fakes.mastodon_server import BRAND, TOKEN, MastodonServer


class MastodonWorld:
    """People on a server, who mention the brand or only name it."""

    name = "mastodon"
    traits = Traits(same_reply_once=True)

    def __init__(self, server: MastodonServer) -> None:
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
        visibility: str | None = None,
    ) -> MastodonPlatform:
        """The brand's account by its access token."""
        return connect(
            Setup(
                brand="Aurora Air",
                words=words,
                handles=frozenset({BRAND}),
                clock=clock,
                budget=budget,
                folder=folder,
                access={"url": self.server.url, "access_token": TOKEN},
                stream=stream,
                manners=manners,
                every=every,
                visibility=visibility,
            )
        )

    def says(
        self, text: str, *, author: str = "maya", addressed: bool = True, in_reply_to: str | None = None
    ) -> str:
        """A public status, which mentions the brand when it speaks to it."""
        whole = f"@{BRAND} {text}" if addressed else text
        status = self.server.status(whole, author=author, in_reply_to=in_reply_to)
        self.server.publish(status)
        return str(status["id"])

    def edits(self, post_id: str, text: str) -> None:
        """The status has new words, and still mentions the brand."""
        self.server.edit(post_id, f"@{BRAND} {text}")

    def deletes(self, post_id: str) -> None:
        """The status is gone."""
        self.server.delete(post_id)

    def colleague_answers(self, post_id: str, text: str) -> str:
        """A reply that somebody wrote in the web client."""
        author = self.server.statuses[post_id]["account"]["acct"]
        status = self.server.status(f"@{author} {text}", author=BRAND, in_reply_to=post_id)
        self.server.publish(status)
        return str(status["id"])

    def published(self) -> list[Published]:
        """The brand's statuses."""
        return [
            Published(status["id"], status["in_reply_to_id"] or "", self.server.sources[status["id"]])
            for status in self.server.statuses.values()
            if status["account"]["acct"] == BRAND
        ]

    @property
    def posts(self) -> int:
        """POSTs of statuses that arrived."""
        return self.server.posts

    @property
    def connects(self) -> int:
        """Streams of any kind that were asked for."""
        return self.server.connects

    def next_posts(self, *fates: PostFate) -> None:
        """What becomes of the next POSTs."""
        self.server.post_fates = list(fates)

    def reads_become(self, fate: ReadFate) -> None:
        """What becomes of every GET."""
        self.server.read_fate = fate

    def stream_loses(self, how: Literal["nothing", "everything", "even signs of life"]) -> None:
        """What streams leave out."""
        self.server.loses = how

    def close_streams(self) -> None:
        """All streams end."""
        self.server.close_streams()

    def repeat_stream(self) -> None:
        """All events again, newest first."""
        self.server.repeat()

    def send_raw(self, raw: bytes) -> None:
        """The data of an event."""
        self.server.send_raw(raw)


@asynccontextmanager
async def open_world(clock: ManualClock) -> AsyncIterator[MastodonWorld]:
    """A server on a free port."""
    server = MastodonServer(clock)
    http = TestServer(server.app())
    await http.start_server(shutdown_timeout=0.1)
    server.url = str(http.make_url("")).rstrip("/")
    try:
        yield MastodonWorld(server)
    finally:
        server.close_streams()
        await http.close()
