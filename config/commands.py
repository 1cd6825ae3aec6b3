"""What the commands do, apart from reading their arguments and printing."""

import json
import os
import sys
import time
import webbrowser
from collections.abc import Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from casework.classification import Classification
from casework.clock import SystemClock
from casework.errors import HeardError
from config.brand import Brand
from config.explain import Shown
from config.init import start_files
from config.logs import set_up_logs
from config.places import Place, brand_file, demo_brand, here, own_brand
from config.play import Progress as Told
from config.recorded import DAY, Recording, play_fast
from config.summary import Summary
from config.usage import WrongUsage
from platforms.feed import Feed, load_feed
from platforms.replay import Weather
from responder.knowledge import load_articles
from responder.wording import load_templates
from streams.connection import open_store
from streams.switch import PauseSwitch

if TYPE_CHECKING:
    from classifier.composed import Judging
    from classifier.evaluate import Evaluation

AT_ONCE: Final = 64
SHOWN_LINES: Final = 20


def load_model(brand: Brand | None = None) -> "Judging":
    """The model that the settings choose; torch is imported here and not before."""
    from classifier.composed import load
    from config.judging import choice_of

    wanted = here(brand=brand).settings.classifier
    return load(choice_of(wanted), threads=wanted.threads, say=lambda words: typer.echo(words, err=True))


def _own_model() -> "Judging":
    """The brand's model, for the commands that need no brand."""
    return load_model(own_brand() if brand_file(None).exists() else None)


# ── recorded days ────────────────────────────────────────────────────────────────────────────────


async def demo_fast(*, weather: str | None = None, again: bool = False) -> tuple[Summary, float]:
    """The demo day to its end with nobody at the desk."""
    place = here(demo=True)
    # Not the folder of the live demo: what a person decided there is no part of a day with nobody there.
    recording = _demo(place, place.folder.with_name("demo-fast"), weather)
    return await _play(recording, place, again=again)


def _demo(place: Place, folder: Path, weather: str | None) -> Recording:
    return Recording(
        feed=load_feed(DAY, now=SystemClock().now()),
        brand=demo_brand(),
        folder=folder,
        redis_url=place.redis_url,
        weather=read_weather(weather),
    )


async def demo_live(
    *,
    speed: float,
    open_desk: bool,
    minutes: float | None,
    again: bool,
    listen: str | None,
    weather: str | None,
    slack_preview: bool = False,
) -> None:
    """The demo day on a clock that runs ``speed`` times faster, with the desk open."""
    from config import running

    place = here(demo=True)
    recording = _demo(place, place.folder, weather)
    with recording.held(again=again) as goes_on, _nowhere() as nowhere:
        set_up_logs(place.folder, level="info", stream=nowhere)
        if goes_on:
            typer.echo("Going on with the day where it was left; --again starts it over.", err=True)
        await running.demo(
            recording,
            load_model(recording.brand),
            speed=speed,
            listen=listen or place.settings.desk.listen,
            minutes=minutes,
            place=place,
            opened_in=webbrowser.open if open_desk and sys.stdout.isatty() else None,
            slack_preview=slack_preview,
        )


@dataclass(frozen=True, slots=True)
class Played:
    """A replay that has ended."""

    summary: Summary
    seconds: float
    warnings: tuple[str, ...]


async def replay(
    source: Path,
    *,
    config: Path | None,
    columns: dict[str, str],
    platform: str,
    again: bool,
    weather: str | None,
) -> Played:
    """Recorded mentions through the whole line, on a store of their own under HEARD_HOME/replay."""
    place = here()
    brand = _brand_for_replay(config)
    feed = load_feed(source, columns=columns, platform=platform, now=SystemClock().now())
    if not feed.lines:
        raise HeardError(f"{source} holds no mentions")
    folder = place.folder / "replay" / Recording(feed, brand, place.folder).name
    recording = Recording(feed, brand, folder, place.redis_url, read_weather(weather))
    summary, seconds = await _play(recording, place, again=again)
    return Played(summary, seconds, _unreadable(feed))


def _brand_for_replay(config: Path | None) -> Brand:
    if brand_file(config).exists() or config is not None:
        return own_brand(config)
    typer.echo("No brand file: played under the demo's settings.", err=True)
    return demo_brand()


def _unreadable(feed: Feed) -> tuple[str, ...]:
    shown = tuple(f"{feed.name}: {line.why}" for line in feed.unreadable[:SHOWN_LINES])
    more = len(feed.unreadable) - len(shown)
    return (*shown, f"… and {more} more; all are dead letters") if more > 0 else shown


async def _play(recording: Recording, place: Place, *, again: bool) -> tuple[Summary, float]:
    started = time.perf_counter()
    with recording.held(again=again), _nowhere() as nowhere, _bar(recording.feed) as told:
        # Only the log file: standard output is the summary's, standard error the progress bar's.
        set_up_logs(recording.folder, level=place.settings.log.level, stream=nowhere)
        summary = await play_fast(recording, load_model(recording.brand), progress=told)
    return summary, time.perf_counter() - started


def _nowhere() -> TextIO:
    """A stream that keeps nothing."""
    return Path(os.devnull).open("w", encoding="utf-8")


@contextmanager
def _bar(feed: Feed) -> Iterator[Told]:
    """A progress bar on standard error, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("mentions", total=feed.lines)

        def told(played: int, instant: datetime) -> None:
            bar.update(task, completed=played, description=f"{instant:%Y-%m-%d %H:%M}")

        yield told


def read_weather(written: str | None) -> Weather | None:
    """``lost=0.1,busy=0.05`` as the weather it describes.

    Raises:
        WrongUsage: it names something that weather has not, or a share that is none.
    """
    if not written:
        return None
    shares: dict[str, float] = {}
    for part in written.split(","):
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            raise WrongUsage(f"weather: {part!r} is not NAME=SHARE, such as lost=0.1") from None
    unknown = set(shares) - {"lost", "error", "busy", "refuse"}
    if unknown or any(not 0 <= share <= 1 for share in shares.values()):
        raise WrongUsage("weather: name lost, error, busy or refuse, each with a share from 0 to 1")
    return Weather(
        lost=shares.get("lost", 0.0),
        error=shares.get("error", 0.0),
        busy=shares.get("busy", 0.0),
        refuse=shares.get("refuse", 0.0),
    )


# ── running ──────────────────────────────────────────────────────────────────────────────────────


async def up(*, config: Path | None, listen: str | None, only: tuple[str, ...], insecure: bool) -> None:
    """Everything, or only some stages, until it is stopped."""
    from config import running

    brand = own_brand(config)
    place = here(brand=brand)
    set_up_logs(place.folder, level=place.settings.log.level, style=place.settings.log.format)
    await running.up(
        brand,
        place,
        partial(load_model, brand),
        listen=listen or place.settings.desk.listen,
        only=only,
        insecure=insecure,
    )


async def listen(
    platform: str, words: tuple[str, ...], *, config: Path | None, limit: int | None, as_json: bool
) -> None:
    """Print live mentions until stopped; nothing is stored."""
    from config.listening import listen as heard

    brand = own_brand(config) if config is not None or brand_file(config).exists() else None
    if not words and brand is None:
        raise WrongUsage("say what to listen for: --keyword WORD")
    with _nowhere() as nowhere, TemporaryDirectory(prefix="heard-listen-") as folder:
        set_up_logs(Path(folder), level="error", stream=nowhere)
        lines = heard(
            platform,
            words,
            brand,
            here(brand=brand),
            clock=SystemClock(),
            folder=Path(folder),
            limit=limit,
            say=lambda said: typer.echo(said, err=True),
        )
        async with aclosing(lines):
            async for line in lines:
                typer.echo(line.as_json() if as_json else line.sentence())


async def pause(*, insecure: bool) -> None:
    """Stop all sending on every store of this place: the brand's, and the demo's if one is there."""
    await _switch(paused=True, insecure=insecure)


async def resume(*, insecure: bool) -> None:
    """Let sending go on, automatic replies that a spike paused too."""
    await _switch(paused=False, insecure=insecure)


async def _switch(*, paused: bool, insecure: bool) -> None:
    for place in (here(), here(demo=True)):
        if place.redis_url is None and not (place.folder / "store").exists() and place.folder.name == "demo":
            continue
        async with open_store(place.redis_url, place.folder / "store", insecure=insecure) as store:
            switch = PauseSwitch(store)
            await (switch.pause("the command line") if paused else switch.resume("the command line"))


# ── Slack ────────────────────────────────────────────────────────────────────────────────────────


def slack_manifest(config: Path | None) -> tuple[str, str]:
    """The manifest of the brand's Slack app, and the link that makes it."""
    from config.slack_try import manifest

    return manifest(own_brand(config).name)


async def slack_test(channel: str, config: Path | None) -> bool:
    """Post a practice card and wait for a click."""
    from config.slack_try import try_channel

    brand = own_brand(config)
    return await try_channel(
        channel,
        brand,
        here(brand=brand),
        clock=SystemClock(),
        say=lambda words: typer.echo(words, err=True),
    )


async def slack_preview(part: str, config: Path | None) -> str:
    """A link to Slack's Block Kit Builder."""
    from config.slack_try import preview

    brand = own_brand(config)
    return await preview(part, brand, here(brand=brand), clock=SystemClock())


# ── looking ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Judged:
    """One line of text as the model reads it, or why it could not be read."""

    line: int
    verdict: Classification | None
    error: str = ""

    def as_json(self) -> dict[str, object]:
        """Plain values for JSON."""
        verdict = self.verdict
        if verdict is None:
            return {"line": self.line, "error": self.error}
        return {
            "line": self.line,
            "sentiment": verdict.sentiment,
            "intent": verdict.intent,
            "urgency": verdict.urgency,
            "confidence": {
                "sentiment": round(verdict.confidence.sentiment, 4),
                "intent": round(verdict.confidence.intent, 4),
                "urgency": round(verdict.confidence.urgency, 4),
            },
            "topics": list(verdict.topics),
            "language": verdict.language,
            "truncated": verdict.truncated,
            "model": verdict.model,
        }

    def sentence(self) -> str:
        """One line for a terminal."""
        verdict = self.verdict
        if verdict is None:
            return f"line {self.line}: {self.error}"
        sure = verdict.confidence
        topics = f"  [{', '.join(verdict.topics)}]" if verdict.topics else ""
        return (
            f"{verdict.sentiment:<8} {sure.sentiment:.0%}  {verdict.intent:<10} {sure.intent:.0%}  "
            f"{verdict.urgency:<8} {sure.urgency:.0%}  {verdict.language}{topics}"
        )


def classify(lines: Iterable[bytes]) -> Iterator[Judged]:
    """Each line judged, in order, many at a time; a line that is no text says so."""
    model, batch = _own_model(), list[tuple[int, bytes]]()
    for number, raw in enumerate(lines, start=1):
        batch.append((number, raw.rstrip(b"\r\n")))
        if len(batch) == AT_ONCE:
            yield from _judged(model, batch)
            batch.clear()
    yield from _judged(model, batch)


def _judged(model: "Judging", batch: list[tuple[int, bytes]]) -> list[Judged]:
    texts: dict[int, str] = {}
    errors: dict[int, str] = {}
    for number, raw in batch:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            errors[number] = "is not UTF-8"
            continue
        if text.strip():
            texts[number] = text
        else:
            errors[number] = "is empty"
    verdicts = dict(zip(texts, model.classify(list(texts.values())), strict=True))
    return [Judged(number, verdicts.get(number), errors.get(number, "")) for number, _ in batch]


@dataclass(frozen=True, slots=True)
class Measured:
    """An evaluation, ready to print."""

    evaluation: "Evaluation"
    better: bool

    def text(self) -> str:
        """As a table."""
        from classifier.evaluate import rendered

        return rendered(self.evaluation)

    def json(self) -> str:
        """As JSON."""
        from dataclasses import asdict

        return json.dumps(asdict(self.evaluation), default=str)


def evaluate(data: Path) -> Measured:
    """The model on the labelled sets of a folder, beside the baseline."""
    from classifier.evaluate import evaluate as measure

    if not (data / "brandgold").is_dir():
        raise HeardError(f"{data} has no labelled sets (brandgold/): name the folder that has")
    evaluation = measure(_own_model(), data)
    return Measured(evaluation, evaluation.beats_baseline_everywhere)


def init(directory: Path | None, brand: str, handle: str, timezone: str) -> tuple[str, ...]:
    """Write the files that a new brand starts with; sentences say what became of each."""
    folder = directory or here().folder
    handles = {"x": handle.removeprefix("@")} if handle else {}
    return start_files(folder, brand=brand, handles=handles, timezone=timezone).sentences()


def load_brand(config: Path | None) -> Brand:
    """The brand of this place, checked with the articles and templates that it names."""
    brand = own_brand(config)
    load_articles(brand.knowledge)
    load_templates(brand.templates)
    return brand


@dataclass(frozen=True, slots=True)
class ShownSettings:
    """The settings in force, ready to print."""

    lines: tuple[Shown, ...]

    def text(self) -> str:
        """One a line."""
        return "\n".join(line.line() for line in self.lines)

    def as_json(self) -> dict[str, dict[str, str]]:
        """By key."""
        return {line.key: {"value": line.value, "origin": line.origin} for line in self.lines}


def show(config: Path | None) -> ShownSettings:
    """The settings in force, each with its origin; secrets hidden."""
    from config.explain import show as shown
    from config.settings import read_settings

    brand = own_brand(config)
    return ShownSettings(shown(brand, read_settings(brand), origin=True))
