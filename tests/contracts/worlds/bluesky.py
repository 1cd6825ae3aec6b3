"""The world of Bluesky: people post, and the brand's account is @auroraair.example.social."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from casework.clock import ManualClock
from platforms.bluesky import connect
from platforms.limits import Budget
from platforms.listening import Manners
from platforms.platform import Platform
from platforms.setup import Setup
from tests.contracts.world import QUICK, PostFate, Published, ReadFate, Traits
from tests.fakes.bluesky_server import (
    BRAND,
    PASSWORD,
    POST,
    BlueskyServer,
    did_of,
    handle_of,
    iso,
    open_server,
    parts_of,
)


class BlueskyWorld:
    """People on a Bluesky that a test can break."""

    name = "bluesky"
    traits = Traits(same_reply_once=True)

    def __init__(self, server: BlueskyServer) -> None:
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
        account: bool = True,
    ) -> Platform:
        """Heard's Bluesky, with the brand's account or without any."""
        access = {
            "service_url": self.server.url,
            "appview_url": self.server.url,
            "jetstream_url": self.server.url.replace("http", "ws", 1) + "/subscribe",
        }
        if account:
            access |= {"handle": handle_of(BRAND), "app_password": PASSWORD}
        setup = Setup(
            brand="Aurora Air",
            words=words,
            handles=frozenset({handle_of(BRAND)}),
            clock=clock,
            budget=budget,
            folder=folder,
            access=access,
            stream=stream,
            manners=manners,
            every=every,
        )
        return connect(setup)

    def record(self, text: str, *, addressed: bool, in_reply_to: str | None = None) -> dict[str, Any]:
        """A post's record as Bluesky's own app writes it."""
        record: dict[str, Any] = {"$type": POST, "createdAt": iso(self.server.clock.now()), "langs": ["en"]}
        if addressed:
            tag = f"@{handle_of(BRAND)}"
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": did_of(BRAND)}
            record["facets"] = [
                {"index": {"byteStart": 0, "byteEnd": len(tag.encode())}, "features": [feature]}
            ]
            text = f"{tag} {text}"
        if in_reply_to is not None:
            parent = self.server.posts[in_reply_to]
            ref = {"uri": in_reply_to, "cid": parent["cid"]}
            record["reply"] = {"parent": ref, "root": parent["record"].get("reply", {}).get("root", ref)}
        return {**record, "text": text}

    def says(
        self, text: str, *, author: str = "maya", addressed: bool = True, in_reply_to: str | None = None
    ) -> str:
        """Somebody posts; addressed by a tag with its facet."""
        return self.server.publish(author, self.record(text, addressed=addressed, in_reply_to=in_reply_to))

    def edits(self, post_id: str, text: str) -> None:
        """Another app puts the record anew; the reference AppView shows it."""
        self.server.update(post_id, {**self.server.posts[post_id]["record"], "text": text})

    def deletes(self, post_id: str) -> None:
        """The record is gone, and Jetstream says so."""
        self.server.remove(post_id)

    def colleague_answers(self, post_id: str, text: str) -> str:
        """A reply from the app on somebody's phone."""
        return self.server.publish(BRAND, self.record(text, addressed=False, in_reply_to=post_id))

    def published(self) -> list[Published]:
        """The replies in the brand's repository."""
        return [
            Published(
                uri, post["record"].get("reply", {}).get("parent", {}).get("uri", ""), post["record"]["text"]
            )
            for uri, post in self.server.repository.items()
            if parts_of(uri)[0] == did_of(BRAND)
        ]

    @property
    def posts(self) -> int:
        """How many records were put."""
        return len(self.server.put_bodies)

    @property
    def connects(self) -> int:
        """How often Jetstream was connected to."""
        return self.server.connects

    def next_posts(self, *fates: PostFate) -> None:
        """What becomes of the next records that are put."""
        self.server.post_fates = list(fates)

    def reads_become(self, fate: ReadFate) -> None:
        """What becomes of queries, logins and connects."""
        self.server.read_fate = fate

    def stream_loses(self, how: Literal["nothing", "everything", "even signs of life"]) -> None:
        """Jetstream's only signs of life are other people's posts."""
        self.server.loses = how

    def close_streams(self) -> None:
        """Jetstream closes its connections."""
        self.server.close_streams()

    def repeat_stream(self) -> None:
        """Jetstream sends its events again, newest first."""
        for _, raw in reversed(self.server.events):
            self.server.send(raw)

    def send_raw(self, raw: bytes) -> None:
        """A frame of any bytes."""
        self.server.send(raw)


@asynccontextmanager
async def open_world(clock: ManualClock) -> AsyncIterator[BlueskyWorld]:
    """Bluesky on loopback."""
    async with open_server(clock) as server:
        yield BlueskyWorld(server)
