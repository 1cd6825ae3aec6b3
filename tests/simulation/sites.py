"""Platforms as the simulation has them: people write there, replies arrive or get lost, looks come late.

Features: the four behaviours against doubles (a key made from the mention, an idempotency key for an hour,
a refused duplicate, no help at all); replies whose answer is lost, that arrive after their sender's death,
that are refused or put off; platforms that are down; a read lag during which a look does not see a reply;
edits, deletions and answers by colleagues. What is true on the platform is a `Site`; what one process sees
of it is a `Connection`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final, Protocol

from casework.mention import Mention
from casework.reply import Outgoing
from platforms.faults import Offline, TooMany, Trouble
from platforms.platform import (
    DEADLINE,
    Busy,
    Entry,
    Fate,
    Finding,
    Gone,
    Path,
    PathState,
    Posted,
    Present,
    Profile,
    Refused,
    Unknown,
)

COLLEAGUE: Final = "a colleague"
KEY_KEPT_S: Final = 3600.0
FOREVER: Final = float("inf")


class Help(StrEnum):
    """What a platform itself does against doubles."""

    KEY_OF_MENTION = "deterministic key"
    KEY_FOR_AN_HOUR = "idempotency key for an hour"
    NO_DUPLICATES = "duplicate refused"
    NONE = "no help"


class Becomes(StrEnum):
    """What becomes of one POST."""

    ANSWERED = "answered"
    LOST = "answer lost"
    RESET = "arrived, connection reset"
    LATE = "arrives late"
    DROPPED = "never arrives"
    REFUSED = "refused"
    BUSY = "429"
    TROUBLE = "5xx, not posted"
    TROUBLE_POSTED = "5xx, posted"


@dataclass(slots=True)
class Post:
    """What a customer wrote: every version with the second it appeared, and when it was deleted."""

    mention: Mention
    versions: list[tuple[float, str]]
    deleted: float = FOREVER

    def text_at(self, at: float) -> str | None:
        """What is shown at a second; None once it is deleted."""
        if at >= self.deleted:
            return None
        return next(text for since, text in reversed(self.versions) if since <= at)


@dataclass(slots=True)
class Shown:
    """A reply on the platform. ``key`` is empty for a colleague's."""

    id: str
    answers: str
    text: str
    key: str
    kind: str
    arrived: float
    seen_from: float
    removed: float = FOREVER


@dataclass(slots=True)
class Site:
    """What is true on one platform."""

    name: str
    help: Help
    read_lag: timedelta
    posts: dict[str, Post] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    below: dict[str, list[Shown]] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    grown: list["asyncio.Future[None]"] = field(default_factory=list)
    down_until: float = -1.0
    storm_until: float = -1.0
    keys: dict[str, tuple[float, Shown]] = field(default_factory=dict)
    attempts: int = 0

    def feed(self, entry: Entry) -> None:
        """Something appears in the feed that Heard reads."""
        self.log.append(entry)
        waiting, self.grown = self.grown, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def arrive(self, mention: Mention, outgoing: Outgoing, now: float, seen_from: float) -> Shown | None:
        """A reply of ours arrives; None where the platform refuses it for having the text already."""
        if self.help is Help.KEY_OF_MENTION:
            known = next((one for one in self.below.get(mention.id, ()) if one.key == outgoing.key), None)
            if known is not None and known.removed == FOREVER:
                return known
        if self.help is Help.KEY_FOR_AN_HOUR and outgoing.key in self.keys:
            since, known = self.keys[outgoing.key]
            if now - since < KEY_KEPT_S:
                return known
        if self.help is Help.NO_DUPLICATES and any(
            one.text == outgoing.text and one.key for one in self.below.get(mention.id, ())
        ):
            return None
        reply = self._show(mention.id, outgoing.text, outgoing.key, str(outgoing.kind), now, seen_from)
        self.keys[outgoing.key] = (now, reply)
        return reply

    def colleague(self, answers: str, now: float) -> Shown:
        """Somebody of the brand answers by hand."""
        return self._show(answers, "We have it, best, Kim", "", COLLEAGUE, now, now)

    def _show(self, answers: str, text: str, key: str, kind: str, now: float, seen_from: float) -> Shown:
        reply = Shown(f"{self.name}-reply-{len(self.shown) + 1}", answers, text, key, kind, now, seen_from)
        self.shown.append(reply)
        self.below.setdefault(answers, []).append(reply)
        return reply


class Watcher(Protocol):
    """Who is told of what happens on the platforms, as it happens."""

    def posting(self, site: Site, mention: Mention, outgoing: Outgoing, now: datetime) -> None:
        """A POST begins; ``now`` is what its process took the time for when it decided on it."""
        ...

    def arrived(self, site: Site, reply: Shown, attempt: int, new: bool) -> None:
        """A reply is on the platform."""
        ...

    def fate(self, site: Site, becomes: Becomes) -> None:
        """What was drawn for a POST."""
        ...


class Dies(Protocol):
    """The process that a connection belongs to."""

    @property
    def dead(self) -> bool:
        """Whether it is dead."""
        ...

    def may_die(self, where: str) -> None:
        """Die here, if that was drawn: raises the end of the running task."""
        ...

    def now(self) -> datetime:
        """What time it takes it for."""
        ...

    def now_at_intent(self) -> datetime:
        """What it may have taken the time for when it decided on a POST of now, at the earliest."""
        ...


class Connection:
    """One process's side of a platform."""

    paths: Sequence[Path] = ()
    can_post = True

    def __init__(
        self, site: Site, *, process: Dies, chance: Random, watcher: Watcher, calm: Callable[[], bool]
    ) -> None:
        self.site, self.name, self.read_lag = site, site.name, site.read_lag
        self._process, self._chance, self._watcher, self._calm = process, chance, watcher, calm
        self.paths = (Feed(site),)

    async def _reads(self) -> float:
        """Go there; returns the second that is looked at."""
        self._process.may_die("read")
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.02 + 0.4 * self._chance.random())
        now = loop.time()
        if now < self.site.down_until:
            raise self._chance.choice((Offline("no connection"), Trouble("503"), TooMany("429")))
        if not self._calm() and self._chance.random() < 0.02:
            raise Trouble("not JSON")
        return now

    async def reread(self, mention: Mention) -> Present | Gone:
        """The mention as it is now."""
        text = self.site.posts[mention.id].text_at(await self._reads())
        return Gone() if text is None else Present(text)

    async def reread_all(self, mentions: Sequence[Mention]) -> list[Present | Gone]:
        """Many mentions as they are now."""
        now = await self._reads()
        texts = [self.site.posts[mention.id].text_at(now) for mention in mentions]
        return [Gone() if text is None else Present(text) for text in texts]

    async def answered(self, mention: Mention, *, ours: frozenset[str]) -> str | None:
        """A reply by the brand that is none of ours."""
        now = await self._reads()
        visible = (one for one in self.site.below.get(mention.id, ()) if one.seen_from <= now < one.removed)
        return next((one.id for one in visible if one.id not in ours), None)

    async def find_reply(self, mention: Mention, outgoing: Outgoing) -> Posted | None:
        """Our reply, if a look can see it already."""
        now = await self._reads()
        for one in self.site.below.get(mention.id, ()):
            if one.key and one.text == outgoing.text and one.seen_from <= now < one.removed:
                return Posted(one.id, self._process.now() - timedelta(seconds=now - one.arrived))
        return None

    async def reply(self, mention: Mention, outgoing: Outgoing) -> Fate:
        """POST once."""
        loop, chance, site = asyncio.get_running_loop(), self._chance, self.site
        began = loop.time()
        site.attempts += 1
        attempt = site.attempts
        self._watcher.posting(site, mention, outgoing, self._process.now_at_intent())
        self._process.may_die("POST, before it left")
        await asyncio.sleep(0.01 + 0.3 * chance.random())
        if loop.time() < site.down_until and chance.random() < 0.5:
            return Busy("not now", timedelta(seconds=chance.uniform(5, 120)))
        becomes = self._drawn()
        self._watcher.fate(site, becomes)
        if becomes is Becomes.REFUSED or site.posts[mention.id].text_at(loop.time()) is None:
            return Refused("403")
        if becomes is Becomes.BUSY:
            return Busy("429", timedelta(seconds=chance.uniform(1, 300)))
        return await self._sent(mention, outgoing, becomes, began, attempt)

    def _drawn(self) -> Becomes:
        if self._calm():
            return Becomes.ANSWERED
        stormy = asyncio.get_running_loop().time() < self.site.storm_until
        weights = (2, 2, 2, 3, 3, 1, 6, 3, 2) if stormy else (60, 3, 3, 5, 3, 2, 2, 2, 2)
        drawn: list[Becomes] = self._chance.choices([*Becomes], weights)
        return drawn[0]

    async def _sent(
        self, mention: Mention, outgoing: Outgoing, becomes: Becomes, began: float, attempt: int
    ) -> Fate:
        loop, chance = asyncio.get_running_loop(), self._chance
        arrival: asyncio.Future[Shown | None] = loop.create_future()
        # Whatever becomes of the sender: what left within the deadline arrives within it.
        latest = began + DEADLINE.total_seconds() - loop.time()
        wait = chance.uniform(0, latest) if becomes is Becomes.LATE else min(latest, 0.4 * chance.random())
        if becomes not in (Becomes.DROPPED, Becomes.TROUBLE):
            loop.call_later(wait, self._arrive, mention, outgoing, attempt, arrival)
        self._process.may_die("POST, after it left")
        if becomes in (Becomes.LOST, Becomes.LATE) and chance.random() < 0.5:
            await asyncio.sleep(3600)
        if becomes is Becomes.LATE:
            await asyncio.sleep(chance.uniform(0, 3))
            return Unknown("no answer")
        if becomes in (Becomes.DROPPED, Becomes.TROUBLE):
            await asyncio.sleep(chance.random())
            return Unknown("503" if becomes is Becomes.TROUBLE else "reset")
        reply = await arrival
        await asyncio.sleep(0.2 * chance.random())
        self._process.may_die("POST, after it arrived")
        if reply is None:
            return Unknown("duplicate content")
        if becomes is Becomes.ANSWERED:
            return Posted(reply.id, self._process.now())
        return Unknown(becomes)

    def _arrive(
        self, mention: Mention, outgoing: Outgoing, attempt: int, arrival: "asyncio.Future[Shown | None]"
    ) -> None:
        now, lag = asyncio.get_running_loop().time(), self.read_lag.total_seconds()
        before = len(self.site.shown)
        gone = self.site.posts[mention.id].text_at(now) is None
        reply = None if gone else self.site.arrive(mention, outgoing, now, now + lag * self._chance.random())
        if reply is not None:
            self._watcher.arrived(self.site, reply, attempt, len(self.site.shown) > before)
        if not arrival.done():
            arrival.set_result(reply)

    async def take_back(self, reply_id: str) -> None:
        """Delete a reply of ours."""
        now = await self._reads()
        for one in self.site.shown:
            if one.id == reply_id:
                one.removed = min(one.removed, now)

    async def profile(self) -> Profile | None:
        """The brand's account."""
        return Profile("brand", "auroraair", labelled=True)

    async def examine(self) -> Sequence[Finding]:
        """All is well."""
        return [Finding("login", "ok", "as auroraair")]

    async def close(self) -> None:
        """Nothing is open."""


class Feed:
    """The way in which a site is heard: its log, from a position on."""

    name = "sweep"

    def __init__(self, site: Site) -> None:
        self._site = site

    async def follow(self, cursor: str | None) -> AsyncGenerator[Sequence[Entry], None]:
        """Everything after a position, in stretches."""
        at = int(cursor or 0)
        while True:
            fresh = self._site.log[at : at + 16]
            if fresh:
                at += len(fresh)
                yield fresh
                continue
            more: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._site.grown.append(more)
            await more

    def state(self) -> PathState:
        """It always hears."""
        raise NotImplementedError
