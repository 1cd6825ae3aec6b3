"""`heard listen`: each mention once, as one harmless line; nothing is stored."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from casework.clock import ManualClock
from casework.errors import HeardError
from config.listening import Line, listen
from config.places import Place
from config.settings import read_settings
from platforms.platform import Entry, Heard, PathState, Reached
from platforms.setup import Setup
from tests.fakes.cases import NOON, a_mention
from tests.fakes.platform import ScriptedPlatform


class Spoken:
    """A path that says what it was given, then is silent."""

    def __init__(self, name: str, *entries: Entry) -> None:
        self.name = name
        self._entries = entries

    def state(self) -> PathState:
        """It hears."""
        return PathState(True, "connected", NOON)

    async def follow(self, cursor: str | None) -> AsyncGenerator[Sequence[Entry], None]:
        """Everything at once."""
        yield self._entries
        await asyncio.Event().wait()


async def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *paths: Spoken, limit: int) -> list[Line]:
    clock = ManualClock(NOON)

    def make(setup: Setup) -> ScriptedPlatform:
        return ScriptedPlatform(clock, name="bluesky", paths=paths)

    monkeypatch.setattr("config.connecting.installed", lambda: {"bluesky": make})
    place = Place(read_settings(environ={}, folder=tmp_path).settings, tmp_path)
    said = list[str]()
    lines = listen(
        "bluesky",
        ("aurora",),
        None,
        place,
        clock=clock,
        folder=tmp_path,
        limit=limit,
        say=said.append,
    )
    async with aclosing(lines):
        found = [line async for line in lines]
    assert said == [f"bluesky/{path.name}: connected" for path in paths]
    return found


async def test_each_mention_is_shown_once_whichever_path_heard_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And it stops after as many as were asked for."""
    one, two = Heard(a_mention(1), "1"), Heard(a_mention(2), "2")
    paths = (Spoken("stream", Reached("0"), one, two), Spoken("sweep", one, Heard(a_mention(3), "3")))
    lines = await shown(monkeypatch, tmp_path, *paths, limit=3)

    assert sorted(line.mention.id for line in lines) == ["post-1", "post-2", "post-3"]


def test_a_line_is_one_line_and_a_terminal_obeys_nothing_in_it() -> None:
    """Line breaks are spaces, controls are written out."""
    line = Line(a_mention(text="My bag\n\n\x1b[2J is \u202egone"), "stream")

    assert line.sentence() == "12:00:00  → us  @maya  My bag ⟦U+001B⟧[2J is ⟦U+202E⟧gone"
    assert '"path": "stream"' in line.as_json()


async def test_a_platform_without_ears_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In one plain sentence."""
    with pytest.raises(HeardError, match="nothing to listen to"):
        await shown(monkeypatch, tmp_path, limit=1)
