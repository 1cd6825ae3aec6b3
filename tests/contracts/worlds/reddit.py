"""The world of Reddit: a community, an inbox, and the brand's account, on a server of our own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from casework.clock import ManualClock
from platforms.limits import Budget, Limit
from platforms.listening import Manners
from platforms.reddit import EVERY, RedditPlatform, connect
from platforms.setup import Setup
from tests.contracts.world import QUICK, PostFate, Published, ReadFate, Traits
from tests.fakes.reddit_server import (
    BRAND,
    CLIENT_ID,
    CLIENT_SECRET,
    PLACE,
    REFRESH_TOKEN,
    RedditServer,
    open_server,
)


@dataclass(frozen=True)
class Hurried:
    """A budget for tests, where what takes 30 seconds on Reddit takes a moment: as much more in a minute.

    `tests/platforms/test_reddit.py` holds the platform to Reddit's own figures.
    """

    budget: Budget
    times: int

    def _more(self, limit: Limit) -> Limit:
        return replace(limit, amount=limit.amount * self.times)

    async def take(self, account: str, limits: Sequence[Limit], cost: int = 1) -> timedelta | None:
        return await self.budget.take(account, [self._more(limit) for limit in limits], cost)

    async def told(self, account: str, limit: Limit, *, left: int, until: datetime) -> None:
        await self.budget.told(account, self._more(limit), left=left, until=until)

    async def left(self, account: str, limit: Limit) -> int:
        return await self.budget.left(account, self._more(limit))


class RedditWorld:
    """People on Reddit."""

    name = "reddit"
    traits = Traits(
        has_stream=False, tells_edits=False, tells_deletions=False, same_reply_once=False, ceiling=1_000
    )
    connects = 0

    def __init__(self, server: RedditServer) -> None:
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
        places: tuple[str, ...] = (PLACE,),
        refresh_token: str = REFRESH_TOKEN,
    ) -> RedditPlatform:
        """Heard, with the brand's login, in one community."""
        access = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": refresh_token,
            "user_agent": "heard/0.1 by u/auroraair",
            "api_url": self.server.url,
            "auth_url": self.server.url,
        }
        return connect(
            Setup(
                brand="Aurora Air",
                words=words,
                handles=frozenset({BRAND}),
                clock=clock,
                budget=Hurried(budget, max(1, int(EVERY / every))),
                folder=folder,
                access=access,
                places=places,
                approval="request 4711",
                every=every,
            )
        )

    @property
    def posts(self) -> int:
        """How many comments were POSTed."""
        return self.server.posts

    def says(
        self, text: str, *, author: str = "maya", addressed: bool = True, in_reply_to: str | None = None
    ) -> str:
        """Somebody comments under a post, or under a comment."""
        words = f"u/{BRAND} {text}" if addressed else text
        return self.server.comments(words, author=author, under=in_reply_to)

    def edits(self, post_id: str, text: str) -> None:
        """The comment has other words now."""
        item = self.server.items[post_id]
        item.text, item.edited = text, self.server.clock.now().timestamp()

    def deletes(self, post_id: str) -> None:
        """The comment is there still, without words or author."""
        self.server.items[post_id].deleted = True

    def colleague_answers(self, post_id: str, text: str) -> str:
        """A comment of the brand's account."""
        return self.server.comments(text, author=BRAND, under=post_id)

    def published(self) -> list[Published]:
        """The comments of the brand's account."""
        return [
            Published(item.name, item.parent or "", item.text)
            for item in self.server.items.values()
            if item.author == BRAND and not item.deleted
        ]

    def next_posts(self, *fates: PostFate) -> None:
        """What becomes of the next comments."""
        self.server.fates = list(fates)

    def reads_become(self, fate: ReadFate) -> None:
        """What becomes of everything else; a login that is refused is refused everywhere."""
        self.server.reads = fate
        if fate == "401":
            self.server.tokens.clear()

    def stream_loses(self, how: Literal["nothing", "everything", "even signs of life"]) -> None:
        """Reddit has no stream."""

    def close_streams(self) -> None:
        """Reddit has no stream."""

    def repeat_stream(self) -> None:
        """Reddit has no stream."""

    def send_raw(self, raw: bytes) -> None:
        """Reddit has no stream."""


@asynccontextmanager
async def open_world(clock: ManualClock) -> AsyncIterator[RedditWorld]:
    """Reddit with one community."""
    async with open_server(clock) as server:
        yield RedditWorld(server)
