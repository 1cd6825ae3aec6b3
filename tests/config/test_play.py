"""Recorded days: played to their end nothing is lost or double, wherever the run was stopped before."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from casework.errors import Conflict, HeardError
from casework.mention import Author
from config.brand import Brand, load_brand
from config.lanes import Taken
from config.recorded import DEMO, Recording, play_fast
from config.summary import Summary
from platforms.feed import Feed, Recorded
from platforms.platform import Unreadable
from platforms.replay import Weather
from streams.case_store import AlreadySeen, CaseStore, Write
from tests.fakes.cases import MINUTE, NOON, a_mention
from tests.fakes.model import LookUpModel

FAIR = Weather()
STORMY = Weather(lost=0.3, error=0.2, busy=0.1)
EVERY = 7
"""Of so many saves one is where a run is stopped."""
WEATHERS = [pytest.param(FAIR, id="fair"), pytest.param(STORMY, id="stormy")]
SAID = (
    ("maya", "@auroraair my bag is lost, where is it?"),
    ("ann", "@auroraair our flight AU412 was cancelled!"),
    ("omar", "@auroraair how long does a refund take?"),
    ("maya", "@auroraair still waiting, the bag is lost!"),
    ("ida", "@auroraair thank you, lovely crew"),
    ("lee", "@auroraair please leave me alone"),
    ("kim", "@auroraair my lawyer will write to you"),
    ("lee", "@auroraair my suitcase is lost as well"),
)


class PulledPlug(BaseException):
    """The process ends here: no handler may live to see it."""


def a_feed() -> Feed:
    """Eight mentions of one afternoon, one of them deleted, and a line that is none."""
    recorded = [
        Recorded(
            replace(
                a_mention(number, text, author=Author(who, who, who.title())),
                created_at=NOON + number * 7 * MINUTE,
                addressed=True,
            ),
            number,
        )
        for number, (who, text) in enumerate(SAID, start=1)
    ]
    recorded[2] = replace(recorded[2], deleted_at=NOON + 40 * MINUTE)
    broken = Unreadable("feed:9", "{", "line 9 is not JSON", "")
    by_key = {item.mention.key: item for item in recorded}
    return Feed("feed", tuple(recorded), (broken,), lines=9, by_key=by_key)


@dataclass
class Play:
    """Plays the feed on the test's server, each time from an empty store unless told to go on."""

    url: str
    folder: Path
    brand: Brand
    numbers: int = 0

    async def to_the_end(self, weather: Weather, *, folder: Path | None = None) -> Summary:
        """The summary; in ``folder`` if that is given, from where the last run in it was stopped."""
        if folder is None:
            folder = await self.anew()
        return await played(Recording(a_feed(), self.brand, folder, self.url, weather))

    async def anew(self) -> Path:
        """An empty store and an empty folder."""
        client: Redis = Redis.from_url(self.url)
        await client.flushall()
        await client.aclose()
        self.numbers += 1
        return self.folder / f"run-{self.numbers}"


async def played(recording: Recording) -> Summary:
    """The summary of a recording that was played to its end."""
    with recording.held():
        return await play_fast(recording, LookUpModel())


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Brand:
    """Aurora Air, knowing about bags and refunds only: the whole knowledge base takes its time to read."""
    folder = tmp_path_factory.mktemp("aurora")
    (folder / "knowledge").mkdir()
    articles = ("knowledge/KB-05-refund-times.md", "knowledge/KB-15-delayed-bags.md")
    for name in ("brand.yaml", "templates.yaml", *articles):
        shutil.copy(DEMO / name, folder / name)
    return load_brand(folder / "brand.yaml")


@pytest.fixture
def play(embedded_url: str, tmp_path: Path, brand: Brand) -> Play:
    return Play(embedded_url, tmp_path, brand)


@pytest.fixture
def saves(monkeypatch: pytest.MonkeyPatch) -> "Saves":
    """Counts the saves of every store from here on."""
    counted = Saves()
    real = CaseStore.save_all

    async def counting(store: CaseStore, writes: Sequence[Write]) -> list[AlreadySeen | Conflict | None]:
        counted.count += 1
        if counted.count == counted.ends_before:
            raise PulledPlug
        outcomes = await real(store, writes)
        if counted.count == counted.ends_after:
            raise PulledPlug
        return outcomes

    monkeypatch.setattr(CaseStore, "save_all", counting)
    return counted


@dataclass
class Saves:
    """Counts saves, and ends the process before or after one of them."""

    count: int = 0
    ends_before: int | None = None
    ends_after: int | None = None

    def end(self, *, before: int | None = None, after: int | None = None) -> None:
        """Count from nought, and end there."""
        self.count, self.ends_before, self.ends_after = 0, before, after


@pytest.mark.parametrize("weather", WEATHERS)
async def test_nothing_is_lost_and_nothing_double(play: Play, weather: Weather) -> None:
    """Every line of the feed is accounted for, and every reply went out once."""
    summary = await play.to_the_end(weather)

    assert (summary.mentions, summary.received, summary.lost, summary.duplicate_replies) == (9, 9, 0, 0)
    assert summary.dead_letters == 1
    assert summary.replies_posted > 0
    assert summary.cases == summary.classified
    assert summary.cases + summary.passed_over <= summary.received


async def test_the_same_day_ends_the_same(play: Play) -> None:
    """Twice the same feed, twice the same summary."""
    assert await play.to_the_end(STORMY) == await play.to_the_end(STORMY)


async def test_an_ended_run_begins_anew(play: Play, brand: Brand) -> None:
    """On a store of its own: what the ended run left is removed."""
    recording = Recording(a_feed(), brand, play.folder / "own", weather=FAIR)
    first = await played(recording)
    (recording.folder / "left behind").touch()

    assert await played(recording) == first
    assert not (recording.folder / "left behind").exists()


async def test_an_ended_run_on_somebodys_server_is_left_alone(play: Play) -> None:
    """Their database is theirs to empty, and the sentence says so."""
    folder = await play.anew()
    await play.to_the_end(FAIR, folder=folder)

    with pytest.raises(HeardError, match="empty that database"):
        await play.to_the_end(FAIR, folder=folder)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("where", "weather"), [("before", STORMY), ("after", FAIR)], ids=["before", "after"])
async def test_a_run_that_was_stopped_ends_the_same(
    play: Play, saves: "Saves", weather: Weather, where: str
) -> None:
    """Stopped at many a save, before it or right after, and played again: the undisturbed summary."""
    whole = await play.to_the_end(weather)
    times = saves.count
    assert times > 10

    for number in range(1, times + 1, EVERY):
        folder = await play.anew()
        saves.end(before=number) if where == "before" else saves.end(after=number)
        with pytest.raises(PulledPlug):
            await play.to_the_end(weather, folder=folder)
        saves.end()
        assert await play.to_the_end(weather, folder=folder) == whole, f"stopped {where} save {number}"


async def test_a_store_of_something_else_is_refused(play: Play) -> None:
    """A recorded day is not played into a store that holds other cases."""
    folder = await play.anew()
    await play.to_the_end(FAIR, folder=folder)
    other = replace(a_feed(), name="other")

    with pytest.raises(HeardError, match="holds other cases"):
        await played(Recording(other, play.brand, play.folder / "other", play.url))


async def test_two_runs_of_one_recording_are_one_too_many(play: Play) -> None:
    """The second says so, plays nothing, and removes nothing from under the first."""
    recording = Recording(a_feed(), play.brand, play.folder / "own")
    with recording.held():
        with pytest.raises(Taken, match="another process plays this recording"):
            await played(recording)
        with pytest.raises(Taken, match="another process plays"), recording.held(again=True):
            pass
        assert (recording.folder / "feed").exists()


async def test_promises_are_told_although_time_jumps(play: Play) -> None:
    """Nobody is at the desk: by the end of the day every promise is kept or broken, none is forgotten."""
    summary = await play.to_the_end(FAIR)

    assert set(summary.promises) == {"first_hour", "same_day"}
    assert all(tally.open == 0 for tally in summary.promises.values())
    assert sum(tally.breached for tally in summary.promises.values()) > 0
