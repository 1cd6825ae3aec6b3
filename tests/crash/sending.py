"""The sender, killed: one approved reply after the other, on a platform that a test plays."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from casework import moves
from casework.case import WITH_THE_SENDER, Case, Moved, Status, Topic
from casework.errors import HeardError
from casework.mention import Mention
from escalation.promises import PromiseClock
from platforms.limits import OwnBudget
from platforms.platform import Platform
from streams import topics
from streams.case_store import CaseStore
from streams.connection import LOST, Store
from tests.contracts.conftest import Ears
from tests.contracts.test_one_post import POSTING
from tests.contracts.world import OpenWorld, PostFate, World
from tests.crash.places import CLOCK, brand_file, drafted, environment
from tests.crash.positions import Outcome, Run, Scene
from tests.crash.product import POLL_S, EndedByItself, Product, phase_of, wait_for, wait_until
from tests.fakes.gate import Fate, Gate, open_gate

STAGE: Final = "sender"
STAGE_WITH_STORE: Final = "sender+store"
"""The sender with the embedded store, whose server dies with it."""
PLATFORMS: Final = ("bluesky", "mastodon", "x", "reddit")
"""A key of ours for each record; a key that the server remembers; equal text refused; no help at all."""
FATES: Final = ("ok", "lost", "reset", "delayed", "5xx")
"""What becomes of the first POST of a case.

``lost``: published, and closed without an answer. ``reset``: reset, and not published. ``delayed``: it is
under way for longer than a process needs to start again. ``5xx``: 503, and not published.
"""
UNDER_WAY_S: Final = 6.0
"""RULES §2.1: a killed sender's post was seen to arrive up to 5.2 s later."""
AT_ONCE: Final = 40
"""Mentions of one opened bench."""
LISTENING_S: Final = 60.0
"""For the first look, which imports the platform's library, beside many processes that import theirs."""
REST_S: Final = 300.0
QUIET_S: Final = 45.0


@asynccontextmanager
async def open_bench(scene: Scene, folder: Path, *, module: str = "config.cli") -> AsyncIterator["Bench"]:
    """A platform with people who have spoken to the brand, and a sender that is not yet started."""
    name = scene.on
    open_world: OpenWorld = import_module(f"tests.contracts.worlds.{name}").open_world
    async with open_world(CLOCK) as world:  # type: ignore[arg-type]  # only asked for the time
        mentions = await _spoken_to(world, folder)
        played: Any = world
        async with open_gate(played.server.url, POSTING[name]) as gate:
            played.server.url = gate.url
            product = Product(
                folder,
                (STAGE,),
                environment(name, gate.url),
                brand_file(name),
                module=module,
                own_store=scene.stage == STAGE_WITH_STORE,
            )
            try:
                yield Bench(name, product, world, gate, mentions)
            finally:
                await product.stop()


async def _spoken_to(world: World, folder: Path) -> list[Mention]:
    """What people say to the brand, as the product's own platform reads it."""
    ears = Ears()
    platform: Platform = world.connect(
        clock=CLOCK,  # type: ignore[arg-type]  # only asked for the time
        budget=OwnBudget(CLOCK.now),
        folder=folder.with_name(f"{folder.name}.reader"),
        stream=False,
    )
    await ears.open(platform.paths[-1], within_s=LISTENING_S)
    posts = [world.says(f"My bag {n} is lost", author=f"maya{n}") for n in range(AT_ONCE)]
    await ears.hear(*posts, within_s=LISTENING_S)
    await ears.close()
    await platform.close()
    return [ears.mentions[post] for post in posts]


@dataclass
class Bench:
    """One sender and its platform; runs are played on it one after the other."""

    name: str
    product: Product
    world: World
    gate: Gate
    mentions: list[Mention]

    @property
    def left(self) -> int:
        """How many more runs can be played here."""
        return len(self.mentions)

    async def play(self, run: Run) -> Outcome:
        """One approved reply, under the deaths and the fate of a run, until the line is at rest."""
        began, outcome = time.monotonic(), Outcome(run.key)
        mention, starting = self.mentions.pop(), phase_of(run.deaths, "start")
        if starting is None or len(run.deaths) > 1:
            await self._ready(Outcome(run.key))
            self.product.dies_next = starting
            self._becomes(run.scene.fate)
            case_id = await self._draft(mention)
            async with self.product.watched("send", run, outcome):
                await self._approve(case_id)
                await self._until_quiet(case_id)
        else:
            # What was approved while nobody sent is there, and the process that finds it dies starting.
            await self.product.die()
            self._becomes(run.scene.fate)
            case_id = await self._draft(mention)
            await self._approve(case_id)
            await self.product.start(starting)
        await self._until_rest(case_id, run, outcome)
        await self._count(case_id, mention, outcome)
        outcome.seconds = round(time.monotonic() - began, 1)
        return outcome

    # ── what the run is ──────────────────────────────────────────────────────────────────────────

    def _becomes(self, fate: str) -> None:
        """What becomes of the next POST; the one after it is let through."""
        self.gate.posts.clear()
        by_the_platform: Mapping[str, PostFate] = {"lost": "lost", "5xx": "503"}
        if fate in by_the_platform:
            self.world.next_posts(by_the_platform[fate])
        self.gate.fate = Fate.RESET if fate == "reset" else None
        self.gate.holds_s = UNDER_WAY_S if fate == "delayed" else 0.0

    def _fate_is_over(self) -> None:
        # The gate counts a POST by its head, and does to it what it is told once it has the body too, which
        # a death in between keeps back: then it is the next one's.
        if any(post.body for post in self.gate.posts):
            self.gate.fate, self.gate.holds_s = None, 0.0

    async def _ready(self, outcome: Outcome) -> None:
        """The process runs, waits for something to send, and has no connection to the platform open."""
        await self.product.revive(outcome)
        await until_reading(await self.product.store(), self.product)
        self.gate.hang_up()

    async def _draft(self, mention: Mention) -> str:
        """What leads to a draft before people, through the door; returns the case's id."""
        cases, steps = CaseStore(await self.product.store()), drafted(mention, _number(mention))
        for moved in steps:
            await cases.save(moved)
        return steps[-1].case.id

    async def _approve(self, case_id: str) -> None:
        """Nina approves. If the store dies of it with the process that it belongs to, she does so again."""

        def approved(case: Case) -> Moved:
            assert case.draft is not None
            return moves.approve(case, by="Nina", at=CLOCK.now(), draft_sha256=case.draft.sha256)

        with suppress(*LOST, HeardError):
            case = await self._load(case_id)
            if case.status is Status.DRAFTED:
                await CaseStore(await self.product.store()).save(approved(case))

    # ── until it is over ─────────────────────────────────────────────────────────────────────────

    async def _until_quiet(self, case_id: str) -> None:
        """Until the sender has done what it can for now, or is dead."""

        async def quiet_or_dead() -> bool:
            self._fate_is_over()
            if not self.product.alive:
                return True
            try:
                case = await self._load(case_id)
            except (*LOST, HeardError):
                # A store that ended with its process, which will be seen to be dead.
                return False
            waits = case.status is Status.UNKNOWN and case.look_at is not None and case.look_at > CLOCK.now()
            return waits or _ended(case)

        await wait_until(quiet_or_dead, QUIET_S)

    async def _until_rest(self, case_id: str, run: Run, outcome: Outcome) -> None:
        """Start it again whenever it is dead, and let the clock bring the case back, until it is over."""
        deadline, watches = time.monotonic() + REST_S, True
        while time.monotonic() < deadline:
            await self.product.revive(outcome)
            self._fate_is_over()
            case = await self._load(case_id)
            if case.status is Status.DRAFTED:
                await self._approve(case_id)
            elif _ended(case):
                break
            if case.look_at is not None and case.look_at <= CLOCK.now():
                await self._ready(outcome)
                # What it is to die of, it dies of once.
                async with self.product.watched("look" if watches else "", run, outcome):
                    await self._wake()
                    await self._until_quiet(case_id)
                watches = False
            await asyncio.sleep(4 * POLL_S)
        await wait_for(lambda: not self.gate.under_way, 2 * UNDER_WAY_S)

    async def _load(self, case_id: str) -> Case:
        return await CaseStore(await self.product.store()).load(case_id)

    async def _wake(self) -> None:
        """What the promise clock does each second; where it dies itself, see `tests.crash.alarming`."""
        await PromiseClock(CaseStore(await self.product.store()), CLOCK).sweep()

    # ── what came of it ──────────────────────────────────────────────────────────────────────────

    async def _count(self, case_id: str, mention: Mention, outcome: Outcome) -> None:
        case = await self._load(case_id)
        shown = [post.id for post in self.world.published() if post.in_reply_to == mention.id]
        recorded = [reply.id for reply in case.replies]
        known = set(shown) & set(recorded)
        outcome.lost = int(case.status is not Status.ANSWERED or not known)
        outcome.double = max(len(shown) - 1, 0)
        outcome.end = f"{case.status.value}, {len(shown)} shown, {len(recorded)} recorded"
        if recorded != shown:
            outcome.end += f": recorded {recorded}, shown {shown}"

    async def doubles(self) -> int:
        """How many replies too many people see by now, whatever was counted when."""
        seen = [post.in_reply_to for post in self.world.published()]
        return len(seen) - len(set(seen))


async def until_reading(store: Store, product: Product) -> None:
    """Until the consumer waits for entries anew: what comes then is the next thing that it does."""
    key = topics.topic_key(0, Topic.APPROVED)
    deadline = time.monotonic() + QUIET_S
    while time.monotonic() < deadline:
        if not product.alive:
            product.check_killed()
            raise EndedByItself("killed before anything began")
        consumers: Any = (
            await store.reads.xinfo_consumers(key, STAGE) if await store.reads.exists(key) else []
        )
        since_ms = (time.monotonic() - product.started_at) * 1000
        if any(one["idle"] < min(200, since_ms) for one in consumers):
            return
        await asyncio.sleep(POLL_S)
    raise EndedByItself(f"it reads nothing: {product.last_words()}")


def _number(mention: Mention) -> int:
    """A number of its own for each mention: everybody here has said one thing."""
    return int("".join(letter for letter in mention.author.handle if letter.isdigit()) or 0) + 1


def _ended(case: Case) -> bool:
    return case.status not in WITH_THE_SENDER and case.status is not Status.DRAFTED
