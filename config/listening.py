"""`heard listen`: shows what a platform says about a word, live; nothing is stored and nobody is answered."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from casework.clock import Clock
from casework.errors import HeardError
from casework.mention import Mention
from casework.words import visible
from config.brand import Brand
from config.connecting import looking
from config.places import Place
from platforms.limits import OwnBudget
from platforms.platform import Heard, Platform
from platforms.platform import Path as ListeningPath

WATCH_EVERY_S: Final = 1.0
LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One mention, as a terminal shows it."""

    mention: Mention
    path: str

    def sentence(self) -> str:
        """``12:03:11  @maya  My bag is lost``: one line, and nothing in it that a terminal obeys."""
        text = " ".join(visible(self.mention.text).split())
        text = text if len(text) <= LONGEST else text[:LONGEST] + "…"
        marked = "→ us  " if self.mention.addressed else "      "
        return f"{self.mention.created_at:%H:%M:%S}  {marked}@{visible(self.mention.author.handle)}  {text}"

    def as_json(self) -> str:
        """One line of JSON."""
        mention = self.mention
        return json.dumps(
            {
                "id": mention.id,
                "platform": mention.platform,
                "author": mention.author.handle,
                "text": mention.text,
                "created_at": mention.created_at.isoformat(),
                "addressed": mention.addressed,
                "in_reply_to": mention.in_reply_to,
                "language": mention.language,
                "url": mention.url,
                "path": self.path,
            },
            ensure_ascii=False,
        )


async def listen(
    name: str,
    words: tuple[str, ...],
    brand: Brand | None,
    place: Place,
    *,
    clock: Clock,
    folder: Path,
    limit: int | None,
    say: Callable[[str], None],
) -> AsyncGenerator[Line, None]:
    """Each mention once, as it is heard on any path; ``say`` is told how the paths fare.

    ``folder`` is for what a platform must keep while it listens, and is the caller's to remove.

    Raises:
        HeardError: there is no such platform, or it cannot listen as it is set up.
    """
    async with AsyncExitStack() as stack:
        platform = looking(name, words, brand, place, clock=clock, budget=OwnBudget(clock.now), folder=folder)
        stack.push_async_callback(platform.close)
        if not platform.paths:
            raise HeardError(f"{name} has nothing to listen to as it is set up: heard doctor says more")
        shown = set[str]()
        async with aclosing(_every(platform, say)) as heard:
            async for line in heard:
                if line.mention.key in shown:
                    continue
                shown.add(line.mention.key)
                yield line
                if limit is not None and len(shown) >= limit:
                    return


async def _every(platform: Platform, say: Callable[[str], None]) -> AsyncGenerator[Line, None]:
    found: asyncio.Queue[Line] = asyncio.Queue()
    tasks = [asyncio.create_task(_follow(path, found)) for path in platform.paths]
    tasks.append(asyncio.create_task(_watch(platform, say)))
    try:
        while True:
            yield await found.get()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(path: ListeningPath, found: "asyncio.Queue[Line]") -> None:
    async for stretch in path.follow(None):
        for entry in stretch:
            if isinstance(entry, Heard):
                found.put_nowait(Line(entry.mention, path.name))


async def _watch(platform: Platform, say: Callable[[str], None]) -> None:
    """Say how each path fares whenever that changes."""
    said: dict[str, str] = {}
    while True:
        for path in platform.paths:
            words = path.state().words
            if said.get(path.name) != words:
                said[path.name] = words
                say(f"{platform.name}/{path.name}: {words}")
        await asyncio.sleep(WATCH_EVERY_S)
