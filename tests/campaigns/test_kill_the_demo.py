"""The demo day, killed ten times with SIGKILL and started again: the same totals, none lost, none double."""

import random
from pathlib import Path

import pytest

from tests.campaigns.killing import run

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(3600)]
KILLS = 10


@pytest.mark.parametrize("weather", ["", "lost=0.2,error=0.1,busy=0.1"], ids=["fair", "stormy"])
def test_ten_deaths_change_nothing(tmp_path: Path, weather: str) -> None:
    """Killed at random moments over the whole run; the summary is that of an undisturbed one."""
    arguments = ["demo", "--fast", "--json", *(["--weather", weather] if weather else [])]
    chance = random.Random(20261124)
    whole = run(arguments, tmp_path / "whole").summary
    longest = float(str(whole["seconds"])) / KILLS
    lives = [chance.uniform(0.3, 1.7) * longest + 3.0 for _ in range(KILLS)]

    killed = run(arguments, tmp_path / "killed", lives_s=lives)

    assert killed.kills == KILLS, f"it ended after {killed.kills} kills: make the lives shorter"
    assert without_time(killed.summary) == without_time(whole)
    assert killed.summary["lost"] == 0
    assert killed.summary["duplicate_replies"] == 0


def without_time(summary: object) -> dict[str, object]:
    """The summary without how long it took."""
    assert isinstance(summary, dict)
    return {key: value for key, value in summary.items() if key != "seconds"}
