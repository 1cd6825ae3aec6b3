"""Every world that there is, one after the other; and somebody who listens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import pytest

from casework.clock import ManualClock
from casework.mention import Mention
from platforms.limits import OwnBudget
from platforms.platform import Heard, Platform, Reached, Removed, Unreadable
from platforms.platform import Path as ListeningPath
from tests.contracts.world import OpenWorld, World
from tests.fakes import egress
from tests.fakes.waiting import until

WORLDS = tuple(sorted(path.stem for path in (Path(__file__).parent / "worlds").glob("*.py")))


@pytest.fixture(params=WORLDS)
async def world(request: pytest.FixtureRequest, clock: ManualClock) -> AsyncIterator[World]:
    """A platform with people on it."""
    open_world: OpenWorld = import_module(f"tests.contracts.worlds.{request.param}").open_world
    async with open_world(clock) as opened:
        yield opened


@pytest.fixture
async def platform(world: World, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Platform]:
    """Heard's side of it."""
    connected = world.connect(clock=clock, budget=OwnBudget(clock.now), folder=tmp_path)
    yield connected
    await connected.close()


@dataclass
class Ears:
    """Listens on paths of a platform at once, keeps cursors as the listener does, and notes what comes."""

    cursors: dict[str, str] = field(default_factory=dict)
    mentions: dict[str, Mention] = field(default_factory=dict)
    edited: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    unreadable: list[Unreadable] = field(default_factory=list)
    positions: set[str] = field(default_factory=set)
    heard_on: dict[str, set[str]] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def open(self, *paths: ListeningPath, within_s: float = 10.0) -> None:
        """Begin to listen, and return once every path has a position or a connection."""
        self.tasks += [asyncio.create_task(self._listen(path)) for path in paths]
        await until(
            lambda: all(path.state().ok or path.name in self.positions for path in paths),
            f"listening on {[path.name for path in paths]}: {[path.state().words for path in paths]}",
            within_s=within_s,
        )

    async def close(self) -> None:
        """Stop listening."""
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(asyncio.CancelledError):
                await task
        self.tasks.clear()

    async def hear(self, *post_ids: str, within_s: float = 10.0) -> None:
        """Return once these posts were heard."""
        await until(
            lambda: set(post_ids) <= set(self.mentions),
            f"hearing {sorted(set(post_ids) - set(self.mentions))[:5]}",
            within_s=within_s,
        )

    async def _listen(self, path: ListeningPath) -> None:
        async for stretch in path.follow(self.cursors.get(path.name)):
            for entry in stretch:
                if isinstance(entry, Heard):
                    self.mentions.setdefault(entry.mention.id, entry.mention)
                    self.heard_on.setdefault(path.name, set()).add(entry.mention.id)
                    if entry.edited:
                        self.edited[entry.mention.id] = entry.mention.text
                elif isinstance(entry, Removed):
                    self.removed.add(entry.id)
                elif isinstance(entry, Unreadable):
                    self.unreadable.append(entry)
                elif isinstance(entry, Reached):
                    self.positions.add(path.name)
                if entry.cursor:
                    self.cursors[path.name] = entry.cursor


@pytest.fixture(autouse=True)
def only_this_machine() -> Iterator[None]:
    """No test of the contract reaches another machine: no link is fetched, nobody else is asked."""
    egress.clear()
    yield
    assert egress.strangers() == []


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    """Somebody who listens."""
    listening = Ears()
    yield listening
    await listening.close()
