"""The start of a service: nothing outside may keep the alarms waiting."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from casework.errors import TryAgainLater
from config import running
from platforms.platform import Platform, Profile


@dataclass(frozen=True, slots=True)
class Asked:
    """A platform of which only the profile is asked."""

    profile: Callable[[], Coroutine[Any, Any, Profile | None]]


async def never() -> Profile | None:
    """It takes the question and is silent."""
    await asyncio.Event().wait()
    return None


async def offline() -> Profile | None:
    """It cannot be reached."""
    raise TryAgainLater("offline", after=timedelta(seconds=1))


async def labelled() -> Profile | None:
    """An account that says what it is."""
    return Profile("1", "aurora", labelled=True)


async def unlabelled() -> Profile | None:
    """An account that looks like a person."""
    return Profile("1", "aurora", labelled=False)


async def nobody() -> Profile | None:
    """No account that could reply."""
    return None


async def test_platforms_that_do_not_answer_keep_no_alarm_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked at once, for so long together; whoever is silent gets no automatic replies."""
    monkeypatch.setattr(running, "PROFILE_PATIENCE_S", 0.05)
    answers = {
        "x": never,
        "bluesky": never,
        "reddit": offline,
        "mastodon": labelled,
        "other": unlabelled,
        "listening": nobody,
    }
    platforms = {name: cast(Platform, Asked(answer)) for name, answer in answers.items()}
    async with asyncio.timeout(5):
        silent = await running.unlabelled(platforms)

    assert silent == {"x", "bluesky", "reddit", "other"}
