"""The start of a service: nothing outside may keep the alarms waiting."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from casework.errors import TryAgainLater
from config import running
from config.places import demo_brand, here
from config.wiring import JUDGING, STAGES, Model
from platforms.platform import Platform, Profile
from tests.fakes.model import LookUpModel
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize("part", [*STAGES, "promises"])
@pytest.mark.usefixtures("server", "home")
async def test_the_model_is_loaded_only_where_something_judges(part: str) -> None:
    """A sender that waits for torch and half a gigabyte sends late, and needs neither."""
    loaded: list[str] = []

    def load() -> Model:
        loaded.append(part)
        return LookUpModel()

    brand = demo_brand()
    with capture_logs() as said:
        up = running.up(brand, here(brand=brand), load, listen="127.0.0.1:0", only=(part,), insecure=False)
        task = asyncio.create_task(up)
        await until(lambda: any(line["event"] == "running" for line in said) or task.done(), "it runs")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    assert loaded == ([part] if part in JUDGING else [])


def test_a_part_brings_no_libraries_but_its_own() -> None:
    """The desk's and Slack's take as long to import as all the rest: a sender is back without them."""
    asked = (
        "import sys, config.running; print(*{'fastapi', 'slack_sdk', 'slack_bolt', 'torch'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=ROOT, check=True)
    assert said.stdout.split() == []
