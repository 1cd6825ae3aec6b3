"""The listener, killed: one post after the other on a platform that a test plays; each becomes one case."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from casework.case import Topic
from streams import topics
from streams.case_store import CaseStore
from streams.paths import PathReports
from tests.contracts.world import OpenWorld, World
from tests.crash.places import CLOCK, brand_file, environment
from tests.crash.positions import Outcome, Run, Scene
from tests.crash.product import POLL_S, EndedByItself, Product, phase_of, wait_until

STAGE: Final = "listener"
AT_ONCE: Final = 60
HEARD_S: Final = 150.0
"""For hearing one post: the slowest regular look is one a minute, and a start may be beside many others."""
AFTER_S: Final = 1.0
"""What is done once a mention is in the store is part of hearing it: the cursor is moved."""
READY_S: Final = 90.0


@asynccontextmanager
async def open_bench(scene: Scene, folder: Path) -> AsyncIterator["Bench"]:
    """A platform with people on it, and a listener that has heard the first of them."""
    open_world: OpenWorld = import_module(f"tests.contracts.worlds.{scene.on}").open_world
    async with open_world(CLOCK) as world:  # type: ignore[arg-type]  # only asked for the time
        played: Any = world
        product = Product(
            folder, (STAGE,), environment(scene.on, played.server.url), brand_file(scene.on, stream=True)
        )
        try:
            bench = Bench(scene.on, product, world)
            await bench.begin()
            yield bench
        finally:
            await product.stop()


@dataclass
class Bench:
    """One listener and its platform."""

    name: str
    product: Product
    world: World
    said: int = 0

    @property
    def left(self) -> int:
        """How many more runs can be played here."""
        return AT_ONCE - self.said

    async def begin(self) -> None:
        """Start, and hear the first post: a listener that never heard anything begins with now."""
        await self._ready()
        post = self._somebody_posts()
        if not await self._until_heard(post):
            raise EndedByItself(f"it hears nothing: {self.product.last_words()}")

    async def play(self, run: Run) -> Outcome:
        """One post, and the deaths of a run."""
        began, outcome = time.monotonic(), Outcome(run.key)
        starting = phase_of(run.deaths, "start")
        if starting is None or len(run.deaths) > 1:
            await self._ready()
            self.product.dies_next = starting
            async with self.product.watched("hear", run, outcome):
                post = self._somebody_posts()
                await self._until_heard(post)
                await asyncio.sleep(AFTER_S)
        else:
            await self.product.die()
            post = self._somebody_posts()
            await self.product.start(starting)
        deadline = time.monotonic() + HEARD_S
        while not await self._heard(post) and time.monotonic() < deadline:
            await self.product.revive(outcome)
            await self._until_heard(post)
        await self.product.revive(outcome)
        await self._count(post, outcome)
        outcome.seconds = round(time.monotonic() - began, 1)
        return outcome

    def _somebody_posts(self) -> str:
        self.said += 1
        return self.world.says(f"My bag {self.said} is lost", author=f"maya{self.said}")

    async def _ready(self) -> None:
        """It runs, and has said since that each of its paths hears."""
        await self.product.revive(Outcome(""))
        reports = PathReports(await self.product.store())
        since, deadline = self.product.ready_at, time.monotonic() + READY_S
        while time.monotonic() < deadline:
            every = await reports.every()
            if every and all(one.ok and one.reported_at > since for one in every):
                return
            await asyncio.sleep(4 * POLL_S)
        raise EndedByItself(f"its paths do not hear: {[(one.name, one.words) for one in every]}")

    # ── what came of it ──────────────────────────────────────────────────────────────────────────

    async def _heard(self, post: str) -> bool:
        return await CaseStore(await self.product.store()).case_of(f"{self.name}:{post}") is not None

    async def _until_heard(self, post: str) -> bool:
        """Whether it was heard before the process died, and within the time that any path takes."""

        async def heard_or_dead() -> bool:
            return await self._heard(post) or not self.product.alive

        await wait_until(heard_or_dead, HEARD_S)
        return await self._heard(post)

    async def _count(self, post: str, outcome: Outcome) -> None:
        store = await self.product.store()
        cases = [
            case
            async for case in CaseStore(store).every()
            if any(mention.id == post for mention in case.mentions)
        ]
        handed_on = 0
        for case in cases:
            stream: Any = await store.writes.xrange(
                topics.topic_key(topics.partition_of_case(case.id), Topic.MENTIONS)
            )
            handed_on += sum(case.id.encode() in fields.values() for _, fields in stream)
        outcome.lost = int(not cases or handed_on < 1)
        outcome.double = max(len(cases) - 1, handed_on - 1, 0)
        outcome.end = f"{len(cases)} cases, handed on {handed_on} times"

    async def doubles(self) -> int:
        """How many mentions are in a second case by now."""
        cases = CaseStore(await self.product.store())
        heard = [mention.id async for case in cases.every() for mention in case.mentions]
        return len(heard) - len(set(heard))
